package autoscaler

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"iris/iris/schedule"
	"iris/iris/state"
	"iris/iris/vm"
)

// A sim is a cluster without machines: what is decided about slices happens to them as their fate says, and the scheduler
// puts tasks on those that are READY. Whatever is decided is checked.
type sim struct {
	t      *rapid.T
	now    time.Time
	groups []*state.ScaleGroup
	slices []*state.Slice
	jobs   []*simJob
	draw   func() fate
	fates  map[string]fate
	story  []string

	submitted int            // jobs
	fired     map[string]int // what has happened
	asked     int            // slices
	idle      int            // slices given back for being idle
}

// A fate is what becomes of a slice, one thing after the other. What takes no time never happens.
type fate struct {
	answers time.Duration
	refused string // "quota" or "error"; empty: it is created

	boots, registers time.Duration

	breaks vm.State
	lasts  time.Duration // READY, until it breaks
}

var good = fate{answers: 5 * time.Second, boots: 30 * time.Second, registers: 20 * time.Second}

type simJob struct {
	schedule.Request
	takes   time.Duration // each task; zero: for ever
	waiting []int32
	running map[int32]simTask
}

type simTask struct {
	worker string
	ends   time.Time
}

func newSim(t *rapid.T, draw func() fate, groups ...*state.ScaleGroup) *sim {
	return &sim{t: t, now: epoch, groups: groups, draw: draw, fates: map[string]fate{}, fired: map[string]int{}}
}

func (s *sim) submit(r schedule.Request, takes time.Duration) {
	r.Job = fmt.Sprintf("%s-%d", r.Job, s.submitted)
	s.submitted++
	s.tell("%s comes: %d tasks, %v, %s, for %v", r.Job, len(r.Tasks), r.Need, r.GroupBy, takes)
	s.jobs = append(s.jobs, &simJob{Request: r, takes: takes, waiting: slices.Clone(r.Tasks), running: map[int32]simTask{}})
}

func (s *sim) group(name string) *state.ScaleGroup {
	return s.groups[slices.IndexFunc(s.groups, func(g *state.ScaleGroup) bool { return g.Name == name })]
}

func (s *sim) tell(format string, args ...any) {
	s.story = append(s.story, fmt.Sprintf("%v %s", s.now.Sub(epoch), fmt.Sprintf(format, args...)))
}

func (s *sim) fatalf(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("%s\n\n%s", fmt.Sprintf(format, args...), strings.Join(s.story[max(0, len(s.story)-40):], "\n"))
}

// run lets this much time pass.
func (s *sim) run(d time.Duration) {
	s.t.Helper()
	for end := s.now.Add(d); ; {
		next := s.settle()
		if next.IsZero() || next.After(end) {
			s.now = end
			return
		}
		s.now = next
	}
}

