package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	pb "iris/iris/proto"
)

// topOf is a cluster with one of each kind of trouble, and of many workers if so.
func topOf(many bool) Snapshot {
	s := Snapshot{
		Controllers: []*pb.ControllerStatus{{ControllerId: "c-0"}, {ControllerId: "c-1", Leads: true}, {ControllerId: "c-2", Joining: true}},
		Workers:     workers(), Jobs: jobs()[1:2], Fleet: fleet(),
	}
	quiet, drains := workers()[0], workers()[0]
	quiet.WorkerId, quiet.LastHeartbeatAt, quiet.Silent = "quiet", before(20*time.Second), true
	drains.WorkerId, drains.Draining, drains.Committed = "drains", true, drains.Capacity
	s.Workers = append(s.Workers, quiet, drains)
	for _, kind := range []pb.PendingReason_Kind{0, pb.PendingReason_KIND_NO_CAPACITY, pb.PendingReason_KIND_TOO_LARGE, pb.PendingReason_KIND_BACKOFF} {
		j := &pb.JobStatus{
			JobId: fmt.Sprintf("job-%d", kind), State: pb.JobState_JOB_STATE_PENDING, NumTasks: 4, SubmittedAt: before(time.Minute),
			TaskStates: []*pb.TaskStateCount{{State: pb.TaskState_TASK_STATE_PENDING, Count: 4}},
		}
		if kind != 0 {
			j.PendingReason = &pb.PendingReason{Kind: kind, Text: "because of " + kind.String()}
		}
		s.Jobs = append(s.Jobs, j)
	}
	for i := range 1000 {
		if many {
			s.Workers = append(s.Workers, &pb.WorkerStatus{
				WorkerId: fmt.Sprintf("w-%d", i+1), State: pb.WorkerState_WORKER_STATE_LIVE, LastHeartbeatAt: before(time.Second),
				Capacity: &pb.Resources{CpuMillis: 8000, MemoryBytes: 64 << 30}, Committed: &pb.Resources{CpuMillis: int64(i % 9 * 1000), MemoryBytes: 1 << 30},
			})
		}
	}
	return s
}

// Whatever there is, the screen takes it: no line is too wide, there are no more than rows, and none plays with the terminal.
func TestTopFitsItsScreen(t *testing.T) {
	name := rapid.StringOfN(rapid.RuneFrom([]rune("ab- \x1b\n\té\u202e漢")), 0, 40, -1)
	rapid.Check(t, func(t *rapid.T) {
		terminal := Terminal{Width: rapid.IntRange(1, 220).Draw(t, "width"), Unicode: rapid.Bool().Draw(t, "unicode")}
		rows, s := rapid.IntRange(1, 60).Draw(t, "rows"), topOf(rapid.Bool().Draw(t, "many"))
		s.Workers = s.Workers[:rapid.IntRange(0, len(s.Workers)).Draw(t, "workers")]
		s.Jobs = s.Jobs[:rapid.IntRange(0, len(s.Jobs)).Draw(t, "jobs")]
		if rapid.Bool().Draw(t, "no fleet") {
			s.Fleet = nil
		}
		for _, w := range s.Workers[:min(3, len(s.Workers))] {
			w.WorkerId = name.Draw(t, "worker")
		}
		lines := Top(terminal, rows, now, s)
		if len(lines) > rows {
			t.Fatalf("%d lines on %d rows:\n%s", len(lines), rows, strings.Join(lines, "\n"))
		}
		for _, line := range lines {
			if n := columns(line); n > terminal.Width {
				t.Errorf("%d columns of %d: %q", n, terminal.Width, line)
			}
			if strings.ContainsAny(line, "\x1b\t\n\u202e") {
				t.Errorf("control characters in %q", line)
			}
		}
	})
}

// What a list does not need the others get, and what none needs stays free.
func TestListsShareTheScreen(t *testing.T) {
	of := func(sizes ...int) (lists []list) {
		for _, n := range sizes {
			lists = append(lists, list{table: table{rows: make([][]cell, n)}})
		}
		return lists
	}
	for _, c := range []struct {
		room int
		of   []int
		want string
	}{
		{30, []int{4, 4, 4}, "[4 4 4]"}, {18, []int{1000, 2, 4}, "[5 2 4]"}, {18, []int{1000, 1000, 1000}, "[3 3 3]"},
		{19, []int{1000, 1000, 1000}, "[3 3 4]"}, {3, []int{9, 9, 9}, "[0 0 0]"}, {0, []int{1}, "[0]"}, {-5, []int{1, 2}, "[0 0]"}, {9, nil, "[]"},
	} {
		if got := fmt.Sprint(share(c.room, of(c.of...))); got != c.want {
			t.Errorf("%d rows for lists of %v are shared as %s, want %s", c.room, c.of, got, c.want)
		}
	}
}

func TestTopAsJSONHasTheMessagesOfTheWire(t *testing.T) {
	var out bytes.Buffer
	if err := topOf(false).JSON(&out); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Controllers, Workers, Jobs []map[string]any
		Fleet                      struct{ Groups []map[string]any }
		Missing                    []string
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Controllers) != 3 || got.Controllers[1]["leads"] != true || len(got.Workers) != 4 || got.Workers[0]["worker_id"] != "w-0" ||
		len(got.Jobs) != 5 || len(got.Fleet.Groups) != 6 || got.Missing == nil {
		t.Errorf("%s", out.String())
	}
	out.Reset()
	if err := (Snapshot{}).JSON(&out); err != nil || strings.Contains(out.String(), "null") || strings.Contains(out.String(), "fleet") {
		t.Errorf("of nothing: %v\n%s", err, out.String())
	}
}
