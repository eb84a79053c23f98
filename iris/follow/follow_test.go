package follow_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"iris/iris/client"
	"iris/iris/cluster"
	"iris/iris/config"
	"iris/iris/follow"
	"iris/iris/network"
	pb "iris/iris/proto"
	"iris/iris/runtime"
)

// notes is an observer that writes down what it is told.
type notes struct {
	mu     sync.Mutex
	states []pb.JobState
	lines  []string // "task.attempt text"
	gaps   []string
	ends   []string    // "task.attempt STATE", with the last line before
	at     []time.Time // of the lines
	seen   func(*pb.JobStatus)
}

func (n *notes) Status(j *pb.JobStatus) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.states) == 0 || n.states[len(n.states)-1] != j.State {
		n.states = append(n.states, j.State)
	}
	if n.seen != nil {
		n.seen(j)
	}
}

func (n *notes) Line(from follow.Source, line *pb.LogLine) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, fmt.Sprintf("%d.%d %s", from.Task, from.Attempt, line.Text))
	n.at = append(n.at, time.Now())
}

func (n *notes) Gap(from follow.Source, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.gaps = append(n.gaps, fmt.Sprintf("%d.%d on %s: %s", from.Task, from.Attempt, from.Worker, text))
}

func (n *notes) Ended(from follow.Source, a *pb.TaskAttempt) {
	last := "nothing"
	if lines := n.of(from.Task); len(lines) > 0 {
		last = lines[len(lines)-1]
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ends = append(n.ends, fmt.Sprintf("%d.%d %s after %s", from.Task, from.Attempt, strings.TrimPrefix(a.State.String(), "TASK_STATE_"), last))
}

// of are the lines of one task, in the order in which they came.
func (n *notes) of(task int) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(n.lines), func(line string) bool {
		return !strings.HasPrefix(line, strconv.Itoa(task)+".")
	})
}

// functions are what the jobs below run.
func functions() *runtime.Func {
	f := runtime.NewFunc()
	// count LINES PAUSE: writes so many lines, with a pause after each
	f.Register("count", func(ctx context.Context, t runtime.FuncTask) error {
		lines, _ := strconv.Atoi(t.Args[0])
		pause, _ := time.ParseDuration(t.Args[1])
		for i := range lines {
			t.Printf("line %d", i)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	// again: fails twice
	f.Register("again", func(_ context.Context, t runtime.FuncTask) error {
		t.Printf("attempt %s", t.Env["IRIS_ATTEMPT_ID"])
		if t.Env["IRIS_ATTEMPT_ID"] != "2" {
			return errors.New("not yet")
		}
		return nil
	})
	return f
}

// booted runs a cluster of two workers with 4 CPU until the test ends.
func booted(t *testing.T) *client.Client {
	t.Helper()
	description := cluster.MakeLocalConfig(config.Cluster{Name: "c", Groups: []config.Group{
		{Name: "cpu", CPU: 4, Memory: 64 << 30, MinSlices: 2, MaxSlices: 2, Zones: []string{"a"}},
	}})
	m, err := cluster.Start(description, cluster.Options{
		Network: &network.Memory{}, Functions: functions(), Log: slog.New(slog.DiscardHandler), Dir: t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := m.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := m.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func submit(t *testing.T, c *client.Client, spec client.Spec) *client.Job {
	t.Helper()
	if spec.Name == "" {
		spec.Name = "j"
	}
	job, err := c.Submit(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// watched follows a job to its end.
func watched(t *testing.T, job *client.Job, options follow.Options) (*notes, *pb.JobStatus) {
	t.Helper()
	n := &notes{}
	options.Logs = true
	end, err := follow.Job(t.Context(), job, n, options)
	if err != nil {
		t.Fatal(err)
	}
	return n, end
}

func TestEveryLineOfEveryTaskComesOnceAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const tasks = 60
		c := booted(t)
		job := submit(t, c, client.Spec{Entrypoint: client.Function("count", "3", "1s"), Replicas: tasks, CPU: 0.1, Memory: 1})
		n, end := watched(t, job, follow.Options{})
		if end.State != pb.JobState_JOB_STATE_SUCCEEDED || len(n.gaps) > 0 {
			t.Errorf("it ended %v, with gaps %v", end.State, n.gaps)
		}
		for task := range tasks {
			want := []string{fmt.Sprintf("%d.0 line 0", task), fmt.Sprintf("%d.0 line 1", task), fmt.Sprintf("%d.0 line 2", task)}
			if diff := cmp.Diff(want, n.of(task)); diff != "" {
				t.Errorf("task %d: %s", task, diff)
			}
		}
	})
}

func TestAttemptsComeOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := booted(t)
		job := submit(t, c, client.Spec{Entrypoint: client.Function("again"), Replicas: 2, MaxRetriesFailure: client.Limit(2)})
		n, end := watched(t, job, follow.Options{})
		if end.State != pb.JobState_JOB_STATE_SUCCEEDED || end.FailureCount != 4 {
			t.Errorf("it ended as %v", end)
		}
		for task := range 2 {
			want := []string{fmt.Sprintf("%d.0 attempt 0", task), fmt.Sprintf("%d.1 attempt 1", task), fmt.Sprintf("%d.2 attempt 2", task)}
			if diff := cmp.Diff(want, n.of(task)); diff != "" {
				t.Error(diff)
			}
		}
		slices.Sort(n.ends)
		want := []string{
			"0.0 FAILED after 0.0 attempt 0", "0.1 FAILED after 0.1 attempt 1", "0.2 SUCCEEDED after 0.2 attempt 2",
			"1.0 FAILED after 1.0 attempt 0", "1.1 FAILED after 1.1 attempt 1", "1.2 SUCCEEDED after 1.2 attempt 2",
		}
		if diff := cmp.Diff(want, n.ends); diff != "" {
			t.Errorf("ends: %s", diff)
		}
	})
}

func TestALineIsSeenSoonAfterItIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := booted(t)
		began := time.Now()
		job := submit(t, c, client.Spec{Entrypoint: client.Function("count", "3", "10s")})
		n, _ := watched(t, job, follow.Options{})
		for i, at := range n.at {
			late := at.Sub(began.Add(time.Duration(i) * 10 * time.Second))
			if late < 0 || late > 1100*time.Millisecond {
				t.Errorf("line %d is seen %v after it was written", i, late)
			}
		}
		if len(n.at) != 3 {
			t.Errorf("%d lines", len(n.at))
		}
	})
}

