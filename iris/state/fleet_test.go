package state

import (
	"fmt"
	"testing"
	"time"

	"iris/iris/vm"
)

// group is one of slices of n machines of 4 CPU and 16 GiB, in pod p.
func group(name string, machines, most int) Group {
	return Group{
		GroupConfig: vm.GroupConfig{Name: name, MaxSlices: most, Zones: []string{"a", "b"}, VMsPerSlice: machines},
		VMs:         machines, Capacity: Resources{CPUMillis: 4000, MemoryBytes: 16 << 30}, Attributes: map[string]string{"pod": "p"},
		Pace: Pace{
			ScaleDownRate: 2, BackoffInitial: 5 * time.Second, BackoffMax: 30 * time.Second, QuotaTimeout: time.Minute,
			BootTimeout: time.Minute, InitTimeout: time.Minute, ShortLived: time.Minute,
		},
	}
}

// seen is what the platform shows of a slice, all its machines in one state.
func (s *story) seen(id string, state vm.State) {
	s.t.Helper()
	g := s.c.Group(id[:len(id)-2])
	cmd := ObserveSlice{ID: id, Group: g.Name, Zone: "a"}
	for i := range g.VMs {
		cmd.VMs = append(cmd.VMs, vm.VM{ID: fmt.Sprintf("%s-vm-%d", id, i), WorkerID: fmt.Sprintf("%s/%d", id, i), State: state})
	}
	s.apply(cmd)
}

// comeUp registers all workers of a slice.
func (s *story) comeUp(id string) {
	s.t.Helper()
	for _, v := range s.c.Slice(id).VMs {
		cmd := registration(v.WorkerID, "1")
		cmd.Attributes[AttributeSlice] = id
		s.apply(cmd)
	}
}

// slice asks for a slice and has it come up.
func (s *story) slice(id string) {
	s.t.Helper()
	s.apply(RequestSlice{Group: id[:len(id)-2], Zone: "a", Reason: "a task waits"})
	s.seen(id, vm.Initializing)
	s.comeUp(id)
	s.sliceIs(id, vm.Ready, "")
}

// sliceIs expects a slice in a state, with its cause.
func (s *story) sliceIs(id string, state vm.State, cause string) {
	s.t.Helper()
	got := s.c.Slice(id)
	if got == nil {
		s.t.Fatalf("there is no slice %s\n%s", id, s.c.Describe(s.start))
	}
	if got.State != state || got.Cause != cause {
		s.t.Fatalf("slice %s is %v %q, not %v %q\n%s", id, got.State, got.Cause, state, cause, s.c.Describe(s.start))
	}
}

func TestASliceIsReadyWhenAllItsWorkersAre(t *testing.T) {
	s := tell(t)
	s.apply(SetGroups{[]Group{group("g", 2, 1)}})
	s.apply(RequestSlice{Group: "g", Zone: "b", Reason: "a task waits"})
	s.did("create g-0 of g in b")
	s.sliceIs("g-0", vm.Requesting, "")
	s.apply(RequestSlice{Group: "g", Zone: "b"})
	s.did() // it has all it may have
	s.seen("g-0", vm.Booting)
	s.sliceIs("g-0", vm.Booting, "")
	s.seen("g-0", vm.Ready) // says the platform
	s.sliceIs("g-0", vm.Initializing, "")
	s.comeUp("g-0")
	s.sliceIs("g-0", vm.Ready, "")
	s.lose("g-0/1")
	s.sliceIs("g-0", vm.Unhealthy, "")
	s.comeUp("g-0")
	s.sliceIs("g-0", vm.Ready, "")
}

