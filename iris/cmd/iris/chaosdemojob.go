package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"iris/chaos"
	"iris/iris/client"
	pb "iris/iris/proto"
	"iris/iris/state"
	"iris/iris/view"
)

// spec is a job of three tasks, each of which takes up most of one of the fixed workers, and which runs nowhere else.
func (d *demo) spec(name, script string) client.Spec {
	return client.Spec{
		Name: name, Entrypoint: client.Command("sh", "-c", script), Replicas: 3, CPU: 1.5, Memory: client.GiB,
		Constraints: []*pb.Constraint{{Key: "place", Op: pb.ConstraintOp_CONSTRAINT_OP_NOT_EXISTS}},
	}
}

// inject arms a rule and says what it does.
func (d *demo) inject(ctx context.Context, rule, what string) (*chaos.Rule, error) {
	d.say(ctx, "injected", rule+": "+what)
	return d.rules.EnableText(rule)
}

// runs launches a job and waits until all its tasks have started, and the one that will be hit runs. It returns whose worker
// that is.
func (d *demo) runs(ctx context.Context, spec client.Spec, hit int) (job *client.Job, worker string, err error) {
	if job, err = d.client.Submit(ctx, spec); err != nil {
		return nil, "", err
	}
	err = d.until(ctx, fmt.Sprintf("task %d of job %s runs", hit, spec.Name), func() (bool, error) {
		tasks, err := job.Tasks(ctx)
		if err != nil || slices.ContainsFunc(tasks, func(t *pb.TaskStatus) bool { return len(t.Attempts) == 0 || t.Attempts[0].StartedAt == nil }) {
			return false, err
		}
		worker = tasks[hit].Attempts[0].WorkerId
		return tasks[hit].State == pb.TaskState_TASK_STATE_RUNNING, nil
	})
	return job, worker, err
}

// ended is a job that is over, as it should be, and the task that was hit.
type ended struct {
	status   *pb.JobStatus
	task     *pb.TaskStatus
	attempts int // of all tasks
	rule     *chaos.Rule
	struck   int // how often, if it was no rule
}

// ends waits for the end of a job. It must have SUCCEEDED, the task that was hit with attempts that ended so, every other task
// with its first one.
func (d *demo) ends(ctx context.Context, job *client.Job, hit int, want ...pb.TaskState) (ended, error) {
	var e ended
	status, err := job.Wait(ctx)
	if err != nil {
		return e, fmt.Errorf("job %s does not end: %w", job.ID, err)
	}
	tasks, err := job.Tasks(ctx)
	if err != nil {
		return e, err
	}
	e.status, e.task = status, tasks[hit]
	var wrong error
	for i, t := range tasks {
		e.attempts += len(t.Attempts)
		due := []pb.TaskState{succeeded}
		if i == hit {
			due = want
		}
		var are []pb.TaskState
		for _, a := range t.Attempts {
			are = append(are, a.State)
		}
		if !slices.Equal(are, due) && wrong == nil {
			wrong = fmt.Errorf("the attempts of task %d ended %v, and not %v: %s", i, named(are), named(due), view.Ending(status))
		}
	}
	if status.State != pb.JobState_JOB_STATE_SUCCEEDED && wrong == nil {
		wrong = fmt.Errorf("job %s %s", job.ID, view.Ending(status))
	}
	return e, wrong
}

func named(states []pb.TaskState) (words []string) {
	for _, s := range states {
		words = append(words, view.TaskState(s))
	}
	return words
}

// first is what the cluster believed of the first attempt of the task that was hit.
func (e ended) first() string {
	a := e.task.Attempts[0]
	return fmt.Sprintf("attempt 0 of task %d is %s: %s", e.task.TaskIndex, view.TaskState(a.State), a.Error)
}

func (e ended) last() *pb.TaskAttempt { return e.task.Attempts[len(e.task.Attempts)-1] }

// strikes is how often the fault struck.
func (e ended) strikes() int {
	if e.rule != nil {
		return e.rule.Counts().Fired
	}
	return e.struck
}

func (e ended) act() view.Act { return view.Act{Faults: e.strikes(), Attempts: e.attempts} }

// sliceOf is the slice that a worker belongs to.
func (d *demo) sliceOf(ctx context.Context, worker string) (string, error) {
	workers, err := d.client.Workers(ctx)
	for _, w := range workers {
		if w.WorkerId == worker {
			return w.Attributes[state.AttributeSlice], nil
		}
	}
	return "", errors.Join(fmt.Errorf("worker %s is unknown", worker), err)
}

// held says why a job held, if the fault struck as often as it must and was charged as it should be.
func (d *demo) held(ctx context.Context, e ended, strikes int, charged bool, why string) error {
	switch {
	case e.strikes() < strikes:
		return fmt.Errorf("the fault struck %d times, and not %d", e.strikes(), strikes)
	case !charged:
		return fmt.Errorf("%d failures and %d preemptions were charged", e.status.FailureCount, e.status.PreemptionCount)
	}
	text := "the job SUCCEEDED: " + why
	if e.status.NumTasks > 1 {
		text = fmt.Sprintf("all %d tasks SUCCEEDED: %s", e.status.NumTasks, why)
	}
	d.say(ctx, "held", text)
	return nil
}