// settle does all that is to be done now and returns when there will be more.
func (s *sim) settle() time.Time {
	s.t.Helper()
	for range 50 {
		next := s.happen()
		v := s.place()
		d := Decide(s.now, v)
		if again := Decide(s.now, v); !reflect.DeepEqual(d, again) {
			s.fatalf("two decisions on one view differ:\n%+v\n%+v", d, again)
		}
		if !d.Next.IsZero() && !d.Next.After(s.now) {
			s.fatalf("the next look is at %v, it is %v", d.Next, s.now)
		}
		if len(d.Actions) == 0 {
			s.check(v, d)
			return earliest(next, d.Next)
		}
		s.apply(d)
	}
	s.fatalf("what is decided has no end")
	return time.Time{}
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// happen does what fate has in store, and returns when it has more.
func (s *sim) happen() time.Time {
	var next time.Time
	for _, j := range s.jobs {
		for i, task := range j.running {
			if task.ends.IsZero() {
				continue
			}
			if task.ends.After(s.now) {
				next = earliest(next, task.ends)
			} else {
				delete(j.running, i)
			}
		}
	}
	for _, sl := range slices.Clone(s.slices) {
		for {
			f, in := s.fates[sl.ID], sl.State
			after := map[vm.State]time.Duration{
				vm.Requesting: f.answers, vm.Booting: f.boots, vm.Initializing: f.registers, vm.Ready: f.lasts, vm.Stopping: 10 * time.Second,
			}[in]
			if after == 0 {
				break
			}
			if end := sl.Since.Add(after); end.After(s.now) {
				next = earliest(next, end)
				break
			}
			s.move(sl, f)
			if !slices.Contains(s.slices, sl) {
				break
			}
		}
	}
	s.jobs = slices.DeleteFunc(s.jobs, func(j *simJob) bool { return len(j.waiting)+len(j.running) == 0 })
	s.settleIdle()
	return next
}

// move takes a slice to the next state of its fate.
func (s *sim) move(sl *state.Slice, f fate) {
	g := s.group(sl.Group)
	switch sl.State {
	case vm.Requesting:
		switch f.refused {
		case "quota":
			g.Blocked[sl.Zone] = state.Block{Until: s.now.Add(g.Pace.QuotaTimeout), Cause: "quota exceeded"}
			s.remove(sl)
			s.fired["quota"]++
			return
		case "error":
			s.fired["error"]++
			s.fail(g)
			s.remove(sl)
			return
		}
		sl.State = vm.Booting
		withVMs(sl, slices.Repeat([]vm.State{vm.Booting}, g.VMs)...)
	case vm.Booting:
		sl.State = vm.Initializing
	case vm.Initializing:
		sl.State, sl.ReadyAt, sl.IdleSince = vm.Ready, s.now, s.now
	case vm.Ready:
		sl.State = f.breaks
		s.evict(sl)
	case vm.Stopping:
		s.remove(sl)
		return
	}
	sl.Since = s.now
	s.tell("%s is %v", sl.ID, sl.State)
}

func (s *sim) remove(sl *state.Slice) {
	s.tell("%s is gone", sl.ID)
	s.evict(sl)
	s.slices = slices.DeleteFunc(s.slices, func(other *state.Slice) bool { return other == sl })
}

// evict sends what runs on a slice back.
func (s *sim) evict(sl *state.Slice) {
	for _, j := range s.jobs {
		back := false
		for i, task := range j.running {
			if strings.HasPrefix(task.worker, "worker-"+sl.ID+"-vm-") {
				back = true
				delete(j.running, i)
				j.waiting = append(j.waiting, i)
			}
		}
		if back && j.GroupBy != "" {
			j.waiting, j.running = slices.Clone(j.Tasks), map[int32]simTask{}
		}
		slices.Sort(j.waiting)
	}
}

func (s *sim) fail(g *state.ScaleGroup) {
	if !g.BackoffUntil.After(s.now) {
		g.BackoffUntil = s.now.Add(min(g.Pace.BackoffMax, g.Pace.BackoffInitial<<min(g.Failures, 10)))
		g.Failures++
	}
}

// settleIdle notes since when slices have been idle.
func (s *sim) settleIdle() {
	busy := map[string]bool{}
	for _, j := range s.jobs {
		for _, task := range j.running {
			busy[task.worker[len("worker-"):strings.LastIndex(task.worker, "-vm-")]] = true
		}
	}
	for _, sl := range s.slices {
		if busy[sl.ID] {
			sl.IdleSince = time.Time{}
		} else if sl.IdleSince.IsZero() && !sl.ReadyAt.IsZero() {
			sl.IdleSince = s.now
		}
	}
}

// place puts what waits on READY slices. The view is of what is left.
func (s *sim) place() View {
	used := map[string]state.Resources{}
	for _, j := range s.jobs {
		for _, task := range j.running {
			used[task.worker] = used[task.worker].Add(j.Need)
		}
	}
	var workers []schedule.Worker
	for _, sl := range s.slices {
		if sl.State == vm.Ready && !sl.Leaving {
			g := s.group(sl.Group)
			for i := range g.VMs {
				w := worker(g, sl.ID, sl.Zone, i, cores(0, 0))
				w.Free = w.Capacity.Sub(used[w.ID])
				workers = append(workers, w)
			}
		}
	}
	slices.SortFunc(workers, func(a, b schedule.Worker) int { return cmp.Compare(a.ID, b.ID) })
	requests := func() (all []schedule.Request) {
		for _, j := range s.jobs {
			if len(j.waiting) > 0 {
				r := j.Request
				r.Tasks = slices.Clone(j.waiting)
				all = append(all, r)
			}
		}
		return all
	}
	for _, a := range schedule.Plan(schedule.View{Workers: workers, Requests: requests()}) {
		j := s.jobs[slices.IndexFunc(s.jobs, func(j *simJob) bool { return j.Job == a.Job })]
		task := simTask{worker: a.Worker}
		if j.takes > 0 {
			task.ends = s.now.Add(j.takes)
		}
		j.running[a.Task] = task
		s.tell("%s/%d runs on %s", j.Job, a.Task, a.Worker)
		j.waiting = slices.DeleteFunc(j.waiting, func(i int32) bool { return i == a.Task })
		w := &workers[slices.IndexFunc(workers, func(w schedule.Worker) bool { return w.ID == a.Worker })]
		w.Free = w.Free.Sub(j.Need)
	}
	s.settleIdle()
	return View{Groups: s.groups, Slices: s.slices, Demand: requests(), Workers: workers}
}

// apply does what is decided as package state does.
func (s *sim) apply(d Decision) {
	for _, action := range d.Actions {
		switch a := action.(type) {
		case Create:
			g := s.group(a.Group)
			if s.live(g) >= g.MaxSlices || g.Removed || g.BackoffUntil.After(s.now) || g.Blocked[a.Zone].Until.After(s.now) {
				s.fatalf("%+v is decided for %+v", a, g)
			}
			id := fmt.Sprintf("%s-%d", g.Name, g.Made)
			g.Made++
			g.LastUp = s.now
			s.asked++
			s.fates[id] = s.draw()
			s.slices = append(s.slices, &state.Slice{
				ID: id, Group: g.Name, Zone: a.Zone, State: vm.Requesting, Since: s.now, Requested: s.now, Reason: a.Reason,
			})
			s.tell("%s is asked for: %s", id, a.Reason)
		case Stop:
			i := slices.IndexFunc(s.slices, func(sl *state.Slice) bool { return sl.ID == a.Slice })
			if i < 0 || s.slices[i].State == vm.Stopping {
				s.fatalf("%+v is decided of a slice that is not there, or being given back", a)
			}
			sl := s.slices[i]
			g := s.group(sl.Group)
			switch a.Why {
			case state.StopIdle:
				if sl.State != vm.Ready || sl.IdleSince.IsZero() || s.now.Sub(sl.IdleSince) < g.Pace.IdleThreshold {
					s.fatalf("%+v is decided of a slice that is %v, idle since %v", a, sl.State, sl.IdleSince)
				}
				g.LastDown, g.NextDown = s.now, g.Pace.NextDown(s.now, g.NextDown)
				s.idle++
			case state.StopFailed, state.StopUnhealthy, state.StopPreempted:
				if sl.ReadyAt.IsZero() || s.now.Sub(sl.ReadyAt) < g.Pace.ShortLived {
					s.fail(g)
				} else {
					g.Failures = 0
				}
			}
			s.fired[fmt.Sprintf("stop %d of %v", a.Why, sl.State)]++
			sl.State, sl.Since, sl.Leaving, sl.Cause = vm.Stopping, s.now, true, a.Cause
			s.tell("%s is given back: %s", sl.ID, a.Cause)
			s.evict(sl)
		}
	}
}

func (s *sim) live(g *state.ScaleGroup) int {
	n := 0
	for _, sl := range s.slices {
		if sl.Group == g.Name {
			n++
		}
	}
	return n
}

// check is what holds when there is nothing to be done.
func (s *sim) check(v View, d Decision) {
	s.t.Helper()
	for i, g := range s.groups {
		staying, requesting := 0, 0
		for _, sl := range s.slices {
			if sl.Group == g.Name && sl.State != vm.Stopping {
				staying++
				if sl.State == vm.Requesting {
					requesting++
				}
			}
			if sl.State == vm.Failed || sl.State == vm.Preempted {
				s.fatalf("%s is %v, and nothing is done", sl.ID, sl.State)
			}
		}
		if !g.Removed && staying < g.MinSlices && d.Groups[i].Availability == Available {
			s.fatalf("%s has %d slices of at least %d, may ask, and does not: %+v", g.Name, staying, g.MinSlices, d.Groups[i])
		}
		if d.Groups[i].Availability == Cooldown && s.now.Sub(g.LastUp) >= g.Pace.ScaleUpCooldown {
			s.fatalf("%s pauses too long: %+v", g.Name, d.Groups[i])
		}
	}
	// Nothing is to be done before the next look either.
	later := s.now.Add(time.Hour)
	if !d.Next.IsZero() {
		later = s.now.Add(d.Next.Sub(s.now) - 1)
	}
	if again := Decide(later, v); len(again.Actions) > 0 {
		s.fatalf("the next look is said to be at %v, and at %v there is to be done: %+v", d.Next, later, again.Actions)
	}
}

// Whatever becomes of the slices, and whoever comes and goes.
func TestWhatHoldsAtAllTimes(t *testing.T) {
	fired := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		groups := anyGroups(t)
		for _, g := range groups {
			g.Capacity, g.MaxSlices = cores(4, 16), rapid.IntRange(1, 5).Draw(t, "max")
			g.MinSlices = rapid.IntRange(0, g.MaxSlices).Draw(t, "min")
			g.BufferSlices = rapid.IntRange(0, 2).Draw(t, "buffer")
			g.Pace.ScaleDownRate = rapid.IntRange(1, 4).Draw(t, "rate")
		}
		seconds := func(low, high int) time.Duration {
			return time.Duration(rapid.IntRange(low, high).Draw(t, "seconds")) * time.Second
		}
		s := newSim(t, func() fate {
			f := good
			switch rapid.IntRange(0, 9).Draw(t, "fate") {
			case 0:
				f.refused = "quota"
			case 1:
				f.refused = "error"
			case 2:
				f.answers = 0
			case 3:
				f.boots = 0
			case 4:
				f.registers = 0
			case 5, 6:
				f.breaks = rapid.SampledFrom([]vm.State{vm.Failed, vm.Preempted, vm.Unhealthy}).Draw(t, "breaks")
				f.lasts = seconds(1, 3000)
			}
			return f
		}, groups...)
		for range rapid.IntRange(5, 30).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0, 1, 2:
				for _, r := range anyDemand(t) {
					if len(r.Tasks) > 0 {
						s.submit(r, seconds(0, 600))
					}
				}
			case 3:
				g := rapid.SampledFrom(groups).Draw(t, "group")
				if g.MaxSlices = rapid.IntRange(1, 5).Draw(t, "max"); s.live(g) > g.MaxSlices {
					s.tell("%s may have %d slices", g.Name, g.MaxSlices)
				}
				g.MinSlices = min(g.MinSlices, g.MaxSlices)
			case 4:
				g := rapid.SampledFrom(groups).Draw(t, "group")
				g.Removed = !g.Removed
				s.tell("%s is removed: %v", g.Name, g.Removed)
			}
			s.run(seconds(1, 1200))
		}
		for what, n := range s.fired {
			fired[what] += n
		}
	})
	for _, what := range []string{
		"quota", "error", fmt.Sprintf("stop %d of READY", state.StopIdle), fmt.Sprintf("stop %d of READY", state.StopSurplus),
		fmt.Sprintf("stop %d of REQUESTING", state.StopFailed), fmt.Sprintf("stop %d of BOOTING", state.StopFailed),
		fmt.Sprintf("stop %d of INITIALIZING", state.StopFailed), fmt.Sprintf("stop %d of FAILED", state.StopFailed),
		fmt.Sprintf("stop %d of PREEMPTED", state.StopPreempted), fmt.Sprintf("stop %d of UNHEALTHY", state.StopUnhealthy),
	} {
		if fired[what] == 0 {
			t.Errorf("%s has never happened: %v", what, fired)
		}
	}
}

