package state

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A world is a cluster under random commands, with what must stay true of it.
type world struct {
	t        *rapid.T
	c        *Cluster
	now      time.Time
	follower *Cluster          // made of the log alone, as it comes back from a disk
	lines    int               // of the log
	final    map[string]string // what has ended, by id, as it was when it ended
	due      []Deadline        // those that are being answered
	expired  []Deadline        // all that were ever due
}

var worldPolicy = Policy{
	NoWorkerGrace: 7 * time.Second, DispatchRounds: 2, DispatchPause: 3 * time.Second, TimeoutSlack: time.Second,
}

func TestRandomHistoriesKeepEveryPromise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		t.Repeat(w.actions())
		w.drain()
		w.forgetAll()
	})
}

func newWorld(t *rapid.T) *world {
	w := &world{t: t, c: New(worldPolicy), follower: New(worldPolicy), now: epoch, final: map[string]string{}}
	for i := range rapid.IntRange(0, 3).Draw(t, "first workers") {
		w.apply(w.registration(i, 1))
	}
	return w
}

// actions are all that may happen in a world.
func (w *world) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"submit":        func(*rapid.T) { w.submit() },
		"register":      func(*rapid.T) { w.register() },
		"lose":          func(*rapid.T) { w.lose() },
		"schedule":      func(*rapid.T) { w.schedule() },
		"assign":        func(*rapid.T) { w.assignAnything() },
		"assign gang":   func(*rapid.T) { w.assignGang() },
		"progress":      func(*rapid.T) { w.progress() },
		"more progress": func(*rapid.T) { w.schedule(); w.progress(); w.progress() },
		"heartbeat":     func(*rapid.T) { w.heartbeat() },
		"observe":       func(*rapid.T) { w.observeAnything() },
		"fail dispatch": func(*rapid.T) { w.failDispatch() },
		"cancel":        func(*rapid.T) { w.cancel() },
		"tick":          func(*rapid.T) { w.tick(w.seconds("tick", 1, 8)) },
		"expire":        func(*rapid.T) { w.expireAnything() },
		"set policy":    func(*rapid.T) { w.setPolicy() },
		"forget":        func(*rapid.T) { w.forget() },
		"retain":        func(*rapid.T) { w.retain() },
		"restore":       func(*rapid.T) { w.restore(0) },
		"set groups":    func(*rapid.T) { w.setGroups() },
		"request slice": func(*rapid.T) { w.requestSlice() },
		"refuse slice":  func(*rapid.T) { w.refuseSlice() },
		"observe slice": func(*rapid.T) { w.observeSlice() },
		"slice worker":  func(*rapid.T) { w.observeSlice(); w.sliceWorker(); w.sliceWorker() },
		"stop slice":    func(*rapid.T) { w.stopSlice() },
		"end slice":     func(*rapid.T) { w.endSlice() },
		"slow clock":    func(*rapid.T) { w.restore(w.seconds("slower by", 1, 3)) },
	}
}

// apply applies a command and verifies everything that holds after each.
func (w *world) apply(cmd Command) {
	before, hindered, needs := w.c.Describe(epoch), w.hindered(cmd), w.needs()
	effects, err := w.c.Apply(w.now, cmd)
	w.lines++
	fail := func(format string, args ...any) {
		w.t.Helper()
		w.t.Fatalf("%+v at %v\n%s\nfrom\n%sto\n%s", cmd, w.now.Sub(epoch), fmt.Sprintf(format, args...), before,
			w.c.Describe(epoch))
	}
	if broken := w.c.Check(); broken != nil {
		fail("%v", broken)
	}
	w.follow(cmd, fmt.Sprint(effectTexts(effects), err))
	if err != nil && (len(effects) > 0 || w.c.Describe(epoch) != before) {
		fail("was refused (%v) and changed something", err)
	}
	for _, e := range effects {
		switch e := e.(type) {
		case Run:
			a := e.Attempt
			if a.State != Assigned || a.Released || hindered[Placement{a.job.ID, a.task, a.Worker}] {
				fail("%s is to run and is %v, released: %v", a.UID, a.State, a.Released)
			}
		case Stop:
			if a := w.c.Attempt(e.UID); !a.State.Terminal() || a.Worker != e.Worker {
				fail("%s is to stop and is %v", a.UID, a.State)
			}
		}
	}
	if observed, ok := cmd.(Observe); ok {
		w.verifySource(observed, fail)
	}
	w.verifyForgotten(cmd, needs, fail)
	w.verifyStops(effects, fail)
	w.verifyOutstanding(fail)
	w.verifyQueue(fail)
	w.verifyFinal(fail)
	w.verifyFleet(fail)
	if at, ok := w.c.Next(); ok && !at.After(w.now) {
		fail("the next deadline, at %v, is over", at.Sub(epoch))
	}
}

