package fakevm

import (
	"context"
	"fmt"
	"time"

	"iris/iris/vm"
)

// Machines are what really runs on the VMs of a cloud, if anything does.
//
// Each method is called at most once for a VM: Start when it became READY; Warn, only after Start, when it became STOPPING;
// Halt, only after Start and always then, when it became terminal. A VM that never became READY is never heard of. There are
// never two calls at a time for one VM, and the next begins after the one before returned; for different VMs they may
// overlap. The calls that one call of the manager gives rise to are made by it, in the order of the instants of the
// changes, before it returns: Tick and Run, Terminate, Preempt, Notice and FailVM; while Run runs also CreateSlice, if
// it comes upon something that is due. No lock is held meanwhile: the methods may ask the cloud anything, by then it may have
// moved on. They may change it too, but for the VM that the call is about: that would wait for the call itself.
//
// The methods return soon: whoever moved the cloud waits for them. Run does too, so that nothing happens by itself meanwhile.
type Machines interface {
	// Start is called when the VM came up: its worker is to be started.
	Start(m Machine)
	// Warn is called when the platform gave notice; m will be gone when it leaves.
	Warn(m Machine, leaves time.Time)
	// Halt is called when the VM is gone, abruptly: nothing of it may go on after Halt has returned.
	Halt(m Machine)
}

// Machine is a VM, as it was at the change that Machines is told of, and where it belongs. The callee owns it.
type Machine struct {
	Slice, Group, Zone string
	Index              int // of the VM in its slice
	VM                 vm.VM
	Labels             map[string]string // the slice's
}

// call is one call of a method of Machines. Whoever made the change makes it, after the lock is released.
type call struct {
	after <-chan struct{} // closed when the call before it about the same VM has returned; nil: there was none
	done  chan<- struct{} // closed when this one has
	make  func(Machines)
}

// call notes a call about the VM as it is. The caller holds the lock.
func (i *instance) call(method func(Machines, Machine)) {
	about := Machine{
		Slice: i.s.id, Group: i.s.Group(), Zone: i.s.zone, Index: i.index, VM: i.is(), Labels: i.s.Labels(),
	}
	done := make(chan struct{})
	i.s.m.calls = append(i.s.m.calls, call{i.told, done, func(to Machines) { method(to, about) }})
	i.told = done
}

// tell waits for its turn, which comes: a call waits only for those of earlier changes.
func (c call) tell(to Machines) {
	if c.after != nil {
		<-c.after
	}
	defer close(c.done)
	c.make(to)
}

// halted waits until Machines has returned from every call about the VMs of the slice: others may be making them. The error
// is ctx's.
func (s *slice) halted(ctx context.Context) error {
	s.m.mu.Lock()
	var calls []<-chan struct{}
	for _, i := range s.vms {
		if i.told != nil {
			calls = append(calls, i.told)
		}
	}
	s.m.mu.Unlock()
	for _, told := range calls {
		select {
		case <-told:
			continue
		default:
		}
		select {
		case <-told:
		case <-ctx.Done():
			return fmt.Errorf("terminate %s: its machines are still halting; call Terminate again: %w", s.id, ctx.Err())
		}
	}
	return nil
}