// The platform takes one machine away: its worker is lost without a timeout, the gang goes back to wait as one, and nothing
// new goes to the rest of the slice.
func TestAGangRestartsWhenItsSliceIsPreempted(t *testing.T) {
	s := tell(t)
	s.apply(SetGroups{[]Group{group("g", 2, 2)}})
	s.slice("g-0")
	s.submit("j", replicated(2), grouped(AttributeSlice), preemptions(1))
	s.run("j/0@g-0/0", "j/1@g-0/1")
	cmd := ObserveSlice{ID: "g-0", Group: "g", Zone: "a", VMs: []vm.VM{
		{ID: "g-0-vm-0", WorkerID: "g-0/0", State: vm.Preempted}, {ID: "g-0-vm-1", WorkerID: "g-0/1", State: vm.Ready},
	}}
	s.apply(cmd)
	s.did("stop j/1/0 on g-0/1")
	s.is("j/0/0", WorkerFailed, "lost worker g-0/0: its machine is PREEMPTED")
	s.is("j/1/0", CoschedFailed, "task 0 of the gang ended WORKER_FAILED: lost worker g-0/0: its machine is PREEMPTED")
	s.sliceIs("g-0", vm.Preempted, "g-0-vm-0 is PREEMPTED")
	s.submit("k")
	s.assign("k/0@g-0/1")
	s.did()

	s.apply(StopSlice{ID: "g-0", Why: StopPreempted, Cause: "g-0-vm-0 is PREEMPTED"})
	s.did("terminate g-0 of g")
	s.slice("g-1")
	s.run("j/0@g-1/0", "j/1@g-1/1")
	s.apply(EndSlice{ID: "g-0"})
	if w := s.c.Worker("g-0/1"); !w.Lost || len(w.Held()) > 0 {
		t.Errorf("the worker of a slice that is gone is lost: %v, and holds %d attempts", w.Lost, len(w.Held()))
	}
	s.report("j/0/1", Succeeded)
	s.report("j/1/1", Succeeded)
	s.is("j", Succeeded, "")
	if j := s.c.Job("j"); j.Preemptions != 1 {
		t.Errorf("%d preemptions are counted, not that of one machine", j.Preemptions)
	}
}

func TestWhatRunsOnASliceThatIsGivenBackEndsWithIt(t *testing.T) {
	s := tell(t)
	s.apply(SetGroups{[]Group{group("g", 1, 2)}})
	s.slice("g-0")
	s.submit("j", preemptions(3))
	s.run("j/0@g-0/0")
	for _, why := range []StopWhy{StopIdle, StopSurplus} {
		s.apply(StopSlice{ID: "g-0", Why: why, Cause: "idle for 5m0s"})
		s.did()
		s.sliceIs("g-0", vm.Ready, "")
	}
	s.apply(StopSlice{ID: "g-0", Why: StopUnhealthy, Cause: "too long"})
	s.did("terminate g-0 of g", "stop j/0/0 on g-0/0")
	s.is("j/0/0", WorkerFailed, "slice g-0 is given back: too long")
	s.is("j", Pending, "")
	s.free("g-0/0", 3) // until it is confirmed, or gone
	s.apply(EndSlice{ID: "g-0"})
	s.free("g-0/0", 4)
	s.comeBack("g-0/0", "g-0")
	s.refused(FailedPrecondition, "slice g-0, which worker g-0/0 belongs to, was given back: too long; this process must end")
}

// A machine that comes up once its slice was given back leaves nothing behind, whether it was there before or not.
func TestARefusedRegistrationChangesNothing(t *testing.T) {
	s := tell(t)
	s.apply(SetGroups{[]Group{group("g", 1, 2)}})
	s.apply(RequestSlice{Group: "g", Zone: "a", Reason: "a task waits"})
	s.seen("g-0", vm.Initializing)
	s.apply(StopSlice{ID: "g-0", Why: StopFailed, Cause: "too long"})
	s.apply(EndSlice{ID: "g-0", Cause: "it was terminated"})
	late := registration("g-0/0", "1")
	late.Attributes[AttributeSlice] = "g-0"
	s.apply(late)
	s.refused(FailedPrecondition, "slice g-0, which worker g-0/0 belongs to, was given back: too long; this process must end")
	if s.c.Worker("g-0/0") != nil || len(s.c.Workers()) > 0 {
		t.Error("the worker that was refused is known")
	}
	if err := s.c.Check(); err != nil {
		t.Error(err)
	}
}

