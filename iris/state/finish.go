package state

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"iris/iris/mutant"
)

// This file is the one place where attempts, tasks and jobs end, whatever the cause (FM-44, FM-56).

// endAttempt ends an attempt and charges its task's budget. settle must follow.
func (c *Cluster) endAttempt(now time.Time, a *Attempt, to State, cause string) {
	c.moveAttempt(a, to)
	j, t := a.job, &a.job.Tasks[a.task]
	if a.Done {
		j.done--
	}
	a.Finished, a.Error, a.Done = now, cause, false
	c.tellAttempt(now, a)
	if !mutant.On(mutant.PortsKept) {
		a.Ports = nil
	}
	switch {
	case to == Failed:
		t.Failures++
		j.Failures++
	case to == WorkerFailed && (!a.Started.IsZero() || mutant.On(mutant.NeverBegunCharged)): // else it is free of charge (FM-2)
		t.Preemptions++
		j.Preemptions++
	}
	if !a.Released {
		c.effects = append(c.effects, Stop{a.Worker, a.UID})
	}
	if mutant.On(mutant.CapacityReleasedEarly) {
		c.workers[a.Worker].release(now, a)
	}
}

// succeed notes a success. A gang's counts once all its tasks have one.
func (c *Cluster) succeed(now time.Time, a *Attempt) {
	j := a.job
	if !j.Gang() || mutant.On(mutant.GangSuccessAtOnce) {
		c.moveAttempt(a, Succeeded)
		c.tellAttempt(now, a)
		c.moveTask(now, j, a.task, Succeeded)
		c.rollUp(now, j, a.task)
		return
	}
	a.Done = true
	if j.done++; j.done < len(j.Tasks) {
		return
	}
	j.done = 0
	for i := range j.Tasks {
		live := j.Tasks[i].live()
		c.moveAttempt(live, Succeeded)
		c.tellAttempt(now, live)
		live.Done = false
		c.moveTask(now, j, int32(i), Succeeded)
	}
	c.rollUp(now, j, a.task)
}

// settle decides what follows from an attempt that ended badly: a retry, or the end of its task.
func (c *Cluster) settle(now time.Time, a *Attempt) {
	j, t := a.job, &a.job.Tasks[a.task]
	if j.State.Terminal() || t.State.Terminal() || t.State == Pending {
		return // its job ended, or a gang member sent everyone back, in the same command
	}
	if over, cause := a.verdict(); over != 0 {
		c.endTask(now, j, a.task, over, cause)
		return
	}
	if j.Gang() {
		c.bounce(now, j, a)
	} else {
		c.moveTask(now, j, a.task, Pending)
	}
	c.endRound(j, a.task)
	c.review(now, j)
}

// verdict is how and why a task ends for good because of this attempt, or 0: there may be a retry.
func (a *Attempt) verdict() (over State, cause string) {
	spec, t := a.job.Spec, &a.job.Tasks[a.task]
	failures := int(t.Failures)
	if mutant.On(mutant.FailureBudgetOffByOne) {
		failures--
	}
	switch {
	case a.State == Failed && failures > orDefault(spec.MaxRetriesFailure, DefaultMaxRetriesFailure):
		return Failed, a.Error
	case a.State == WorkerFailed &&
		int(t.Preemptions) > orDefault(spec.MaxRetriesPreemption, DefaultMaxRetriesPreemption):
		return WorkerFailed, a.Error
	}
	if n := t.neverBegan(); n > MaxNeverBegan {
		return Failed, fmt.Sprintf("%d attempts ended before they began, the last one: %s", n, a.Error)
	}
	return 0, ""
}

// bounce sends a whole gang back to wait because one member ended, those that had succeeded included (FM-55).
func (c *Cluster) bounce(now time.Time, j *Job, because *Attempt) {
	j.Bounced = true
	for i := range j.Tasks {
		t := &j.Tasks[i]
		live := t.live()
		if live != nil && live.State == Assigned && mutant.On(mutant.GangMemberKept) {
			continue
		}
		if live != nil && live.Done && mutant.On(mutant.GangSuccessKept) {
			continue
		}
		if live != nil {
			c.endAttempt(now, live, CoschedFailed, siblingText(because))
		}
		if t.State != Pending {
			c.moveTask(now, j, int32(i), Pending)
		}
	}
}

func siblingText(because *Attempt) string {
	return fmt.Sprintf("task %d of the gang ended %v: %s", because.task, because.State, because.Error)
}

// endTask ends a task for good, and its job if that was too much.
func (c *Cluster) endTask(now time.Time, j *Job, task int32, to State, cause string) {
	j.Tasks[task].Error = cause
	c.moveTask(now, j, task, to)
	c.rollUp(now, j, task)
}

// rollUp ends the job if its tasks say so; task is the one that just ended (design §3).
func (c *Cluster) rollUp(now time.Time, j *Job, task int32) {
	t := &j.Tasks[task]
	tolerated := orDefault(j.Spec.MaxTaskFailures, DefaultMaxTaskFailures)
	if mutant.On(mutant.TaskFailuresOffByOne) {
		tolerated--
	}
	switch {
	case t.State == Failed && (j.Gang() || j.Count(Failed) > tolerated):
		c.finishJob(now, j, Failed, j.taskError(task))
	case t.State == Unschedulable, t.State == WorkerFailed:
		c.finishJob(now, j, t.State, j.taskError(task))
	case j.Count(Succeeded)+j.Count(Failed) == len(j.Tasks): // the failed ones are within what the job tolerates
		c.finishJob(now, j, Succeeded, "")
	}
}

