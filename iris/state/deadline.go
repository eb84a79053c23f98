package state

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"
	"time"
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
	// SchedulingDeadline: tasks that have had no attempt become UNSCHEDULABLE.
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
		return len(j.untried()) > 0
	case TimeoutDeadline:
		a := c.Attempt(d.UID)
		return a != nil && !a.State.Terminal() && !a.Done
	case StrandedDeadline:
		return !j.stranded.IsZero() && d.At.Equal(j.stranded.Add(c.policy.NoWorkerGrace))
	}
	return true
}

func (c *Cluster) expire(now time.Time, cmd Expire) {
	d := cmd.Deadline
	if !c.pending(d) || now.Before(d.At) {
		return
	}
	j := c.jobs[d.Job]
	switch d.Kind {
	case SchedulingDeadline:
		for _, task := range j.untried() {
			if !j.State.Terminal() {
				c.endTask(now, j, task, Unschedulable, fmt.Sprintf(
					"not scheduled within %v: %s", j.Spec.SchedulingTimeout.AsDuration(), cmd.Reason))
			}
		}
	case TimeoutDeadline:
		a := c.Attempt(d.UID)
		c.endAttempt(now, a, Failed, TimeoutText(j.Spec.Timeout.AsDuration()))
		c.settle(now, a)
	case StrandedDeadline:
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

// untried are the waiting tasks that have had no attempt.
func (j *Job) untried() []int32 {
	var tasks []int32
	for _, i := range j.Waiting() {
		if len(j.Tasks[i].Attempts) == 0 {
			tasks = append(tasks, i)
		}
	}
	return tasks
}

// review starts the grace of a job that lost a worker and that no live worker could run any more, and ends it when one
// could again.
func (c *Cluster) review(now time.Time, j *Job) {
	hopeless := j.lost && slices.ContainsFunc(j.Waiting(), func(i int32) bool { return j.Tasks[i].lostWorker() }) &&
		!c.feasible(j, nil)
	switch {
	case !hopeless:
		j.stranded = time.Time{}
	case j.stranded.IsZero():
		j.stranded = now
		c.schedule(Deadline{At: now.Add(c.policy.NoWorkerGrace), Kind: StrandedDeadline, Job: j.ID})
	}
}

// reviewAll reviews every waiting job, the set of live workers having changed.
func (c *Cluster) reviewAll(now time.Time) {
	for _, j := range c.Queue() {
		c.review(now, j)
	}
}

// schedule adds a deadline. Those that no longer stand are swept out whenever they may be half of all.
func (c *Cluster) schedule(d Deadline) {
	if len(c.times) >= c.sweepAt {
		c.times = slices.DeleteFunc(c.times, func(d Deadline) bool { return !c.pending(d) })
		heap.Init(&c.times)
		c.sweepAt = 2*len(c.times) + 1024
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
func (d deadlines) Less(i, j int) bool {
	return cmp.Or(d[i].At.Compare(d[j].At), cmp.Compare(d[i].Kind, d[j].Kind),
		cmp.Compare(d[i].Job, d[j].Job), cmp.Compare(d[i].UID, d[j].UID)) < 0
}
