package main

import (
	"context"

	"github.com/spf13/cobra"

	"iris/iris/client"
)

// jobVerb is what all verbs have that ask about one job: their first argument.
type jobVerb struct {
	*app
	link   linkFlags
	output outputFlag
}

// jobArgument explains an argument that link.job takes.
const jobArgument = "JOB is a job's id, the beginning of one, or the name of a job that is not over."

// command finds the job, and asks about it; rest are the arguments after it.
func (v *jobVerb) command(c *cobra.Command, ask func(ctx context.Context, l *link, job *client.Job, rest []string) error,
	forms ...string) *cobra.Command {
	v.link.add(c.Flags())
	v.output.add(c, forms...)
	c.ValidArgsFunction = completeOne(v.completeJobs(&v.link, false))
	c.RunE = func(c *cobra.Command, args []string) error {
		l, err := v.connect(&v.link, v.link.patience)
		if err != nil {
			return err
		}
		defer l.Close()
		job, err := l.job(c.Context(), args[0])
		if err != nil {
			return err
		}
		return ask(c.Context(), l, job, args[1:])
	}
	return c
}
