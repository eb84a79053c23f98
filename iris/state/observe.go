package state

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// News are the reports that would change something: the only ones worth a place in the log.
func (c *Cluster) News(worker, incarnation string, reports []Report) []Report {
	w := c.workers[worker]
	if w == nil || w.Lost || w.Incarnation != incarnation {
		return nil
	}
	var news []Report
	for _, r := range reports {
		a := c.Attempt(r.UID)
		if a == nil || a.Worker != worker || a.Released {
			continue
		}
		if r.State.Terminal() || !a.State.Terminal() && slices.Contains(AttemptMoves[a.State], r.State) {
			news = append(news, r)
		}
	}
	return news
}

// Answer is what a worker is told after its reports were applied: which finished attempts it may forget (they are
// noted, or nobody knows them), and which attempts it must stop, known to it or not (FM-8).
func (c *Cluster) Answer(worker, incarnation string, reports []Report) (ack, stop []string) {
	for _, r := range reports {
		a := c.Attempt(r.UID)
		mine := a != nil && a.Worker == worker && a.Incarnation == incarnation
		switch {
		case r.State.Terminal():
			if !mine || a.Released {
				ack = append(ack, r.UID)
			}
		case !mine || a.Released:
			stop = append(stop, r.UID)
		}
	}
	if w := c.workers[worker]; w != nil && w.Incarnation == incarnation {
		for _, uid := range slices.Sorted(maps.Keys(w.held)) {
			if w.held[uid].State.Terminal() {
				stop = append(stop, uid)
			}
		}
	}
	return ack, stop
}

func (c *Cluster) register(now time.Time, cmd RegisterWorker) error {
	w := c.workers[cmd.ID]
	switch {
	case w == nil:
		w = &Worker{ID: cmd.ID, held: map[string]*Attempt{}}
		c.workers[cmd.ID] = w
	case cmd.Incarnation < w.Incarnation:
		return &Error{FailedPrecondition, fmt.Sprintf(
			"worker %s was started again (incarnation %s); this process must end", cmd.ID, w.Incarnation)}
	}
	for _, other := range c.Workers() {
		if other != w && !other.Lost && other.Address == cmd.Address {
			c.loseWorker(now, other, fmt.Sprintf("its address %s now belongs to %s", cmd.Address, w.ID))
		}
	}
	reported := map[string]bool{}
	for _, r := range cmd.Reports {
		reported[r.UID] = true
	}
	restarted := w.Incarnation != cmd.Incarnation
	w.Address, w.Capacity, w.Registered = cmd.Address, cmd.Capacity, now
	w.Attributes = maps.Clone(cmd.Attributes)
	if w.Attributes == nil {
		w.Attributes = map[string]string{}
	}
	w.Attributes[AttributeWorker] = w.ID
	w.Incarnation, w.Lost, w.LostCause = cmd.Incarnation, false, ""
	if restarted {
		var gone []*Attempt
		room := w.Capacity // what the new process no longer has room for is not adopted
		for _, a := range w.Held() {
			if reported[a.UID] && room.Fits(a.job.Need) {
				a.Incarnation, room = cmd.Incarnation, room.Sub(a.job.Need)
			} else {
				gone = append(gone, a)
			}
		}
		c.loseAttempts(now, w, gone, fmt.Sprintf("worker %s was restarted", w.ID))
	}
	c.observe(now, Observe{Worker: cmd.ID, Incarnation: cmd.Incarnation, Reports: cmd.Reports})
	c.reviewAll(now)
	return nil
}

func (c *Cluster) lose(now time.Time, cmd LoseWorker) {
	if w := c.workers[cmd.ID]; w != nil && !w.Lost && w.Incarnation == cmd.Incarnation {
		c.loseWorker(now, w, cmd.Cause)
	}
}

func (c *Cluster) loseWorker(now time.Time, w *Worker, cause string) {
	w.Lost, w.LostCause = true, cause
	w.TimesLost++
	c.loseAttempts(now, w, w.Held(), fmt.Sprintf("lost worker %s: %s", w.ID, cause))
	c.reviewAll(now)
}

// loseAttempts ends attempts together with their worker. All of them end before any of the consequences, so that a
// gang that loses several members at once is sent back once.
func (c *Cluster) loseAttempts(now time.Time, w *Worker, attempts []*Attempt, cause string) {
	var ended []*Attempt
	for _, a := range attempts {
		w.release(a)
		if !a.State.Terminal() {
			c.endAttempt(now, a, WorkerFailed, cause)
			a.lost, a.job.lost = true, true
			ended = append(ended, a)
		}
	}
	for _, a := range ended {
		c.settle(now, a)
	}
}

func (c *Cluster) observe(now time.Time, cmd Observe) {
	w := c.workers[cmd.Worker]
	for _, r := range c.News(cmd.Worker, cmd.Incarnation, cmd.Reports) {
		a := c.Attempt(r.UID)
		switch {
		case a.Released: // by an earlier report of this command
		case !r.State.Terminal():
			c.advance(now, a, r.State)
		default:
			w.release(a)
			c.finish(now, a, r)
		}
	}
}

// advance follows an attempt through its phases.
func (c *Cluster) advance(now time.Time, a *Attempt, to State) {
	AttemptMoves.move(&a.State, to, a.what)
	j := a.job
	if a.Started.IsZero() {
		a.Started = now
	}
	if j.Started.IsZero() {
		j.Started = now
	}
	if limit := j.Spec.Timeout; limit != nil && to == Running {
		at := now.Add(limit.AsDuration() + c.policy.TimeoutSlack)
		c.schedule(Deadline{At: at, Kind: TimeoutDeadline, Job: j.ID, UID: a.UID})
	}
	c.moveTask(now, j, a.task, to)
}

// finish notes how an attempt ended on its worker.
func (c *Cluster) finish(now time.Time, a *Attempt, r Report) {
	if a.State.Terminal() || a.Done {
		return // the controller ended it: only its capacity came back
	}
	a.ExitCode = r.ExitCode
	if a.State == Assigned { // the report of its start was lost or coalesced with this one
		c.advance(now, a, Running)
	}
	switch r.State {
	case Succeeded:
		a.Finished = now
		c.succeed(now, a)
		return
	case Failed:
		c.endAttempt(now, a, Failed, r.Error)
	default: // stopped, though nobody here asked for it: the worker's doing, not the user's (FM-52)
		c.endAttempt(now, a, WorkerFailed, orElse(r.Error, "stopped by its worker"))
	}
	c.settle(now, a)
}

func (a *Attempt) what() string { return "attempt " + a.UID }

func orElse(s, otherwise string) string {
	if strings.TrimSpace(s) == "" {
		return otherwise
	}
	return s
}