// tick lets time go by and answers all deadlines that have come meanwhile, late as they may be.
func (w *world) tick(d time.Duration) {
	w.now = w.now.Add(d)
	for w.due = w.c.Due(w.now); len(w.due) > 0; {
		due := w.due[0]
		w.due, w.expired = w.due[1:], append(w.expired, due)
		if due.Kind != BackoffDeadline {
			w.apply(Expire{Deadline: due, Reason: "nothing is free"})
		}
	}
	if at, ok := w.c.Next(); ok && !at.After(w.now) {
		w.t.Fatalf("the next deadline, at %v, is over at %v", at.Sub(epoch), w.now.Sub(epoch))
	}
}

// tell is what a controller does with a worker's reports: it commits the news, and answers.
func (w *world) tell(worker *Worker, reports ...Report) (ack, stop []string) {
	if news := w.c.News(worker.ID, worker.Incarnation, reports); news != nil {
		w.apply(Observe{Worker: worker.ID, Incarnation: worker.Incarnation, Reports: news})
	}
	if again := w.c.News(worker.ID, worker.Incarnation, reports); again != nil {
		w.t.Fatalf("%+v is news twice\n%s", again, w.c.Describe(epoch))
	}
	ack, stop = w.c.Answer(worker.ID, worker.Incarnation, reports)
	for _, r := range reports {
		if r.State.Terminal() && !slices.Contains(ack, r.UID) {
			w.t.Fatalf("the result %+v was applied and is not acknowledged\n%s", r, w.c.Describe(epoch))
		}
	}
	return ack, stop
}

// drain stops all faults: what is placed succeeds, what must stop stops. Then every job ends, or cannot fit.
func (w *world) drain() {
	w.endFleet()
	for range 300 {
		before := w.lines
		for _, worker := range w.c.Workers() {
			for _, a := range worker.Held() {
				to := Succeeded
				if a.State.Terminal() {
					to = Killed
				}
				w.tell(worker, Report{UID: a.UID, State: to})
			}
		}
		if plan := place(w.c, w.now); len(plan) > 0 {
			w.apply(Assign{plan})
			for _, p := range plan {
				if w.c.Job(p.Job).Tasks[p.Task].live() == nil {
					w.t.Fatalf("%+v was left out of a valid plan\n%s", p, w.c.Describe(epoch))
				}
			}
		}
		if w.lines > before {
			continue
		}
		at, ok := w.c.Next()
		if !ok {
			break
		}
		w.tick(at.Sub(w.now))
	}
	for _, j := range w.c.Jobs() {
		if !j.State.Terminal() && w.couldFit(j) {
			w.t.Fatalf("%s has not ended\n%s", j.ID, w.c.Describe(epoch))
		}
		if j.State.Terminal() {
			continue
		}
		for i := range j.Tasks {
			if t := &j.Tasks[i]; t.State == Pending && t.lostWorker() {
				w.t.Fatalf("%s lost its worker and waits for ever\n%s", j.TaskID(i), w.c.Describe(epoch))
			}
		}
	}
}

// couldFit reports whether a job fits on the live workers when they are empty: it counts, one by one.
func (w *world) couldFit(j *Job) bool {
	by, tasks := AttributeWorker, 1
	if j.Gang() {
		by, tasks = j.Spec.Coscheduling.GroupBy, len(j.Tasks)
	}
	room := map[string]int{}
	for _, worker := range w.c.Workers() {
		value, ok := worker.Attributes[by]
		if worker.Lost || !ok || !Matches(j.Spec.Constraints, worker.Attributes) {
			continue
		}
		for left := worker.Capacity; left.Fits(j.Need); left = left.Sub(j.Need) {
			room[value]++
		}
		if room[value] >= tasks {
			return true
		}
	}
	return false
}
