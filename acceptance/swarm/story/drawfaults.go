package story

import (
	"fmt"
	"slices"
	"time"

	"iris/acceptance/fault"
)

// faults draws the schedule: of the kinds that the story has, as often as its intensity says, until nine tenths of its
// length. The rest is for the last ones to end.
func (d *draw) faults() {
	kinds := slices.DeleteFunc(d.kinds(), func(k kindOf) bool { return !d.with(k.name) })
	if len(kinds) == 0 {
		kinds = d.kinds()[:1] // a story without faults proves nothing
	}
	length := time.Duration(d.s.Length)
	until := length * 9 / 10
	pause := time.Duration(d.between(5*time.Second, 20*time.Minute)) // between two, on average
	at := time.Duration(d.Int64N(int64(min(pause, until/2)) + 1))
	for ; at < until && len(d.s.Faults) < mostFaults; at += time.Duration(d.ExpFloat64() * float64(pause)) {
		begins, lasts := fault.Span(at).Round(), d.between(time.Second, 10*time.Minute)
		for _, f := range pick(d, kinds...).draw() {
			f.Begins = min(begins+f.Begins, d.s.Length)
			if !f.Instant() {
				f.Lasts = min(lasts, d.s.Length-f.Begins)
			}
			d.s.Faults = append(d.s.Faults, f)
		}
	}
}

// mostFaults of one story. It says more with fewer.
const mostFaults = 200

// kindOf is a kind of faults, and what draws one of them: several, if it takes several to do it. Each begins as long after the
// first as it says.
type kindOf struct {
	name string
	draw func() []fault.Fault
}

// one is a kind that a single fault does.
func one(name string, draw func() fault.Fault) kindOf {
	return kindOf{name, func() []fault.Fault { return []fault.Fault{draw()} }}
}

// kinds are the faults that there may be in the story's cluster.
func (d *draw) kinds() []kindOf {
	c := d.s.Cluster
	controller := func() string { return fmt.Sprintf("c-%d", d.IntN(c.Controllers)) }
	worker := func() string {
		if len(c.Workers) == 0 || d.IntN(8) == 0 {
			return fault.Anybody
		}
		return fmt.Sprintf("w-%d", d.IntN(len(c.Workers)))
	}
	anyone := func() string {
		if len(c.Workers) == 0 || d.IntN(4) == 0 {
			return controller()
		}
		return fmt.Sprintf("w-%d", d.IntN(len(c.Workers)))
	}
	way := func() (a, b string) { // between a controller and whoever speaks with it, either way
		a, b = controller(), worker()
		switch d.IntN(6) {
		case 0:
			b = "client"
		case 1:
			b = controller()
		case 2:
			a = fault.Anybody
		}
		if d.IntN(2) == 0 {
			return b, a
		}
		return a, b
	}
	share := func() float64 { return pick(d, 0.1, 0.3, 0.5, 0.9) }
	between := func(least, most time.Duration) time.Duration { return time.Duration(d.between(least, most)) }
	kinds := []kindOf{
		one("crash", func() fault.Fault { return fault.Crash(anyone()) }),
		one("restart", func() fault.Fault { return fault.Restart(anyone()) }),
		one("freeze", func() fault.Fault { return fault.Freeze(anyone()) }),
		one("partition", func() fault.Fault { a, b := way(); return fault.Partition(a, b) }),
		one("cut", func() fault.Fault { a, b := way(); return fault.Cut(a, b) }),
		one("delay", func() fault.Fault {
			a, b := way()
			return fault.Delay(a, b, between(100*time.Millisecond, 4*time.Second), between(100*time.Millisecond, 2*time.Second))
		}),
		one("lossy", func() fault.Fault { a, b := way(); return fault.Lossy(a, b, pick(d, 0.1, 0.3)) }),
		one("slow", func() fault.Fault { a, b := way(); return fault.Slow(a, b, pick(d, 200, 2000)) }),
		one("refuse", func() fault.Fault { a, b := way(); return fault.Refuse(a, b) }),
		one("reset", func() fault.Fault { a, b := way(); return fault.Reset(a, b) }),
		one("repeat", func() fault.Fault { a, b := way(); return fault.Repeat(a, b, share()) }),
		one("reorder", func() fault.Fault {
			a, b := way()
			return fault.Reorder(a, b, share(), between(100*time.Millisecond, 8*time.Second))
		}),
		{"outrun", func() []fault.Fault { // somebody's last words arrive after it is back
			w := anyone()
			return []fault.Fault{
				fault.Reorder(w, fault.Anybody, pick(d, 0.5, 0.9), between(2*time.Second, 8*time.Second)),
				fault.Restart(w).At(between(time.Second, 10*time.Second)),
			}
		}},
		one("skew", func() fault.Fault { return fault.Skew(worker(), between(time.Second, 2*c.WorkerTimeout())) }),
		{"isolate", func() (cuts []fault.Fault) { // a controller, from all others
			alone, oneWay := controller(), d.IntN(3) == 0
			for i := range c.Controllers {
				switch other := fmt.Sprintf("c-%d", i); {
				case other == alone:
				case oneWay:
					cuts = append(cuts, fault.Partition(alone, other))
				default:
					cuts = append(cuts, fault.Cut(alone, other))
				}
			}
			if cuts == nil {
				return []fault.Fault{fault.Freeze(alone)}
			}
			return cuts
		}},
		one("journal", func() fault.Fault {
			site := pick(d, "journal.disk", "journal.before_append", "journal.after_append", "journal.after_commit", "journal.before_effect",
				"journal.before_answer")
			return fault.AtSite(site, controller(), pick(d, 0.05, 1), 1)
		}),
	}
	for _, site := range []string{
		"controller.dispatch", "controller.stop", "worker.register", "worker.heartbeat", "worker.report_task_state",
		"worker.submit_task", "worker.accept_task", "worker.bundle_download", "worker.create_container", "worker.task_monitor",
	} {
		kinds = append(kinds, one(site, func() fault.Fault {
			return fault.AtSite(site, worker(), pick(d, 0.2, 0.5, 1), pick(d, 0, 1, 3, 10))
		}))
	}
	if len(c.Groups) == 0 {
		return kinds
	}
	group := func() string { return pick(d, c.Groups...).Name }
	modes := []string{"fails", "quota", "stockout", "hangs", "partial", "boot-stuck", "init-stuck"}
	for _, site := range []string{"vm.create", "vm.list", "vm.terminate"} {
		kinds = append(kinds, one(site, func() fault.Fault { return fault.AtSite(site, group(), pick(d, 0.5, 1), pick(d, 0, 1, 3)) }))
	}
	return append(kinds,
		one("creation", func() fault.Fault { return fault.Creation(group(), pick(d, modes...)) }),
		one("taken", func() fault.Fault { return fault.Taken(group(), d.IntN(4)) }),
		one("notice", func() fault.Fault { return fault.Notice(group(), d.IntN(4), between(time.Second, time.Minute)) }),
		one("broken", func() fault.Fault { return fault.Broken(group(), d.IntN(4)) }),
		one("list-lag", func() fault.Fault { return fault.ListLag(group(), between(time.Second, 50*time.Second)) }),
	)
}
