package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	pb "iris/iris/proto"
	"iris/iris/settings"
	"iris/iris/view"
)

// jobList is `iris job list`.
type jobList struct {
	*app
	link   linkFlags
	output outputFlag
	prefix string
	states []string
}

func newJobList(a *app) *cobra.Command {
	v := &jobList{app: a}
	c := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List jobs, the oldest first",
		Args:    arguments(0, 0, ""),
		RunE:    func(c *cobra.Command, _ []string) error { return v.run(c.Context()) },
	}
	v.link.add(c.Flags())
	v.output.add(c, outputTable, outputWide, outputJSON)
	settings.Var(c.Flags(), &v.prefix, "prefix", "only jobs whose name begins so", settings.Text("text"))
	settings.ListVar(c.Flags(), &v.states, "state", "only jobs in this state, such as running or failed", ",",
		settings.Choice("state", jobStates()...))
	complete(c, "state", jobStates()...)
	return c
}

// jobStates are the states of jobs, as one types them.
func jobStates() []string {
	var words []string
	for s := pb.JobState_JOB_STATE_PENDING; int(s) < len(pb.JobState_name); s++ {
		words = append(words, strings.ToLower(view.JobState(s)))
	}
	return words
}

func (v *jobList) run(ctx context.Context) error {
	l, err := v.connect(&v.link, v.link.patience)
	if err != nil {
		return err
	}
	defer l.Close()
	jobs, err := l.Jobs(ctx, v.prefix)
	if err != nil {
		return l.wrong(err)
	}
	if len(v.states) > 0 {
		jobs = slices.DeleteFunc(jobs, func(j *pb.JobStatus) bool {
			return !slices.Contains(v.states, strings.ToLower(view.JobState(j.State)))
		})
	}
	return v.write(&v.output, &pb.ListJobsResponse{Jobs: jobs}, func(t view.Terminal) error {
		return view.Jobs(v.out, t, v.output.wide(), v.now(), jobs)
	})
}
