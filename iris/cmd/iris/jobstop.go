package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"iris/iris/client"
	"iris/iris/settings"
	"iris/iris/view"
)

// jobStop is `iris job stop`.
type jobStop struct {
	*app
	link   linkFlags
	output outputFlag
	prefix string
}

func newJobStop(a *app) *cobra.Command {
	v := &jobStop{app: a}
	c := &cobra.Command{
		Use:   "stop {JOB… | --prefix NAME}",
		Short: "End jobs and their children",
		Long:  "End jobs and their children. What is over stays as it is. " + jobArgument,
		Args:  arguments(0, -1, ""),
		RunE:  func(c *cobra.Command, args []string) error { return v.run(c, args) },
	}
	v.link.add(c.Flags())
	settings.Var(c.Flags(), &v.prefix, "prefix", "all jobs whose name begins so and which are not over",
		settings.Text("name"))
	v.output.add(c, outputTable, outputJSON)
	c.ValidArgsFunction = a.completeJobs(&v.link, true)
	return c
}

func (v *jobStop) run(c *cobra.Command, ids []string) error {
	switch {
	case len(ids) == 0 && v.prefix == "":
		return usage(c, "`%s` wants jobs, or --prefix", c.CommandPath())
	case len(ids) > 0 && v.prefix != "":
		return usage(c, "`%s` wants jobs or --prefix, not both", c.CommandPath())
	}
	l, err := v.connect(&v.link, v.link.patience)
	if err != nil {
		return err
	}
	defer l.Close()
	ctx := c.Context()
	jobs, wrong := v.meant(ctx, l, ids)
	for _, job := range jobs {
		if err := v.stop(ctx, l, job); err != nil {
			wrong = errors.Join(wrong, err)
		}
	}
	return wrong
}

// meant finds the jobs to stop. Those that are not found do not keep the others running.
func (v *jobStop) meant(ctx context.Context, l *link, ids []string) (jobs []*client.Job, wrong error) {
	for _, id := range ids {
		job, err := l.job(ctx, id)
		if err != nil {
			wrong = errors.Join(wrong, err)
			continue
		}
		jobs = append(jobs, job)
	}
	if v.prefix == "" {
		return jobs, wrong
	}
	all, err := l.Jobs(ctx, v.prefix)
	if err != nil {
		return nil, l.wrong(err)
	}
	for _, j := range all {
		if !j.State.Over() {
			jobs = append(jobs, l.Job(j.JobId))
		}
	}
	if len(jobs) == 0 {
		fmt.Fprintf(v.err, "iris: no job whose name begins with %q is running or waiting\n", v.prefix)
	}
	return jobs, nil
}

func (v *jobStop) stop(ctx context.Context, l *link, job *client.Job) error {
	before, err := job.Status(ctx)
	if err != nil {
		return l.wrong(err)
	}
	if !before.State.Over() {
		if err := job.Terminate(ctx); err != nil {
			return l.wrong(err)
		}
	}
	after, err := job.Status(ctx)
	switch {
	case err != nil:
		return l.wrong(err)
	case v.output.json():
		_, err := fmt.Fprintln(v.out, event("status", after))
		return err
	case before.State.Over():
		fmt.Fprintf(v.out, "job %s was over already: %s\n", job.ID, view.JobState(after.State))
	default:
		fmt.Fprintf(v.out, "job %s is %s\n", job.ID, view.JobState(after.State))
	}
	return nil
}