// comeBack registers a worker of a slice once more.
func (s *story) comeBack(worker, slice string) {
	s.t.Helper()
	cmd := registration(worker, "2")
	cmd.Attributes[AttributeSlice] = slice
	s.apply(cmd)
}

func TestTheWorkersOfASliceThatIsGoneAreForgottenSoon(t *testing.T) {
	s := tell(t)
	s.apply(SetGroups{[]Group{group("g", 1, 1)}})
	s.workers("w-0")
	s.slice("g-0")
	s.lose("w-0")
	s.apply(StopSlice{ID: "g-0", Why: StopIdle, Cause: "idle"})
	s.apply(EndSlice{ID: "g-0"})
	s.pass(MinAge)
	for _, cmd := range s.c.Expired(s.now, Retention{}) { // everything else for ever
		s.apply(cmd)
	}
	if s.c.Worker("g-0/0") != nil || s.c.Worker("w-0") == nil {
		t.Errorf("the workers that are known are\n%s", s.c.Describe(s.start))
	}
}

// A slice is idle from when its last attempt is confirmed over, whatever its state before (FM-64).
func TestASliceIsIdleWhenNothingIsLeftOnIt(t *testing.T) {
	s := tell(t)
	s.apply(SetGroups{[]Group{group("g", 1, 1)}})
	s.slice("g-0")
	idle := func(want time.Duration) {
		t.Helper()
		at := time.Duration(-1)
		if since := s.c.Slice("g-0").IdleSince; !since.IsZero() {
			at = since.Sub(s.start)
		}
		if at != want {
			t.Errorf("it is idle since %v, not %v", at, want)
		}
	}
	idle(0)
	s.submit("j")
	s.assign("j/0@g-0/0") // ASSIGNED
	idle(-1)
	s.pass(time.Minute)
	s.cancel("j", "enough")
	idle(-1) // it is not confirmed
	s.pass(time.Second)
	s.report("j/0/0", Killed)
	idle(time.Minute + time.Second)
}

func TestAFailingGroupBacksOffFurtherEachTime(t *testing.T) {
	s := tell(t)
	s.apply(SetGroups{[]Group{group("g", 1, 9)}})
	g := s.c.Group("g")
	for n, want := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 30 * time.Second, 30 * time.Second} {
		for range 2 { // the second fails with the first
			s.apply(RequestSlice{Group: "g", Zone: "a"})
		}
		all := s.c.Slices()
		first, second := all[len(all)-2].ID, all[len(all)-1].ID
		s.seen(second, vm.Initializing)
		s.apply(RefuseSlice{ID: first, Why: RefusedFailed, Cause: "boom"})
		s.apply(StopSlice{ID: second, Why: StopFailed, Cause: "stuck"})
		if got := g.BackoffUntil.Sub(s.now); got != want || g.Failures != n+1 || g.Failure != "stuck" {
			t.Errorf("after %d failures (%s) the pause is %v, not %v", g.Failures, g.Failure, got, want)
		}
		s.pass(want)
	}
	s.pass(time.Hour)
	s.apply(RequestSlice{Group: "g", Zone: "a"})
	s.apply(RefuseSlice{ID: s.c.Slices()[len(s.c.Slices())-1].ID, Why: RefusedFailed, Cause: "boom"})
	if got := g.BackoffUntil.Sub(s.now); got != 5*time.Second {
		t.Errorf("after an hour of peace the pause is %v", got)
	}
}

