package leader

import (
	"fmt"
	"time"

	"iris/iris/mutant"
	"iris/iris/state"
)

// liveness remembers when each worker was last heard of. It is a measurement, not a decision, so it is not logged: after
// a restart of the controller everybody's silence counts from there (design §1).
type liveness struct {
	timeout time.Duration
	heard   map[string]time.Time
	unheard map[string]bool // those that the log knows and this controller has not heard of yet
	drained map[string]bool // those that said last that they drain
	check   time.Time       // no worker can be lost before; zero: nobody is known
}

// stall is how late a step may be before the delay is taken as the leader's own and not the workers' (FM-22).
const stall = 2 * time.Second

func newLiveness(timeout time.Duration) liveness {
	return liveness{timeout: timeout, heard: map[string]time.Time{}, unheard: map[string]bool{}, drained: map[string]bool{}}
}

// begin starts the watch over workers that the log knows. Their silence counts from here, and none of them counts as
// healthy before it is heard of (FM-23).
func (l *liveness) begin(now time.Time, c *state.Cluster) {
	l.check = now
	for _, w := range c.Workers() {
		if !w.Lost {
			l.heard[w.ID], l.unheard[w.ID] = now, true
			if mutant.On(mutant.LostEarlyAfterChange) {
				l.heard[w.ID] = now.Add(-l.timeout / 2)
			}
		}
	}
}

// hear notes a heartbeat or a registration, and whether the worker drains. It returns true if the worker gets something new
// again that got nothing until now.
func (l *liveness) hear(worker string, now time.Time, drains bool) (returned bool) {
	returned = l.standing(worker, now) != Takes && !drains
	l.heard[worker] = now
	delete(l.unheard, worker)
	if delete(l.drained, worker); drains {
		l.drained[worker] = true
	}
	if l.check.IsZero() {
		l.check = now.Add(l.timeout)
	}
	return returned
}

// silent reports whether a worker has not been heard of for more than half the timeout, or never since the watch
// began: it may be about to be lost.
func (l *liveness) silent(worker string, now time.Time) bool {
	at, known := l.heard[worker]
	return known && now.Sub(at) > l.timeout/2 || l.unheard[worker]
}

func (l *liveness) standing(worker string, now time.Time) Standing {
	switch {
	case l.drained[worker]:
		return Draining
	case l.silent(worker, now):
		return Silent
	}
	return Takes
}

// forgive leaves every worker time to be heard of again when the leader itself overslept: half the timeout, in which each
// one that lives beats at least once. What they sent meanwhile was not taken.
func (l *liveness) forgive(wake, now time.Time) {
	late := now.Sub(wake)
	if wake.IsZero() || late <= stall {
		return
	}
	least := now.Add(-l.timeout / 2)
	for worker, at := range l.heard {
		if at = at.Add(late); at.Before(least) {
			at = least
		}
		l.heard[worker] = at
	}
	if !l.check.IsZero() {
		l.check = least.Add(l.timeout)
	}
}

// lost are the workers that have been silent for the whole timeout.
func (l *liveness) lost(now time.Time, c *state.Cluster) []state.Command {
	if l.check.IsZero() || now.Before(l.check) {
		return nil
	}
	var commands []state.Command
	l.check = time.Time{}
	for _, w := range c.Workers() {
		at := l.heard[w.ID]
		if mutant.On(mutant.WorkerNeverLost) && !at.Add(l.timeout).After(now) {
			at = now
			l.heard[w.ID] = now
		}
		switch due := at.Add(l.timeout); {
		case w.Lost:
			l.forget(w.ID)
			delete(l.unheard, w.ID)
		case !due.After(now):
			l.forget(w.ID)
			delete(l.unheard, w.ID)
			commands = append(commands, state.LoseWorker{ID: w.ID, Incarnation: w.Incarnation,
				Cause: fmt.Sprintf("no heartbeat for %v", text(l.timeout))})
		case l.check.IsZero() || due.Before(l.check):
			l.check = due
		}
	}
	return commands
}

// forget drops what is remembered of a worker that is lost.
func (l *liveness) forget(worker string) {
	delete(l.heard, worker)
	delete(l.drained, worker)
}

// next is when to look again: when a worker may be lost, and often enough before to notice a stall.
func (l *liveness) next(now time.Time) (time.Time, bool) {
	if l.check.IsZero() {
		return time.Time{}, false
	}
	if soon := now.Add(l.timeout / 4); soon.Before(l.check) {
		return soon, true
	}
	return l.check, true
}

// text writes a duration for people: "60s", not "1m0s".
func text(d time.Duration) string {
	if d%time.Second == 0 && d < 10*time.Minute {
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return d.String()
}
