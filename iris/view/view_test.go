package view

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	pb "iris/iris/proto"
)

// now is the instant of all that is written here.
var now = time.Date(2030, 4, 1, 12, 0, 0, 0, time.UTC)

func before(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(now.Add(-d)) }

func code(n int32) *int32 { return &n }

// jobs are one of each kind of trouble.
func jobs() []*pb.JobStatus {
	return []*pb.JobStatus{
		{
			JobId: "hello-abcdefghijkl", Name: "hello", State: pb.JobState_JOB_STATE_SUCCEEDED, NumTasks: 1,
			SubmittedAt: before(time.Hour), StartedAt: before(time.Hour - time.Second), FinishedAt: before(time.Hour - 4200*time.Millisecond),
			TaskStates: []*pb.TaskStateCount{{State: pb.TaskState_TASK_STATE_SUCCEEDED, Count: 1}},
		},
		{
			JobId: "train-llama-mnopqrstuvwx", Name: "train-llama", State: pb.JobState_JOB_STATE_RUNNING, NumTasks: 1000,
			SubmittedAt: before(3 * time.Minute), StartedAt: before(2 * time.Minute), FailureCount: 3, PreemptionCount: 1,
			ParentJobId: "sweep-yz",
			TaskStates: []*pb.TaskStateCount{
				{State: pb.TaskState_TASK_STATE_PENDING, Count: 500}, {State: pb.TaskState_TASK_STATE_RUNNING, Count: 87},
				{State: pb.TaskState_TASK_STATE_SUCCEEDED, Count: 412}, {State: pb.TaskState_TASK_STATE_ASSIGNED, Count: 1},
			},
			PendingReason: &pb.PendingReason{
				Kind: pb.PendingReason_KIND_NO_CAPACITY, Text: "needs 16 GiB, largest free is 4 GiB on w-3; 49 workers",
			},
		},
		{
			JobId: "x-1", Name: "x-1", State: pb.JobState_JOB_STATE_FAILED, NumTasks: 2, Error: "task 1: exit code 3",
			SubmittedAt: before(26 * time.Hour), StartedAt: before(26 * time.Hour), FinishedAt: before(25 * time.Hour),
			TaskStates: []*pb.TaskStateCount{
				{State: pb.TaskState_TASK_STATE_FAILED, Count: 1}, {State: pb.TaskState_TASK_STATE_KILLED, Count: 1},
			},
		},
		{
			JobId: "evil", Name: "evil", State: pb.JobState_JOB_STATE_UNSCHEDULABLE, NumTasks: 1, SubmittedAt: before(time.Second),
			FinishedAt: before(0), Error: "no worker has zone == \x1b[31mred\nthen more",
			TaskStates: []*pb.TaskStateCount{{State: pb.TaskState_TASK_STATE_UNSCHEDULABLE, Count: 1}},
		},
	}
}

func workers() []*pb.WorkerStatus {
	return []*pb.WorkerStatus{
		{
			WorkerId: "w-0", State: pb.WorkerState_WORKER_STATE_LIVE, Address: "10.0.0.1:7071", LastHeartbeatAt: before(4 * time.Second),
			Capacity:    &pb.Resources{CpuMillis: 4000, MemoryBytes: 16 << 30},
			Committed:   &pb.Resources{CpuMillis: 1500, MemoryBytes: 512 << 20},
			Attributes:  map[string]string{"worker": "w-0", "device-type": "cpu", "zone": "eu-1"},
			AttemptUids: []string{"a/0/0", "b/0/0"}, Incarnation: "0199a1b2",
		},
		{
			WorkerId: "gpu-node-17.cluster.example.org", State: pb.WorkerState_WORKER_STATE_LOST, Address: "10.0.0.2:7071",
			LastHeartbeatAt: before(90 * time.Second), Capacity: &pb.Resources{CpuMillis: 64000, MemoryBytes: 1 << 40},
			Committed: &pb.Resources{}, TimesLost: 2,
		},
	}
}

func tasks() []*pb.TaskStatus {
	return []*pb.TaskStatus{
		{TaskIndex: 0, State: pb.TaskState_TASK_STATE_SUCCEEDED, Attempts: []*pb.TaskAttempt{
			{
				WorkerId: "w-0", State: pb.TaskState_TASK_STATE_WORKER_FAILED, Error: "lost worker w-0: no heartbeat for 60s",
				StartedAt: before(5 * time.Minute), FinishedAt: before(4 * time.Minute),
			},
			{
				AttemptId: 1, WorkerId: "w-1", State: pb.TaskState_TASK_STATE_SUCCEEDED, ExitCode: code(0),
				StartedAt: before(3 * time.Minute), FinishedAt: before(time.Minute),
			},
		}},
		{TaskIndex: 1, State: pb.TaskState_TASK_STATE_FAILED, Error: "exit code 3", Attempts: []*pb.TaskAttempt{
			{WorkerId: "w-1", State: pb.TaskState_TASK_STATE_FAILED, Error: "exit code 3", ExitCode: code(3), StartedAt: before(time.Minute), FinishedAt: before(0)},
		}},
		{
			TaskIndex: 2, State: pb.TaskState_TASK_STATE_PENDING,
			Attempts: []*pb.TaskAttempt{{
				WorkerId: "w-1", State: pb.TaskState_TASK_STATE_FAILED, Error: "killed by SIGKILL (exit code 137)", ExitCode: code(137), Stopping: true,
			}},
			PendingReason: &pb.PendingReason{Kind: pb.PendingReason_KIND_TOO_LARGE, Text: "needs 64 CPU, the largest worker w-0 has 4 CPU; 2 workers"},
		},
		{TaskIndex: 3, State: pb.TaskState_TASK_STATE_RUNNING, Attempts: []*pb.TaskAttempt{
			{WorkerId: "gpu-node-17.cluster.example.org", State: pb.TaskState_TASK_STATE_RUNNING, StartedAt: before(1500 * time.Millisecond)},
		}},
	}
}

