package timeline

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"iris/chaos"
	pb "iris/iris/proto"
)

var update = flag.Bool("update", false, "write the golden files in testdata anew")

var began = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func after(seconds float64) time.Time {
	return began.Add(time.Duration(seconds * float64(time.Second)))
}

// The events of a controller, as a spec would get them.
func event(seconds float64, kind pb.EventKind, text string) *pb.Event {
	return &pb.Event{At: timestamppb.New(after(seconds)), Kind: kind, Text: text}
}

func jobEvent(seconds float64, job string, state pb.TaskState, text string) *pb.Event {
	e := event(seconds, pb.EventKind_EVENT_KIND_JOB, text)
	e.JobId, e.State = job, state
	return e
}

func attemptEvent(seconds float64, a Attempt, worker string, state pb.TaskState, text string) *pb.Event {
	e := event(seconds, pb.EventKind_EVENT_KIND_ATTEMPT, text)
	e.JobId, e.TaskIndex, e.AttemptId, e.WorkerId, e.State = a.Job, &a.Task, &a.Attempt, worker, state
	return e
}

func ofAttempt(kind pb.EventKind, e *pb.Event) *pb.Event {
	e.Kind = kind
	return e
}

func workerEvent(seconds float64, kind pb.EventKind, worker, text string) *pb.Event {
	e := event(seconds, kind, text)
	e.WorkerId = worker
	return e
}

func sliceEvent(seconds float64, slice string, what pb.SliceEventKind, text string) *pb.Event {
	e := event(seconds, pb.EventKind_EVENT_KIND_SLICE, text)
	e.SliceId, e.Group, e.Slice = slice, "tpu", what
	return e
}

const (
	pending      = pb.TaskState_TASK_STATE_PENDING
	assigned     = pb.TaskState_TASK_STATE_ASSIGNED
	building     = pb.TaskState_TASK_STATE_BUILDING
	running      = pb.TaskState_TASK_STATE_RUNNING
	succeeded    = pb.TaskState_TASK_STATE_SUCCEEDED
	failed       = pb.TaskState_TASK_STATE_FAILED
	workerFailed = pb.TaskState_TASK_STATE_WORKER_FAILED

	leads    = pb.EventKind_EVENT_KIND_LEADS
	register = pb.EventKind_EVENT_KIND_REGISTERED
	lose     = pb.EventKind_EVENT_KIND_LOST
	try      = pb.EventKind_EVENT_KIND_DISPATCH_FAILED
	release  = pb.EventKind_EVENT_KIND_RELEASED
)

