package autoscaler

import (
	"testing"
	"time"

	"iris/iris/state"
	"iris/iris/vm"
)

func TestSlicesThatFailOrTakeTooLongGo(t *testing.T) {
	failed := withVMs(slice("cpu-0", "cpu", vm.Failed), vm.Failed, vm.Ready, vm.Preempted)
	failed.VMs[0].InitError = "bootstrap: exit status 7"
	known := slice("cpu-0", "cpu", vm.Failed)
	known.Cause = "its machines were terminated by somebody else"
	initializing := withVMs(slice("cpu-0", "cpu", vm.Initializing), vm.Initializing, vm.Ready)
	initializing.VMs[0].InitPhase = "registration"
	noticed := withVMs(slice("cpu-0", "cpu", vm.Unhealthy), vm.Stopping)
	noticed.VMs[0].LeavesAt = at(2 * time.Minute) // until then what runs on it has its grace
	for _, c := range []struct {
		name   string
		slice  *state.Slice
		in     time.Duration // until it goes; zero: at once, negative: never
		why    Why
		causes string
	}{
		{"FAILED", failed, 0, state.StopFailed, "cpu-0-vm-0 is FAILED: bootstrap: exit status 7; cpu-0-vm-2 is PREEMPTED"},
		{"FAILED, and it is known why", known, 0, state.StopFailed, "its machines were terminated by somebody else"},
		{"PREEMPTED", withVMs(slice("cpu-0", "cpu", vm.Preempted), vm.Preempted), 0, state.StopPreempted, "cpu-0-vm-0 is PREEMPTED"},
		{"REQUESTING", slice("cpu-0", "cpu", vm.Requesting), 4 * time.Minute, state.StopFailed,
			"its platform did not answer within 4m0s"},
		{"BOOTING", withVMs(slice("cpu-0", "cpu", vm.Booting), vm.Booting, vm.Initializing), 5 * time.Minute, state.StopFailed,
			"its machines did not come up within 5m0s of BOOTING: 1 of 2 run; cpu-0-vm-0 is BOOTING"},
		{"INITIALIZING", initializing, 10 * time.Minute, state.StopFailed,
			"its workers did not come up within 10m0s of INITIALIZING: 0 of 2 registered; cpu-0-vm-0 is INITIALIZING (registration)"},
		{"UNHEALTHY", withVMs(slice("cpu-0", "cpu", vm.Unhealthy), vm.Ready), 5 * time.Minute, state.StopUnhealthy,
			"it was UNHEALTHY for 5m0s: 0 of 1 workers are live"},
		{"UNHEALTHY because of a notice", noticed, 7 * time.Minute, state.StopUnhealthy,
			"it was UNHEALTHY for 5m0s: 0 of 1 workers are live; cpu-0-vm-0 is STOPPING"},
		{"READY", busy(slice("cpu-0", "cpu", vm.Ready)), -1, 0, ""},
		{"STOPPING", slice("cpu-0", "cpu", vm.Stopping), -1, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.slice.Since = epoch
			v := View{Groups: groupsOf(cpuGroup("cpu", 4)), Slices: []*state.Slice{c.slice}}
			if c.in < 0 {
				same(t, "decision a day later", 0, len(Decide(at(24*time.Hour), v).Actions))
				same(t, "next look", time.Time{}, Decide(epoch, v).Next)
				return
			}
			if c.in > 0 {
				before := Decide(at(c.in-1), v)
				same(t, "actions before", 0, len(before.Actions))
				same(t, "next look", at(c.in), before.Next)
			}
			same(t, "actions", []Action{Stop{Slice: "cpu-0", Why: c.why, Cause: c.causes}}, Decide(at(c.in), v).Actions)
		})
	}
}

func TestALimitThatIsNotSetIsNone(t *testing.T) {
	g := cpuGroup("cpu", 4)
	g.Pace = state.Pace{}
	for _, in := range []vm.State{vm.Requesting, vm.Booting, vm.Initializing, vm.Unhealthy} {
		v := View{Groups: groupsOf(g), Slices: []*state.Slice{slice("cpu-0", "cpu", in)}}
		same(t, in.String(), 0, len(Decide(at(24*time.Hour), v).Actions))
	}
}

// A slice that fails young has its group back off, also before that has been noted: nothing is asked for in the same
// decision, and the demand goes on to the next group.
func TestAGroupBacksOffInTheDecisionThatGivesItsSliceUp(t *testing.T) {
	v := View{
		Groups: groupsOf(cpuGroup("a", 4), cpuGroup("b", 4)), Slices: []*state.Slice{withVMs(slice("a-0", "a", vm.Failed), vm.Failed)},
		Demand: demand(job("j", 1, cores(1, 1))),
	}
	d := Decide(epoch, v)
	same(t, "stopped", map[string]Why{"a-0": state.StopFailed}, stopped(d))
	same(t, "created", map[string]int{"b": 1}, created(d))
	same(t, "standing", Standing{"a", Backoff, 0, "backs off: a-0-vm-0 is FAILED"}, d.Groups[0])

	v.Slices[0].ReadyAt = at(-time.Hour) // it was good for long
	same(t, "created after a long life", map[string]int{"a": 1}, created(Decide(epoch, v)))
}

func TestSurplusGoesNewestFirstAndNeverWhileItRunsSomething(t *testing.T) {
	g := cpuGroup("cpu", 2)
	all := []*state.Slice{
		slice("cpu-0", "cpu", vm.Ready), busy(slice("cpu-1", "cpu", vm.Ready)), slice("cpu-2", "cpu", vm.Ready),
		slice("cpu-3", "cpu", vm.Stopping), slice("cpu-4", "cpu", vm.Booting), busy(slice("cpu-5", "cpu", vm.Ready)),
	}
	for i, s := range all {
		s.Requested = at(time.Duration(i) * time.Second)
	}
	v := View{Groups: groupsOf(g), Slices: all}
	d := Decide(epoch, v)
	same(t, "actions", []Action{
		Stop{"cpu-4", state.StopSurplus, "group cpu has 5 slices, max_slices is 2"},
		Stop{"cpu-2", state.StopSurplus, "group cpu has 5 slices, max_slices is 2"},
		Stop{"cpu-0", state.StopSurplus, "group cpu has 5 slices, max_slices is 2"},
	}, d.Actions)

	g.MaxSlices = 4
	same(t, "one more than it may have", map[string]Why{"cpu-4": state.StopSurplus}, stopped(Decide(epoch, v)))

	g.Removed = true
	d = Decide(epoch, v)
	same(t, "removed", map[string]Why{
		"cpu-4": state.StopSurplus, "cpu-2": state.StopSurplus, "cpu-0": state.StopSurplus,
	}, stopped(d))
	same(t, "standing", Standing{"cpu", AtMax, 0, "not configured any more; 2 slices to go when idle"}, d.Groups[0])
}

// What is about to go holds nothing.
func TestWhatGoesHoldsNoDemand(t *testing.T) {
	late := since(slice("a-0", "a", vm.Booting), at(-time.Hour))
	leaving := slice("b-0", "b", vm.Initializing)
	leaving.Leaving = true
	v := View{
		Groups: groupsOf(cpuGroup("a", 4), cpuGroup("b", 4)), Slices: []*state.Slice{late, leaving},
		Demand: demand(job("j", 1, cores(1, 1))),
	}
	d := Decide(epoch, v)
	same(t, "created", map[string]int{"b": 1}, created(d))
	same(t, "waits", []Wait{{"j", "b", "a slice of b is asked for"}}, d.Waits)
}
