package state

import (
	"slices"
	"time"

	pb "iris/iris/proto"
)

// Past are events that the state still tells of, oldest first: of the latest jobs, of workers that are lost, and of slices. There
// are about as many as asked for. It is what somebody knows who has not watched from the beginning.
func (c *Cluster) Past(about int) []Event {
	var past []Event
	add := func(at time.Time, e Event) {
		if !at.IsZero() {
			e.At = at
			past = append(past, e)
		}
	}
	for _, e := range c.fleet.events {
		past = append(past, e.event())
	}
	for _, w := range c.sorted {
		if w.Lost {
			add(w.LostAt, w.event(w.LostAt, pb.EventKind_EVENT_KIND_LOST, w.LostCause))
		}
	}
	for _, j := range slices.Backward(c.order) {
		if len(past) >= about {
			break
		}
		launched := j.event(j.Submitted)
		launched.State, launched.Text = Pending, ""
		past = append(past, launched)
		for i := range j.Tasks {
			for _, a := range j.Tasks[i].Attempts {
				e := a.event(a.Assigned, "")
				for _, moved := range []struct {
					at time.Time
					to State
				}{{a.Assigned, Assigned}, {a.Started, Running}} {
					e.State = moved.to
					add(moved.at, e)
				}
				if a.State.Terminal() {
					add(a.Finished, a.event(a.Finished, a.Error))
				}
			}
		}
		if j.State.Terminal() {
			past = append(past, j.event(j.Finished))
		}
	}
	slices.SortStableFunc(past, func(a, b Event) int { return a.At.Compare(b.At) })
	return past
}