// With constant demand nothing comes and goes any more once it is met.
func TestConstantDemandDoesNotFlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		groups := anyGroups(t)
		for _, g := range groups {
			g.MaxSlices = rapid.IntRange(1, 6).Draw(t, "max")
			g.MinSlices = rapid.IntRange(0, g.MaxSlices).Draw(t, "min")
			g.BufferSlices = rapid.IntRange(0, 2).Draw(t, "buffer")
		}
		s := newSim(t, func() fate { return good }, groups...)
		for _, r := range anyDemand(t) {
			if len(r.Tasks) > 0 {
				s.submit(r, 0)
			}
		}
		s.run(2 * time.Hour)
		asked, idle := s.asked, s.idle
		s.tell("two hours are over")
		s.run(8 * time.Hour)
		if s.asked > asked || s.idle > idle {
			s.fatalf("%d slices were asked for and %d given back", s.asked-asked, s.idle-idle)
		}
	})
}

// Alike tasks get exactly the slices that they take, however slowly those come up.
func TestAlikeTasksGetWhatTheyTake(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSim(t, func() fate {
			f := good
			f.boots = time.Duration(rapid.IntRange(1, 299).Draw(t, "boots")) * time.Second
			return f
		}, cpuGroup("cpu", 100))
		n := rapid.IntRange(1, 80).Draw(t, "tasks")
		s.submit(job("alike", n, cores(2, 4)), 0)
		s.run(3 * time.Hour)
		if want := (n + 1) / 2; s.asked != want || s.idle > 0 {
			s.fatalf("%d slices were asked for and %d given back for %d tasks, two to a slice", s.asked, s.idle, n)
		}
	})
}

// Tasks that come again and again, and are done before the next ones come, keep the slices that they need.
func TestAFlowOfTasksDoesNotFlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSim(t, func() fate { return good }, cpuGroup("cpu", 10))
		every := rapid.IntRange(20, 240).Draw(t, "every")
		n := rapid.IntRange(1, 8).Draw(t, "tasks")
		takes := time.Duration(rapid.IntRange(1, every-1).Draw(t, "takes")) * time.Second
		for begin := s.now; s.now.Sub(begin) < 3*time.Hour; {
			s.submit(job("flow", n, cores(2, 4)), takes)
			s.run(time.Duration(every) * time.Second)
			if s.now.Sub(begin) < time.Hour {
				s.asked, s.idle = 0, 0
			}
		}
		if s.asked > 0 {
			s.fatalf("%d slices were asked for and %d given back in two hours", s.asked, s.idle)
		}
	})
}
