package main

import (
	"context"

	"github.com/spf13/cobra"

	"iris/iris/client"
	pb "iris/iris/proto"
	"iris/iris/view"
)

// jobEvents is `iris job events`.
type jobEvents struct {
	*app
	link   linkFlags
	output outputFlag
}

func newJobEvents(a *app) *cobra.Command {
	v := &jobEvents{app: a}
	c := &cobra.Command{
		Use:   "events JOB",
		Short: "List what happened to a job, and why",
		Long: "List what happened to a job, its tasks and their attempts, and why, the oldest first. A controller keeps the last 10 000 " +
			"events of its cluster; one that has begun to lead since knows those that the state tells of. TASK 3/1 is attempt 1 of task 3. Times are in UTC. " +
			jobArgument,
		Args: arguments(1, 1, "a job"),
		RunE: func(c *cobra.Command, args []string) error { return v.run(c.Context(), args[0]) },
	}
	v.link.add(c.Flags())
	v.output.add(c, outputTable, outputJSON)
	c.ValidArgsFunction = completeOne(a.completeJobs(&v.link, false))
	return c
}

func (v *jobEvents) run(ctx context.Context, text string) error {
	l, err := v.connect(&v.link, v.link.patience)
	if err != nil {
		return err
	}
	defer l.Close()
	job, err := l.job(ctx, text)
	if err != nil {
		return err
	}
	all, err := events(ctx, job)
	if err != nil {
		return l.wrong(err)
	}
	return v.write(&v.output, all, func(t view.Terminal) error { return view.JobEvents(v.out, t, v.now(), all.Events) })
}

// events are all that are known of a job.
func events(ctx context.Context, job *client.Job) (*pb.ListEventsResponse, error) {
	all := &pb.ListEventsResponse{}
	for {
		page, err := job.Events(ctx, all.NextCursor)
		if err != nil {
			return nil, err
		}
		if page.Restarted {
			all.Events = nil
		}
		all.Events, all.NextCursor, all.Dropped = append(all.Events, page.Events...), page.NextCursor, all.Dropped+page.Dropped
		if len(page.Events) == 0 {
			return all, nil
		}
	}
}
