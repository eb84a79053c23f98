package client_test

import (
	"errors"
	"testing"

	"iris/iris/client"
	pb "iris/iris/proto"
)

func TestAllEventsAreThoseOfOneLeader(t *testing.T) {
	event := func(text string) []*pb.Event { return []*pb.Event{{Text: text}} }
	pages := map[string]*pb.ListEventsResponse{
		"":    {Events: event("of the first leader"), NextCursor: "a/1", Dropped: 2},
		"a/1": {Events: event("of the second"), NextCursor: "b/1", Restarted: true},
		"b/1": {Events: event("and on"), NextCursor: "b/2"},
		"b/2": {NextCursor: "b/2"},
	}
	all, err := client.AllEvents(func(cursor string) (*pb.ListEventsResponse, error) { return pages[cursor], nil })
	if err != nil || len(all.Events) != 2 || all.Events[0].Text != "of the second" || all.Events[1].Text != "and on" || all.Dropped != 2 {
		t.Errorf("all events are %v, %v", all, err)
	}
	gone := errors.New("nobody leads")
	all, err = client.AllEvents(func(cursor string) (*pb.ListEventsResponse, error) {
		if cursor != "" {
			return nil, gone
		}
		return pages[cursor], nil
	})
	if !errors.Is(err, gone) || len(all.Events) != 1 {
		t.Errorf("before the error there are %v, %v", all, err)
	}
}
