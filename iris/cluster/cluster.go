// Package cluster boots a whole cluster in one process: a controller and the workers of every group, each of them the
// real thing, over TCP or over the in-memory network.
//
//	m, err := cluster.Start(cluster.MakeLocalConfig(config), cluster.Options{})
//	defer m.Stop()
//	err = m.Ready(ctx)
//	c, err := m.Connect()
//
// Once Stop returns nothing of the cluster is left: no goroutine, no process, no directory.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"time"

	"iris/iris/bundle"
	"iris/iris/client"
	"iris/iris/config"
	"iris/iris/controller"
	"iris/iris/network"
	"iris/iris/peers"
	"iris/iris/runtime"
	"iris/iris/state"
	"iris/iris/worker"
)

// MakeLocalConfig makes a description fit for one machine: the controller listens on a free loopback port, workers look
// at their attempts ten times a second, and what is hopeless fails after 20 s and one round of dispatches, not after
// minutes.
func MakeLocalConfig(c config.Cluster) config.Cluster {
	c.Controller.Address = ""
	c.Controller.NoWorkerGrace = 20 * time.Second
	c.Controller.DispatchRounds = 1
	c.Worker.PollInterval = 100 * time.Millisecond
	return c
}

// Options are what a description cannot say.
type Options struct {
	// Network connects the participants. Default: TCP.
	Network network.Network
	// Functions are what function entrypoints may name. Nil: workers run commands only.
	Functions *runtime.Func
	// Dir holds bundles and working directories. Empty: a temporary one, removed by Stop.
	Dir string
	// Log defaults to slog.Default.
	Log *slog.Logger
}

// Manager is a running cluster.
type Manager struct {
	Name       string // the cluster's; the label chaos rules tell it by
	network    network.Network
	dir        string // to remove at the end; empty: not ours
	controller *controller.Controller
	workers    []*worker.Worker
	processes  *runtime.Process // all workers' commands
	peers      *peers.Peers
}

const cacheBytes = 1 << 30 // of downloaded workspaces, for each worker

// Start boots the controller, then the smallest number of slices of every group. Workers register in the background.
func Start(c config.Cluster, options Options) (*Manager, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	m := &Manager{Name: c.Name, network: options.Network, processes: runtime.NewProcess()}
	if m.network == nil {
		m.network = network.TCP{}
	}
	if err := m.start(c, options); err != nil {
		return nil, errors.Join(fmt.Errorf("cluster %s: %w", c.Name, err), m.Stop())
	}
	return m, nil
}

func (m *Manager) start(c config.Cluster, options Options) error {
	dir := options.Dir
	if dir == "" {
		temporary, err := os.MkdirTemp("", "iris-"+c.Name+"-")
		if err != nil {
			return err
		}
		dir, m.dir = temporary, temporary
	}
	store, err := bundle.NewStore(filepath.Join(dir, "bundles"), bundle.DefaultLimits)
	if err != nil {
		return err
	}
	m.peers = peers.New(m.network, store)
	m.controller, err = controller.Start(controller.Config{
		Cluster: c.Name, Network: m.network, Address: c.Controller.Address, Bundles: m.peers.Bundles(nil),
		WorkerTimeout: c.Controller.WorkerTimeout, Log: options.Log,
		Policy: state.Policy{
			NoWorkerGrace: c.Controller.NoWorkerGrace, DispatchRounds: c.Controller.DispatchRounds,
			DispatchPause: c.Controller.DispatchPause,
		},
		Retention: state.Retention(c.Controller.Retention),
	})
	if err != nil {
		return err
	}
	for _, g := range c.Groups {
		vms, err := g.VM().VMCount()
		if err != nil {
			return err
		}
		for slice := range g.MinSlices {
			for range vms {
				if err := m.startWorker(c, g, fmt.Sprintf("%s-%d", g.Name, slice), dir, options); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (m *Manager) startWorker(c config.Cluster, g config.Group, slice, dir string, options Options) error {
	id := fmt.Sprintf("w-%d", len(m.workers))
	attributes := maps.Clone(g.Attributes)
	if attributes == nil {
		attributes = map[string]string{}
	}
	attributes[state.AttributeSlice] = slice
	cache, err := bundle.NewCache(filepath.Join(dir, id, "bundles"), cacheBytes)
	if err != nil {
		return err
	}
	w, err := worker.Start(worker.Config{
		Cluster: c.Name, ID: id, Controller: m.Address(), Network: m.network,
		Capacity:   state.Resources{CPUMillis: state.Millis(g.CPU), MemoryBytes: int64(g.Memory)},
		Attributes: attributes, Functions: functions(options), Processes: m.processes,
		WorkDir: filepath.Join(dir, id, "tasks"), Bundles: cache,
		HeartbeatInterval: c.Worker.HeartbeatInterval, PollInterval: c.Worker.PollInterval, KillGrace: c.Worker.KillGrace,
		Log: options.Log,
	})
	if err != nil {
		return err
	}
	m.workers = append(m.workers, w)
	return nil
}

// functions keeps a nil pointer from becoming a runtime.
func functions(options Options) runtime.Runtime {
	if options.Functions == nil {
		return nil
	}
	return options.Functions
}

// Address is where clients reach the controller.
func (m *Manager) Address() string { return m.controller.Address() }

// Controller is the running controller.
func (m *Manager) Controller() *controller.Controller { return m.controller }

// Connect is a client of the cluster; the caller closes it.
func (m *Manager) Connect() (*client.Client, error) {
	return client.Connect(m.Address(), client.Network(m.network))
}

// Ready waits until every worker has registered.
func (m *Manager) Ready(ctx context.Context) error {
	for i, w := range m.workers {
		select {
		case <-w.Registered():
		case <-ctx.Done():
			return fmt.Errorf("cluster %s: worker w-%d has not registered: %w", m.Name, i, ctx.Err())
		}
	}
	return nil
}

// Stop ends the workers, killing what they run, then the controller. It may be called once.
func (m *Manager) Stop() error {
	var errs []error
	for _, w := range m.workers {
		errs = append(errs, w.Stop())
	}
	if m.controller != nil {
		errs = append(errs, m.controller.Stop())
	}
	if m.peers != nil {
		errs = append(errs, m.peers.Close())
	}
	errs = append(errs, m.processes.Close())
	if m.dir != "" {
		errs = append(errs, os.RemoveAll(m.dir))
	}
	return errors.Join(errs...)
}
