package main

import (
	"context"

	"github.com/spf13/cobra"

	pb "iris/iris/proto"
	"iris/iris/view"
)

func newTask(a *app) *cobra.Command {
	return newGroup("task", "Ask about the tasks of jobs", newTaskList(a))
}

// taskList is `iris task list`.
type taskList struct {
	*app
	link   linkFlags
	output outputFlag
}

func newTaskList(a *app) *cobra.Command {
	v := &taskList{app: a}
	c := &cobra.Command{
		Use:     "list JOB",
		Aliases: []string{"ls"},
		Short:   "List the tasks of a job",
		Long:    "List the tasks of a job, each with its last attempt; --output wide lists all attempts. " + jobArgument,
		Args:    arguments(1, 1, "a job"),
		RunE:    func(c *cobra.Command, args []string) error { return v.run(c.Context(), args[0]) },
	}
	v.link.add(c.Flags())
	v.output.add(c, outputTable, outputWide, outputJSON)
	c.ValidArgsFunction = completeOne(a.completeJobs(&v.link, false))
	return c
}

func (v *taskList) run(ctx context.Context, id string) error {
	l, err := v.connect(&v.link, v.link.patience)
	if err != nil {
		return err
	}
	defer l.Close()
	job, err := l.job(ctx, id)
	if err != nil {
		return err
	}
	tasks, err := job.Tasks(ctx)
	if err != nil {
		return l.wrong(err)
	}
	return v.write(&v.output, &pb.ListTasksResponse{Tasks: tasks}, func(t view.Terminal) error {
		return view.Tasks(v.out, t, v.output.wide(), v.now(), tasks)
	})
}
