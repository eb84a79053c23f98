package autoscaler

import (
	"fmt"
	"testing"
	"time"

	"iris/iris/schedule"
	"iris/iris/state"
	"iris/iris/vm"
)

// idleFor is READY slices cpu-0, cpu-1 and so on that have been idle for so long.
func idleFor(d ...time.Duration) []*state.Slice {
	var all []*state.Slice
	for i, d := range d {
		all = append(all, since(slice(fmt.Sprintf("cpu-%d", i), "cpu", vm.Ready), at(-d)))
	}
	return all
}

func idles(ids ...string) map[string]Why {
	all := map[string]Why{}
	for _, id := range ids {
		all[id] = state.StopIdle
	}
	return all
}

func TestIdleSlicesGo(t *testing.T) {
	const m = time.Minute
	young := idleFor(time.Hour)
	young[0].ReadyAt = at(-time.Minute)
	degraded := idleFor(time.Hour)
	degraded[0].State, degraded[0].Since = vm.Unhealthy, at(-m)
	pinned := func(key, value string) []schedule.Request { return demand(job("j", 1, cores(4, 1), equal(key, value))) }
	for _, c := range []struct {
		name   string
		change func(*state.ScaleGroup)
		slices []*state.Slice
		demand []schedule.Request
		want   map[string]Why
		next   time.Time
	}{
		{"after the threshold", nil, idleFor(5*m, 5*m-1), nil, idles("cpu-0"), at(1)},
		{"not while they run something (FM-64)", nil, []*state.Slice{busy(idleFor(time.Hour)[0])}, nil, idles(), time.Time{}},
		{"not before they have been READY for as long", nil, young, nil, idles(), at(4 * m)},
		{"not while they lack a worker (FM-74)", nil, degraded, nil, idles(), at(4 * m)},
		{"not below min", func(g *state.ScaleGroup) { g.MinSlices = 2 }, idleFor(6*m, 8*m, 7*m), nil, idles("cpu-1"), time.Time{}},
		{"min counts what is READY only", func(g *state.ScaleGroup) { g.MinSlices = 1 },
			append(idleFor(6*m), slice("cpu-1", "cpu", vm.Booting)), nil, idles(), at(-10 * time.Second).Add(5 * m)},
		{"not below the buffer, the longest idle first", func(g *state.ScaleGroup) { g.BufferSlices = 2 },
			idleFor(6*m, 8*m, 7*m, 9*m), nil, idles("cpu-3", "cpu-1"), time.Time{}},
		{"not soon after slices were asked for", func(g *state.ScaleGroup) { g.LastUp = at(-4 * m) }, idleFor(6 * m), nil, idles(), at(m)},
		{"not while the demand could use them", nil, idleFor(6 * m), demand(job("j", 1, cores(4, 1))), idles(), time.Time{}},
		{"though there is demand that cannot", nil, idleFor(6 * m), demand(job("j", 1, cores(5, 1))), idles("cpu-0"), time.Time{}},
		{"but the one that is named", nil, idleFor(6*m, 6*m), pinned("slice", "cpu-0"), idles("cpu-1"), time.Time{}},
		{"but the one whose worker is named", nil, idleFor(6*m, 6*m), pinned("worker", "worker-cpu-1-vm-0"), idles("cpu-0"), time.Time{}},
		{"though a gang waits that is larger than they are", nil, idleFor(6 * m), demand(gang("g", "slice", 5, cores(1, 1))),
			idles("cpu-0"), time.Time{}},
		{"no faster than the rate", func(g *state.ScaleGroup) { g.Pace.ScaleDownRate = 2 }, idleFor(6*m, 8*m, 7*m), nil,
			idles("cpu-1", "cpu-2"), at(30 * time.Second)},
		{"not before the rate allows the next", func(g *state.ScaleGroup) { g.NextDown = at(1) }, idleFor(6 * m), nil, idles(), at(1)},
		{"the rate allows the next", func(g *state.ScaleGroup) { g.Pace.ScaleDownRate, g.NextDown = 2, epoch }, idleFor(6*m, 7*m), nil,
			idles("cpu-1"), at(30 * time.Second)},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := cpuGroup("cpu", 4)
			if c.demand != nil {
				g.BackoffUntil = at(-time.Hour)
				g.MaxSlices = len(c.slices) // nothing more comes
			}
			if c.change != nil {
				c.change(g)
			}
			d := Decide(epoch, View{Groups: groupsOf(g), Slices: c.slices, Demand: c.demand})
			same(t, "stopped", c.want, stopped(d))
			same(t, "created", map[string]int{}, created(d))
			same(t, "next look", c.next, d.Next)
		})
	}
}

// There may be room on the workers for a gang that the scheduler keeps from some of them.
func TestAGangAcrossSlicesCountsOnWorkersWhereNoSliceIsUnderWay(t *testing.T) {
	g := cpuGroup("cpu", 2)
	v := View{
		Groups: groupsOf(g), Slices: idleFor(6*time.Minute, 6*time.Minute), Demand: demand(gang("g", "zone", 3, cores(2, 1))),
		Workers: []schedule.Worker{worker(g, "cpu-0", "us-1", 0, g.Capacity), worker(g, "cpu-1", "us-1", 0, g.Capacity)},
	}
	d := Decide(epoch, v)
	same(t, "waits", []Wait{{Job: "g", Text: "there is room for it on the workers that are there"}}, d.Waits)
	same(t, "stopped", idles(), stopped(d))
}

func TestWhyAnIdleSliceGoes(t *testing.T) {
	d := Decide(epoch, View{Groups: groupsOf(cpuGroup("cpu", 4)), Slices: idleFor(5*time.Minute + 100*time.Millisecond)})
	same(t, "actions", []Action{Stop{"cpu-0", state.StopIdle, "idle for 5m0s"}}, d.Actions)
	same(t, "standing", Standing{"cpu", Available, 0, "nothing waits for it; 1 idle slice given back"}, d.Groups[0])
}

// Whatever the rate, no more go in a minute than twice as many, and no more at once than as many.
func TestTheRateOfGivingBack(t *testing.T) {
	for rate := 1; rate <= 20; rate++ {
		p, next := state.Pace{ScaleDownRate: rate}, time.Time{}
		var given []time.Time
		for now := epoch; now.Before(at(5 * time.Minute)); now = now.Add(100 * time.Millisecond) {
			for !next.After(now) {
				next = p.NextDown(now, next)
				given = append(given, now)
			}
		}
		if want := 5*rate + rate - 1; len(given) > want || len(given) < want-1 {
			t.Errorf("in 5 minutes %d were given back at %d a minute", len(given), rate)
		}
		if given[rate-1] != epoch || given[rate] == epoch {
			t.Errorf("%d were not given back at once at %d a minute: %v", rate, rate, given[:rate+1])
		}
	}
}
