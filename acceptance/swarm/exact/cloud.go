package exact

import (
	"context"
	"errors"
	"slices"
	"time"

	"iris/acceptance/swarm/story"
	"iris/fakevm"
	"iris/iris/leader"
	"iris/iris/state"
	"iris/iris/vm"
)

// What a provisioner does, as package provision has it.
const (
	listInterval   = 10 * second
	requestTimeout = 2 * time.Minute
)

// zone is the one of every group.
const zone = "z"

// cloud is the platform of a scale group. Its machines come up and go as those of fakevm do.
type cloud struct {
	sim     *sim
	name    string
	group   state.Group
	manager *fakevm.Manager
	hangs   bool             // creations do
	wakes   int64            // when something is planned to happen by itself; 0: nothing is
	seen    map[string]int64 // when a slice was first seen to have ended
}

// groups are the scale groups as the cluster knows them.
func (s *sim) groups() []state.Group {
	var all []state.Group
	for i, g := range s.story.Cluster.Groups {
		pace := state.DefaultPace()
		pace.IdleThreshold, pace.ScaleDownCooldown, pace.RequestingTimeout = 2*time.Minute, time.Minute, requestTimeout
		all = append(all, state.Group{
			GroupConfig: vm.GroupConfig{Name: g.Name, MinSlices: g.Min, MaxSlices: g.Max, Zones: []string{zone}, VMsPerSlice: g.VMs},
			VMs:         g.VMs, Rank: i, Pace: pace, Attributes: story.Attributes(g.Pod),
			Capacity: state.Resources{CPUMillis: int64(g.CPU) * 1000, MemoryBytes: int64(g.CPU) * story.CoreMemory},
		})
	}
	return all
}

// beginClouds makes the platforms.
func (s *sim) beginClouds() {
	for i, g := range s.story.Cluster.Groups {
		c := &cloud{sim: s, name: g.Name, group: s.config.Groups[i], seen: map[string]int64{}}
		manager, err := fakevm.New(fakevm.Config{
			Group: c.group.GroupConfig, BootDelay: time.Duration(g.Boot), LateBy: 5 * time.Minute, Machines: machines{c},
		})
		if err != nil {
			s.violate("scale group %s: %w", g.Name, err)
			return
		}
		c.manager = manager
		s.clouds = append(s.clouds, c)
		s.after(0, c.list)
	}
}

// tick lets time go by in the cloud.
func (c *cloud) tick() { c.manager.Tick(c.sim.time()) }

// changed lets time go by, and plans to do so when something happens by itself.
func (c *cloud) changed() {
	c.tick()
	next, more := c.manager.Next()
	at := int64(next.Sub(epoch))
	if !more || c.wakes != 0 && c.wakes <= at {
		return
	}
	c.wakes = at
	c.sim.plan(at, func() {
		if c.wakes == at {
			c.wakes = 0
			c.changed()
		}
	})
}

// cloudOf is the platform of a group.
func (s *sim) cloudOf(group string) *cloud {
	return s.clouds[slices.IndexFunc(s.clouds, func(c *cloud) bool { return c.name == group })]
}

// list shows the leader what there is, and comes again.
func (c *cloud) list() {
	s := c.sim
	s.after(listInterval, c.list)
	t := s.term
	if t == nil || s.strikes("vm.list", c.name) {
		return
	}
	c.tick()
	began := s.time()
	all, err := c.manager.ListSlices(context.Background())
	if err != nil {
		s.violate("list of %s: %w", c.name, err)
		return
	}
	var shown []state.ObserveSlice
	for _, slice := range all {
		shown = append(shown, c.sight(slice))
	}
	for _, slice := range c.manager.Slices() { // a list has only what lives; for a while others are known to have ended
		since, known := c.seen[slice.ID()]
		if known && s.now-since >= 60*second {
			continue
		}
		if slices.ContainsFunc(all, func(other vm.Slice) bool { return other.ID() == slice.ID() }) || !over(slice) {
			continue
		}
		if !known {
			c.seen[slice.ID()] = s.now
		}
		shown = append(shown, c.sight(slice))
	}
	s.after(s.latency(), func() {
		if !t.over && t.on.frozen == 0 {
			t.step(func(l *leader.Leader) []state.Command { return l.Listed(c.name, began, shown) }, nil)
		}
	})
}

