package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"iris/iris/auth"
	"iris/iris/bundle"
	"iris/iris/config"
	"iris/iris/state"
	"iris/iris/telemetry"
	"iris/iris/worker"
)

// machine is one of the cluster's workers, over all its lives: each is a new incarnation.
type machine struct {
	config worker.Config
	dir    string           // all that it has on disk
	calls  *telemetry.Calls // nil: nothing is measured

	mu     sync.Mutex
	worker *worker.Worker // nil while it is down
}

const cacheBytes = 1 << 30 // of downloaded workspaces, for each worker

// newMachine is a worker that has not been started. What it has on its disk is below dir.
func (m *Manager) newMachine(c config.Cluster, id string, capacity state.Resources, attributes map[string]string,
	dir string) (*machine, error) {
	dir = filepath.Join(dir, id)
	cache, err := bundle.NewCache(filepath.Join(dir, "bundles"), cacheBytes)
	if err != nil {
		return nil, err
	}
	serving, err := m.options.serving(auth.Worker, id)
	if err != nil {
		return nil, err
	}
	dialling, err := m.options.dialling(auth.Worker, id, auth.Controller)
	if err != nil {
		return nil, err
	}
	metrics, calls, err := m.measured(id)
	if err != nil {
		return nil, err
	}
	w := worker.Config{
		Cluster: c.Name, ID: id, Controller: m.Address(), Network: m.options.network(id),
		Capacity: capacity, Attributes: attributes, Processes: m.processes,
		WorkDir: filepath.Join(dir, "tasks"), Bundles: cache,
		HeartbeatInterval: c.Worker.HeartbeatInterval, PollInterval: c.Worker.PollInterval, KillGrace: c.Worker.KillGrace,
		ServerOptions: slices.Concat(calls.ServerOptions(), serving),
		DialOptions:   slices.Concat(telemetry.TraceDial(m.options.Traces), calls.DialOptions(), dialling),
		Metrics:       metrics, Traces: m.options.Traces, Log: m.options.Log,
	}
	if m.options.Functions != nil { // a nil pointer would be a runtime
		w.Functions = m.options.Functions
	}
	return &machine{config: w, dir: dir, calls: calls}, nil
}

// start begins a life.
func (m *machine) start() (err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.worker != nil {
		return fmt.Errorf("worker %s runs already", m.config.ID)
	}
	m.worker, err = worker.Start(m.config)
	return err
}

// stop ends the current life and what it runs; it does nothing while the worker is down.
func (m *machine) stop() error { return m.end((*worker.Worker).Stop) }

// drain ends it in good order.
func (m *machine) drain(ctx context.Context) error {
	return m.end(func(w *worker.Worker) error { return w.Drain(ctx) })
}

func (m *machine) end(how func(*worker.Worker) error) error {
	m.mu.Lock()
	w := m.worker
	m.worker = nil
	m.mu.Unlock()
	if w == nil {
		return nil
	}
	return how(w)
}

// retire ends the machine for good, with all that it had.
func (m *machine) retire() error {
	err := m.stop()
	m.calls.Unregister()
	return errors.Join(err, os.RemoveAll(m.dir))
}

// current is the running worker, or nil.
func (m *machine) current() *worker.Worker {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.worker
}