func jobEvents() []*pb.Event {
	task, attempt := int32(1), int32(0)
	return []*pb.Event{
		{At: before(2 * time.Minute), Kind: pb.EventKind_EVENT_KIND_JOB, State: pb.TaskState_TASK_STATE_PENDING},
		{At: before(time.Minute), Kind: pb.EventKind_EVENT_KIND_ATTEMPT, TaskIndex: &task, AttemptId: &attempt, WorkerId: "w-1", State: pb.TaskState_TASK_STATE_ASSIGNED},
		{
			At: before(59700 * time.Millisecond), Kind: pb.EventKind_EVENT_KIND_DISPATCH_FAILED, TaskIndex: &task, AttemptId: &attempt, WorkerId: "w-1",
			State: pb.TaskState_TASK_STATE_ASSIGNED, Text: "try 1: Unavailable: \x1b[31mcable cut",
		},
		{
			At: before(time.Second), Kind: pb.EventKind_EVENT_KIND_ATTEMPT, TaskIndex: &task, AttemptId: &attempt, WorkerId: "w-1",
			State: pb.TaskState_TASK_STATE_WORKER_FAILED, Text: "dispatch to w-1 failed 4 times: Unavailable: cable cut",
		},
		{At: before(time.Second), Kind: pb.EventKind_EVENT_KIND_TASK, TaskIndex: &task, State: pb.TaskState_TASK_STATE_PENDING, Text: "retry, free of charge"},
		{At: before(0), Kind: pb.EventKind_EVENT_KIND_RELEASED, TaskIndex: &task, AttemptId: &attempt, WorkerId: "w-1", State: pb.TaskState_TASK_STATE_WORKER_FAILED},
	}
}

// What is written, at the widths of a narrow and of a wide terminal, and in a pipe. Renew with -rewrite.
func TestGolden(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			terminal := Terminal{Unicode: !d.HasArg("ascii"), Colour: d.HasArg("colour")}
			d.MaybeScanArgs(t, "width", &terminal.Width)
			wide, out := d.HasArg("wide"), &bytes.Buffer{}
			var err error
			switch d.Cmd {
			case "jobs":
				err = Jobs(out, terminal, wide, now, jobs())
			case "workers":
				err = Workers(out, terminal, wide, now, workers())
			case "tasks":
				err = Tasks(out, terminal, wide, now, tasks())
			case "job-events":
				err = JobEvents(out, terminal, now, jobEvents())
			case "ports":
				all := tasks()
				all[3].Attempts[0].Endpoints = map[string]string{"http": "10.0.0.2:31000", "admin": "10.0.0.2:31001"}
				err = Tasks(out, terminal, wide, now, all)
			case "job":
				var n int
				d.ScanArgs(t, "n", &n)
				err = Job(out, terminal, now, jobs()[n], tasks())
			case "many":
				var all []*pb.TaskStatus
				for i := range 30 {
					all = append(all, tasks()[i%2])
				}
				err = Job(out, terminal, now, jobs()[1], all)
			case "progress":
				var n int
				d.ScanArgs(t, "n", &n)
				fmt.Fprintln(out, strings.Join(Progress(terminal, now, jobs()[n], troubleOf(t, d)), "\n"))
			case "standing":
				for _, j := range jobs() {
					fmt.Fprintln(out, Standing(j))
				}
			case "ending":
				for _, n := range []int{0, 2, 3} {
					fmt.Fprintln(out, Ending(jobs()[n]))
				}
			case "explain":
				var name string
				d.ScanArgs(t, "case", &name)
				j, tasks := story(name)
				if j == nil {
					d.Fatalf(t, "there is no story %s", name)
				}
				var one *int32
				if d.HasArg("task") {
					one = new(int32)
					d.ScanArgs(t, "task", one)
				}
				err = Explain(now, j, tasks, one, "").Write(out, terminal)
			case "top":
				rows := 0
				d.MaybeScanArgs(t, "rows", &rows)
				lines := Top(terminal, rows, now, topOf(d.HasArg("many")))
				if rows > 0 && len(lines) > rows {
					t.Errorf("%d lines on %d rows", len(lines), rows)
				}
				fmt.Fprintln(out, strings.Join(lines, "\n"))
			case "top-of-nothing":
				fmt.Fprintln(out, strings.Join(Top(terminal, 24, now, Snapshot{Missing: []string{"scale groups are not shown: the controller at host:1 does not allow that"}}), "\n"))
			case "attempts":
				for _, a := range attemptEnds() {
					fmt.Fprintln(out, attemptSentence(a, now))
				}
			case "groups":
				err = Groups(out, terminal, wide, now, fleet())
			case "group":
				var n int
				d.ScanArgs(t, "n", &n)
				err = Group(out, terminal, wide, now, ofOne(n))
			case "slices":
				err = Slices(out, terminal, wide, now, fleet().Slices)
			case "events":
				err = SliceEvents(out, terminal, wide, now, fleet().Events)
			case "no-fleet":
				err = errors.Join(Groups(out, terminal, wide, now, &pb.GetFleetResponse{}), Slices(out, terminal, wide, now, nil),
					SliceEvents(out, terminal, wide, now, nil))
			case "json-fleet":
				err = JSON(out, ofOne(4))
			case "json":
				err = JSON(out, &pb.ListTasksResponse{Tasks: tasks()[1:3]})
			default:
				d.Fatalf(t, "unknown command %s", d.Cmd)
			}
			if err != nil {
				t.Fatal(err)
			}
			if d.HasArg("colour") { // to be seen in a file
				return strings.ReplaceAll(out.String(), "\x1b", "ESC")
			}
			if !wide {
				fitsBut(t, out.String(), terminal.Width, "    iris ")
			}
			return out.String()
		})
	})
}

