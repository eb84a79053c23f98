package exact

import (
	"testing"
	"time"

	"iris/acceptance/fault"
)

func TestAWorkerIsDisturbedByWhatIsOnItsWayToAControllerOnly(t *testing.T) {
	for _, c := range []struct {
		fault    fault.Fault
		disturbs bool
	}{
		{fault.Partition("c-0", "w-0"), true},
		{fault.Partition("w-0", "c-1"), true},
		{fault.Cut("c-0", fault.Anybody), true},
		{fault.Delay(fault.Anybody, "w-0", time.Second, 0), true},
		{fault.Partition("c-0", "c-1"), true}, // what its beats are answered with may not be committed
		{fault.Crash("c-1"), true},
		{fault.Freeze("w-0"), true},
		{fault.Skew(fault.Anybody, time.Second), true},
		{fault.AtSite("worker.heartbeat", "w-0", 1, 0), true},
		{fault.AtSite("worker.heartbeat", fault.Anybody, 1, 0), true},
		{fault.AtSite("journal.before_answer", "c-0", 1, 0), true},

		{fault.Partition("c-0", "w-1"), false},
		{fault.Cut(fault.Anybody, "w-1"), false},
		{fault.Partition("c-0", "client"), false},
		{fault.Crash("w-1"), false},
		{fault.Skew("w-1", time.Second), false},
		{fault.AtSite("worker.heartbeat", "w-1", 1, 0), false},
		{fault.AtSite("worker.report_task_state", "w-0", 1, 0), false}, // what is lost there has it beat again
		{fault.AtSite("vm.list", "g-0", 1, 0), false},
	} {
		s := &sim{named: map[string]*node{}}
		s.controllers = []*node{s.node("c-0"), s.node("c-1")}
		w := &worker{id: "w-0", node: s.node("w-0")}
		s.ongoing = []*harm{{Fault: c.fault}}
		if got := s.disturbs(w); got != c.disturbs {
			t.Errorf("%v disturbs w-0: %v", c.fault, got)
		}
	}
}
