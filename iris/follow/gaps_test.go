package follow_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/iris/client"
	"iris/iris/follow"
	"iris/iris/network"
	pb "iris/iris/proto"
)

// fake is a controller that says what a test wants. Its job ends at an instant; task n runs on worker w-n.
type fake struct {
	pb.UnimplementedControllerServiceServer
	end   time.Time
	tasks int
	away  func() bool // the controller does not answer now
	logs  func(ctx context.Context, in *pb.FetchTaskLogsRequest) (*pb.FetchTaskLogsResponse, error)

	mu      sync.Mutex
	calls   map[int32]int // of FetchTaskLogs that are under way, by task
	most    int           // at once, of one task
	mostAll int           // at once, of all
}

func (f *fake) over() bool { return !time.Now().Before(f.end) }

func (f *fake) GetJobStatus(context.Context, *pb.GetJobStatusRequest) (*pb.GetJobStatusResponse, error) {
	if f.away != nil && f.away() {
		return nil, status.Error(codes.Unavailable, "away")
	}
	j := &pb.JobStatus{JobId: "j", NumTasks: int32(f.tasks), State: pb.JobState_JOB_STATE_RUNNING}
	if f.over() {
		j.State = pb.JobState_JOB_STATE_SUCCEEDED
	}
	return &pb.GetJobStatusResponse{Job: j}, nil
}

func (f *fake) ListTasks(context.Context, *pb.ListTasksRequest) (*pb.ListTasksResponse, error) {
	out := &pb.ListTasksResponse{}
	for i := range f.tasks {
		a := &pb.TaskAttempt{WorkerId: fmt.Sprintf("w-%d", i), State: pb.TaskState_TASK_STATE_RUNNING}
		if f.over() {
			a.State = pb.TaskState_TASK_STATE_SUCCEEDED
		}
		out.Tasks = append(out.Tasks, &pb.TaskStatus{TaskIndex: int32(i), State: a.State, Attempts: []*pb.TaskAttempt{a}})
	}
	return out, nil
}

func (f *fake) FetchTaskLogs(ctx context.Context, in *pb.FetchTaskLogsRequest) (*pb.FetchTaskLogsResponse, error) {
	f.mu.Lock()
	if f.calls == nil {
		f.calls = map[int32]int{}
	}
	f.calls[in.TaskIndex]++
	all := 0
	for _, n := range f.calls {
		all += n
	}
	f.most, f.mostAll = max(f.most, f.calls[in.TaskIndex]), max(f.mostAll, all)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.calls[in.TaskIndex]--
	}()
	return f.logs(ctx, in)
}

// oneLine is the whole log of a task.
func oneLine(in *pb.FetchTaskLogsRequest) (*pb.FetchTaskLogsResponse, error) {
	if in.StartLine > 0 {
		return &pb.FetchTaskLogsResponse{NextLine: 1, Complete: true}, nil
	}
	return &pb.FetchTaskLogsResponse{NextLine: 1, Complete: true, Lines: []*pb.LogLine{{Text: "hello"}}}, nil
}

// serve serves the controller until the test ends, and connects to it.
func (f *fake) serve(t *testing.T) *client.Job {
	t.Helper()
	n := &network.Memory{}
	listener, err := n.Listen("c")
	if err != nil {
		t.Fatal(err)
	}
	server := network.Server()
	pb.RegisterControllerServiceServer(server, f)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	c, err := client.Connect("c", client.Network(n))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c.Job("j")
}

// A worker that hangs costs the others nothing, and what it had to say is said to be missing.
func TestAWorkerThatHangsDelaysItsOwnLogsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{end: time.Now().Add(10 * time.Second), tasks: 40}
		f.logs = func(ctx context.Context, in *pb.FetchTaskLogsRequest) (*pb.FetchTaskLogsResponse, error) {
			if in.TaskIndex == 0 {
				<-ctx.Done()
				return nil, status.FromContextError(ctx.Err()).Err()
			}
			return oneLine(in)
		}
		began := time.Now()
		n, _ := watched(t, f.serve(t), follow.Options{})
		if len(n.lines) != 39 {
			t.Errorf("%d lines of 39", len(n.lines))
		}
		for i, at := range n.at {
			if at.Sub(began) > time.Second {
				t.Errorf("%s came after %v", n.lines[i], at.Sub(began))
			}
		}
		want := []string{"0.0 on w-0: the rest of its log was not read: its worker does not answer"}
		if diff := cmp.Diff(want, n.gaps); diff != "" {
			t.Error(diff)
		}
		if took := time.Since(began); took > 16*time.Second {
			t.Errorf("it took %v until it was given up", took)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.most != 1 || f.mostAll > 16 {
			t.Errorf("%d requests for one log at once, %d in all", f.most, f.mostAll)
		}
	})
}

