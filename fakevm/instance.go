package fakevm

import (
	"fmt"
	"slices"
	"time"

	"iris/iris/vm"
)

// instance is one VM through its whole life. The manager's lock guards it: whoever calls a method holds it.
type instance struct {
	s     *slice
	index int
	life  []vm.VM // what it was, oldest first; the last is what it is

	started bool          // its machine was started
	told    chan struct{} // closed when Machines has returned from the last call about it; nil: there was none
}

// newInstance is a VM that begins to boot at the manager's now.
func newInstance(s *slice, index int) *instance {
	id := fmt.Sprintf("%s-vm-%d", s.id, index)
	return &instance{s: s, index: index, life: []vm.VM{{ID: id, State: vm.Booting, ChangedAt: s.createdAt}}}
}

// is what the VM is now.
func (i *instance) is() vm.VM { return i.life[len(i.life)-1] }

// at is what the VM was at an instant; false if it did not exist then.
func (i *instance) at(t time.Time) (vm.VM, bool) {
	for _, v := range slices.Backward(i.life) {
		if !v.ChangedAt.After(t) {
			return v, true
		}
	}
	return vm.VM{}, false
}

// due is when the VM changes by itself; false if it does not.
func (i *instance) due() (time.Time, bool) {
	switch v := i.is(); {
	case v.State == i.s.stuck:
		return time.Time{}, false
	case v.State == vm.Booting:
		return v.ChangedAt.Add(i.s.m.cfg.BootDelay), true
	case v.State == vm.Initializing:
		return v.ChangedAt.Add(i.s.m.cfg.InitDelay), true
	case v.State == vm.Stopping:
		return v.LeavesAt, true
	}
	return time.Time{}, false
}

// step is the change that is due, at the instant it is due.
func (i *instance) step(due time.Time) {
	v := i.is()
	v.ChangedAt = due
	switch v.State {
	case vm.Booting:
		v.State, v.InitPhase = vm.Initializing, "registration"
		v.Address, v.WorkerID = i.s.m.address(v.ID), "worker-"+v.ID
	case vm.Initializing:
		v.State, v.InitPhase = vm.Ready, ""
	case vm.Stopping:
		v.State, v.LeavesAt = vm.Preempted, time.Time{}
	}
	i.become(v)
}

// notice has the VM leave at an instant, unless it is leaving or gone.
func (i *instance) notice(leaves time.Time) {
	v := i.is()
	if v.State == vm.Stopping || v.State.Terminal() {
		return
	}
	v.State, v.InitPhase, v.LeavesAt, v.ChangedAt = vm.Stopping, "", leaves, i.s.m.now
	i.become(v)
}

// end moves the VM to a terminal state, unless it is in one.
func (i *instance) end(state vm.State, why string) {
	v := i.is()
	if v.State.Terminal() {
		return
	}
	v.State, v.InitPhase, v.InitError, v.LeavesAt, v.ChangedAt = state, "", why, time.Time{}, i.s.m.now
	i.become(v)
}

// become is every change of a VM: its machine is told of it.
func (i *instance) become(v vm.VM) {
	i.life = append(i.life, v)
	switch {
	case i.s.m.cfg.Machines == nil:
	case v.State == vm.Ready:
		i.started = true
		i.call(func(to Machines, m Machine) { to.Start(m) })
	case v.State == vm.Stopping && i.started:
		i.call(func(to Machines, m Machine) { to.Warn(m, v.LeavesAt) })
	case v.State.Terminal() && i.started:
		i.call(Machines.Halt)
	}
}

// address is the first of the pool that no live VM has, or one of the VM's own. The caller holds the lock.
func (m *Manager) address(vmID string) string {
	taken := map[string]bool{}
	for _, s := range m.slices {
		for _, i := range s.vms {
			if v := i.is(); !v.State.Terminal() {
				taken[v.Address] = true
			}
		}
	}
	for _, a := range m.cfg.Addresses {
		if !taken[a] {
			return a
		}
	}
	return vmID + ".invalid" // never resolves: RFC 2606
}

// line is how Logs writes a state.
func line(v vm.VM) string {
	text := fmt.Sprintf("%s %s is %v", v.ChangedAt.UTC().Format(time.RFC3339Nano), v.ID, v.State)
	switch {
	case v.InitPhase != "":
		return text + ": " + v.InitPhase
	case v.InitError != "":
		return text + ": " + v.InitError
	case !v.LeavesAt.IsZero():
		return text + ": the platform takes it away at " + v.LeavesAt.UTC().Format(time.RFC3339Nano)
	}
	return text
}