func TestFailuresBeforeAGoodSliceCountNoMore(t *testing.T) {
	for lives, want := range map[time.Duration]int{59 * time.Second: 2, time.Minute: 1} {
		s := tell(t)
		s.apply(SetGroups{[]Group{group("g", 1, 9)}})
		s.apply(RequestSlice{Group: "g", Zone: "a"})
		s.apply(RefuseSlice{ID: "g-0", Why: RefusedFailed, Cause: "boom"})
		s.pass(10 * time.Second)
		s.slice("g-1")
		s.pass(lives)
		s.apply(RequestSlice{Group: "g", Zone: "a"})
		s.apply(RefuseSlice{ID: "g-2", Why: RefusedFailed, Cause: "boom"})
		if got := s.c.Group("g").Failures; got != want {
			t.Errorf("a slice is READY for %v: %d failures, not %d", lives, got, want)
		}
	}
}

// Dispatch to a machine that is just going away fails no job when another can come, and still comes to an end.
func TestDispatchGoesOnWhileAGroupCouldBringAWorker(t *testing.T) {
	s := tell(t)
	s.apply(SetGroups{[]Group{group("g", 1, 1)}})
	s.slice("g-0")
	s.submit("j")
	for n := range bringRounds {
		s.is("j", Pending, "")
		s.assign("j/0@g-0/0")
		uid := fmt.Sprintf("j/0/%d", n)
		s.failDispatch(uid)
		s.report(uid, Killed) // it never arrived
		s.pass(time.Hour)
	}
	s.is("j", Failed, "dispatch failed on every worker that can run it (g-0/0)")
}

// A slice that was good for long and then fails is no failure of its group; one that fails at once is (FM-69).
func TestAShortLivedSliceCountsAsAFailure(t *testing.T) {
	for lived, want := range map[time.Duration]int{59 * time.Second: 1, time.Minute: 0} {
		s := tell(t)
		s.apply(SetGroups{[]Group{group("g", 1, 9)}})
		s.slice("g-0")
		s.pass(lived)
		s.apply(StopSlice{ID: "g-0", Why: StopPreempted, Cause: "gone"})
		if got := s.c.Group("g").Failures; got != want {
			t.Errorf("it lived %v: %d failures, not %d", lived, got, want)
		}
	}
}

func TestAZoneWithoutQuotaIsClosedForAWhile(t *testing.T) {
	s := tell(t)
	s.apply(SetGroups{[]Group{group("g", 1, 9)}})
	g := s.c.Group("g")
	zone := func(want string) {
		t.Helper()
		if got, _ := g.Zone(s.now); got != want {
			t.Errorf("the zone to ask is %q, not %q", got, want)
		}
	}
	zone("a")
	s.apply(RequestSlice{Group: "g", Zone: "a"})
	s.apply(RefuseSlice{ID: "g-0", Why: RefusedQuota, Cause: "quota exceeded"})
	if g.Failures > 0 || len(s.c.Slices()) > 0 || g.Blocked["a"].Cause != "quota exceeded" {
		t.Errorf("a lack of quota is a failure: %+v", g)
	}
	zone("b")
	s.apply(RequestSlice{Group: "g", Zone: "b"})
	s.apply(RefuseSlice{ID: "g-1", Why: RefusedStock, Cause: "none left"})
	zone("")
	s.pass(time.Minute)
	zone("a")
}

