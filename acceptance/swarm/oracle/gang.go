package oracle

import (
	"errors"
	"fmt"
	"strings"

	"iris/iris/state"
)

// wholeGang is about a gang: it is placed whole, and ends whole, as often as it is tried.
func wholeGang(j *Job) error {
	rounds := len(j.Tasks[0].Attempts)
	for i := range j.Tasks {
		if n := len(j.Tasks[i].Attempts); n != rounds {
			return fmt.Errorf("task 0 of the gang was tried %d times, task %d %d times", rounds, i, n)
		}
	}
	for n := range rounds {
		if err := gangRound(j, n); err != nil {
			return fmt.Errorf("attempts %d of the gang: %w", n, err)
		}
	}
	return nil
}

// gangRound is about one attempt of each member.
func gangRound(j *Job, n int) error {
	var by tally
	live, provisional, undelivered, together := 0, 0, 0, true
	for i := range j.Tasks {
		a := &j.Tasks[i].Attempts[n]
		by[a.State]++
		together = together && a.Finished == j.Tasks[0].Attempts[n].Finished
		if !over(a.State) {
			live++
		}
		if a.provisional() {
			provisional++
		}
		if a.undelivered() {
			undelivered++
		}
	}
	all, failed, lost := len(j.Tasks), by[state.Failed], by[state.WorkerFailed]
	switch {
	case provisional == all:
		return errors.New("all have succeeded, and it goes on")
	case live == all, by[state.Succeeded] == all:
		return nil
	case live > 0 || by[state.Succeeded] > 0:
		return fmt.Errorf("%d of %d go on and %d are SUCCEEDED: not the whole gang", live, all, by[state.Succeeded])
	case failed+lost+by[state.Killed] == 0 || by[state.Killed] > 0 && failed+by[state.CoschedFailed] > 0:
		return fmt.Errorf("%d are KILLED, %d COSCHED_FAILED and %d FAILED: they did not end together for one cause",
			by[state.Killed], by[state.CoschedFailed], failed)
	case failed > 1 || failed == 1 && lost > 0 || undelivered > 0 && lost > 1:
		return fmt.Errorf("%d are FAILED, %d WORKER_FAILED and %d of these were not delivered: the first should have ended "+
			"the rest", failed, lost, undelivered)
	case !together:
		return errors.New("they did not all end at one instant")
	}
	for i := range j.Tasks {
		if a := &j.Tasks[i].Attempts[n]; a.State == state.CoschedFailed && !saysSibling(j, n, a.Error) {
			return fmt.Errorf("task %d says %q, which is not how another member or the job ended", i, a.Error)
		}
	}
	return nil
}

// saysSibling reports whether a member that was stopped names the one because of which it was, or the end of its job.
func saysSibling(j *Job, n int, text string) bool {
	if over(j.State) && n == len(j.Tasks[0].Attempts)-1 && saysJobEnded(text, j.State) {
		return true
	}
	task, rest, ok := ofTask(text, " of the gang ended ")
	if !ok || task >= len(j.Tasks) {
		return false
	}
	a := &j.Tasks[task].Attempts[n]
	rest, ok = strings.CutPrefix(rest, a.State.String())
	if !ok || a.State != state.Failed && a.State != state.WorkerFailed {
		return false
	}
	rest, ok = strings.CutPrefix(rest, ": ")
	return ok && rest == a.Error
}
