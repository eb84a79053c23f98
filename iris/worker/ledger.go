package worker

import (
	"slices"
	"sync"
	"time"

	"iris/chaos"
	"iris/iris/mutant"
	pb "iris/iris/proto"
)

// ledger is what the worker runs, and what has finished but is not acknowledged.
type ledger struct {
	labels chaos.Labels  // the worker's
	news   chan struct{} // something changed

	mu       sync.Mutex
	attempts map[string]*attempt
	dirty    []*attempt // changed since they were last reported
	// Uids that are over and acknowledged, in two generations: an order for one that was under way is not followed.
	over, older map[string]struct{}
	aged        time.Time
	shut        bool          // nothing new is entered
	stirred     chan struct{} // closed when the number of attempts that run or wait changes; nil: nobody waits for that
}

// generation is how long a uid is remembered at the least: longer than all tries of one order take, each of 5 s, and the
// pauses between them.
const generation = 30 * time.Second

// reportBatch is how many attempts one report carries at the most.
const reportBatch = 1000

func newLedger(labels chaos.Labels) *ledger {
	return &ledger{labels: labels, aged: time.Now(), news: make(chan struct{}, 1), attempts: map[string]*attempt{}, over: map[string]struct{}{}}
}

// knows reports whether an order for the attempt was followed, or must not be any more; and whether it is over for good: its
// end was acknowledged, so that nobody will hear of it again.
func (l *ledger) knows(uid string) (known, forgotten bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known = l.known(uid)
	return known, known && l.attempts[uid] == nil
}

func (l *ledger) known(uid string) bool {
	_, over := l.over[uid]
	_, older := l.older[uid]
	a := l.attempts[uid]
	if a != nil && !finished(a.phase.state) && mutant.On(mutant.OrderRunsTwice) {
		return false
	}
	return a != nil || over || older
}

// add enters an attempt, unless it is known already, or the ledger is shut.
func (l *ledger) add(a *attempt) (added, shut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known(a.uid) {
		return false, false
	}
	if l.shut {
		return false, true
	}
	l.attempts[a.uid] = a
	return true, false
}

// advance notes a phase, or how the attempt finished.
func (l *ledger) advance(a *attempt, now phase) {
	l.mu.Lock()
	a.phase = now
	l.mark(a)
	l.stir()
	l.mu.Unlock()
}

func (l *ledger) mark(a *attempt) {
	if !a.dirty {
		a.dirty = true
		l.dirty = append(l.dirty, a)
	}
	select {
	case l.news <- struct{}{}:
	default:
	}
}

// changed takes out attempts that changed since the last call, up to a batch.
func (l *ledger) changed() []*attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(len(l.dirty), reportBatch)
	batch := slices.Clone(l.dirty[:n])
	l.dirty = slices.Delete(l.dirty, 0, n)
	for _, a := range batch {
		a.dirty = false
	}
	return batch
}

// reports is the wire form of some attempts as they are now.
func (l *ledger) reports(some []*attempt) []*pb.AttemptReport {
	l.mu.Lock()
	defer l.mu.Unlock()
	reports := make([]*pb.AttemptReport, len(some))
	for i, a := range some {
		reports[i] = a.report()
	}
	return reports
}

// everything is the wire form of all attempts: the truth a heartbeat carries.
func (l *ledger) everything() []*pb.AttemptReport {
	l.mu.Lock()
	defer l.mu.Unlock()
	reports := make([]*pb.AttemptReport, 0, len(l.attempts))
	for _, a := range l.attempts {
		if finished(a.phase.state) && mutant.On(mutant.ResultForgotten) {
			continue
		}
		reports = append(reports, a.report())
	}
	return reports
}

// answer follows what the controller said: forget what it noted, stop what it no longer wants.
func (l *ledger) answer(ack, stop []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.stir()
	for _, uid := range ack {
		if a := l.attempts[uid]; a != nil && finished(a.phase.state) {
			delete(l.attempts, uid)
			if !mutant.On(mutant.LateOrderRunsAgain) {
				l.over[uid] = struct{}{}
			}
		}
	}
	for _, uid := range stop {
		a := l.attempts[uid]
		if a == nil && mutant.On(mutant.EarlyStopForgotten) {
			continue
		}
		if a == nil { // it never came, or is long over: confirm it, and refuse it should it still come
			a = &attempt{uid: uid, labels: l.labels, phase: phase{state: pb.TaskState_TASK_STATE_KILLED, text: "stopped before it began"}}
			l.attempts[uid] = a
			l.mark(a)
			continue
		}
		if a.cancel != nil {
			a.cancel()
		}
	}
}

// stopAll ends everything that runs.
func (l *ledger) stopAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.attempts {
		if a.cancel != nil {
			a.cancel()
		}
	}
}

// age forgets acknowledged attempts of the generation before the last, once the last is old enough.
func (l *ledger) age(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.aged) >= generation {
		l.over, l.older, l.aged = map[string]struct{}{}, l.over, now
	}
}

func finished(s pb.TaskState) bool {
	return s != pb.TaskState_TASK_STATE_ASSIGNED && s != pb.TaskState_TASK_STATE_BUILDING && s != pb.TaskState_TASK_STATE_RUNNING
}
