package sshvm

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"iris/iris/vm"
)

// What was seen before a host was reserved says nothing about the reservation, however late it arrives.
func TestALookThatIsOlderThanTheReservationIsNoLoss(t *testing.T) {
	m := &Manager{ctx: context.Background(), hosts: []*host{{Host: Host{Address: "a:22"}}}}
	m.cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	s := m.newSlice(reservation{Slice: "rack-0", Hosts: []string{"a:22"}})
	defer s.halt()
	s.accepted = true
	m.slices = []*slice{s}
	v := s.machines[0]
	v.asked, v.since, v.vm.State = true, time.Now(), vm.Ready

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
	m := &Manager{ctx: context.Background(), hosts: []*host{{Host: Host{Address: "a:22"}}}}
	r := reservation{Slice: "rack-0", Hosts: []string{"a:22"}}
	m.bury(m.newSlice(r))
	m.learn([]sight{{at: time.Now(), line: r.line(0), held: r}}, "")
	if len(m.slices) != 0 {
		t.Error("it is back")
	}
	for range buriedMost { // ids are remembered, the last ones
		m.bury(m.newSlice(reservation{Slice: "other"}))
	}
	if len(m.buried) != buriedMost || m.buried[0] != "other" {
		t.Errorf("%d are remembered, the first is %s", len(m.buried), m.buried[0])
	}
}
