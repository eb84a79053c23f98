package fakevm

import (
	"time"

	"iris/iris/vm"
)

// Bill is what each slice ever made has cost so far, by its id: the sum over its VMs of the time from its creation until
// the VM was terminal, or until now. It counts whether or not anybody remembers the slice and any list has it. A VM that
// never comes up costs like any other; one that was FAILED from the start, nothing. Now is the last tick, or time.Now while
// Run runs.
func (m *Manager) Bill() map[string]time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock()
	bill := map[string]time.Duration{}
	for _, s := range m.slices {
		var cost time.Duration
		for _, i := range s.vms {
			cost += until(i.is(), now).Sub(s.createdAt)
		}
		bill[s.id] = cost
	}
	return bill
}

// until is the instant up to which a VM has cost. One that leaves on its own never costs more than until then, even if Run
// is a moment late to see it go.
func until(v vm.VM, now time.Time) time.Time {
	switch {
	case v.State.Terminal():
		return v.ChangedAt
	case v.State == vm.Stopping && v.LeavesAt.Before(now):
		return v.LeavesAt
	}
	return now
}
