package fakevm

import (
	"fmt"
	"slices"
	"time"

	"iris/iris/vm"
)

// FailureMode is what happens to the creations that follow.
type FailureMode int

// The failure modes.
const (
	None          FailureMode = iota // slices are created
	CreateFails                      // refused with vm.ErrCreateFailed
	QuotaExceeded                    // refused with vm.ErrQuotaExceeded, in every zone
	Stockout                         // refused with vm.ErrStockout, in every zone
	// CreateHangs: the call returns ctx's error once ctx ends, and not before. The request is carried out Config.LateBy
	// after it was made, whatever mode is set by then: the slice is created at that instant, unless there is no room, quota
	// or stock, or its id has been used meanwhile; then nothing happens. A group that is full refuses at once.
	CreateHangs
	CreatePartial // the slice is created, but its last VM is FAILED at once
	BootStuck     // the slice is created, and never leaves BOOTING by itself, also after the mode is set back
	InitStuck     // the slice is created, and never leaves INITIALIZING by itself, also after the mode is set back
)

// SetFailureMode decides what happens to the creations that follow. Slices that exist are not touched, and creations
// that hang go on hanging.
func (m *Manager) SetFailureMode(mode FailureMode) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mode = mode
}

// SetLateBy decides how long after its request the slice of a creation that hangs from now on comes into being; see
// Config.LateBy.
func (m *Manager) SetLateBy(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cfg.LateBy = d
}

// SetQuota decides how many live slices a zone may have from now on; a negative number takes the bound away. Slices that
// exist are not touched. The error is that the group has no such zone.
func (m *Manager) SetQuota(zone string, n int) error {
	return m.setZone("set the quota of", zone, func() { m.quota[zone] = n })
}

// SetStock decides whether a zone has machines for new slices; at first every zone has. The error is that the group has no
// such zone.
func (m *Manager) SetStock(zone string, has bool) error {
	return m.setZone("set the stock of", zone, func() { m.soldOut[zone] = !has })
}

func (m *Manager) setZone(verb, zone string, set func()) error {
	if !slices.Contains(m.cfg.Group.Zones, zone) {
		return fmt.Errorf("%s %q: the zones of %s are %q", verb, zone, m.cfg.Group.Name, m.cfg.Group.Zones)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	set()
	return nil
}

// refusal is why no slice may be created in a zone now, or nil. The caller holds the lock.
func (m *Manager) refusal(zone string, mode FailureMode) error {
	because := func(err error, format string, args ...any) error {
		return fmt.Errorf("%w for %s in %s: "+format, append([]any{err, m.cfg.Group.Name, zone}, args...)...)
	}
	switch mode {
	case None, CreatePartial, BootStuck, InitStuck:
	case CreateFails:
		return because(vm.ErrCreateFailed, "the fake platform is told to refuse; retry after SetFailureMode(None)")
	case QuotaExceeded:
		return because(vm.ErrQuotaExceeded, "ask for more quota, or retry when other slices have been terminated")
	case Stockout:
		return because(vm.ErrStockout, "try another zone, or retry later")
	default:
		return because(vm.ErrCreateFailed, "FailureMode(%d) is none of those that package fakevm has", mode)
	}
	quota, bound := m.quota[zone]
	switch live := m.liveIn(zone); {
	case bound && quota >= 0 && live >= quota:
		return because(vm.ErrQuotaExceeded, "%d slices are live there, and the quota is %d; "+
			"ask for more quota, or retry when other slices have been terminated", live, quota)
	case m.soldOut[zone]:
		return because(vm.ErrStockout, "try another zone, or retry later")
	}
	return nil
}

// FailTerminations makes the next n calls of Terminate fail, on whatever slice: they return an error and change nothing.
// A number below 1 ends that.
func (m *Manager) FailTerminations(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse = n
}

// FailVM makes one VM FAILED, and why its InitError, unless it is gone already. The rest of its slice goes on. The error is
// that there never was such a VM.
func (m *Manager) FailVM(vmID, why string) error {
	return m.change(func() error {
		for _, s := range m.slices {
			if i := s.instance(vmID); i != nil {
				i.end(vm.Failed, why)
				return nil
			}
		}
		return fmt.Errorf("fail %q: scale group %s has had no such VM; Slices lists all slices", vmID, m.cfg.Group.Name)
	})
}

// Preempt takes a slice away at once: its VMs become PREEMPTED, except those already gone. The error is that there never
// was such a slice.
func (m *Manager) Preempt(sliceID string) error {
	return m.change(func() error {
		s, err := m.must("preempt", sliceID)
		if err != nil {
			return err
		}
		s.end(vm.Preempted)
		return nil
	})
}

// Notice takes a slice away after a grace: its VMs are STOPPING at once, whatever they were, and PREEMPTED once the grace
// is over (0: at the next tick). VMs that are gone, or under notice already, are not touched. The error is that there
// never was such a slice, or that the grace is negative.
func (m *Manager) Notice(sliceID string, grace time.Duration) error {
	if grace < 0 {
		return fmt.Errorf("give notice to %q: the grace is %v; it must not be negative", sliceID, grace)
	}
	return m.change(func() error {
		s, err := m.must("give notice to", sliceID)
		if err != nil {
			return err
		}
		for _, i := range s.vms {
			i.notice(m.now.Add(grace))
		}
		return nil
	})
}