func TestWhoComesLateMayBeginWithTheLastLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := booted(t)
		job := submit(t, c, client.Spec{Entrypoint: client.Function("count", "10", "1s")})
		time.Sleep(5500 * time.Millisecond) // six lines are written
		tail := int64(2)
		n, _ := watched(t, job, follow.Options{Tail: &tail, LastAttempt: true})
		want := []string{"0.0 line 4", "0.0 line 5", "0.0 line 6", "0.0 line 7", "0.0 line 8", "0.0 line 9"}
		if diff := cmp.Diff(want, n.lines); diff != "" {
			t.Error(diff)
		}
	})
}

func TestOneTaskCanBeReadAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := booted(t)
		job := submit(t, c, client.Spec{Entrypoint: client.Function("count", "1", "1s"), Replicas: 3})
		one := 1
		n, _ := watched(t, job, follow.Options{Task: &one})
		if diff := cmp.Diff([]string{"1.0 line 0"}, n.lines); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWithoutLogsOnlyStatesAreSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := booted(t)
		job := submit(t, c, client.Spec{Entrypoint: client.Function("count", "1", "1s")})
		n := &notes{}
		end, err := follow.Job(t.Context(), job, n, follow.Options{})
		if err != nil || end.State != pb.JobState_JOB_STATE_SUCCEEDED {
			t.Errorf("%v, %v", end, err)
		}
		if len(n.lines) > 0 || n.states[len(n.states)-1] != pb.JobState_JOB_STATE_SUCCEEDED {
			t.Errorf("states %v, lines %v", n.states, n.lines)
		}
	})
}

// A job that waits is seen to wait, with the reason, within a second.
func TestAReasonToWaitIsSeenSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := booted(t)
		job := submit(t, c, client.Spec{Entrypoint: client.Function("count", "1", "1s"), CPU: 99, SchedulingTimeout: time.Minute})
		began, first := time.Now(), time.Duration(-1)
		n := &notes{seen: func(j *pb.JobStatus) {
			if first < 0 && j.PendingReason.GetKind() == pb.PendingReason_KIND_TOO_LARGE {
				first = time.Since(began)
			}
		}}
		end, err := follow.Job(t.Context(), job, n, follow.Options{Logs: true})
		if err != nil || end.State != pb.JobState_JOB_STATE_UNSCHEDULABLE {
			t.Errorf("%v, %v", end, err)
		}
		if first < 0 || first > time.Second {
			t.Errorf("the reason is first seen after %v", first)
		}
	})
}

func TestWhoGoesAwayLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := booted(t)
		job := submit(t, c, client.Spec{Entrypoint: client.Function("count", "100", "1s")})
		ctx, leave := context.WithTimeout(t.Context(), 5*time.Second)
		defer leave()
		n := &notes{}
		_, err := follow.Job(ctx, job, n, follow.Options{Logs: true})
		if !errors.Is(err, context.DeadlineExceeded) || len(n.lines) == 0 || len(n.gaps) > 0 {
			t.Errorf("%v, lines %v, gaps %v", err, n.lines, n.gaps)
		}
		if s, err := job.Status(t.Context()); err != nil || s.State != pb.JobState_JOB_STATE_RUNNING {
			t.Errorf("the job is %v, %v", s, err)
		}
	})
}
