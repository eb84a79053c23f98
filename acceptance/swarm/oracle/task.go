package oracle

import (
	"errors"
	"fmt"
	"strings"

	"iris/iris/state"
)

// maxNeverBegan is how many attempts of a task may be lost before they began. They are free of charge (FM-1).
const maxNeverBegan = 100

// history is what has become of a task's attempts so far.
type history struct {
	failures, preemptions int
	lost                  int // attempts that ended with their workers, or were stopped by them
	neverBegan            int // those of them that had not begun
}

func (h *history) add(a *Attempt) {
	switch {
	case a.State == state.Failed:
		h.failures++
	case a.State != state.WorkerFailed || a.undelivered():
	case a.Began:
		h.preemptions++
		h.lost++
	default:
		h.neverBegan++
		h.lost++
	}
}

// spent names the budget that the history has used up, or is empty.
func (h *history) spent(r *rules) string {
	switch {
	case h.failures > r.failures:
		return "max_retries_failure"
	case h.preemptions > r.preemptions:
		return "max_retries_preemption"
	case h.neverBegan > maxNeverBegan:
		return "that of attempts which never began"
	}
	return ""
}

// task holds a task against its attempts, and these against each other.
func (r *rules) task(j *Job, t *Task) error {
	var h history
	for n := range t.Attempts {
		a := &t.Attempts[n]
		err := r.attempt(j, a)
		if n > 0 && err == nil {
			err = r.again(&h, &t.Attempts[n-1], a)
		}
		if err != nil {
			return fmt.Errorf("attempt %d: %w", n, err)
		}
		h.add(a)
	}
	if t.Failures != h.failures || t.Preemptions != h.preemptions {
		return fmt.Errorf("it counts %d failures and %d preemptions, its attempts are %d and %d",
			t.Failures, t.Preemptions, h.failures, h.preemptions)
	}
	if good := !over(t.State) || t.State == state.Succeeded; good != (t.Error == "") {
		return fmt.Errorf("it is %v and says %q", t.State, t.Error)
	}
	return r.stands(j, t, &h)
}

// again is about an attempt after another one.
func (r *rules) again(h *history, before, a *Attempt) error {
	switch budget := h.spent(r); {
	case !over(before.State):
		return fmt.Errorf("it was made, and the one before it is still %v", before.State)
	case before.State == state.Succeeded || before.State == state.Killed:
		return fmt.Errorf("it was made after one that ended %v", before.State)
	case budget != "":
		return fmt.Errorf("it was made after the budget was used up: %s", budget)
	case r.exclusive && !before.Released:
		return errors.New("it was made before the one before it was confirmed stopped, and the job is exclusive")
	case a.Assigned < before.Finished:
		return fmt.Errorf("it was made at %d ns, before the one before it ended at %d ns", a.Assigned, before.Finished)
	}
	return nil
}

// stands is about where a task is after all its attempts.
func (r *rules) stands(j *Job, t *Task, h *history) error {
	last := state.Pending // there is none
	if n := len(t.Attempts); n > 0 {
		last = t.Attempts[n-1].State
	}
	switch t.State {
	case state.Pending:
		switch budget := h.spent(r); {
		case budget != "":
			return fmt.Errorf("it waits, and its budget is used up: %s", budget)
		case last == state.Pending, last == state.Failed, last == state.WorkerFailed, last == state.CoschedFailed:
			return nil
		}
		return fmt.Errorf("it waits, and its last attempt is %v", last)
	case state.Assigned, state.Building, state.Running, state.Succeeded:
		if last != t.State {
			return fmt.Errorf("it is %v, and its last attempt is %v", t.State, last)
		}
		return nil
	case state.Unschedulable:
		return r.neverFitted(t)
	case state.WorkerFailed:
		return r.outOfWorkers(t, h)
	case state.Failed:
		return r.failed(j, t, last, h)
	case state.Killed, state.CoschedFailed:
		return r.ofItsJob(j, t, last, h)
	}
	return fmt.Errorf("it is %v, which no task is", t.State)
}

