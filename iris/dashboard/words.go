package dashboard

import (
	"fmt"
	"html/template"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "iris/iris/proto"
	"iris/iris/state"
	"iris/iris/view"
)

// words are what templates say things with.
var words = template.FuncMap{
	"jobState": view.JobState, "taskState": view.TaskState, "vmState": view.VMState, "workerState": standing,
	"availability": view.Availability, "sliceEvent": view.SliceEventKind, "meaning": view.Meaning, "event": view.Happened, "shape": shape,
	"when": when, "span": span, "until": until, "duration": duration,
	"cpu": state.CPUText, "bytes": state.BytesText, "count": state.CountText, "constraint": state.ConstraintText,
	"int":  func(n int32) int { return int(n) },
	"path": pathTo, "kind": view.Kind, "growth": view.Growth, "bars": bars, "use": use, "attempt": attemptOf,
	"list": func(all ...any) []any { return all },

	"join": func(texts []string) string { return strings.Join(texts, " ") },
	"last": func(t *pb.TaskStatus) *pb.TaskAttempt {
		if n := len(t.Attempts); n > 0 {
			return t.Attempts[n-1]
		}
		return nil
	},
}

// standing is how a worker stands, in one word.
func standing(w *pb.WorkerStatus) string {
	switch {
	case w.State != pb.WorkerState_WORKER_STATE_LIVE:
		return view.WorkerState(w.State)
	case w.Silent:
		return "SILENT"
	case w.Draining:
		return "DRAINING"
	}
	return "LIVE"
}

// shapes tell meanings apart without colours.
var shapes = map[string]string{"good": "●", "busy": "▶", "waits": "○", "bad": "✕", "over": "■"}

func shape(word string) string { return shapes[view.Meaning(word)] }

// when is an instant, in UTC, and how long ago that is if now is known. The script of the page tells both in the viewer's
// own time.
func when(now time.Time, at *timestamppb.Timestamp) template.HTML {
	if at == nil {
		return ""
	}
	t := at.AsTime()
	text := t.Format("01-02 15:04:05 UTC")
	switch {
	case now.IsZero():
	case t.After(now.Add(time.Second)): // what has just happened on another's clock has happened
		text += ", in " + view.Duration(t.Sub(now))
	default:
		text += ", " + view.Duration(now.Sub(t)) + " ago"
	}
	return stamp("at", t, text)
}

// until is how long it is to an instant.
func until(now time.Time, at *timestamppb.Timestamp) template.HTML {
	if at == nil {
		return ""
	}
	t, text := at.AsTime(), at.AsTime().Format("15:04:05 UTC")
	if !now.IsZero() {
		text = "in " + view.Duration(t.Sub(now))
	}
	return stamp("until", t, text)
}

// span is the time from one instant to another, or to now while that has not come.
func span(now time.Time, from, to *timestamppb.Timestamp) template.HTML {
	switch {
	case from == nil:
		return ""
	case to != nil:
		return template.HTML(view.Duration(to.AsTime().Sub(from.AsTime())))
	case now.IsZero():
		return stamp("since", from.AsTime(), "…")
	}
	return stamp("since", from.AsTime(), view.Duration(now.Sub(from.AsTime())))
}

// stamp is a time element. Its text is of digits and words of ours.
func stamp(kind string, at time.Time, text string) template.HTML {
	return template.HTML(fmt.Sprintf(`<time class="%s" datetime="%s">%s</time>`, kind, at.UTC().Format(time.RFC3339Nano), text))
}

func duration(d *durationpb.Duration) string { return view.Duration(d.AsDuration()) }

// bar is a part of a bar: a state, how much of the whole it is, and where it begins, in thousandths.
type bar struct {
	Word        string
	Count       int32
	From, Width int64
}

// bars are how the tasks of a job stand, side by side.
func bars(counts []*pb.TaskStateCount, all int32) []bar {
	var out []bar
	var sum int64
	for _, c := range counts {
		from := sum * 1000 / int64(max(all, 1))
		sum += int64(c.Count)
		out = append(out, bar{view.TaskState(c.State), c.Count, from, sum*1000/int64(max(all, 1)) - from})
	}
	return out
}

// use is how much of something is taken, in thousandths.
func use(taken, all int64) int64 {
	if all <= 0 {
		return 0
	}
	return min(taken*1000/all, 1000)
}

// held is an attempt that a worker holds.
type held struct{ Job, Task, Attempt string }

// attemptOf reads the uid of an attempt: job/task/attempt, and the number of the job where ids are used again.
func attemptOf(uid string) held {
	job, rest, _ := strings.Cut(uid, "/")
	task, attempt, _ := strings.Cut(rest, "/")
	attempt, _, _ = strings.Cut(attempt, ".")
	return held{job, task, attempt}
}
