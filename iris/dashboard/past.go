package dashboard

import (
	"context"
	"slices"
	"strings"

	pb "iris/iris/proto"
	"iris/iris/view"
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

// eventWord is what happened, in one word.
func eventWord(e *pb.Event) string {
	switch e.Kind {
	case pb.EventKind_EVENT_KIND_JOB, pb.EventKind_EVENT_KIND_TASK, pb.EventKind_EVENT_KIND_ATTEMPT:
		return view.TaskState(e.State)
	case pb.EventKind_EVENT_KIND_SLICE:
		return view.SliceEventKind(e.Slice)
	}
	return strings.TrimPrefix(e.Kind.String(), "EVENT_KIND_")
}

// eventMeanings are those of the words that are no states.
var eventMeanings = map[string]string{"DISPATCH_FAILED": "bad", "RELEASED": "over", "REGISTERED": "good", "LEADS": "good"}

// meaning is what a word means to whoever looks: see view.Meaning.
func meaning(word string) string {
	if m := eventMeanings[word]; m != "" {
		return m
	}
	return view.Meaning(word)
}