// ofItsJob is about a task that ended because its job did.
func (r *rules) ofItsJob(j *Job, t *Task, last state.State, h *history) error {
	want := state.Killed
	if r.gang && j.State != state.Killed {
		want = state.CoschedFailed
	}
	switch {
	case !over(j.State) || j.State == state.Succeeded:
		return fmt.Errorf("it is %v in a job that is %v", t.State, j.State)
	case t.State != want:
		return fmt.Errorf("it is %v, and its job is %v: it should be %v", t.State, j.State, want)
	case last == state.Succeeded || last != state.Pending && !over(last):
		return fmt.Errorf("it is %v, and its last attempt is %v", t.State, last)
	case h.failures > r.failures: // a lost worker may spend the budgets of several tasks at once, of which one ends the job
		return fmt.Errorf("it is %v, and it had failed for good", t.State)
	case j.State == state.Killed && t.Error != j.Error,
		j.State != state.Killed && !saysJobEnded(t.Error, j.State):
		return fmt.Errorf("it says %q, which is not how its job ended: %v %q", t.Error, j.State, j.Error)
	case last == state.Killed && t.Attempts[len(t.Attempts)-1].Error != t.Error:
		return fmt.Errorf("it says %q, and its last attempt %q", t.Error, t.Attempts[len(t.Attempts)-1].Error)
	}
	return nil
}

// neverFitted is about a task that nobody could be found for in time.
func (r *rules) neverFitted(t *Task) error {
	switch {
	case len(t.Attempts) > 0:
		return fmt.Errorf("it is UNSCHEDULABLE after %d attempts", len(t.Attempts))
	case r.scheduling == 0:
		return errors.New("it is UNSCHEDULABLE, and its job has no scheduling timeout")
	case !saysDuration(t.Error, "not scheduled within ", r.scheduling):
		return fmt.Errorf("it is UNSCHEDULABLE within %v and says %q", r.scheduling, t.Error)
	}
	return nil
}

// outOfWorkers is about a task that lost its worker once too often.
func (r *rules) outOfWorkers(t *Task, h *history) error {
	switch {
	case h.preemptions <= r.preemptions:
		return fmt.Errorf("it is WORKER_FAILED, and it has had %d preemptions of %d", h.preemptions, r.preemptions)
	case t.Error != t.Attempts[len(t.Attempts)-1].Error:
		return fmt.Errorf("it says %q, and its last attempt %q", t.Error, t.Attempts[len(t.Attempts)-1].Error)
	}
	return nil
}

// failed is about a task that FAILED: its budget is used up, or nobody is left who could run it.
func (r *rules) failed(j *Job, t *Task, last state.State, h *history) error {
	var a Attempt
	if n := len(t.Attempts); n > 0 {
		a = t.Attempts[n-1]
	}
	switch {
	case h.failures > r.failures:
		if t.Error != a.Error {
			return fmt.Errorf("it says %q, and its last attempt %q", t.Error, a.Error)
		}
		return nil
	case h.neverBegan > maxNeverBegan:
		if saysNeverBegan(t.Error, h.neverBegan, a.Error) {
			return nil
		}
	case h.preemptions > r.preemptions: // it should be WORKER_FAILED
	case strings.HasSuffix(t.Error, "no worker left to run it"):
		if h.lost > 0 && (last == state.Failed || last == state.WorkerFailed || last == state.CoschedFailed) {
			return nil
		}
	case strings.HasPrefix(t.Error, "dispatch failed on every worker that can run it ("):
		if a.undelivered() {
			return r.refusedBy(j, t)
		}
	}
	return fmt.Errorf("it is FAILED without a cause: %d failures of %d, its last attempt is %v, it says %q",
		h.failures, r.failures, last, t.Error)
}

// refusedBy is about the workers that a task says could not be given it: each of them was tried, by the task or by its gang.
func (r *rules) refusedBy(j *Job, t *Task) error {
	_, names, _ := strings.Cut(t.Error, "(")
	names = strings.TrimSuffix(names, ")")
	for more := true; more; {
		var name string
		name, names, more = strings.Cut(names, ", ")
		tried := t.refused(name)
		for i := 0; r.gang && !tried && i < len(j.Tasks); i++ {
			tried = j.Tasks[i].refused(name)
		}
		if !tried {
			return fmt.Errorf("it says %q, and no dispatch to %q has failed", t.Error, name)
		}
	}
	return nil
}

// refused reports whether a dispatch to the worker has failed.
func (t *Task) refused(worker string) bool {
	for n := range t.Attempts {
		if a := &t.Attempts[n]; a.undelivered() && a.Worker == worker {
			return true
		}
	}
	return false
}
