package state

import (
	"errors"
	"fmt"
	"slices"
)

// Check verifies the invariants that hold after every command and returns what does not. The books are right: committed
// resources are the sum of unreleased attempts (a), there is one live attempt per task at the most (b), counters equal
// what they count (e), states agree with each other, gangs run whole (h), only live workers hold attempts, and nothing
// refers to what was forgotten. If so, the rules are kept: nothing is committed beyond capacity (a), a succeeded task
// has exactly one succeeded attempt (d), budgets are not exceeded, gangs run on one group (h), and attempts of exclusive
// tasks do not overlap. It costs a pass over everything.
func (c *Cluster) Check() error {
	if err := c.checkBooks(); err != nil {
		return err
	}
	return c.checkRules()
}

// CheckJob is what [Cluster.Check] verifies of one job by itself, for whoever knows what has changed. It costs a pass over its
// attempts.
func (c *Cluster) CheckJob(j *Job) error {
	var wrong []error
	fail := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	c.checkJob(j, nil, fail)
	c.checkJobRules(j, fail)
	return errors.Join(wrong...)
}

// CheckWorker is the same of one worker. It costs a pass over what it holds.
func (c *Cluster) CheckWorker(w *Worker) error {
	committed := Resources{}
	for _, a := range w.held {
		committed = committed.Add(a.job.Need)
	}
	switch {
	case committed != w.Committed:
		return fmt.Errorf("worker %s has %v committed, what it holds needs %v", w.ID, w.Committed, committed)
	case !w.Capacity.Fits(committed):
		return fmt.Errorf("worker %s has %v committed of %v", w.ID, w.Committed, w.Capacity)
	case w.Lost && len(w.held) > 0:
		return fmt.Errorf("worker %s is lost and holds %d attempts", w.ID, len(w.held))
	}
	return nil
}

// checkRules is about what was decided. Another version may have had other rules.
func (c *Cluster) checkRules() error {
	var wrong []error
	fail := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	for _, j := range c.order {
		c.checkJobRules(j, fail)
	}
	for _, w := range c.Workers() {
		if !w.Capacity.Fits(w.Committed) {
			fail("worker %s has %v committed of %v", w.ID, w.Committed, w.Capacity)
		}
	}
	return errors.Join(wrong...)
}

func (c *Cluster) checkJobRules(j *Job, fail func(string, ...any)) {
	for i := range j.Tasks {
		checkTaskRules(j, i, fail)
	}
	if j.Gang() {
		c.checkGroup(j, fail)
	}
}

func checkTaskRules(j *Job, i int, fail func(string, ...any)) {
	t := &j.Tasks[i]
	succeeded, unreleased := 0, 0
	for _, a := range t.Attempts {
		if a.State == Succeeded {
			succeeded++
		}
		if !a.Released {
			unreleased++
		}
		if len(a.Ports) > 0 && (a.State != Running || a.Done) {
			fail("attempt %s is %v, done: %v, and has ports", a.UID, a.State, a.Done)
		}
	}
	if succeeded > 1 || (t.State == Succeeded) != (succeeded == 1) {
		fail("task %s is %v with %d succeeded attempts", j.TaskID(i), t.State, succeeded)
	}
	failed := int(t.Failures) - orDefault(j.Spec.MaxRetriesFailure, DefaultMaxRetriesFailure)
	preempted := int(t.Preemptions) - orDefault(j.Spec.MaxRetriesPreemption, DefaultMaxRetriesPreemption)
	over := max(failed, preempted)
	if over > 1 || over == 1 && !t.State.Terminal() || t.State == WorkerFailed && preempted < 1 {
		fail("task %s is %v after %d failures and %d preemptions", j.TaskID(i), t.State, t.Failures, t.Preemptions)
	}
	if j.Spec.Exclusive && unreleased > 1 {
		fail("task %s is exclusive and has %d attempts that may run", j.TaskID(i), unreleased)
	}
	if j.State == Succeeded && t.State != Succeeded && t.State != Failed {
		fail("task %s is %v in a job that SUCCEEDED", j.TaskID(i), t.State)
	}
}

// checkGroup is about what a gang has on workers; they are free to change once a member is done and confirmed stopped.
func (c *Cluster) checkGroup(j *Job, fail func(string, ...any)) {
	by, groups := j.Spec.Coscheduling.GroupBy, []string{}
	for i := range j.Tasks {
		if live := j.Tasks[i].live(); live != nil && !live.Released {
			groups = append(groups, c.workers[live.Worker].Attributes[by])
		}
	}
	slices.Sort(groups)
	if groups = slices.Compact(groups); len(groups) > 1 {
		fail("gang %s runs on %s %q", j.ID, by, groups)
	}
}