// taskError is a task's error in the words of its job.
func (j *Job) taskError(task int32) string {
	if len(j.Tasks) == 1 {
		return j.Tasks[task].Error
	}
	return fmt.Sprintf("task %d: %s", task, j.Tasks[task].Error)
}

// finishJob ends a job with everything that belongs to it: its other tasks and its children.
func (c *Cluster) finishJob(now time.Time, j *Job, to State, cause string) {
	if j.State.Terminal() {
		return
	}
	c.moveJob(j, to)
	j.Finished, j.Error = now, cause
	delete(c.names, j.title())

	rest, why := Killed, cause
	if j.Gang() && to != Killed {
		rest = CoschedFailed
	}
	for i := range j.Tasks {
		t := &j.Tasks[i]
		if t.State.Terminal() {
			continue
		}
		if to != Killed {
			why = "its job ended " + to.String()
		}
		if live := t.live(); live != nil {
			c.endAttempt(now, live, rest, why)
		}
		t.Error = why
		c.moveTask(now, j, int32(i), rest)
	}
	j.waiting = nil
	c.tellJob(now, j)
	for _, child := range j.children {
		if to != Killed && mutant.On(mutant.ChildrenOutliveParent) {
			break
		}
		c.finishJob(now, child, Killed, fmt.Sprintf("its parent job %s ended %v", j.ID, to))
	}
	if j.parent == nil {
		c.retire(j)
	}
}

// moveTask moves a task, keeps the counts and the queue, and lets a live job follow its furthest task.
func (c *Cluster) moveTask(now time.Time, j *Job, task int32, to State) {
	t := &j.Tasks[task]
	from := t.State
	TaskMoves.move(&t.State, to, func() string { return "task " + j.TaskID(int(task)) })
	j.counts[from]--
	j.counts[to]++
	c.counts.Tasks[from]--
	c.counts.Tasks[to]++
	if to == Pending {
		c.wait(j, task)
	}
	c.tellTask(now, j, task)
	if j.State.Terminal() {
		return
	}
	c.moveJob(j, j.follows())
}

// follows is the state of the furthest task, which a job follows until it ends.
func (j *Job) follows() State {
	switch {
	case j.Count(Running)+j.Count(Succeeded)+j.Count(Failed) > 0:
		return Running
	case j.Count(Building) > 0:
		return Building
	}
	return Pending
}

// failDispatch ends an attempt that could not be delivered. It is free of charge; the task goes elsewhere until every
// worker that could run it was tried, then pauses, and after the last round fails (design §3, FM-1).
func (c *Cluster) failDispatch(now time.Time, cmd FailDispatch) {
	a := c.Attempt(cmd.UID)
	if a == nil || a.State != Assigned {
		return
	}
	j, t := a.job, &a.job.Tasks[a.task]
	c.endAttempt(now, a, WorkerFailed, valid(cmd.Cause))
	if mutant.On(mutant.DispatchCharged) {
		t.Preemptions++
		j.Preemptions++
	}
	if t.avoid == nil && !j.Gang() {
		t.avoid = &avoidance{}
	}
	j.avoiding = true
	round := j.avoidanceOf(a.task)
	if !slices.Contains(round.workers, a.Worker) && !mutant.On(mutant.AvoidListForgotten) {
		round.workers = append(round.workers, a.Worker)
		slices.Sort(round.workers)
	}
	if c.feasible(j, round.workers) {
		c.settle(now, a)
		return
	}
	round.rounds++
	if round.rounds >= c.dispatchRounds(j) {
		c.endTask(now, j, a.task, Failed, fmt.Sprintf(
			"dispatch failed on every worker that can run it (%s)", strings.Join(round.workers, ", ")))
		return
	}
	if !mutant.On(mutant.AvoidListNeverReset) {
		round.workers = nil
	}
	round.notBefore = after(now, c.policy.DispatchPause<<min(round.rounds-1, 4))
	c.schedule(Deadline{At: round.notBefore, Kind: BackoffDeadline, Job: j.ID})
	c.settle(now, a)
}

// bringRounds is how many rounds there are at least when a scale group could bring another worker: enough for a machine that
// is gone to be noticed, and for another to come.
const bringRounds = 10

// dispatchRounds is how often every worker that could run a job is tried.
func (c *Cluster) dispatchRounds(j *Job) int {
	if c.bringable(j) {
		return max(c.policy.DispatchRounds, bringRounds)
	}
	return c.policy.DispatchRounds
}

// endRound ends a round of dispatch early, without counting it, when those that the task has not tried are gone.
func (c *Cluster) endRound(j *Job, task int32) {
	if round := j.avoidanceOf(task); round != nil && len(round.workers) > 0 && !c.feasible(j, round.workers) &&
		!mutant.On(mutant.AvoidListNeverReset) {
		round.workers = nil
	}
}

// endRounds does it for all that wait.
func (c *Cluster) endRounds(j *Job) {
	for _, task := range j.Waiting() {
		c.endRound(j, task)
		if j.Gang() {
			return // all share one round
		}
	}
}
