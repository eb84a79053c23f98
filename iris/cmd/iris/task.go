package main

import (
	"context"

	"github.com/spf13/cobra"

	"iris/iris/client"
	pb "iris/iris/proto"
	"iris/iris/view"
)

func newTask(a *app) *cobra.Command {
	return newGroup("task", "Ask about the tasks of jobs", newTaskList(a))
}

func newTaskList(a *app) *cobra.Command {
	v := &jobVerb{app: a}
	return v.command(&cobra.Command{
		Use:     "list JOB",
		Aliases: []string{"ls"},
		Short:   "List the tasks of a job",
		Long:    "List the tasks of a job, each with its last attempt; --output wide lists all attempts. " + jobArgument,
		Args:    arguments(1, 1, "a job"),
	}, v.tasks, outputTable, outputWide, outputJSON)
}

func (v *jobVerb) tasks(ctx context.Context, l *link, job *client.Job, _ []string) error {
	tasks, err := job.Tasks(ctx)
	if err != nil {
		return l.wrong(err)
	}
	return v.write(&v.output, &pb.ListTasksResponse{Tasks: tasks}, func(t view.Terminal) error {
		return view.Tasks(v.out, t, v.output.wide(), v.now(), tasks)
	})
}
