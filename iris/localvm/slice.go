package localvm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"iris/iris/runtime"
	"iris/iris/vm"
)

// slice implements vm.Slice.
type slice struct {
	m         *Manager
	id        string
	zone      string
	labels    map[string]string
	createdAt time.Time
	damage    string // why slice.json cannot be understood; empty: it can

	// turn is held by whoever finds out about the processes of the slice, or changes them. That takes I/O, so it is no
	// mutex: who finds it held gives up, or waits until a context ends. It guards what follows, and the right to change vms.
	turn      chan struct{}
	workers   []worker
	since     time.Time // when the termination began; zero: it has not
	gone      bool      // nothing runs, and nothing is in the directory
	complaint string    // the last error that was logged

	mu  sync.Mutex // held for a copy at most
	vms []vm.VM
}

// worker is the process of a VM, as far as it is known.
type worker struct {
	identity
	exit *runtime.Exit // how it ended, if this process was told
}

// mayRun reports whether there was such a process since the machine was started.
func (w *worker) mayRun(boot string) bool { return w.Process.PID != 0 && w.Boot == boot }

var _ vm.Slice = (*slice)(nil)

// newSlice is one whose VMs are BOOTING.
func newSlice(m *Manager, id string, a about) *slice {
	s := &slice{
		m: m, id: id, zone: a.Zone, labels: a.Labels, createdAt: a.Created,
		turn: make(chan struct{}, 1), workers: make([]worker, a.VMs), vms: make([]vm.VM, a.VMs),
	}
	for i := range s.vms {
		s.vms[i] = vm.VM{ID: fmt.Sprintf("%s-vm-%d", id, i), State: vm.Booting, ChangedAt: a.Created}
	}
	return s
}

func (s *slice) ID() string                { return s.id }
func (s *slice) Group() string             { return s.m.cfg.Group.Name }
func (s *slice) Zone() string              { return s.zone }
func (s *slice) Labels() map[string]string { return maps.Clone(s.labels) }
func (s *slice) CreatedAt() time.Time      { return s.createdAt }

func (s *slice) Status() vm.SliceStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return vm.SliceStatus{VMs: slices.Clone(s.vms)}
}

// vm is a copy of the VM.
func (s *slice) vm(i int) vm.VM {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.vms[i]
}

// local is where all VMs are.
const local = "127.0.0.1"

// set moves a VM to a state. A terminal one is left as it is. The caller has the turn.
func (s *slice) set(i int, state vm.State, why string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := &s.vms[i]
	if v.State.Terminal() || v.State == state {
		return
	}
	v.State, v.InitError, v.ChangedAt = state, why, at
	v.Address, v.WorkerID = local, v.ID
}

// end moves all VMs to a terminal state. The caller has the turn.
func (s *slice) end(state vm.State, why string) {
	for i := range s.workers {
		s.set(i, state, why, time.Now())
	}
}

// dir is the slice's own directory, vmDir is that of one of its VMs.
func (s *slice) dir() string        { return s.m.disk.path(s.id) }
func (s *slice) vmDir(i int) string { return s.m.disk.path(s.id, vmName(i)) }

func vmName(i int) string { return "vm-" + strconv.Itoa(i) }

// take waits for the turn.
func (s *slice) take(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// release gives the turn to the next one.
func (s *slice) release() { <-s.turn }

// bounded ends with ctx, or when the manager is closed.
func (m *Manager) bounded(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	undo := context.AfterFunc(m.ctx, func() { cancel(errClosed) })
	return ctx, func() {
		undo()
		cancel(nil)
	}
}

var errClosed = errors.New("the manager is closed")

// complain logs an error unless it was the last one that was logged. The caller has the turn.
func (s *slice) complain(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != s.complaint {
		s.m.cfg.Log.Warn("looking at a slice failed; trying again", "slice", s.id, "error", err)
	}
	s.complaint = text
}
