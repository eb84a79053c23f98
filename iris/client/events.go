package client

import (
	"context"

	pb "iris/iris/proto"
)

// Events asks once, without retries, for what happened from a cursor on; see the request. UNAVAILABLE: nobody leads just now.
func (c *Client) Events(ctx context.Context, in *pb.ListEventsRequest) (*pb.ListEventsResponse, error) {
	return c.rpc.ListEvents(ctx, in)
}

// AllEvents reads page after page until nothing is left: all that is known. After a change of leaders it begins anew. With an error
// comes what was read before it.
func AllEvents(page func(cursor string) (*pb.ListEventsResponse, error)) (*pb.ListEventsResponse, error) {
	all := &pb.ListEventsResponse{}
	for {
		next, err := page(all.NextCursor)
		if err != nil {
			return all, err
		}
		if next.Restarted {
			all.Events = nil
		}
		all.Events, all.NextCursor, all.Dropped = append(all.Events, next.Events...), next.NextCursor, all.Dropped+next.Dropped
		if len(next.Events) == 0 {
			return all, nil
		}
	}
}

// Events are a page of what happened to the job, from a cursor on; empty: from the oldest event on.
func (j *Job) Events(ctx context.Context, cursor string) (*pb.ListEventsResponse, error) {
	return call(ctx, j.client, j.client.rpc.ListEvents, &pb.ListEventsRequest{JobId: j.ID, Cursor: cursor})
}
