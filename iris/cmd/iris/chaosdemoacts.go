package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"iris/iris/client"
	pb "iris/iris/proto"
	"iris/iris/view"
)

// demoActs are the ways in which the demo breaks its cluster. Most launch a job of three tasks, one for each worker, and the dice
// say which of them is hit.
var demoActs = []act{
	{"An order does not reach its worker", lostOrder},
	{"A worker falls silent", silentWorker},
	{"A process cannot be started", noProcess},
	{"The controller crashes between two writes", crash},
	{"A machine is taken away", preemption},
}

const (
	succeeded    = pb.TaskState_TASK_STATE_SUCCEEDED
	failedOnce   = pb.TaskState_TASK_STATE_FAILED
	workerFailed = pb.TaskState_TASK_STATE_WORKER_FAILED
)

func lostOrder(ctx context.Context, d *demo) (view.Act, error) {
	hit := d.dice.IntN(3)
	rule, err := d.inject(ctx, fmt.Sprintf("controller.dispatch[job=order,task=%d,attempt=0] max 4", hit),
		fmt.Sprintf("the controller's calls that are to start task %d fail, four times", hit))
	if err != nil {
		return view.Act{}, err
	}
	job, err := d.client.Submit(ctx, d.spec("order", "true"))
	if err != nil {
		return view.Act{}, err
	}
	e, err := d.ends(ctx, job, hit, workerFailed, succeeded)
	e.rule = rule
	if err != nil {
		return e.act(), err
	}
	d.say(ctx, "believed", e.first())
	d.say(ctx, "did", fmt.Sprintf("left %s alone and gave the task to %s, as attempt 1", e.task.Attempts[0].WorkerId, e.last().WorkerId))
	return e.act(), d.held(ctx, e, 4, e.status.PreemptionCount == 0, "an attempt that never began is charged to no budget")
}

func silentWorker(ctx context.Context, d *demo) (view.Act, error) {
	hit := d.dice.IntN(3)
	spec := d.spec("silence", fmt.Sprintf("[ $IRIS_TASK_INDEX.$IRIS_ATTEMPT_ID != %d.0 ] || exec sleep 600", hit))
	job, worker, err := d.runs(ctx, spec, hit)
	if err != nil {
		return view.Act{}, err
	}
	rule, err := d.inject(ctx, fmt.Sprintf("worker.heartbeat[worker=%s]", worker),
		fmt.Sprintf("no heartbeat of %s arrives any more, while it runs task %d", worker, hit))
	if err != nil {
		return view.Act{}, err
	}
	e, err := d.ends(ctx, job, hit, workerFailed, succeeded)
	e.rule = rule
	if err != nil {
		return e.act(), err
	}
	d.say(ctx, "believed", e.first())
	rule.Disarm()
	err = d.until(ctx, worker+" returns with nothing left to run", func() (bool, error) {
		workers, err := d.client.Workers(ctx)
		return slices.ContainsFunc(workers, func(w *pb.WorkerStatus) bool {
			return w.WorkerId == worker && w.State == pb.WorkerState_WORKER_STATE_LIVE && len(w.AttemptUids) == 0
		}), err
	})
	if err != nil {
		return e.act(), err
	}
	d.say(ctx, "did", fmt.Sprintf("ran the task on %s, as attempt 1; when %s was heard again, it had to end its copy", e.last().WorkerId, worker))
	return e.act(), d.held(ctx, e, 1, e.status.PreemptionCount == 1, "silence costs one preemption, and only one copy can have the last word")
}

func noProcess(ctx context.Context, d *demo) (view.Act, error) {
	hit := d.dice.IntN(3)
	rule, err := d.inject(ctx, fmt.Sprintf(`worker.create_container[job=process,task=%d] max 1 err "no process today"`, hit),
		fmt.Sprintf("the first process of task %d cannot be started", hit))
	if err != nil {
		return view.Act{}, err
	}
	spec := d.spec("process", "true")
	spec.MaxRetriesFailure = client.Limit(1)
	job, err := d.client.Submit(ctx, spec)
	if err != nil {
		return view.Act{}, err
	}
	e, err := d.ends(ctx, job, hit, failedOnce, succeeded)
	e.rule = rule
	if err != nil {
		return e.act(), err
	}
	d.say(ctx, "believed", e.first())
	d.say(ctx, "did", "ran the task again, as attempt 1")
	return e.act(), d.held(ctx, e, 1, e.status.FailureCount == 1, "it allows one retry (--max-retries-failure 1), and took it")
}

func crash(ctx context.Context, d *demo) (view.Act, error) {
	const lasts = 3 * time.Second // longer than the controller is away
	hit := d.dice.IntN(3)
	running, worker, err := d.runs(ctx, d.spec("running", fmt.Sprintf("sleep %g", lasts.Seconds())), hit)
	if err != nil {
		return view.Act{}, err
	}
	rule, err := d.inject(ctx, "journal.after_commit max 1", "the controller crashes when the launch of a job is on its disk, and nobody has been told")
	if err != nil {
		return view.Act{}, err
	}
	small := client.Spec{Name: "launched", Entrypoint: client.Command("true"), CPU: 0.25, Memory: client.GiB}
	launched, err := d.client.Submit(ctx, small)
	if err != nil {
		return view.Act{}, err
	}
	e, err := d.ends(ctx, running, hit, succeeded)
	e.rule = rule
	if err != nil {
		return e.act(), err
	}
	second, err := d.ends(ctx, launched, 0, succeeded)
	e.attempts += second.attempts
	if err != nil {
		return e.act(), err
	}
	jobs, err := d.client.Jobs(ctx, small.Name)
	if err != nil {
		return e.act(), err
	}
	d.say(ctx, "believed", "once it was started again, what its log said: the job is launched, and three attempts run")
	d.say(ctx, "did", fmt.Sprintf("knew the client's second try by the job's id, and took %s and the others back with what they ran", worker))
	return e.act(), d.held(ctx, e, 1, len(jobs) == 1, "nobody is told what is not on disk, and workers go on without a controller")
}

func preemption(ctx context.Context, d *demo) (view.Act, error) {
	spec := d.spec("machine", "[ $IRIS_ATTEMPT_ID != 0 ] || exec sleep 600")
	spec.Replicas, spec.CPU = 1, 4 // more than a fixed worker has
	spec.Constraints[0].Op = pb.ConstraintOp_CONSTRAINT_OP_EXISTS
	job, worker, err := d.runs(ctx, spec, 0)
	if err != nil {
		return view.Act{}, err
	}
	slice, err := d.sliceOf(ctx, worker)
	if err != nil {
		return view.Act{}, err
	}
	d.say(ctx, "injected", fmt.Sprintf("the platform takes slice %s away, without notice, while a task runs on it", slice))
	if err := d.cluster.Cloud("cloud").Preempt(slice); err != nil {
		return view.Act{}, err
	}
	e, err := d.ends(ctx, job, 0, workerFailed, succeeded)
	e.struck = 1
	if err != nil {
		return e.act(), err
	}
	d.say(ctx, "believed", e.first())
	d.say(ctx, "did", fmt.Sprintf("asked for another machine, and ran the task on %s, as attempt 1", e.last().WorkerId))
	return e.act(), d.held(ctx, e, 1, e.status.PreemptionCount == 1, "a machine that is taken away costs one preemption, of which 100 are allowed")
}
