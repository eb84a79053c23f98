package main

import (
	"context"

	"github.com/spf13/cobra"

	"iris/iris/view"
)

// jobStatus is `iris job status`.
type jobStatus struct {
	*app
	link   linkFlags
	output outputFlag
}

// jobArgument explains an argument that link.job takes.
const jobArgument = "JOB is a job's id, the beginning of one, or the name of a job that is not over."

func newJobStatus(a *app) *cobra.Command {
	v := &jobStatus{app: a}
	c := &cobra.Command{
		Use:   "status JOB",
		Short: "Show how a job is, and why",
		Long:  "Show how a job is, and why. " + jobArgument,
		Args:  arguments(1, 1, "a job"),
		RunE:  func(c *cobra.Command, args []string) error { return v.run(c.Context(), args[0]) },
	}
	v.link.add(c.Flags())
	v.output.add(c, outputTable, outputJSON)
	c.ValidArgsFunction = completeOne(a.completeJobs(&v.link, false))
	return c
}

func (v *jobStatus) run(ctx context.Context, id string) error {
	l, err := v.connect(&v.link, v.link.patience)
	if err != nil {
		return err
	}
	defer l.Close()
	job, err := l.job(ctx, id)
	if err != nil {
		return err
	}
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
