package state

import (
	"errors"
	"fmt"
	"slices"
)

// Check verifies the invariants that hold after every command and returns all that do not: committed resources are the
// sum of unreleased attempts and within capacity (a), one live attempt per task at the most (b), a succeeded task has
// exactly one succeeded attempt (d), counters equal the attempts they count (e), budgets are not exceeded, gangs run
// whole on one group (h), only live workers hold attempts, attempts of exclusive tasks do not overlap, states agree
// with each other, and nothing refers to what was forgotten. It costs a pass over everything.
func (c *Cluster) Check() error {
	var wrong []error
	fail := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }

	committed := map[string]Resources{}
	for _, j := range c.order {
		counts, failures, preemptions, untried, done, held := [numStates]int32{}, 0, 0, 0, 0, 0
		for i := range j.Tasks {
			t := &j.Tasks[i]
			counts[t.State]++
			failures, preemptions = failures+int(t.Failures), preemptions+int(t.Preemptions)
			c.checkTask(j, i, fail)
			if len(t.Attempts) == 0 {
				untried++
			}
			for _, a := range t.Attempts {
				if a.Done {
					done++
				}
				if !a.Released {
					held++
					committed[a.Worker] = committed[a.Worker].Add(j.Need)
					c.checkHeld(a, fail)
				}
			}
		}
		if untried != j.untried || done != j.done || held != j.held {
			fail("job %s counts %d untried and %d done tasks and %d held attempts, they are %d, %d and %d",
				j.ID, j.untried, j.done, j.held, untried, done, held)
		}
		if counts != j.counts {
			fail("job %s counts tasks by state as %v, they are %v", j.ID, j.counts, counts)
		}
		if failures != j.Failures || preemptions != j.Preemptions {
			fail("job %s counts %d failures and %d preemptions, its tasks %d and %d",
				j.ID, j.Failures, j.Preemptions, failures, preemptions)
		}
		if j.Gang() {
			c.checkGang(j, fail)
		}
		if follows := j.follows(); !j.State.Terminal() && j.State != follows {
			fail("job %s is %v, its furthest task %v", j.ID, j.State, follows)
		}
		if j.parent != nil && j.parent.State.Terminal() && !j.State.Terminal() {
			fail("job %s goes on after its parent %s ended", j.ID, j.parent.ID)
		}
	}
	c.checkReferences(fail)
	for _, w := range c.Workers() {
		if w.Committed != committed[w.ID] {
			fail("worker %s has %v committed, its unreleased attempts need %v", w.ID, w.Committed, committed[w.ID])
		}
		if !w.Capacity.Fits(w.Committed) {
			fail("worker %s has %v committed of %v", w.ID, w.Committed, w.Capacity)
		}
	}
	return errors.Join(wrong...)
}

func (c *Cluster) checkTask(j *Job, i int, fail func(string, ...any)) {
	t, id := &j.Tasks[i], j.TaskID(i)
	live, succeeded, unreleased, failures, preemptions := 0, 0, 0, int32(0), int32(0)
	for n, a := range t.Attempts {
		if !a.Released {
			unreleased++
		}
		switch {
		case !a.State.Terminal():
			live++
		case a.State == Succeeded:
			succeeded++
		case a.State == Failed:
			failures++
		case a.State == WorkerFailed && !a.Started.IsZero():
			preemptions++
		}
		if !a.State.Terminal() && (a.State != t.State || a.Released && !a.Done) {
			fail("attempt %s of task %s is %v, the task %v; released: %v", a.UID, id, a.State, t.State, a.Released)
		}
		if a.Done && (a.State.Terminal() || !j.Gang()) {
			fail("attempt %s is done and %v", a.UID, a.State)
		}
		if !a.State.Terminal() && n != len(t.Attempts)-1 {
			fail("task %s has a live attempt %d that is not its last", id, n)
		}
		if a.State.Terminal() && a.Finished.IsZero() { // before it was assigned, if the next leader's clock is slow
			fail("attempt %s is %v and has no end", a.UID, a.State)
		}
	}
	if want := map[bool]int{true: 0, false: 1}[t.State.Terminal() || t.State == Pending]; live != want {
		fail("task %s is %v with %d live attempts", id, t.State, live)
	}
	if want := map[bool]int{true: 1, false: 0}[t.State == Succeeded]; succeeded != want {
		fail("task %s is %v with %d succeeded attempts", id, t.State, succeeded)
	}
	if failures != t.Failures || preemptions != t.Preemptions {
		fail("task %s counts %d failures and %d preemptions, has %d and %d",
			id, t.Failures, t.Preemptions, failures, preemptions)
	}
	failed := int(failures) - orDefault(j.Spec.MaxRetriesFailure, DefaultMaxRetriesFailure)
	preempted := int(preemptions) - orDefault(j.Spec.MaxRetriesPreemption, DefaultMaxRetriesPreemption)
	over := max(failed, preempted)
	if over > 1 || over == 1 && !t.State.Terminal() || t.State == WorkerFailed && preempted < 1 {
		fail("task %s is %v after %d failures and %d preemptions", id, t.State, failures, preemptions)
	}
	if j.Spec.Exclusive && unreleased > 1 {
		fail("task %s is exclusive and has %d attempts that may run", id, unreleased)
	}
	if j.State.Terminal() && !t.State.Terminal() {
		fail("task %s is %v in a job that is %v", id, t.State, j.State)
	}
	if j.State == Succeeded && t.State != Succeeded && t.State != Failed {
		fail("task %s is %v in a job that SUCCEEDED", id, t.State)
	}
}