// What arrives after it was given up is taken in if there is room (FM-71); what comes back after it was given back is not.
func TestAnUnexpectedSliceIsAdoptedOrGivenBack(t *testing.T) {
	s := tell(t)
	s.apply(SetGroups{[]Group{group("g", 1, 2)}})
	s.apply(RequestSlice{Group: "g", Zone: "a"})
	s.apply(RefuseSlice{ID: "g-0", Why: RefusedUnknown, Cause: "no answer within 2m0s"})
	s.did("terminate g-0 of g")
	s.apply(EndSlice{ID: "g-0", Cause: "it was terminated"})
	s.seen("g-0", vm.Booting)
	s.sliceIs("g-0", vm.Booting, "")

	s.apply(StopSlice{ID: "g-0", Why: StopIdle, Cause: "idle"})
	s.apply(EndSlice{ID: "g-0"})
	s.seen("g-0", vm.Booting)
	s.did("terminate g-0 of g")
	s.sliceIs("g-0", vm.Stopping, "its platform has it again; it was given back before")

	s.seen("g-7", vm.Booting) // of a log that is lost
	s.sliceIs("g-7", vm.Booting, "")
	s.seen("g-8", vm.Booting)
	s.sliceIs("g-8", vm.Stopping, "group g may not have it")
	s.apply(EndSlice{ID: "g-8"})
	s.apply(EndSlice{ID: "g-7"})
	s.apply(RequestSlice{Group: "g", Zone: "a"})
	s.did("create g-9 of g in a") // no id is used twice
}

// Nothing is given up for want of a worker while a group could bring one.
func TestATaskWaitsForWhatAGroupCouldBring(t *testing.T) {
	big := needing(5000, 1<<30)
	for name, c := range map[string]struct {
		edits []edit
		waits bool
	}{
		"fits":                        {nil, true},
		"too large":                   {[]edit{big}, false},
		"in the pod":                  {[]edit{where("pod", eq, "p")}, true},
		"in another pod":              {[]edit{where("pod", eq, "q")}, false},
		"in the second zone":          {[]edit{where(AttributeZone, eq, "b")}, true},
		"in a third zone":             {[]edit{where(AttributeZone, eq, "c")}, false},
		"on a slice of its own name":  {[]edit{where(AttributeSlice, eq, "g-0")}, false},
		"gang of a slice":             {[]edit{replicated(8), grouped(AttributeSlice)}, true},
		"gang too large for a slice":  {[]edit{replicated(9), grouped(AttributeSlice)}, false},
		"gang of a worker":            {[]edit{replicated(4), grouped(AttributeWorker)}, true},
		"gang too large for a worker": {[]edit{replicated(5), grouped(AttributeWorker)}, false},
		"gang of a zone":              {[]edit{replicated(16), grouped(AttributeZone)}, true},
		"gang too large for a zone":   {[]edit{replicated(17), grouped(AttributeZone)}, false},
		"gang of no attribute":        {[]edit{replicated(2), grouped("rack")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := tell(t)
			s.apply(SetGroups{[]Group{group("g", 2, 2)}})
			s.submit("j", c.edits...)
			if got := s.c.bringable(s.c.Job("j")); got != c.waits {
				t.Errorf("it could be brought: %v, not %v", got, c.waits)
			}
		})
	}
	s := tell(t)
	s.apply(SetGroups{[]Group{group("g", 1, 1)}})
	s.workers("w-0")
	s.submit("j")
	s.run("j/0@w-0")
	s.lose("w-0")
	s.pass(time.Hour)
	s.is("j", Pending, "")
	s.apply(SetGroups{})
	s.pass(21 * time.Second)
	s.is("j", Failed, "lost w-0 (no heartbeat for 60s); no worker left to run it")
}

