package state

import (
	"errors"
	"fmt"
	"slices"
)

// checkBooks is about what is noted in more than one place. A cluster in whose books something is wrong cannot go on.
func (c *Cluster) checkBooks() error {
	var wrong []error
	fail := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	committed := map[string]Resources{}
	for _, j := range c.order {
		c.checkJob(j, committed, fail)
	}
	c.checkReferences(fail)
	c.checkWorkers(committed, fail)
	c.checkSlices(fail)
	c.checkCounts(fail)
	return errors.Join(wrong...)
}

// checkJob is about a job and its tasks. It adds up what they have committed, if somebody wants to know.
func (c *Cluster) checkJob(j *Job, committed map[string]Resources, fail func(string, ...any)) {
	counts, failures, preemptions, untried, done, held, running := [numStates]int32{}, 0, 0, 0, 0, 0, 0
	for i := range j.Tasks {
		t := &j.Tasks[i]
		counts[t.State]++
		failures, preemptions = failures+int(t.Failures), preemptions+int(t.Preemptions)
		checkTask(j, i, fail)
		if len(t.Attempts) == 0 {
			untried++
		}
		if t.live() != nil {
			running++
		}
		for _, a := range t.Attempts {
			if a.Done {
				done++
			}
			if !a.Released {
				held++
				if committed != nil {
					committed[a.Worker] = committed[a.Worker].Add(j.Need)
				}
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
	if j.Gang() && running != 0 && running != len(j.Tasks) {
		fail("gang %s runs %d of its %d tasks", j.ID, running, len(j.Tasks))
	}
	if follows := j.follows(); !j.State.Terminal() && j.State != follows {
		fail("job %s is %v, its furthest task %v", j.ID, j.State, follows)
	}
	if j.parent != nil && j.parent.State.Terminal() && !j.State.Terminal() {
		fail("job %s goes on after its parent %s ended", j.ID, j.parent.ID)
	}
}

func checkTask(j *Job, i int, fail func(string, ...any)) {
	t := &j.Tasks[i]
	live, failures, preemptions := 0, int32(0), int32(0)
	for n, a := range t.Attempts {
		switch {
		case !a.State.Terminal():
			live++
			if n != len(t.Attempts)-1 || a.State != t.State || a.Released && !a.Done {
				fail("attempt %s is %v and number %d of %d, the task is %v; released: %v",
					a.UID, a.State, n, len(t.Attempts), t.State, a.Released)
			}
		case a.Finished.IsZero(): // it may be before Assigned, if the next leader's clock is slow
			fail("attempt %s is %v and has no end", a.UID, a.State)
		}
		switch {
		case a.State == Failed:
			failures++
		case a.State == WorkerFailed && !a.Started.IsZero():
			preemptions++
		case a.Done && (a.State.Terminal() || !j.Gang()):
			fail("attempt %s is done and %v", a.UID, a.State)
		}
	}
	if rests := t.State.Terminal() || t.State == Pending; live > 1 || rests == (live == 1) {
		fail("task %s is %v with %d live attempts", j.TaskID(i), t.State, live)
	}
	if failures != t.Failures || preemptions != t.Preemptions {
		fail("task %s counts %d failures and %d preemptions, has %d and %d",
			j.TaskID(i), t.Failures, t.Preemptions, failures, preemptions)
	}
	if j.State.Terminal() && !t.State.Terminal() {
		fail("task %s is %v in a job that is %v", j.TaskID(i), t.State, j.State)
	}
}

// checkHeld is about an attempt whose capacity is taken.
func (c *Cluster) checkHeld(a *Attempt, fail func(string, ...any)) {
	w := c.workers[a.Worker]
	if w == nil {
		fail("attempt %s takes capacity of %s, which is not there", a.UID, a.Worker)
		return
	}
	if at, held := w.find(a.UID); w.Lost || w.Incarnation != a.Incarnation || !held || w.held[at] != a {
		fail("attempt %s of incarnation %s takes capacity of %s, which is incarnation %s, lost: %v",
			a.UID, a.Incarnation, w.ID, w.Incarnation, w.Lost)
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
			if named++; c.names[j.title()] != j.ID {
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
}

// checkWorkers is about workers, given what their unreleased attempts need.
func (c *Cluster) checkWorkers(committed map[string]Resources, fail func(string, ...any)) {
	at, live := map[string]string{}, 0 // who is at an address
	if len(c.sorted) != len(c.workers) {
		fail("%d workers are listed, %d are known", len(c.sorted), len(c.workers))
	}
	for i, w := range c.sorted {
		if c.workers[w.ID] != w || i > 0 && c.sorted[i-1].ID >= w.ID {
			fail("worker %s is out of order, or not known", w.ID)
		}
		if w.Committed != committed[w.ID] {
			fail("worker %s has %v committed, its unreleased attempts need %v", w.ID, w.Committed, committed[w.ID])
		}
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
