package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"iris/fakevm"
	"iris/iris/config"
	"iris/iris/controller"
	"iris/iris/state"
	"iris/iris/vm"
	"iris/iris/worker"
)

// cloud is the platform of a scale group that comes and goes in this process: its machines are made up, the workers on
// them are real.
type cloud struct {
	*fakevm.Manager
	owner *Manager
	group state.Group
	dir   string
	grace time.Duration // between SIGTERM and SIGKILL
	runs  sync.WaitGroup

	mu       sync.Mutex
	machines map[string]*machine // those that run, by worker
}

// newCloud is one without slices, in which time stands still until it runs.
func (m *Manager) newCloud(c config.Cluster, g config.Group, group state.Group, dir string) (made *cloud, err error) {
	made = &cloud{owner: m, group: group, dir: dir, grace: c.Worker.KillGrace, machines: map[string]*machine{}}
	made.Manager, err = fakevm.New(fakevm.Config{
		Group: g.VM(), BootDelay: g.BootDelay, InitDelay: g.InitDelay, Machines: machines{made, c},
	})
	return made, err
}

// run lets time go by in the cloud, until its cluster ends.
func (c *cloud) run() { c.runs.Go(func() { c.Run(c.owner.ctx) }) }

// close takes every machine away once the cluster ends.
func (c *cloud) close() error {
	c.runs.Wait()
	var errs []error
	for _, worker := range c.workers() {
		errs = append(errs, c.halt(worker))
	}
	return errors.Join(errs...)
}

// workers are those whose machines run.
func (c *cloud) workers() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.machines))
}

// find is the machine of a worker, or nil.
func (c *cloud) find(worker string) *machine {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.machines[worker]
}

// halt ends the worker of a machine that is gone, with all that it had.
func (c *cloud) halt(worker string) error {
	c.mu.Lock()
	machine := c.machines[worker]
	delete(c.machines, worker)
	c.mu.Unlock()
	if machine == nil {
		return nil
	}
	return machine.retire()
}

// machines are told what becomes of a cloud's VMs.
type machines struct {
	cloud   *cloud
	cluster config.Cluster
}

// Start starts the worker of a VM that came up. One that does not start is a machine whose worker never comes.
func (ms machines) Start(m fakevm.Machine) {
	c := ms.cloud
	attributes := c.group.Worker(m.Slice, m.Zone, m.Index)
	machine, err := c.owner.newMachine(ms.cluster, m.VM.WorkerID, c.group.Capacity, attributes, c.dir)
	if err == nil {
		if err = machine.start(); err != nil {
			err = errors.Join(err, machine.retire())
		}
	}
	if err != nil {
		c.owner.options.Log.Error("worker of a new machine does not start", "machine", m.VM.ID, "error", err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.machines[m.VM.WorkerID] = machine
}

// warnMargin is what is left of a machine's time when its worker has ended what ran, for the results to be delivered.
const warnMargin = time.Second

// Warn drains the worker of a VM that is about to be taken away, so that its tasks get SIGTERM and their grace in time.
func (ms machines) Warn(m fakevm.Machine, leaves time.Time) {
	c := ms.cloud
	machine := c.find(m.VM.WorkerID)
	if machine == nil {
		return
	}
	c.runs.Go(func() {
		ctx, cancel := context.WithDeadline(c.owner.ctx, leaves)
		defer cancel()
		err := machine.end(func(w *worker.Worker) error {
			return w.DrainWithin(ctx, max(0, time.Until(leaves)-c.grace-warnMargin))
		})
		if err != nil && c.owner.ctx.Err() == nil {
			c.owner.options.Log.Warn("worker did not end before its machine was taken away", "worker", m.VM.WorkerID, "error", err)
		}
	})
}

// Halt ends the worker of a VM that is gone, as abruptly.
func (ms machines) Halt(m fakevm.Machine) {
	if err := ms.cloud.halt(m.VM.WorkerID); err != nil {
		ms.cloud.owner.options.Log.Error("worker of a machine that is gone did not end cleanly", "worker", m.VM.WorkerID, "error", err)
	}
}

// Cloud is the pretended platform of a scale group that is local, for whoever wants it to fail.
func (m *Manager) Cloud(group string) *fakevm.Manager {
	c, known := m.clouds[group]
	if !known {
		panic(fmt.Sprintf("cluster %s: there is no local scale group %q; there are %v", m.Name, group,
			slices.Sorted(maps.Keys(m.clouds))))
	}
	return c.Manager
}

// scaling is how the controllers get machines.
func (m *Manager) scaling(c config.Cluster) controller.Scaling {
	all := controller.Scaling{
		Managers: map[string]vm.Manager{}, EvaluationInterval: c.Autoscaler.EvaluationInterval,
		ListInterval: c.Autoscaler.ListInterval,
	}
	for _, g := range m.clouds {
		all.Groups = append(all.Groups, g.group)
		all.Managers[g.group.Name] = g.Manager
	}
	return all
}

// startClouds makes the platforms of the groups that come and go.
func (m *Manager) startClouds(c config.Cluster, dir string) error {
	for _, group := range c.ScaleGroups() {
		g := c.Group(group.Name)
		if g.Platform != config.Local {
			return fmt.Errorf("scale group %s is of platform %s, which a cluster in one process has not", g.Name, g.Platform)
		}
		made, err := m.newCloud(c, g, group, filepath.Join(dir, g.Name))
		if err != nil {
			return err
		}
		m.clouds[group.Name] = made
	}
	return nil
}
