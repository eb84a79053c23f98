package main

import (
	"context"

	"github.com/spf13/cobra"

	"iris/iris/client"
	"iris/iris/view"
)

func newJobStatus(a *app) *cobra.Command {
	v := &jobVerb{app: a}
	return v.command(&cobra.Command{
		Use:   "status JOB",
		Short: "Show how a job is, and why",
		Long:  "Show how a job is, and why. " + jobArgument,
		Args:  arguments(1, 1, "a job"),
	}, v.status, outputTable, outputJSON)
}

func (v *jobVerb) status(ctx context.Context, l *link, job *client.Job, _ []string) error {
	status, err := job.Status(ctx)
	if err != nil {
		return l.wrong(err)
	}
	return v.write(&v.output, status, func(t view.Terminal) error {
		tasks, err := job.Tasks(ctx)
		if err != nil {
			return l.wrong(err)
		}
		return view.Job(v.out, t, v.now(), status, tasks)
	})
}
