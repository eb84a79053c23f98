package sshvm

import (
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"iris/iris/vm"
)

// reserved is a slice whose VM has the only host, and comes up; nobody speaks to the host: the manager is closed.
func reserved(t *testing.T) (*Manager, *slice) {
	m := &Manager{ctx: t.Context(), closed: true, hosts: []*host{{Host: Host{Address: "a:22"}}}}
	m.cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	s := m.newSlice(reservation{Slice: "rack-0", Hosts: []string{"a:22"}})
	m.slices = []*slice{s}
	s.accept()
	v := s.machines[0]
	v.asked, v.since = true, time.Now().Add(-time.Second)
	v.become(vm.Initializing, "", "")
	return m, s
}

// What was seen before a host was reserved says nothing about the reservation, however late it arrives.
func TestALookThatIsOlderThanTheReservationIsNoLoss(t *testing.T) {
	m, s := reserved(t)
	v := s.machines[0]
	v.since, v.vm.State = time.Now(), vm.Ready

	m.learn([]sight{{at: v.since.Add(-1)}}, "")
	if v.vm.State != vm.Ready || len(m.slices) != 1 {
		t.Errorf("by an older look it is %v, of %d slices", v.vm.State, len(m.slices))
	}
	m.learn([]sight{{at: v.since.Add(1)}}, "")
	if v.vm.State != vm.Preempted || len(m.slices) != 0 {
		t.Errorf("by a later look it is %v, of %d slices", v.vm.State, len(m.slices))
	}
}

// A slice that was terminated meanwhile does not come back with what was seen before.
func TestALookThatIsOlderThanTheTerminationBringsNothingBack(t *testing.T) {
	m, s := reserved(t)
	m.bury(s)
	m.learn([]sight{{at: time.Now(), line: s.machines[0].line, held: s.held}}, "")
	if len(m.slices) != 0 {
		t.Error("it is back")
	}
	for range buriedMost { // ids are remembered, the last ones
		other := m.newSlice(reservation{Slice: "other"})
		other.accept()
		m.bury(other)
	}
	if len(m.buried) != buriedMost || m.buried[0] != "other" {
		t.Errorf("%d are remembered, the first is %s", len(m.buried), m.buried[0])
	}
}

func TestNothingComesUpOfASliceThatIsLost(t *testing.T) {
	m, s := reserved(t)
	if s.ctx.Err() != nil {
		t.Error("it does not come up")
	}
	m.learn([]sight{{at: time.Now()}}, "")
	if !s.over || s.ctx.Err() == nil {
		t.Errorf("it is over: %v, and whoever brings its VM up is told: %v", s.over, s.ctx.Err())
	}
}

func TestASliceThatIsLostAsItIsTerminatedIsBuriedOnce(t *testing.T) {
	m, s := reserved(t)
	s.ending = &ending{done: make(chan struct{})}
	s.machines[0].leave(vm.Terminated) // its host has released it
	m.learn([]sight{{at: time.Now()}}, "")
	if err := s.terminate(); err != nil {
		t.Error(err)
	}
	if want := []string{"rack-0"}; !slices.Equal(m.buried, want) {
		t.Errorf("%v are buried, want %v", m.buried, want)
	}
}
