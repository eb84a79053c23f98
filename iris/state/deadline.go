package state

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"
	"time"

	"iris/iris/mutant"
)

// Deadline is an instant at which something must be decided if nothing changed until then.
type Deadline struct {
	At   time.Time
	Kind DeadlineKind
	Job  string
	UID  string // of the attempt, for TimeoutDeadline
}

// DeadlineKind says what is due.
type DeadlineKind uint8

// The kinds of deadlines.
const (
	// SchedulingDeadline: a task that has had no attempt becomes UNSCHEDULABLE, which ends its job.
	SchedulingDeadline DeadlineKind = iota + 1
	// TimeoutDeadline: an attempt outlasted its timeout and its worker has not said so.
	TimeoutDeadline
	// StrandedDeadline: tasks that lost their worker have had none that could run them for the whole grace.
	StrandedDeadline
	// BackoffDeadline: a pause is over; there is nothing to apply, but tasks may be placed again.
	BackoffDeadline
)

// Next is the earliest instant at which Due has something.
func (c *Cluster) Next() (time.Time, bool) {
	for len(c.times) > 0 && !c.pending(c.times[0]) {
		heap.Pop(&c.times)
	}
	if len(c.times) == 0 {
		return time.Time{}, false
	}
	return c.times[0].At, true
}

// Due takes out the deadlines that have come. Each must be answered by an Expire, except BackoffDeadline.
func (c *Cluster) Due(now time.Time) []Deadline {
	var due []Deadline
	for {
		at, ok := c.Next()
		if !ok || at.After(now) {
			return due
		}
		due = append(due, heap.Pop(&c.times).(Deadline))
	}
}

// pending reports whether a deadline still stands.
func (c *Cluster) pending(d Deadline) bool {
	j := c.jobs[d.Job]
	if j == nil || j.State.Terminal() {
		return false
	}
	switch d.Kind {
	case SchedulingDeadline:
		late := j.Count(Pending) > 0 && mutant.On(mutant.SchedulingTimeoutLate)
		return (j.untried > 0 || late) && d.At.Equal(j.schedulingDeadline())
	case TimeoutDeadline:
		a := c.Attempt(d.UID)
		return a != nil && !a.State.Terminal() && !a.Done && d.At.Equal(a.timeout)
	case StrandedDeadline:
		return !j.stranded.IsZero() && d.At.Equal(j.stranded)
	}
	return true
}

// schedulingDeadline is when the wait for a task's first attempt has been too long; zero: never.
func (j *Job) schedulingDeadline() time.Time {
	if limit := j.Spec.SchedulingTimeout; limit != nil {
		return after(j.Submitted, limit.AsDuration())
	}
	return time.Time{}
}

func (c *Cluster) expire(now time.Time, cmd Expire) {
	d, reason := cmd.Deadline, valid(cmd.Reason)
	if !c.pending(d) || now.Before(d.At) {
		return
	}
	j := c.jobs[d.Job]
	switch d.Kind {
	case SchedulingDeadline:
		first := slices.IndexFunc(j.Tasks, func(t Task) bool {
			return len(t.Attempts) == 0 || t.State == Pending && mutant.On(mutant.SchedulingTimeoutLate)
		})
		c.endTask(now, j, int32(first), Unschedulable, fmt.Sprintf(
			"not scheduled within %v: %s", j.Spec.SchedulingTimeout.AsDuration(), reason))
	case TimeoutDeadline:
		a := c.Attempt(d.UID)
		c.endAttempt(now, a, Failed, TimeoutText(j.Spec.Timeout.AsDuration()))
		c.settle(now, a)
	case StrandedDeadline:
		j.stranded = time.Time{}
		cause := c.lostText(j) + "no worker left to run it"
		for i := range j.Tasks {
			if t := &j.Tasks[i]; t.State == Pending && t.lostWorker() {
				c.endTask(now, j, int32(i), Failed, cause)
			}
		}
	}
}

// TimeoutText is the error of an attempt that outlasted its timeout, whoever noticed.
func TimeoutText(limit time.Duration) string { return fmt.Sprintf("timed out after %v", limit) }

// review looks whether a job that lost a worker can still be run.
func (c *Cluster) review(now time.Time, j *Job) {
	if j.lost {
		c.grace(now, j, c.feasible(j, nil) || c.bringable(j))
	}
}

// grace starts when tasks that lost their worker wait, no live worker could run them, and no scale group could bring one
// that does. It ends when one could again.
func (c *Cluster) grace(now time.Time, j *Job, feasible bool) {
	lost := func(task int32) bool { return j.Tasks[task].lostWorker() }
	hopeless := !feasible && slices.ContainsFunc(j.Waiting(), lost)
	switch {
	case !hopeless:
		j.stranded = time.Time{}
	case j.stranded.IsZero():
		j.stranded = after(now, c.policy.NoWorkerGrace)
		c.schedule(Deadline{At: j.stranded, Kind: StrandedDeadline, Job: j.ID})
	}
}

// reviewAll reviews every waiting job, the set of live workers having changed. Jobs that ask for the same get the same
// answer, so that a fleet coming or going costs no look at every worker for each job.
func (c *Cluster) reviewAll(now time.Time) {
	answers := map[ask]bool{}
	for _, j := range c.Queue() {
		if j.lost {
			feasible, known := answers[j.ask()]
			if !known {
				feasible = c.feasible(j, nil) || c.bringable(j)
				answers[j.ask()] = feasible
			}
			c.grace(now, j, feasible)
		}
		if j.avoiding {
			c.endRounds(j)
		}
	}
}

// schedule adds a deadline. Those that no longer stand are swept out whenever they may be half of all.
func (c *Cluster) schedule(d Deadline) {
	if len(c.times) >= c.sweepAt.times {
		c.times = slices.DeleteFunc(c.times, func(d Deadline) bool { return !c.pending(d) })
		heap.Init(&c.times)
		c.sweepAt.times = 2*len(c.times) + 1024
	}
	heap.Push(&c.times, d)
}

// deadlines is a heap, earliest first; ties are broken, so that replays agree.
type deadlines []Deadline

func (d deadlines) Len() int      { return len(d) }
func (d deadlines) Swap(i, j int) { d[i], d[j] = d[j], d[i] }
func (d *deadlines) Push(x any)   { *d = append(*d, x.(Deadline)) }
func (d *deadlines) Pop() any {
	last := (*d)[len(*d)-1]
	*d = (*d)[:len(*d)-1]
	return last
}
func (d deadlines) Less(i, j int) bool { return compareDeadlines(d[i], d[j]) < 0 }

func compareDeadlines(a, b Deadline) int {
	return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Job, b.Job), cmp.Compare(a.UID, b.UID))
}
