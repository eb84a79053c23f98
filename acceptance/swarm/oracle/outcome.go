package oracle

import (
	"errors"
	"fmt"
	"strings"
	"time"

	pb "iris/iris/proto"
	"iris/iris/state"
)

// Outcome judges a job by the history of its tasks' attempts (design §3). Every state, counter and error must follow from
// what became of the attempts, and everything that must follow from that has happened: a job that ended has a cause, and one
// that has a cause to end has ended. It allocates nothing if all is right.
func Outcome(spec *pb.JobSpec, j Job) error {
	r := rulesOf(spec)
	if err := r.outcome(&j); err != nil {
		return fmt.Errorf("job %s: %w", j.ID, err)
	}
	return nil
}

// rules are what a job's spec says of how it may end, with the defaults of design §3.
type rules struct {
	tasks                            int
	failures, preemptions, tolerated int // how many there may be
	gang, exclusive                  bool
	timeout, scheduling              time.Duration // 0: none
	parent                           string
}

func rulesOf(spec *pb.JobSpec) rules {
	r := rules{
		tasks: 1, preemptions: 100,
		gang: spec.GetCoscheduling().GetGroupBy() != "", exclusive: spec.GetExclusive(), parent: spec.GetParentJobId(),
		timeout: spec.GetTimeout().AsDuration(), scheduling: spec.GetSchedulingTimeout().AsDuration(),
	}
	if spec == nil {
		return r
	}
	for _, number := range []struct {
		said *int32
		is   *int
	}{
		{spec.Replicas, &r.tasks},
		{spec.MaxRetriesFailure, &r.failures},
		{spec.MaxRetriesPreemption, &r.preemptions},
		{spec.MaxTaskFailures, &r.tolerated},
	} {
		if number.said != nil {
			*number.is = int(*number.said)
		}
	}
	if r.gang {
		r.tolerated = 0 // a gang runs whole or not at all
	}
	return r
}

// tally is how many tasks are in a state, by its number.
type tally [state.CoschedFailed + 1]int

func (r *rules) outcome(j *Job) error {
	if len(j.Tasks) != r.tasks {
		return fmt.Errorf("it has %d tasks, its spec says %d", len(j.Tasks), r.tasks)
	}
	var tasks tally
	failures, preemptions := 0, 0
	for i := range j.Tasks {
		t := &j.Tasks[i]
		if err := r.task(j, t); err != nil {
			return fmt.Errorf("task %d: %w", i, err)
		}
		tasks[t.State]++
		failures, preemptions = failures+t.Failures, preemptions+t.Preemptions
	}
	if failures != j.Failures || preemptions != j.Preemptions {
		return fmt.Errorf("it counts %d failures and %d preemptions, its tasks %d and %d",
			j.Failures, j.Preemptions, failures, preemptions)
	}
	if r.gang {
		if err := wholeGang(j); err != nil {
			return err
		}
	}
	return r.rollup(j, &tasks)
}

// rollup holds the job's state and error against its tasks.
func (r *rules) rollup(j *Job, tasks *tally) error {
	failed, lost, unfit := tasks[state.Failed], tasks[state.WorkerFailed], tasks[state.Unschedulable]
	want := state.State(0) // how the tasks have ended it
	switch {
	case failed > r.tolerated:
		want = state.Failed
	case lost > 0:
		want = state.WorkerFailed
	case unfit > 0:
		want = state.Unschedulable
	case tasks[state.Succeeded]+failed == r.tasks:
		want = state.Succeeded
	}
	switch spent := max(failed-r.tolerated, 0) + lost + unfit; {
	case want != 0 && j.State != want:
		return fmt.Errorf("it is %v, its tasks say %v", j.State, want)
	case spent > 1:
		return fmt.Errorf("it went on after a task that ended it: %d are WORKER_FAILED, %d UNSCHEDULABLE, %d FAILED of which it "+
			"tolerates %d", lost, unfit, failed, r.tolerated)
	}
	switch j.State {
	case state.Pending, state.Building, state.Running:
		return goesOn(j, tasks)
	case state.Succeeded, state.Failed, state.WorkerFailed, state.Unschedulable:
		if want == 0 {
			return fmt.Errorf("it is %v without a cause: %d of its %d tasks are SUCCEEDED, %d FAILED of which it tolerates %d",
				j.State, tasks[state.Succeeded], r.tasks, failed, r.tolerated)
		}
	case state.Killed:
	default:
		return fmt.Errorf("it is %v, which no job is", j.State)
	}
	return r.ended(j, tasks)
}

// goesOn is about a job that nothing has ended: it follows its furthest task.
func goesOn(j *Job, tasks *tally) error {
	follows := state.Pending
	switch {
	case tasks[state.Running]+tasks[state.Succeeded]+tasks[state.Failed] > 0:
		follows = state.Running
	case tasks[state.Building] > 0:
		follows = state.Building
	}
	switch {
	case j.ParentEnded:
		return fmt.Errorf("it is %v, and its parent is over", j.State)
	case j.State != follows:
		return fmt.Errorf("it is %v, its furthest task says %v", j.State, follows)
	case j.Error != "":
		return fmt.Errorf("it is %v and says %q", j.State, j.Error)
	}
	return nil
}

// ended is about a job that is over: so are its tasks, and it says why.
func (r *rules) ended(j *Job, tasks *tally) error {
	for _, s := range [...]state.State{state.Pending, state.Assigned, state.Building, state.Running} {
		if n := tasks[s]; n > 0 {
			return fmt.Errorf("it is %v, and %d of its tasks are %v", j.State, n, s)
		}
	}
	switch j.State {
	case state.Succeeded:
		if j.Error != "" {
			return fmt.Errorf("it is SUCCEEDED and says %q", j.Error)
		}
	case state.Killed:
		return r.killed(j)
	default:
		if !j.saysWhy() {
			return fmt.Errorf("it says %q, which is not the error of a task that is %v", j.Error, j.State)
		}
	}
	return nil
}

// killed is about a job that was stopped: somebody asked for it, or its parent ended.
func (r *rules) killed(j *Job) error {
	ofParent := r.parent != "" && saysParentEnded(j.Error, r.parent)
	switch {
	case !j.Stopped && !j.ParentEnded:
		return errors.New("it is KILLED, nobody asked for it, and it has no parent that is over")
	case strings.TrimSpace(j.Error) == "":
		return errors.New("it is KILLED and does not say why")
	case ofParent && !j.ParentEnded:
		return fmt.Errorf("it says %q, and its parent is not over", j.Error)
	case !ofParent && !j.Stopped:
		return fmt.Errorf("it says %q, and its parent %s ended", j.Error, r.parent)
	}
	return nil
}

// saysWhy reports whether a job's error is that of a task which ended it.
func (j *Job) saysWhy() bool {
	if len(j.Tasks) == 1 {
		return j.Error == j.Tasks[0].Error
	}
	task, text, ok := ofTask(j.Error, ": ")
	return ok && task < len(j.Tasks) && j.Tasks[task].State == j.State && j.Tasks[task].Error == text
}
