package main

import (
	"context"

	"github.com/spf13/cobra"

	"iris/iris/client"
	pb "iris/iris/proto"
	"iris/iris/view"
)

func newJobEvents(a *app) *cobra.Command {
	v := &jobVerb{app: a}
	return v.command(&cobra.Command{
		Use:   "events JOB",
		Short: "List what happened to a job, and why",
		Long: "List what happened to a job, its tasks and their attempts, and why, the oldest first. A controller keeps the last 10 000 " +
			"events of its cluster; one that has begun to lead since knows those that the state tells of. TASK 3/1 is attempt 1 of task 3. Times are in UTC. " +
			jobArgument,
		Args: arguments(1, 1, "a job"),
	}, v.events, outputTable, outputJSON)
}

func (v *jobVerb) events(ctx context.Context, l *link, job *client.Job, _ []string) error {
	all, err := client.AllEvents(func(cursor string) (*pb.ListEventsResponse, error) { return job.Events(ctx, cursor) })
	if err != nil {
		return l.wrong(err)
	}
	return v.write(&v.output, all, func(t view.Terminal) error { return view.JobEvents(v.out, t, v.now(), all.Events) })
}
