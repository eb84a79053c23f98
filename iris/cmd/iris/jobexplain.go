package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"iris/iris/client"
	pb "iris/iris/proto"
	"iris/iris/view"
)

func newJobExplain(a *app) *cobra.Command {
	v := &jobVerb{app: a}
	return v.command(&cobra.Command{
		Use:   "explain JOB [TASK]",
		Short: "Say in plain words why a job waits, was retried, or failed",
		Long: "Say in plain words why a job waits, was retried, or ended as it did, with a sentence for each attempt, and what you can do " +
			"about it. TASK is the number of one of its tasks, counted from 0: then it is about that task alone. " + jobArgument,
		Example: "  iris job explain train\n  iris job explain train 3",
		Args:    arguments(1, 2, "a job"),
	}, v.explain, outputTable, outputJSON)
}

func (v *jobVerb) explain(ctx context.Context, l *link, job *client.Job, rest []string) error {
	status, err := job.Status(ctx)
	if err != nil {
		return l.wrong(err)
	}
	task, err := taskNumber(status, rest)
	if err != nil {
		return err
	}
	tasks, err := job.Tasks(ctx)
	if err != nil {
		return l.wrong(err)
	}
	e := view.Explain(v.now(), status, tasks, task, v.where(l))
	if v.output.json() {
		return e.JSON(v.out)
	}
	return e.Write(v.out, v.terminal(v.out))
}

// taskNumber reads the number of a task, if there is one.
func taskNumber(job *pb.JobStatus, args []string) (*int32, error) {
	if len(args) == 0 {
		return nil, nil
	}
	n, err := strconv.ParseInt(args[0], 10, 32)
	if err != nil || n < 0 {
		return nil, usageError{fmt.Errorf("%q is not the number of a task: 0 or more", args[0])}
	}
	if n >= int64(job.NumTasks) {
		return nil, noTask(job.JobId, int(n), int(job.NumTasks))
	}
	task := int32(n)
	return &task, nil
}

// noTask is the error of a task that a job does not have.
func noTask(job string, task, tasks int) error {
	return usageError{fmt.Errorf("job %s has no task %d; it has %d, counted from 0", job, task, tasks)}
}