// story has something of everything.
func story() Facts {
	first, second, other := Attempt{"j-1", 0, 0}, Attempt{"j-1", 0, 1}, Attempt{"j-1", 1, 0}
	return Facts{
		Began: began, Ended: after(80), Jobs: map[string]string{"j-1": "train"}, Controllers: []string{"c-0", "c-1"},
		Events: []*pb.Event{
			event(0, leads, "c-0"),
			workerEvent(0, register, "w-10", ""), workerEvent(0, register, "w-2", ""),
			jobEvent(0.5, "j-1", pending, ""),
			attemptEvent(0.5, first, "w-2", assigned, ""),
			ofAttempt(try, attemptEvent(0.5, first, "w-2", assigned, "try 1: Unavailable: chaos")),
			attemptEvent(0.5, other, "w-10", assigned, ""), attemptEvent(1, other, "w-10", building, ""),
			attemptEvent(2, other, "w-10", running, ""),
			workerEvent(60, lose, "w-10", "no heartbeat for 60s"),
			attemptEvent(60, other, "w-10", workerFailed, "lost worker w-10"),
			attemptEvent(60, first, "w-2", failed, "exit code 3"),
			ofAttempt(release, attemptEvent(63, first, "w-2", failed, "")),
			attemptEvent(64, second, "w-2", running, ""), attemptEvent(70, second, "w-2", succeeded, ""),
			sliceEvent(3, "tpu-0", pb.SliceEventKind_SLICE_EVENT_KIND_REQUESTED, "1 task waits"),
			sliceEvent(4, "tpu-0", pb.SliceEventKind_SLICE_EVENT_KIND_READY, ""),
			workerEvent(4, register, "worker-tpu-0-vm-0", ""),
			workerEvent(6, lose, "worker-tpu-0-vm-0", "its machine is PREEMPTED"),
			sliceEvent(6, "tpu-0", pb.SliceEventKind_SLICE_EVENT_KIND_GONE, "PREEMPTED"),
			event(30, leads, "c-1"),
			jobEvent(71, "j-1", failed, "task 1: lost"),
		},
		Faults: []Ordered{
			Fired(chaos.Firing{At: after(0.5), Site: "controller.dispatch", Nth: 1, Action: "fail",
				Labels: chaos.Labels{"cluster": "c", "worker": "w-2", "job": "j-1"}}),
			Fired(chaos.Firing{At: after(10), Site: "worker.heartbeat", Nth: 2, Action: "fail", Labels: chaos.Labels{"worker": "w-10"}}),
			{At: after(20), Kind: Killed, Who: "c-0", What: "c-0 is killed"},
			{At: after(40), Kind: Started, Who: "c-0", What: "c-0 is started again"},
			{At: after(12), Until: after(50), Lasts: true, Kind: Fault, Who: "w-10", What: "fault cut w-10 <-> c-1"},
		},
		Calls: []Call{
			{Method: "RunTask", From: "c-0", To: "w-10", About: []Attempt{other}, Sent: after(0.5), Arrived: after(0.5), Ended: after(0.5),
				Given: "OK", Got: "OK"},
			{Method: "Heartbeat", From: "w-10", Sent: after(20), Ended: after(25), Got: "DeadlineExceeded", Err: "DeadlineExceeded: too late"},
		},
		Beats: []Train{{Worker: "w-2", First: after(10), Every: 10 * time.Second, Count: 7}},
		Notes: []string{"something is missing"},
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; go test ./acceptance/timeline -update writes it anew):\n%s", path, diff)
	}
}

// lines are a timeline as a reviewer reads it.
func lines(t Timeline) string {
	var b strings.Builder
	for i, l := range t.Lanes {
		fmt.Fprintf(&b, "%s %s, %d rows\n", l.Role, l.Name, l.Rows)
		for _, bar := range t.Bars {
			if bar.Lane != i {
				continue
			}
			fmt.Fprintf(&b, "  bar %d %s:", bar.Row, bar.Label)
			for _, p := range bar.Phases {
				fmt.Fprintf(&b, " %s %s", exact(p.At), p.State)
			}
			fmt.Fprintf(&b, " to %s %s %s", exact(bar.End), bar.How, bar.Why)
			if bar.Freed > 0 {
				fmt.Fprintf(&b, ", freed %s", exact(bar.Freed))
			}
			fmt.Fprintln(&b)
		}
		for _, beat := range t.Beats {
			if beat.Lane == i {
				fmt.Fprintf(&b, "  %d beats from %s on, each %s\n", beat.Count, exact(beat.First), exact(beat.Every))
			}
		}
	}
	for _, a := range t.Arrows {
		fmt.Fprintf(&b, "%s -> %s: %s %s to %s, %s (%s)\n", t.Lanes[a.From].Name, t.Lanes[a.To].Name, a.Text, exact(a.Sent), exact(a.Ended), a.Fate, a.Why)
	}
	Text(&b, t.Events)
	return b.String()
}

func TestAStoryIsDrawn(t *testing.T) { golden(t, "story.txt", lines(Draw(story()))) }

func TestTheSameFactsAreDrawnTheSameWay(t *testing.T) {
	want := lines(Draw(story()))
	for range 20 {
		if diff := cmp.Diff(want, lines(Draw(story()))); diff != "" {
			t.Fatal(diff)
		}
	}
}

// A history that begins anew repeats what the one before it told, with less words.
func TestHistoriesThatOverlapAreOne(t *testing.T) {
	f := story()
	for _, e := range story().Events[:8] {
		if e.Kind != leads {
			e.Text = ""
		}
		if e.Kind != try {
			f.Events = append(f.Events, e)
		}
	}
	if diff := cmp.Diff(lines(Draw(story())), lines(Draw(f))); diff != "" {
		t.Error(diff)
	}
}