// fitsBut sees to it that no line is wider than the terminal, but for those to be copied, which begin so.
func fitsBut(t interface{ Errorf(string, ...any) }, text string, width int, copied string) {
	for line := range strings.Lines(text) {
		if n := columns(strings.TrimSuffix(line, "\n")); width > 0 && n > width && !strings.HasPrefix(line, copied) {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// troubleOf is the trouble of so many attempts.
func troubleOf(t *testing.T, d *datadriven.TestData) *Trouble {
	var n int
	if d.MaybeScanArgs(t, "trouble", &n); n == 0 {
		return nil
	}
	return &Trouble{Attempts: n, Title: "task 3, attempt 1 on w-12", Cause: "exit code 3", Line: "\x1b[31mpanic:\tindex out of range [5] with length 5"}
}

// Whatever stands in the messages, no line is wider than the terminal, none has a control character, and no row is lost.
func TestTablesFitTheTerminal(t *testing.T) {
	text := rapid.StringOfN(rapid.RuneFrom([]rune("ab- \x1b\n\té漢")), 0, 60, -1)
	rapid.Check(t, func(t *rapid.T) {
		terminal := Terminal{Width: rapid.IntRange(1, 200).Draw(t, "width"), Unicode: rapid.Bool().Draw(t, "unicode")}
		var all []*pb.JobStatus
		for range rapid.IntRange(0, 5).Draw(t, "jobs") {
			all = append(all, &pb.JobStatus{
				JobId: "j" + text.Draw(t, "id"), Name: text.Draw(t, "name"), Error: text.Draw(t, "error"),
				State:    pb.JobState(rapid.IntRange(1, 8).Draw(t, "state")),
				NumTasks: rapid.Int32Range(1, 10_000).Draw(t, "tasks"), SubmittedAt: before(time.Duration(rapid.Int64Range(0, 1e15).Draw(t, "age"))),
			})
		}
		out := &bytes.Buffer{}
		if err := Jobs(out, terminal, false, now, all); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if len(lines) != len(all)+1 {
			t.Fatalf("%d lines for %d jobs:\n%s", len(lines), len(all), out)
		}
		for _, line := range lines {
			if n := columns(line); n > terminal.Width {
				t.Errorf("%d columns of %d: %q", n, terminal.Width, line)
			}
			if strings.ContainsAny(line, "\x1b\t") {
				t.Errorf("control characters in %q", line)
			}
		}
	})
}

func TestDurationsHaveTwoUnitsAtMost(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 0: "0s", 7 * time.Millisecond: "7ms", 999 * time.Millisecond: "999ms", time.Second: "1.0s",
		3290 * time.Millisecond: "3.2s", 10 * time.Second: "10s", 59900 * time.Millisecond: "59s", time.Minute: "1m0s",
		3*time.Minute + 12*time.Second: "3m12s", 2*time.Hour + 5*time.Minute + 9*time.Second: "2h5m", 76 * time.Hour: "3d4h",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%v is written %q, want %q", d, got, want)
		}
	}
}

func TestParagraphsAreIndented(t *testing.T) {
	got := Paragraph(Terminal{Width: 20}, "iris: ", "job x goes on without you, and a-very-long-word-indeed")
	want := "iris: job x goes on\n      without you,\n      and\n      a-very-long-wo\n      rd-indeed"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := Paragraph(Terminal{}, "iris: ", "a b"); got != "iris: a b" {
		t.Errorf("in a pipe: %q", got)
	}
}
