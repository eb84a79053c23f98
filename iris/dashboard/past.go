package dashboard

import (
	"context"
	"slices"

	pb "iris/iris/proto"
)

// shownPast is how many of the last events a page lists.
const shownPast = 20

// past is what happened lately: to a job, to a worker, or to anything; the newest first.
func past(ctx context.Context, c calls, job, worker string) ([]*pb.Event, error) {
	out, err := c.jobs.ListEvents(ctx, &pb.ListEventsRequest{JobId: job, WorkerId: worker, Last: shownPast})
	if err != nil {
		return nil, err
	}
	slices.Reverse(out.Events)
	return out.Events, nil
}