func TestACallHasItsFate(t *testing.T) {
	sent := Call{Method: "RunTask", From: "c-0", To: "w-0", Sent: after(1)}
	for _, c := range []struct {
		fate   Fate
		change func(*Call)
	}{
		{Answered, func(c *Call) { c.Arrived, c.Ended, c.Given, c.Got = after(1), after(1.9), "OK", "OK" }},
		{Late, func(c *Call) { c.Arrived, c.Ended, c.Given, c.Got = after(1), after(2), "OK", "OK" }},
		{Late, func(c *Call) { c.Arrived = after(1) }},
		{Refused, func(c *Call) { c.Arrived, c.Ended, c.Given, c.Got = after(1), after(1), "NotFound", "NotFound" }},
		{ReplyLost, func(c *Call) { c.Arrived, c.Ended, c.Given, c.Got = after(1), after(1), "OK", "Unavailable" }},
		{ReplyLost, func(c *Call) { c.Arrived, c.Ended, c.Got = after(1), after(6), "DeadlineExceeded" }},
		{RequestLost, func(c *Call) { c.Ended, c.Got = after(1), "Unavailable" }},
		{RequestLost, func(*Call) {}},
	} {
		call := sent
		c.change(&call)
		drawn := Draw(Facts{Began: began, Ended: after(9), Controllers: []string{"c-0"}, Calls: []Call{call}})
		if got := drawn.Arrows[0].Fate; got != c.fate {
			t.Errorf("%+v: %s, want %s", call, got, c.fate)
		}
		if told := len(drawn.Events) > 0; told == (c.fate == Answered) {
			t.Errorf("%+v: it is among the events: %t", call, told)
		}
	}
}

func TestNoTwoBarsOfARowOverlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := Facts{Began: began, Ended: after(1000)}
		for i := range rapid.IntRange(0, 60).Draw(t, "attempts") {
			a := Attempt{"j", int32(i), 0}
			from := rapid.IntRange(0, 500).Draw(t, "from")
			end := from + rapid.IntRange(0, 200).Draw(t, "lasts")
			freed := end + rapid.IntRange(0, 100).Draw(t, "freed")
			f.Events = append(f.Events, attemptEvent(float64(from), a, "w-0", assigned, ""), attemptEvent(float64(end), a, "w-0", failed, ""),
				ofAttempt(release, attemptEvent(float64(freed), a, "w-0", failed, "")))
		}
		drawn := Draw(f)
		for i, a := range drawn.Bars {
			if a.Row >= drawn.Lanes[a.Lane].Rows {
				t.Fatalf("row %d of %d", a.Row, drawn.Lanes[a.Lane].Rows)
			}
			for _, b := range drawn.Bars[:i] {
				if a.Lane == b.Lane && a.Row == b.Row && max(b.End, b.Freed) > a.Phases[0].At && max(a.End, a.Freed) > b.Phases[0].At {
					t.Fatalf("%+v and %+v overlap", a, b)
				}
			}
		}
	})
}

func TestASpanIsMillisecondsInJSON(t *testing.T) {
	for span, want := range map[Span]string{0: "0", Span(time.Second): "1000", Span(1234567 * time.Nanosecond): "1.235", Span(24 * time.Hour): "86400000"} {
		text, err := json.Marshal(span)
		if err != nil || string(text) != want {
			t.Errorf("%v is %s: %v", time.Duration(span), text, err)
		}
		var back Span
		if err := json.Unmarshal(text, &back); err != nil || back != Span(time.Duration(span).Round(time.Microsecond)) {
			t.Errorf("%s is %v: %v", text, time.Duration(back), err)
		}
	}
}

func TestNamesAreInNaturalOrder(t *testing.T) {
	for _, c := range [][2]string{{"w-2", "w-10"}, {"a", "b"}, {"w-1", "w-1-b"}, {"tpu-9-vm-3", "tpu-10-vm-0"}} {
		if natural(c[0], c[1]) >= 0 || natural(c[1], c[0]) <= 0 || natural(c[0], c[0]) != 0 {
			t.Errorf("%s is not before %s", c[0], c[1])
		}
	}
}
