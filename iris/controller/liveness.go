package controller

import (
	"fmt"
	"time"

	"iris/iris/state"
)

// liveness remembers when each worker was last heard of. It is a measurement, not a decision, so it is not logged: after
// a restart of the controller everybody's silence counts from there (design §1).
type liveness struct {
	timeout time.Duration
	heard   map[string]time.Time
	check   time.Time // no worker can be lost before; zero: nobody is known
}

// stall is how late the loop may be before the delay is taken as its own and not the workers' (FM-22).
const stall = 2 * time.Second

func newLiveness(timeout time.Duration) liveness {
	return liveness{timeout: timeout, heard: map[string]time.Time{}}
}

// hear notes a heartbeat or a registration.
func (l *liveness) hear(worker string, now time.Time) {
	l.heard[worker] = now
	if l.check.IsZero() {
		l.check = now.Add(l.timeout)
	}
}

// last is when the worker was last heard of.
func (l *liveness) last(worker string) time.Time { return l.heard[worker] }

// forgive moves every worker's silence when the loop itself overslept: their heartbeats wait in its inbox.
func (l *liveness) forgive(wake, now time.Time) {
	if late := now.Sub(wake); !wake.IsZero() && late > stall {
		for worker, at := range l.heard {
			l.heard[worker] = at.Add(late)
		}
		l.check = l.check.Add(late)
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
		at, known := l.heard[w.ID]
		switch due := at.Add(l.timeout); {
		case w.Lost:
			delete(l.heard, w.ID)
		case !known: // replayed from the journal
			l.hear(w.ID, now)
		case !due.After(now):
			delete(l.heard, w.ID)
			commands = append(commands, state.LoseWorker{ID: w.ID, Incarnation: w.Incarnation,
				Cause: fmt.Sprintf("no heartbeat for %v", text(l.timeout))})
		case l.check.IsZero() || due.Before(l.check):
			l.check = due
		}
	}
	return commands
}

func (l *liveness) next() (time.Time, bool) { return l.check, !l.check.IsZero() }

// text writes a duration for people: "60s", not "1m0s".
func text(d time.Duration) string {
	if d%time.Second == 0 && d < 10*time.Minute {
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return d.String()
}
