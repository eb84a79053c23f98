package state

import (
	"fmt"
	"time"

	pb "iris/iris/proto"
)

// Event is one thing that happened: to what, when, and why. Events follow from the commands, as the state does. Nothing is
// decided by them, and they are not kept: whoever watches is told.
type Event struct {
	At   time.Time
	Kind pb.EventKind
	// Job, Task, Attempt and Worker are what it was about. Task and Attempt are -1 if it was about none.
	Job           string
	Task, Attempt int32
	Worker        string
	// State is where the job, the task or the attempt is now.
	State State
	// Slice and Group are what an event of kind SLICE was about, What is what happened to them.
	Slice, Group string
	What         EventKind
	// Text is why, in words. It may be empty.
	Text string
}

// Watch has every event told to a function from now on, while the command that makes it is applied; nil: to none. The function
// must not touch the cluster.
func (c *Cluster) Watch(tell func(Event)) { c.watch = tell }

// tellJob tells of a job that was launched, or ended.
func (c *Cluster) tellJob(now time.Time, j *Job) {
	if c.watch != nil {
		c.watch(j.event(now))
	}
}

func (j *Job) event(at time.Time) Event {
	return Event{At: at, Kind: pb.EventKind_EVENT_KIND_JOB, Job: j.ID, Task: -1, Attempt: -1, State: j.State, Text: j.Error}
}

// tellTask tells of a task that waits again, or ended for good. Its other moves are its attempts'.
func (c *Cluster) tellTask(now time.Time, j *Job, task int32) {
	t := &j.Tasks[task]
	if c.watch == nil || t.State != Pending && !t.State.Terminal() {
		return
	}
	text := t.Error
	if t.State == Pending {
		text = t.retryText(j)
	}
	c.watch(Event{At: now, Kind: pb.EventKind_EVENT_KIND_TASK, Job: j.ID, Task: task, Attempt: -1, State: t.State, Text: text})
}

// retryText says why a task may be tried again.
func (t *Task) retryText(j *Job) string {
	switch last := t.Attempts[len(t.Attempts)-1]; {
	case last.State == Failed:
		return fmt.Sprintf("retry %d of %d after a failure", t.Failures, orDefault(j.Spec.MaxRetriesFailure, DefaultMaxRetriesFailure))
	case last.State == WorkerFailed && !last.Started.IsZero():
		return fmt.Sprintf("retry %d of %d after a loss", t.Preemptions,
			orDefault(j.Spec.MaxRetriesPreemption, DefaultMaxRetriesPreemption))
	}
	return "retry, free of charge"
}

// tellAttempt tells of an attempt that was assigned, moved on, or ended.
func (c *Cluster) tellAttempt(now time.Time, a *Attempt) {
	if c.watch != nil {
		c.watch(a.event(now, a.Error))
	}
}

func (a *Attempt) event(at time.Time, text string) Event {
	return Event{At: at, Kind: pb.EventKind_EVENT_KIND_ATTEMPT, Job: a.job.ID, Task: a.task, Attempt: int32(a.Number()), Worker: a.Worker,
		State: a.State, Text: text}
}

// release frees what an attempt has taken on its worker, and tells of one that had ended before.
func (c *Cluster) release(now time.Time, w *Worker, a *Attempt) {
	if c.watch != nil && a.State.Terminal() && !a.Released {
		e := a.event(now, "")
		e.Kind = pb.EventKind_EVENT_KIND_RELEASED
		c.watch(e)
	}
	w.release(now, a)
}

// tellRegistered tells of a worker that registers, before it is known as what it registers as.
func (c *Cluster) tellRegistered(now time.Time, w *Worker, incarnation string) {
	if c.watch == nil {
		return
	}
	text := ""
	switch {
	case w.Incarnation == "":
	case w.Incarnation != incarnation:
		text = "started again"
	case w.Lost:
		text = "returned"
	default:
		text = "again"
	}
	c.watch(w.event(now, pb.EventKind_EVENT_KIND_REGISTERED, text))
}

// tellLost tells of a worker that is lost.
func (c *Cluster) tellLost(w *Worker) {
	if c.watch != nil {
		c.watch(w.event(w.LostAt, pb.EventKind_EVENT_KIND_LOST, w.LostCause))
	}
}

func (w *Worker) event(at time.Time, kind pb.EventKind, text string) Event {
	return Event{At: at, Kind: kind, Task: -1, Attempt: -1, Worker: w.ID, Text: text}
}

func (c *Cluster) tellSlice(e SliceEvent) {
	if c.watch != nil {
		c.watch(e.event())
	}
}

func (e SliceEvent) event() Event {
	return Event{At: e.At, Kind: pb.EventKind_EVENT_KIND_SLICE, Task: -1, Attempt: -1, Slice: e.Slice, Group: e.Group, What: e.Kind,
		Text: e.Text}
}
