package state

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"iris/iris/vm"
)

// Slice is a slice of a scale group, from the request on until it is gone.
type Slice struct {
	ID, Group, Zone string
	// State follows from what the platform shows of the VMs and from which of the workers are live. REQUESTING: the platform
	// has not answered. BOOTING, INITIALIZING: as the last of its VMs. READY: all its workers are live. UNHEALTHY: they were,
	// and one is not now, or the platform gave notice. FAILED, PREEMPTED: one of its VMs is; it will never be whole again.
	// STOPPING: it is being given back.
	State vm.State
	// Since is when it entered State.
	Since time.Time
	// Requested is when it was asked for, or adopted.
	Requested time.Time
	// ReadyAt is when it was first READY; zero: it never was.
	ReadyAt time.Time
	// IdleSince is since when its workers have had no attempt, not even one that is stopping (FM-64). Zero while they have.
	IdleSince time.Time
	// VMs are as the platform showed them last. None while REQUESTING.
	VMs []vm.VM
	// Reason is why it was asked for; Cause why it failed or is given back.
	Reason, Cause string
	// Leaving: it is given back, or the platform gave notice; nothing new is placed on it.
	Leaving bool

	workers map[string]*Worker // that said they belong to it
	held    int                // unreleased attempts of theirs
}

// StopWhy is why a slice is given back.
type StopWhy uint8

// The reasons. Of a failure the group may have to back off.
const (
	StopIdle      StopWhy = iota + 1 // it is not needed
	StopSurplus                      // there are more than the group may have
	StopFailed                       // it did not come up, or one of its machines failed
	StopUnhealthy                    // it lacked a worker for too long
	StopPreempted                    // the platform took it away
	StopOrphan                       // it should be gone, or nobody may have asked for it
)

// needless reports whether the slice could as well stay.
func (w StopWhy) needless() bool { return w == StopIdle || w == StopSurplus }

// Live is the slice's number of workers that are live.
func (s *Slice) Live() int {
	n := 0
	for _, w := range s.workers {
		if !w.Lost {
			n++
		}
	}
	return n
}

// Held is how many attempts its workers have, those included that are stopping.
func (s *Slice) Held() int { return s.held }

// hold and release keep the number of attempts of its workers, and since when there are none. A slice may be nil.
func (s *Slice) hold(n int) {
	if s != nil && n > 0 {
		s.held += n
		s.IdleSince = time.Time{}
	}
}

func (s *Slice) release(now time.Time, n int) {
	if s != nil && n > 0 {
		if s.held -= n; s.held == 0 {
			s.IdleSince = now
		}
	}
}

// drop forgets one of its workers.
func (s *Slice) drop(w *Worker) {
	if s != nil {
		delete(s.workers, w.ID)
	}
}

// workerOf is the live worker on a VM, or nil.
func (s *Slice) workerOf(v vm.VM) *Worker {
	if w := s.workers[v.WorkerID]; w != nil && !w.Lost {
		return w
	}
	return nil
}

// follows is the state that a slice that is not given back is in.
func (s *Slice) follows() vm.State {
	status := vm.SliceStatus{VMs: s.VMs}
	is := func(state vm.State) func(vm.VM) bool { return func(v vm.VM) bool { return v.State == state } }
	switch {
	case len(s.VMs) == 0:
		return vm.Requesting
	case slices.ContainsFunc(s.VMs, is(vm.Preempted)):
		return vm.Preempted
	case status.AnyFailed() || slices.ContainsFunc(s.VMs, is(vm.Terminated)): // the latter by somebody else
		return vm.Failed
	case slices.ContainsFunc(s.VMs, is(vm.Stopping)):
		return vm.Unhealthy
	case s.Live() >= len(s.VMs):
		return vm.Ready
	case !s.ReadyAt.IsZero():
		return vm.Unhealthy
	case slices.ContainsFunc(s.VMs, is(vm.Requesting)), slices.ContainsFunc(s.VMs, is(vm.Booting)):
		return vm.Booting
	}
	return vm.Initializing // also while the platform says that a VM is READY whose worker has not registered
}

// settleSlice moves a slice to the state that follows. It may be nil.
func (c *Cluster) settleSlice(now time.Time, s *Slice) {
	if s == nil || s.State == vm.Stopping {
		return
	}
	to, from := s.follows(), s.State
	if to == from {
		return
	}
	s.State, s.Since = to, now
	switch to {
	case vm.Ready:
		if s.ReadyAt.IsZero() {
			s.ReadyAt = now
			c.note(now, s, EventReady, "after "+now.Sub(s.Requested).Round(time.Millisecond).String())
		}
		if s.held == 0 {
			s.IdleSince = now
		}
	case vm.Failed, vm.Preempted:
		s.Cause = strings.Join(vm.SliceStatus{VMs: s.VMs}.Errors(), "; ")
		if s.Cause == "" {
			s.Cause = "its machines were terminated by somebody else"
		}
		s.Leaving = true
	case vm.Unhealthy:
		s.Leaving = s.Leaving || slices.ContainsFunc(s.VMs, func(v vm.VM) bool { return v.State == vm.Stopping })
	}
}

// enlist notes which slice a worker that has registered belongs to.
func (c *Cluster) enlist(now time.Time, w *Worker) {
	to := c.fleet.byID[w.Attributes[AttributeSlice]]
	if w.slice != to {
		w.slice.drop(w)
		w.slice.release(now, len(w.held))
		c.settleSlice(now, w.slice)
		w.slice = to
		if to != nil {
			to.workers[w.ID] = w
			to.hold(len(w.held))
		}
	}
	c.settleSlice(now, to)
}

// Slices are all that are not gone, in the order in which they were asked for. The caller must not keep or change the
// slice.
func (c *Cluster) Slices() []*Slice { return c.fleet.slices }

// Slice is the slice with this id, or nil.
func (c *Cluster) Slice(id string) *Slice { return c.fleet.byID[id] }

// SliceNews reports whether what a platform shows of a slice would change something.
func (c *Cluster) SliceNews(seen ObserveSlice) bool {
	s := c.fleet.byID[seen.ID]
	switch {
	case s == nil:
		return c.fleet.groups[seen.Group] != nil && !vm.SliceStatus{VMs: seen.VMs}.Terminal()
	case s.State == vm.Stopping:
		return false
	}
	return !slices.EqualFunc(s.VMs, seen.VMs, sameVM)
}

func sameVM(a, b vm.VM) bool {
	changed, leaves := a.ChangedAt.Equal(b.ChangedAt), a.LeavesAt.Equal(b.LeavesAt)
	a.ChangedAt, a.LeavesAt = b.ChangedAt, b.LeavesAt
	return a == b && changed && leaves
}

// sliceOrder is the order in which slices were asked for.
func sliceOrder(a, b *Slice) int {
	return cmp.Or(a.Requested.Compare(b.Requested), cmp.Compare(a.Group, b.Group), cmp.Compare(sliceNumber(a.ID), sliceNumber(b.ID)),
		cmp.Compare(a.ID, b.ID))
}

// sliceID is the id of a group's nth slice.
func sliceID(group string, n int64) string { return fmt.Sprintf("%s-%d", group, n) }

// sliceNumber is the number in an id that sliceID made; -1 if it is another.
func sliceNumber(id string) int64 {
	at := strings.LastIndexByte(id, '-')
	n := int64(0)
	if at < 0 || at == len(id)-1 || len(id)-at > 18 {
		return -1
	}
	for _, digit := range id[at+1:] {
		if digit < '0' || digit > '9' {
			return -1
		}
		n = 10*n + int64(digit-'0')
	}
	return n
}
