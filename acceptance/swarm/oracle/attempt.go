package oracle

import (
	"errors"
	"fmt"
	"strings"

	"iris/iris/state"
)

// undelivered reports whether an attempt ended because its worker could not be given it. That is free of charge.
func (a *Attempt) undelivered() bool {
	return a.State == state.WorkerFailed && !a.Began && strings.HasPrefix(a.Error, "dispatch to ")
}

// attempt is about what an attempt says of itself.
func (r *rules) attempt(j *Job, a *Attempt) error {
	switch a.State {
	case state.Assigned:
		if a.Began {
			return errors.New("it is ASSIGNED and has begun")
		}
	case state.Building, state.Running, state.Succeeded, state.Failed:
		if !a.Began {
			return fmt.Errorf("it is %v and never began", a.State)
		}
	case state.Killed:
		if !over(j.State) {
			return errors.New("it is KILLED, and its job goes on") // a worker that stops it unasked is to blame (FM-52)
		}
	case state.CoschedFailed:
		if !r.gang {
			return errors.New("it is COSCHED_FAILED, and its job is no gang")
		}
	case state.WorkerFailed:
	default:
		return fmt.Errorf("it is %v, which no attempt is", a.State)
	}
	ended := over(a.State)
	switch good := !ended || a.State == state.Succeeded; {
	case a.Worker == "":
		return errors.New("it is on no worker")
	case good != (a.Error == ""):
		return fmt.Errorf("it is %v and says %q", a.State, a.Error)
	case a.provisional() && !r.gang:
		return fmt.Errorf("it ended at %d ns and is %v", a.Finished, a.State)
	case !ended && a.Released && !a.provisional():
		return fmt.Errorf("it is %v, and its capacity is free", a.State)
	case ended && a.Finished < a.Assigned, a.Began && a.Started < a.Assigned, ended && a.Finished < a.Started:
		return fmt.Errorf("it was assigned at %d ns, began at %d ns and ended at %d ns", a.Assigned, a.Started, a.Finished)
	}
	return r.cause(a)
}

// cause is about an attempt's exit code and error.
func (r *rules) cause(a *Attempt) error {
	if a.Exit != nil {
		switch code := int(*a.Exit); {
		case !over(a.State) && !a.provisional():
			return fmt.Errorf("it is %v and has exit code %d", a.State, code)
		case code != 0 && (a.State == state.Succeeded || a.provisional()):
			return fmt.Errorf("it has succeeded with exit code %d", code)
		case a.State == state.Failed && saysOtherExit(a.Error, code):
			return fmt.Errorf("it has exit code %d and says %q", code, a.Error)
		}
	}
	switch {
	case strings.HasPrefix(a.Error, "dispatch to ") && !a.undelivered():
		return fmt.Errorf("it says %q, and it is %v or had begun", a.Error, a.State) // it goes on once its worker was heard (FM-3)
	case a.undelivered() && !saysWorker(a.Error, a.Worker):
		return fmt.Errorf("it is on %s and says %q", a.Worker, a.Error)
	case a.State == state.Failed && strings.HasPrefix(a.Error, "timed out after ") &&
		!(r.timeout > 0 && saysDuration(a.Error, "timed out after ", r.timeout)):
		return fmt.Errorf("it says %q, and its job's timeout is %v", a.Error, r.timeout)
	}
	return nil
}