// A gang that is grouped by what slices share spreads over all of that value: of several groups, and workers that are there
// from the start.
func TestAGangAcrossSlicesWaitsForWhatAllGroupsCouldBringTogether(t *testing.T) {
	other := func(change func(*Group)) Group {
		g := group("h", 1, 1)
		change(&g)
		return g
	}
	inQ := other(func(g *Group) { g.Attributes = map[string]string{"pod": "q"} })
	tpus := func(name string) Group {
		g := group(name, 2, 2)
		g.AcceleratorVariant = "v4-16"
		return g
	}
	for name, c := range map[string]struct {
		groups  []Group
		workers []string // each takes four tasks, in pod p
		tasks   int32
		edits   []edit
		waits   bool
	}{
		"two groups of a pod":              {[]Group{group("g", 1, 1), group("h", 1, 1)}, nil, 8, []edit{grouped("pod")}, true},
		"too large for both":               {[]Group{group("g", 1, 1), group("h", 1, 1)}, nil, 9, []edit{grouped("pod")}, false},
		"two groups of different pods":     {[]Group{group("g", 1, 1), inQ}, nil, 5, []edit{grouped("pod")}, false},
		"two groups, no slice as large":    {[]Group{group("g", 1, 1), group("h", 1, 1)}, nil, 8, []edit{grouped(AttributeSlice)}, false},
		"two groups, no worker as large":   {[]Group{group("g", 1, 1), group("h", 1, 1)}, nil, 8, []edit{grouped(AttributeWorker)}, false},
		"two zones of a group":             {[]Group{group("g", 1, 2)}, nil, 9, []edit{grouped("pod")}, false},
		"a group and a worker":             {[]Group{group("g", 1, 1)}, []string{"w-0"}, 8, []edit{grouped("pod")}, true},
		"too large for both of these":      {[]Group{group("g", 1, 1)}, []string{"w-0"}, 9, []edit{grouped("pod")}, false},
		"a group and a worker of two pods": {[]Group{inQ}, []string{"w-0"}, 5, []edit{grouped("pod")}, false},
		"a worker alone":                   {[]Group{inQ}, []string{"w-0", "w-1"}, 8, []edit{grouped("pod")}, false},
		"a worker that does not suit": {
			[]Group{group("g", 1, 1)}, []string{"w-0"}, 8, []edit{grouped("pod"), where(AttributeWorker, ne, "w-0")}, false,
		},
		"a machine of each slice": {[]Group{tpus("g"), tpus("h")}, nil, 16, []edit{grouped(AttributeTPUWorkerID)}, true},
		"no more of each slice":   {[]Group{tpus("g"), tpus("h")}, nil, 17, []edit{grouped(AttributeTPUWorkerID)}, false},
		"a TPU and no second":     {[]Group{tpus("g"), tpus("h")}, nil, 9, []edit{grouped(AttributeTPUName)}, false},
		"another machine of each": {
			[]Group{tpus("g"), tpus("h")}, nil, 16, []edit{grouped(AttributeTPUWorkerID), where(AttributeTPUWorkerID, eq, "1")}, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := tell(t)
			s.apply(SetGroups{c.groups})
			s.workers(c.workers...)
			s.submit("j", append([]edit{replicated(c.tasks)}, c.edits...)...)
			if got := s.c.bringable(s.c.Job("j")); got != c.waits {
				t.Errorf("it could be brought: %v, not %v", got, c.waits)
			}
		})
	}
	s := tell(t)
	s.apply(SetGroups{[]Group{group("g", 1, 1)}})
	s.workers("w-0")
	s.slice("g-0")
	s.submit("j", replicated(8), grouped("pod"))
	s.run("j/0@w-0", "j/1@w-0", "j/2@w-0", "j/3@w-0", "j/4@g-0/0", "j/5@g-0/0", "j/6@g-0/0", "j/7@g-0/0")
	s.apply(EndSlice{ID: "g-0", Cause: "its platform does not have it"})
	s.pass(time.Hour)
	s.is("j", Pending, "") // another slice of g makes it whole
	s.lose("w-0")
	s.pass(time.Hour)
	s.is("j", Failed, "task 4: lost g-0/0, w-0 (no heartbeat for 60s); no worker left to run it")
}

func TestIdleSlicesAreGivenBackAtARate(t *testing.T) {
	p := Pace{ScaleDownRate: 2}
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	now, next, given := start, time.Time{}, 0
	for ; now.Before(start.Add(10 * time.Minute)); now = now.Add(time.Second) {
		for !next.After(now) {
			next = p.NextDown(now, next)
			given++
		}
	}
	if given != 21 { // the first minute's worth at once, then one each half minute
		t.Errorf("in 10 minutes %d were given back at 2 a minute", given)
	}
}