// over reports whether nothing of a slice is there any more.
func over(slice vm.Slice) bool {
	return !slices.ContainsFunc(slice.Status().VMs, func(v vm.VM) bool { return !v.State.Terminal() })
}

func (c *cloud) sight(slice vm.Slice) state.ObserveSlice {
	return state.ObserveSlice{ID: slice.ID(), Group: c.name, Zone: slice.Zone(), VMs: slice.Status().VMs}
}

// create asks the platform for a slice, and tells the leader how that went.
func (t *term) create(e state.CreateSlice) {
	s, c := t.sim, t.sim.cloudOf(e.Group)
	s.after(s.between(100*time.Millisecond, 3*time.Second), func() {
		if t.over || t.cut[e.ID] {
			return
		}
		var slice vm.Slice
		err := errInjected
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		if c.hangs {
			cancel() // it is not waited for here
		}
		if !s.strikes("vm.create", e.Group) {
			c.tick()
			slice, err = c.manager.CreateSlice(ctx, vm.Request{ID: e.ID, Zone: e.Zone})
			c.changed()
		}
		why, late := state.RefusedFailed, int64(0)
		switch {
		case errors.Is(err, vm.ErrQuotaExceeded):
			why = state.RefusedQuota
		case errors.Is(err, vm.ErrStockout):
			why = state.RefusedStock
		case errors.Is(err, context.Canceled):
			why, late = state.RefusedUnknown, int64(requestTimeout)
		}
		s.after(late, func() {
			t.step(func(l *leader.Leader) []state.Command {
				if err != nil {
					return []state.Command{state.RefuseSlice{ID: e.ID, Why: why, Cause: err.Error()}}
				}
				return l.Seen(c.sight(slice))
			}, nil)
		})
	})
}

var errInjected = errors.New("chaos: vm.create")

// terminate tries until a slice is gone.
func (t *term) terminate(e state.TerminateSlice) {
	if t.cut == nil {
		t.cut = map[string]bool{}
	}
	t.cut[e.ID] = true
	if len(t.cut) > 1 {
		t.sim.row(37)
	}
	t.tryTerminate(e, second)
}

func (t *term) tryTerminate(e state.TerminateSlice, pause int64) {
	s, c := t.sim, t.sim.cloudOf(e.Group)
	s.after(s.between(100*time.Millisecond, 3*time.Second), func() {
		if t.over {
			return
		}
		if s.strikes("vm.terminate", e.Group) {
			s.after(pause, func() { t.tryTerminate(e, min(2*pause, 60*second)) })
			return
		}
		if slice, known := c.manager.Slice(e.ID); known {
			if err := slice.Terminate(context.Background()); err != nil {
				s.violate("termination of %s: %w", e.ID, err)
				return
			}
			c.changed()
		}
		t.step(func(l *leader.Leader) []state.Command { return l.Terminated(e.ID) }, nil)
	})
}

// machines are told what becomes of a cloud's VMs.
type machines struct{ *cloud }

// Start starts the worker of a VM that came up.
func (ms machines) Start(m fakevm.Machine) {
	c := ms.cloud
	c.sim.addWorker(m.VM.WorkerID, int(c.group.Capacity.CPUMillis/1000), c.group.Worker(m.Slice, m.Zone, m.Index))
}

// Warn drains the worker of a VM that is about to be taken away.
func (ms machines) Warn(m fakevm.Machine, leaves time.Time) {
	if w := ms.sim.worker(m.VM.WorkerID); w != nil && w.up {
		w.drain(int64(leaves.Sub(epoch)))
	}
}

// Halt ends the worker of a VM that is gone.
func (ms machines) Halt(m fakevm.Machine) {
	s := ms.sim
	if w := s.worker(m.VM.WorkerID); w != nil {
		w.stop()
		w.halt()
		w.gone = true
		s.halted[w.id] = s.now
		s.workers = slices.DeleteFunc(s.workers, func(other *worker) bool { return other == w })
		delete(s.named, w.id)
	}
}

// drainMargin is what is left of a machine's time when its worker has ended what ran.
const drainMargin = second

// drain has a worker take nothing new, and end what it runs before its machine leaves.
func (w *worker) drain(leaves int64) {
	w.draining = true
	w.stir()
	w.later(max(0, leaves-w.sim.now-killGrace-drainMargin), func() {
		for _, a := range slices.Clone(w.ledger) {
			a.interrupt(state.Killed, "worker "+w.id+" was drained", killGrace)
		}
	})
}
