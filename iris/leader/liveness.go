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
	workers map[string]*sign
	check   time.Time // no worker can be lost before; zero: nobody is known
	apart   bool      // some may be unheard, or drain; known anew when check is
}

// sign is the last sign of life of a worker.
type sign struct {
	at      time.Time
	unheard bool // the log knows the worker, and this controller has not heard of it yet
	drains  bool // it said last that it does
}

// stall is how late a step may be before the delay is taken as the leader's own and not the workers' (FM-22).
const stall = 2 * time.Second

func newLiveness(timeout time.Duration) liveness {
	return liveness{timeout: timeout, workers: map[string]*sign{}}
}

// begin starts the watch over workers that the log knows. Their silence counts from here, and none of them counts as
// healthy before it is heard of (FM-23).
func (l *liveness) begin(now time.Time, c *state.Cluster) {
	l.check, l.apart = now, true
	for _, w := range c.Workers() {
		if !w.Lost {
			s := &sign{at: now, unheard: true}
			if mutant.On(mutant.LostEarlyAfterChange) {
				s.at = now.Add(-l.timeout / 2)
			}
			l.workers[w.ID] = s
		}
	}
}

// hear notes a heartbeat or a registration, and whether the worker drains. It returns true if the worker gets something new
// again that got nothing until now.
func (l *liveness) hear(worker string, now time.Time, drains bool) (returned bool) {
	s := l.workers[worker]
	if s == nil {
		s = &sign{at: now}
		l.workers[worker] = s
	}
	returned = s.standing(now, l.timeout) != Takes && !drains
	*s = sign{at: now, drains: drains}
	l.apart = l.apart || drains
	if due := now.Add(l.timeout); l.check.IsZero() || due.Before(l.check) {
		l.check = due
	}
	return returned
}

func (l *liveness) standing(worker string, now time.Time) Standing {
	if s := l.workers[worker]; s != nil {
		return s.standing(now, l.timeout)
	}
	return Takes
}

// standing takes a worker for silent that has not been heard of for more than half the timeout, or never since the watch
// began: it may be about to be lost.
func (s *sign) standing(now time.Time, timeout time.Duration) Standing {
	switch {
	case s.drains:
		return Draining
	case s.unheard || now.Sub(s.at) > timeout/2:
		return Silent
	}
	return Takes
}

// allTake reports whether each worker takes tasks, as far as it knows without a look at them; false: some may not.
func (l *liveness) allTake(now time.Time) bool {
	return !l.apart && !now.Add(l.timeout/2).After(l.check)
}

// forgive leaves every worker time to be heard of again when the leader itself overslept: half the timeout, in which each
// one that lives beats at least once. What they sent meanwhile was not taken.
func (l *liveness) forgive(wake, now time.Time) {
	late := now.Sub(wake)
	if wake.IsZero() || late <= stall {
		return
	}
	least := now.Add(-l.timeout / 2)
	for _, s := range l.workers {
		if s.at = s.at.Add(late); s.at.Before(least) {
			s.at = least
		}
	}
	if !l.check.IsZero() {
		l.check = least.Add(l.timeout)
	}
}

// at is when a worker was last heard of; zero: never.
func (l *liveness) at(worker string) time.Time {
	if s := l.workers[worker]; s != nil {
		return s.at
	}
	return time.Time{}
}

// lost are the workers that have been silent for the whole timeout.
func (l *liveness) lost(now time.Time, c *state.Cluster) []state.Command {
	if l.check.IsZero() || now.Before(l.check) {
		return nil
	}
	var commands []state.Command
	l.check, l.apart = time.Time{}, false
	for _, w := range c.Workers() {
		at := l.at(w.ID)
		if mutant.On(mutant.WorkerNeverLost) && !at.Add(l.timeout).After(now) {
			at = now
			l.workers[w.ID] = &sign{at: now}
		}
		switch due := at.Add(l.timeout); {
		case w.Lost:
			delete(l.workers, w.ID)
		case !due.After(now):
			delete(l.workers, w.ID)
			commands = append(commands, state.LoseWorker{ID: w.ID, Incarnation: w.Incarnation,
				Cause: fmt.Sprintf("no heartbeat for %v", text(l.timeout))})
		default:
			if l.check.IsZero() || due.Before(l.check) {
				l.check = due
			}
			if s := l.workers[w.ID]; s != nil {
				l.apart = l.apart || s.unheard || s.drains
			}
		}
	}
	return commands
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
