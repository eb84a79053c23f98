package real

import (
	"context"
	"fmt"
	"time"

	"iris/acceptance/timeline"
	"iris/iris/client"
	pb "iris/iris/proto"
)

// facts notes what a timeline is drawn from, if somebody wants one. What cannot be found out is among its notes.
func (t *teller) facts() {
	f := t.options.Facts
	if f == nil {
		return
	}
	*f = timeline.Facts{Began: t.epoch, Ended: time.Now(), Jobs: map[string]string{}, Faults: t.suffered}
	for i := range max(t.Cluster.Controllers, 1) {
		f.Controllers = append(f.Controllers, fmt.Sprintf("c-%d", i))
	}
	for _, firing := range t.chaos.Firings() {
		f.Faults = append(f.Faults, timeline.Fired(firing))
	}
	f.Calls, f.Beats, _ = t.tap.Seen()
	ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
	defer cancel()
	jobs, err := t.clients[0].Jobs(ctx, "")
	for _, j := range jobs {
		f.Jobs[j.JobId] = j.Name
	}
	f.Notes = append(f.Notes, "A new leader knows no more of what was before it than the state does.")
	if err == nil {
		var known *pb.ListEventsResponse
		known, err = client.AllEvents(func(cursor string) (*pb.ListEventsResponse, error) {
			return t.clients[0].Events(ctx, &pb.ListEventsRequest{Cursor: cursor})
		})
		f.Events = known.Events
	}
	if err != nil {
		f.Notes = append(f.Notes, fmt.Sprintf("The controller did not say what happened: %v.", err))
	}
}
