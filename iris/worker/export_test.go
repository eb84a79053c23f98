package worker

import (
	"maps"
	"slices"
)

// TakenPorts are the ports that attempts of a worker have.
func TakenPorts(w *Worker) []int {
	w.ports.mu.Lock()
	defer w.ports.mu.Unlock()
	return slices.Sorted(maps.Keys(w.ports.taken))
}