func TestWhatIsMissingIsSaid(t *testing.T) {
	for _, c := range []struct {
		name  string
		logs  func(in *pb.FetchTaskLogsRequest, over bool) (*pb.FetchTaskLogsResponse, error)
		lines []string
		gaps  []string
	}{
		{
			name: "the worker is lost",
			logs: func(*pb.FetchTaskLogsRequest, bool) (*pb.FetchTaskLogsResponse, error) {
				return nil, status.Error(codes.FailedPrecondition, "worker w-0 is lost")
			},
			gaps: []string{"0.0 on w-0: its log is gone: worker w-0 is lost"},
		},
		{
			name: "the worker does not know it yet",
			logs: func(in *pb.FetchTaskLogsRequest, over bool) (*pb.FetchTaskLogsResponse, error) {
				if !over {
					return &pb.FetchTaskLogsResponse{Complete: true}, nil // what is complete before it begins
				}
				return oneLine(in)
			},
			lines: []string{"0.0 hello"},
		},
		{
			name: "lines are dropped",
			logs: func(in *pb.FetchTaskLogsRequest, _ bool) (*pb.FetchTaskLogsResponse, error) {
				if in.StartLine == 0 {
					return &pb.FetchTaskLogsResponse{Dropped: 7, NextLine: 8, Complete: true, Lines: []*pb.LogLine{{Text: "last"}}}, nil
				}
				return &pb.FetchTaskLogsResponse{NextLine: 8, Complete: true}, nil
			},
			lines: []string{"0.0 last"},
			gaps:  []string{"0.0 on w-0: 7 lines of its log were dropped: its worker keeps the last ones only"},
		},
		{
			name: "it goes on for ever",
			logs: func(in *pb.FetchTaskLogsRequest, _ bool) (*pb.FetchTaskLogsResponse, error) {
				return &pb.FetchTaskLogsResponse{NextLine: in.StartLine}, nil
			},
			gaps: []string{"0.0 on w-0: the rest of its log was not read: it was still growing"},
		},
		{
			name: "the worker answers again in time",
			logs: func() func(*pb.FetchTaskLogsRequest, bool) (*pb.FetchTaskLogsResponse, error) {
				failures := 3
				return func(in *pb.FetchTaskLogsRequest, over bool) (*pb.FetchTaskLogsResponse, error) {
					if over && failures > 0 {
						failures--
						return nil, status.Error(codes.Unavailable, "connection refused")
					}
					return oneLine(in)
				}
			}(),
			lines: []string{"0.0 hello"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{end: time.Now().Add(3 * time.Second), tasks: 1}
				f.logs = func(_ context.Context, in *pb.FetchTaskLogsRequest) (*pb.FetchTaskLogsResponse, error) {
					return c.logs(in, f.over())
				}
				n, _ := watched(t, f.serve(t), follow.Options{})
				if diff := cmp.Diff(c.lines, n.lines); diff != "" {
					t.Errorf("lines: %s", diff)
				}
				if diff := cmp.Diff(c.gaps, n.gaps); diff != "" {
					t.Errorf("gaps: %s", diff)
				}
				if len(n.ends) != 1 || !strings.HasPrefix(n.ends[0], "0.0 SUCCEEDED after ") {
					t.Errorf("the end is told as %q", n.ends)
				}
			})
		})
	}
}

func TestAControllerThatIsAwayForAWhileEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		f := &fake{end: began.Add(5 * time.Minute), tasks: 1}
		asked := 0
		f.away = func() bool {
			asked++
			return time.Since(began) > time.Minute && time.Since(began) < 4*time.Minute
		}
		f.logs = func(_ context.Context, in *pb.FetchTaskLogsRequest) (*pb.FetchTaskLogsResponse, error) {
			return oneLine(in)
		}
		n, end := watched(t, f.serve(t), follow.Options{})
		if end.State != pb.JobState_JOB_STATE_SUCCEEDED || strings.Join(n.lines, "") != "0.0 hello" {
			t.Errorf("it ended %v with lines %v", end.State, n.lines)
		}
		if most := 2*60*2 + 3*60 + 100; asked > most {
			t.Errorf("the controller was asked %d times, more than %d", asked, most)
		}
	})
}