// checkReferences is about what refers to jobs and workers, none of which may be forgotten.
func (c *Cluster) checkReferences(fail func(string, ...any)) {
	present := func(j *Job) bool { return c.jobs[j.ID] == j && !j.dropped }
	over, named := 0, 0
	for _, j := range c.order {
		if !present(j) || j.Seq >= c.next {
			fail("job %s, number %d of %d, stands among the jobs and is not known", j.ID, j.Seq, c.next)
		}
		if j.parent != nil && (!present(j.parent) || !slices.Contains(j.parent.children, j)) {
			fail("job %s and its parent %s do not know each other", j.ID, j.parent.ID)
		}
		if j.root().State.Terminal() {
			over++
		}
		if !j.State.Terminal() {
			if named++; c.names[nameKey(j.Spec.ParentJobId, j.Spec.Name)] != j.ID {
				fail("job %s goes on and has lost its name %q", j.ID, j.Spec.Name)
			}
		}
	}
	if len(c.jobs) != len(c.order) || len(c.names) != named || len(c.over) != over {
		fail("of %d jobs, %d going on and %d of families that are over, are noted %d, %d and %d",
			len(c.order), named, over, len(c.jobs), len(c.names), len(c.over))
	}
	if !slices.IsSortedFunc(c.over, retirement) {
		fail("what is over is out of order")
	}
	for _, j := range slices.Concat(c.queue, c.over) {
		if !present(j) {
			fail("job %s is forgotten and still referred to", j.ID)
		}
	}
	at, live := map[string]string{}, 0 // who is at an address
	for _, w := range c.Workers() {
		if noted := c.live[w.ID] == w; noted == w.Lost {
			fail("worker %s is lost: %v, and noted as live: %v", w.ID, w.Lost, noted)
		}
		if w.Lost {
			continue
		}
		if other, taken := at[w.Address]; taken {
			fail("workers %s and %s are both live at %s", other, w.ID, w.Address)
		}
		at[w.Address] = w.ID
		live++
	}
	if len(c.live) != live {
		fail("%d workers are noted as live, %d are", len(c.live), live)
	}
}

// checkHeld is about an attempt whose capacity is taken.
func (c *Cluster) checkHeld(a *Attempt, fail func(string, ...any)) {
	if w := c.workers[a.Worker]; w == nil {
		fail("attempt %s takes capacity of %s, which is not there", a.UID, a.Worker)
	} else if w.Lost || w.Incarnation != a.Incarnation || w.held[a.UID] != a {
		fail("attempt %s of incarnation %s takes capacity of %s, which is incarnation %s, lost: %v",
			a.UID, a.Incarnation, w.ID, w.Incarnation, w.Lost)
	}
}

func (c *Cluster) checkGang(j *Job, fail func(string, ...any)) {
	running, by, groups := 0, j.Spec.Coscheduling.GroupBy, []string{}
	for i := range j.Tasks {
		live := j.Tasks[i].live()
		if live == nil {
			continue
		}
		running++
		if w := c.workers[live.Worker]; w != nil && !live.Released { // others are done, and their worker is free to change
			groups = append(groups, w.Attributes[by])
		}
	}
	slices.Sort(groups)
	if groups = slices.Compact(groups); len(groups) > 1 {
		fail("gang %s runs on %s %q", j.ID, by, groups)
	}
	if running != 0 && running != len(j.Tasks) {
		fail("gang %s runs %d of its %d tasks", j.ID, running, len(j.Tasks))
	}
}
