package view

import (
	"fmt"
	"io"
	"strings"
	"time"

	pb "iris/iris/proto"
)

// Happened is what an event says has happened, in one word: the state that a job, a task or an attempt is in now, what became of
// a slice, or the kind of the event.
func Happened(e *pb.Event) string {
	switch {
	case e.Kind == pb.EventKind_EVENT_KIND_RELEASED:
		return "RELEASED"
	case e.Kind == pb.EventKind_EVENT_KIND_DISPATCH_FAILED:
		return "NOT_DELIVERED"
	case e.Kind == pb.EventKind_EVENT_KIND_SLICE:
		return SliceEventKind(e.Slice)
	case e.State != 0:
		return TaskState(e.State)
	}
	return strings.TrimPrefix(e.Kind.String(), "EVENT_KIND_")
}

// JobEvents writes a table of what happened to a job, the oldest first: to itself, to a task ("1"), to an attempt of one ("1/0").
// Times are in UTC.
func JobEvents(w io.Writer, terminal Terminal, now time.Time, events []*pb.Event) error {
	t := table{columns: []column{
		{title: "WHEN"}, {title: "TASK"}, {title: "WHAT"}, {title: "WORKER", good: 24, least: 8, drop: 1}, {title: "WHY", whole: true},
	}}
	for _, e := range events {
		subject := "job"
		switch {
		case e.AttemptId != nil:
			subject = fmt.Sprintf("%d/%d", e.GetTaskIndex(), *e.AttemptId)
		case e.TaskIndex != nil:
			subject = fmt.Sprint(*e.TaskIndex)
		}
		t.add(text(clock(e.At, now)+e.At.AsTime().Format(".000")), text(subject), state(Happened(e)), text(e.WorkerId), text(e.Text))
	}
	return t.write(w, terminal)
}
