package timeline

import (
	"fmt"
	"io"
	"strings"
	"time"

	pb "iris/iris/proto"
)

// name is what a job is called.
func (d *drawing) name(job string) string {
	if name := d.Jobs[job]; name != "" {
		return name
	}
	return job
}

// task is a task in words: "train", or "train/2" of a job that has several.
func (d *drawing) task(job string, task int32) string {
	if d.tasks[job] > 1 {
		return fmt.Sprintf("%s/%d", d.name(job), task)
	}
	return d.name(job)
}

// attempt is an attempt in words.
func (d *drawing) attempt(a Attempt) string {
	return fmt.Sprintf("%s: attempt %d", d.task(a.Job, a.Task), a.Attempt)
}

// tell adds what a controller says happened to the events.
func (d *drawing) tell(e *pb.Event) {
	at := e.At.AsTime()
	out := Event{At: d.since(at), Why: e.Text}
	switch e.Kind {
	case pb.EventKind_EVENT_KIND_JOB:
		out.Kind, out.Lane, out.What = JobMoved, d.lane(clients), "job "+d.name(e.JobId)+" "+state(e.State)
		if !e.State.Over() {
			out.What = "job " + d.name(e.JobId) + " is launched"
		}
	case pb.EventKind_EVENT_KIND_TASK:
		out.Kind, out.Lane, out.What = TaskMoved, d.lane(clients), "task "+d.task(e.JobId, e.GetTaskIndex())+" "+state(e.State)
		if !e.State.Over() {
			out.What = "task " + d.task(e.JobId, e.GetTaskIndex()) + " waits again"
		}
	case pb.EventKind_EVENT_KIND_ATTEMPT:
		out.Kind, out.Lane = AttemptMoved, d.lane(e.WorkerId)
		out.What = fmt.Sprintf("%s on %s %s", d.attempt(AttemptOf(e)), e.WorkerId, state(e.State))
	case pb.EventKind_EVENT_KIND_DISPATCH_FAILED:
		out.Kind, out.Lane = DispatchFailed, d.leader(at)
		out.What = fmt.Sprintf("%s does not reach %s", d.attempt(AttemptOf(e)), e.WorkerId)
	case pb.EventKind_EVENT_KIND_RELEASED:
		out.Kind, out.Lane = Released, d.lane(e.WorkerId)
		out.What = fmt.Sprintf("%s has stopped on %s: its capacity is free", d.attempt(AttemptOf(e)), e.WorkerId)
	case pb.EventKind_EVENT_KIND_REGISTERED:
		out.Kind, out.Lane, out.What = Registered, d.lane(e.WorkerId), "worker "+e.WorkerId+" registers"
	case pb.EventKind_EVENT_KIND_LOST:
		out.Kind, out.Lane, out.What = Lost, d.lane(e.WorkerId), "worker "+e.WorkerId+" is lost"
	case pb.EventKind_EVENT_KIND_SLICE:
		out.Kind, out.Lane, out.What = SliceMoved, d.leader(at), fmt.Sprintf("group %s %s", e.Group, moved(e.Slice))
		if e.SliceId != "" {
			out.Lane, out.What = d.lane(e.SliceId), fmt.Sprintf("slice %s %s", e.SliceId, moved(e.Slice))
		}
	case pb.EventKind_EVENT_KIND_LEADS:
		out.Kind, out.Lane, out.What, out.Why = Leads, d.lane(e.Text), "controller "+e.Text+" leads", ""
	default:
		return // of a version that this one does not know
	}
	d.out.Events = append(d.out.Events, out)
}

// Text writes events for people, one a line: "    3.2s  train: attempt 0 on w-1 RUNNING".
func Text(w io.Writer, events []Event) {
	for _, e := range events {
		why := ""
		if e.Why != "" {
			why = " (" + strings.ReplaceAll(e.Why, "\n", "; ") + ")"
		}
		fmt.Fprintf(w, "%10s  %s%s\n", exact(e.At), e.What, why)
	}
}

// exact is an instant, to the millisecond: "1m3.25s".
func exact(s Span) string { return time.Duration(s).Round(time.Millisecond).String() }
