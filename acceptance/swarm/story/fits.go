package story

import (
	"fmt"
	"strings"
)

// Fits reports, naively, whether a job would get its workers if nothing else ran: those of the cluster that are there, by their
// number in the story, or those that a scale group can bring. It counts, one by one.
func (c Cluster) Fits(j *Job, there func(worker int) bool) bool {
	tasks := 1 // that have to be somewhere at once
	if j.GroupBy != "" {
		tasks = j.Tasks
	}
	room := map[string]int{} // for tasks, on all workers that share what a gang is grouped by
	add := func(worker, slice, pod string, cpu int) {
		group := worker
		switch {
		case !wants(j.Pod, pod):
			return
		case j.GroupBy == "slice":
			group = slice
		case j.GroupBy == "pod":
			group = pod
		}
		if group != "" {
			room[group] += cpu / j.CPU
		}
	}
	for i, w := range c.Workers {
		if there(i) {
			add(fmt.Sprintf("w-%d", i), w.Slice(i), w.Pod, w.CPU)
		}
	}
	for _, g := range c.Groups {
		for s := range g.Max {
			for m := range g.VMs {
				slice := fmt.Sprintf("%s-%d", g.Name, s)
				add(fmt.Sprintf("%s-%d", slice, m), slice, g.Pod, g.CPU)
			}
		}
	}
	for _, n := range room {
		if n >= tasks {
			return true
		}
	}
	return false
}

// wants reports whether a job's constraint takes a worker of a pod; "" is one without.
func wants(constraint, pod string) bool {
	if other, not := strings.CutPrefix(constraint, "!"); not {
		return pod != other
	}
	return constraint == "" || pod == constraint
}
