package state

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"iris/iris/mutant"
)

// News are the reports that would change something: the only ones worth a place in the log. The caller must not change them,
// for they may be the same slice.
func (c *Cluster) News(worker, incarnation string, reports []Report) []Report {
	old := func(r Report) bool { return c.subject(worker, incarnation, r) == nil }
	if !slices.ContainsFunc(reports, old) {
		return reports // as a rule, of one that has just happened
	}
	var news []Report
	for _, r := range reports {
		if !old(r) {
			news = append(news, r)
		}
	}
	return news
}

// subject is the attempt that a report would change, or nil.
func (c *Cluster) subject(worker, incarnation string, r Report) *Attempt {
	w, a := c.workers[worker], c.Attempt(r.UID)
	if a != nil && a.State.Terminal() && mutant.On(mutant.LateReportMisdirected) {
		a = cmp.Or(a.job.Tasks[a.task].live(), a)
	}
	if mutant.On(mutant.StaleReportAccepted) && w != nil {
		incarnation = w.Incarnation
	}
	if w == nil || w.Lost || w.Incarnation != incarnation || a == nil || a.Worker != worker || a.Released {
		return nil
	}
	if r.State.Terminal() || slices.Contains(AttemptMoves[a.State], r.State) {
		return a
	}
	return nil
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
	if w := c.workers[worker]; w != nil && w.Incarnation == incarnation && !mutant.On(mutant.StopNotRepeated) {
		for _, a := range w.held {
			if a.State.Terminal() {
				stop = append(stop, a.UID) // few of many
			}
		}
	}
	return ack, stop
}

func (c *Cluster) register(now time.Time, cmd RegisterWorker) error {
	attributes := map[string]string{}
	maps.Copy(attributes, cmd.Attributes)
	attributes[AttributeWorker] = cmd.ID
	w := c.workers[cmd.ID]
	switch {
	case w == nil:
		w = &Worker{ID: cmd.ID}
	case cmd.Incarnation < w.Incarnation:
		return &Error{FailedPrecondition, fmt.Sprintf(
			"worker %s was started again (incarnation %s); this process must end", cmd.ID, w.Incarnation)}
	case cmd.Incarnation == w.Incarnation && (cmd.Capacity != w.Capacity || !maps.Equal(attributes, w.Attributes)):
		return &Error{FailedPrecondition, fmt.Sprintf("worker %s registered as incarnation %s with another capacity or "+
			"attributes; they change only when it is started again", cmd.ID, cmd.Incarnation)}
	}
	if gone, over := c.fleet.gone[cmd.Attributes[AttributeSlice]]; over && gone.Seen {
		return &Error{FailedPrecondition, fmt.Sprintf("slice %s, which worker %s belongs to, was given back: %s; this process must end",
			gone.ID, cmd.ID, gone.Cause)}
	}
	former := c.at(cmd.Address, w)
	if former != nil && former.holdsExclusive() {
		return &Error{Unavailable, fmt.Sprintf("the address %s is that of worker %s, which may still run exclusive tasks; register "+
			"again until it is lost", cmd.Address, former.ID)}
	}
	c.know(w)
	reported := map[string]bool{}
	for _, r := range cmd.Reports {
		reported[r.UID] = true
	}
	restarted, before := w.Incarnation != cmd.Incarnation, w.Attributes
	c.tellRegistered(now, w, cmd.Incarnation)
	w.Address, w.Capacity, w.Attributes = cmd.Address, cmd.Capacity, attributes
	w.Incarnation, w.Lost, w.LostCause, w.LostAt = cmd.Incarnation, false, "", time.Time{}
	c.live[w.ID] = w
	switch { // now that there is another one in its place
	case former == nil:
	case mutant.On(mutant.EvictionKeepsAttempts):
		former.Lost = true
		delete(c.live, former.ID)
	default:
		c.loseWorker(now, former, fmt.Sprintf("its address %s now belongs to %s", cmd.Address, w.ID))
	}
	if restarted {
		var gone []*Attempt
		room := w.Capacity // what the new process has no room for, or must not run, is not adopted
		for _, a := range w.Held() {
			has := reported[a.UID] || mutant.On(mutant.UnreportedKept)
			if has && room.Fits(a.job.Need) && (a.State.Terminal() || a.job.stays(before, attributes)) {
				a.Incarnation, room = cmd.Incarnation, room.Sub(a.job.Need)
			} else {
				gone = append(gone, a)
			}
		}
		c.loseAttempts(now, w, gone, fmt.Sprintf("worker %s was restarted", w.ID))
	}
	c.observe(now, Observe{Worker: cmd.ID, Incarnation: cmd.Incarnation, Reports: cmd.Reports})
	c.enlist(now, w)
	c.reviewAll(now)
	return nil
}

