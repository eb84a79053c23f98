package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"iris/iris/client"
	"iris/iris/follow"
	pb "iris/iris/proto"
	"iris/iris/settings"
)

// jobLogs is `iris job logs`.
type jobLogs struct {
	*app
	link    linkFlags
	output  outputFlag
	follow  bool
	task    *int
	attempt *int32
	tail    *int
}

func newJobLogs(a *app) *cobra.Command {
	v := &jobLogs{app: a}
	c := &cobra.Command{
		Use:   "logs JOB",
		Short: "Show what a job has written",
		Long: "Show what a job has written: each task's last attempt, or the one that --attempt names. What a task wrote to standard " +
			"error comes to standard error. " + jobArgument,
		Args: arguments(1, 1, "a job"),
		RunE: func(c *cobra.Command, args []string) error { return v.run(c, args[0]) },
	}
	v.link.add(c.Flags())
	v.output.add(c, outputTable, outputJSON)
	number := settings.Optional(settings.Count(0, 1<<30))
	settings.Var(c.Flags(), &v.follow, "follow,f", "go on with what is written from now on, until the job is over",
		settings.Bool())
	settings.Var(c.Flags(), &v.task, "task", "only this task, counted from 0", number)
	settings.Var(c.Flags(), &v.attempt, "attempt", "this attempt of each task, counted from 0",
		settings.Optional(settings.Count[int32](0, 1<<30)))
	settings.Var(c.Flags(), &v.tail, "tail", "only so many lines of each, the last ones", number)
	c.ValidArgsFunction = completeOne(a.completeJobs(&v.link, false))
	return c
}

func (v *jobLogs) run(c *cobra.Command, text string) error {
	if v.follow && v.attempt != nil {
		return usage(c, "`%s` goes on to later attempts with --follow; leave --attempt out", c.CommandPath())
	}
	ctx := c.Context()
	patience := v.link.patience
	l, err := v.connect(&v.link, patience)
	if err != nil {
		return err
	}
	defer l.Close()
	job, err := l.job(ctx, text)
	if err != nil {
		return err
	}
	tasks, err := job.Tasks(ctx)
	if err != nil {
		return l.wrong(err)
	}
	if v.task != nil && *v.task >= len(tasks) {
		return noTask(job.ID, *v.task, len(tasks))
	}
	m := v.newMonitor(v.output.json(), int32(len(tasks)))
	defer m.close()
	l.tell(m.note)
	if v.follow {
		return v.follows(ctx, l, job, m)
	}
	return v.shows(ctx, l, job, m, tasks)
}

// follows reads on until the job is over.
func (v *jobLogs) follows(ctx context.Context, l *link, job *client.Job, m *monitor) error {
	options := follow.Options{Logs: true, Task: v.task, LastAttempt: true}
	if v.tail != nil {
		n := int64(*v.tail)
		options.Tail = &n
	}
	if _, err := follow.Job(ctx, job, m, options); err != nil {
		return v.lostSight(err, l, job.ID)
	}
	return nil
}

// shows reads what is there, task after task.
func (v *jobLogs) shows(ctx context.Context, l *link, job *client.Job, m *monitor, tasks []*pb.TaskStatus) error {
	var missing error
	for i, t := range tasks {
		attempt := len(t.Attempts) - 1
		if v.attempt != nil {
			attempt = int(*v.attempt)
		}
		if v.task != nil && *v.task != i {
			continue
		}
		if attempt >= len(t.Attempts) {
			missing = errors.Join(missing, fmt.Errorf("task %d has had no attempt %d", i, attempt))
			continue
		}
		if attempt < 0 {
			continue // it has written nothing
		}
		from := follow.Source{Task: i, Attempt: attempt, Worker: t.Attempts[attempt].WorkerId}
		if err := v.show(ctx, l, job, m, from); err != nil {
			if ctx.Err() != nil {
				return l.wrong(err)
			}
			missing = errors.Join(missing, fmt.Errorf("task %d, attempt %d on %s: %w", i, attempt, from.Worker, l.wrong(err)))
		}
	}
	return missing
}

func (v *jobLogs) show(ctx context.Context, l *link, job *client.Job, m *monitor, from follow.Source) error {
	lines, err := job.AttemptLogs(ctx, from.Task, from.Attempt)
	if err != nil {
		return err
	}
	if v.tail != nil {
		lines = lines[max(0, len(lines)-*v.tail):]
	}
	for _, line := range lines {
		m.Line(from, line)
	}
	return nil
}