// at is the live worker that has an address, leaving one out; or nil.
func (c *Cluster) at(address string, but *Worker) *Worker {
	for _, w := range c.live {
		if w != but && w.Address == address {
			return w // no two have one
		}
	}
	return nil
}

// holdsExclusive reports whether the worker may run something of which no two copies may run: until its lease is over, whatever
// became of its address (design §4).
func (w *Worker) holdsExclusive() bool {
	for _, a := range w.held {
		if a.job.Spec.GetExclusive() {
			return true
		}
	}
	return false
}

// stays reports whether what runs may go on when its worker's attributes change.
func (j *Job) stays(before, after map[string]string) bool {
	by := j.Spec.GetCoscheduling().GetGroupBy()
	return Matches(j.Spec.Constraints, after) && before[by] == after[by]
}

func (c *Cluster) lose(now time.Time, cmd LoseWorker) {
	if w := c.workers[cmd.ID]; w != nil && !w.Lost && w.Incarnation == cmd.Incarnation {
		c.loseWorker(now, w, valid(cmd.Cause))
	}
}

func (c *Cluster) loseWorker(now time.Time, w *Worker, cause string) {
	w.Lost, w.LostCause, w.LostAt = true, cause, now
	w.TimesLost++
	delete(c.live, w.ID)
	c.tellLost(w)
	c.loseAttempts(now, w, w.Held(), fmt.Sprintf("lost worker %s: %s", w.ID, cause))
	c.settleSlice(now, w.slice)
	if !mutant.On(mutant.StrandedForgotten) {
		c.reviewAll(now)
	}
}

// loseAttempts ends attempts together with their worker.
func (c *Cluster) loseAttempts(now time.Time, w *Worker, attempts []*Attempt, cause string) {
	var ending []*Attempt
	for _, a := range attempts {
		c.release(now, w, a)
		if !a.State.Terminal() {
			ending = append(ending, a)
		}
	}
	c.endLost(now, ending, cause)
}

// endLost ends attempts whose workers are lost, or about to be. All of them end before any of the consequences, so that a
// gang that loses several members at once is sent back once; spent budgets come first, so that it is not sent back by a
// member that may be retried when another may not.
func (c *Cluster) endLost(now time.Time, ending []*Attempt, cause string) {
	for _, a := range ending {
		c.endAttempt(now, a, WorkerFailed, cause)
		a.lost, a.job.lost = true, true
	}
	slices.SortStableFunc(ending, func(a, b *Attempt) int {
		overA, _ := a.verdict()
		overB, _ := b.verdict()
		return cmp.Compare(overB, overA)
	})
	for _, a := range ending {
		c.settle(now, a)
	}
}

func (c *Cluster) observe(now time.Time, cmd Observe) {
	for _, r := range cmd.Reports {
		a := c.subject(cmd.Worker, cmd.Incarnation, r) // as the reports before it have left things
		switch {
		case a == nil:
		case !r.State.Terminal():
			c.advance(now, a, r.State)
			if r.State == Running {
				a.Ports = r.Ports
			}
		default:
			c.release(now, c.workers[a.Worker], a)
			c.finish(now, a, r)
		}
	}
}

// advance follows an attempt through its phases.
func (c *Cluster) advance(now time.Time, a *Attempt, to State) {
	c.moveAttempt(a, to)
	c.tellAttempt(now, a)
	j := a.job
	if a.Started.IsZero() {
		a.Started = now
	}
	if j.Started.IsZero() {
		j.Started = now
	}
	if limit := j.Spec.Timeout; limit != nil && to == Running && !mutant.On(mutant.TimeoutOfSilentWorker) {
		a.timeout = after(after(now, limit.AsDuration()), c.policy.TimeoutSlack) // the sum of both may overflow
		c.schedule(Deadline{At: a.timeout, Kind: TimeoutDeadline, Job: j.ID, UID: a.UID})
	}
	c.moveTask(now, j, a.task, to)
}

// finish notes how an attempt ended on its worker.
func (c *Cluster) finish(now time.Time, a *Attempt, r Report) {
	if a.State.Terminal() {
		return // the controller ended it: only its capacity came back
	}
	a.ExitCode, a.Ports = r.ExitCode, nil
	if a.State == Assigned { // the report of its start was lost or coalesced with this one
		c.advance(now, a, Running)
	}
	if r.State == Killed && mutant.On(mutant.WorkerStopEndsJob) {
		c.finishJob(now, a.job, Killed, valid(r.Error))
		return
	}
	switch r.State {
	case Succeeded:
		a.Finished = now
		c.succeed(now, a)
		return
	case Failed:
		c.endAttempt(now, a, Failed, valid(r.Error))
	default: // stopped, though nobody here asked for it: the worker's doing, not the user's (FM-52)
		c.endAttempt(now, a, WorkerFailed, orElse(valid(r.Error), "stopped by its worker"))
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
