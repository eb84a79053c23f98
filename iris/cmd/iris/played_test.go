package main

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "iris/iris/proto"
)

// played is a controller that always says the same. Its times are so long ago that they are written the same for a while.
type played struct {
	pb.UnimplementedControllerServiceServer
	pb.UnimplementedClusterServiceServer
	violations string // of its invariants
}

func ago(d time.Duration) *timestamppb.Timestamp {
	return timestamppb.New(time.Now().Add(-d - 30*time.Second))
}

func (played) jobs() []*pb.JobStatus {
	const day = 24 * time.Hour
	of := func(state pb.TaskState, n int32) *pb.TaskStateCount {
		return &pb.TaskStateCount{State: state, Count: n}
	}
	return []*pb.JobStatus{
		{
			JobId: "bad-1", Name: "bad", State: pb.JobState_JOB_STATE_FAILED, NumTasks: 1, SubmittedAt: ago(2 * day), StartedAt: ago(2 * day),
			FinishedAt: ago(day), Error: "exit code 3", FailureCount: 2, TaskStates: []*pb.TaskStateCount{of(pb.TaskState_TASK_STATE_FAILED, 1)},
		},
		{
			JobId: "train-llama-mnopqrstuvwx", Name: "train-llama", State: pb.JobState_JOB_STATE_RUNNING, NumTasks: 3, SubmittedAt: ago(5 * time.Hour),
			StartedAt: ago(5 * time.Hour), PreemptionCount: 1, TaskStates: []*pb.TaskStateCount{
				of(pb.TaskState_TASK_STATE_SUCCEEDED, 1), of(pb.TaskState_TASK_STATE_RUNNING, 1), of(pb.TaskState_TASK_STATE_PENDING, 1),
			},
			PendingReason: &pb.PendingReason{Kind: pb.PendingReason_KIND_NO_CAPACITY, Text: "needs 4 CPU, largest free is 1 CPU on w-0; 1 worker"},
		},
		{
			JobId: "evil-1", Name: "\x1b[2J\u202eevil 漢", State: pb.JobState_JOB_STATE_PENDING, NumTasks: 1, SubmittedAt: ago(time.Hour),
			TaskStates:    []*pb.TaskStateCount{of(pb.TaskState_TASK_STATE_PENDING, 1)},
			PendingReason: &pb.PendingReason{Kind: pb.PendingReason_KIND_CONSTRAINTS, Text: "no worker has zone==\x1b]0;title\x07\r\nx; 1 worker"},
		},
	}
}

func (p played) ListJobs(_ context.Context, in *pb.ListJobsRequest) (*pb.ListJobsResponse, error) {
	return &pb.ListJobsResponse{Jobs: slices.DeleteFunc(p.jobs(), func(j *pb.JobStatus) bool {
		return len(in.States) > 0 && !slices.Contains(in.States, j.State) || !strings.HasPrefix(j.Name, in.NamePrefix)
	})}, nil
}

func (p played) GetJobStatus(_ context.Context, in *pb.GetJobStatusRequest) (*pb.GetJobStatusResponse, error) {
	for _, j := range p.jobs() {
		if j.JobId == in.JobId {
			return &pb.GetJobStatusResponse{Job: j}, nil
		}
	}
	return nil, status.Errorf(codes.NotFound, "job %s is unknown", in.JobId)
}

func (p played) ListTasks(_ context.Context, in *pb.ListTasksRequest) (*pb.ListTasksResponse, error) {
	three, killed := int32(3), int32(137)
	attempt := func(n int32, worker string, state pb.TaskState, text string, exit *int32) *pb.TaskAttempt {
		return &pb.TaskAttempt{AttemptId: n, WorkerId: worker, State: state, Error: text, ExitCode: exit, StartedAt: ago(3 * time.Hour), FinishedAt: ago(2 * time.Hour)}
	}
	switch in.JobId {
	case "bad-1":
		return &pb.ListTasksResponse{Tasks: []*pb.TaskStatus{{
			JobId: in.JobId, State: pb.TaskState_TASK_STATE_FAILED, Error: "exit code 3", FailureCount: 2, Attempts: []*pb.TaskAttempt{
				attempt(0, "w-0", pb.TaskState_TASK_STATE_FAILED, "killed by SIGKILL (exit code 137)", &killed),
				attempt(1, "w-1", pb.TaskState_TASK_STATE_FAILED, "exit code 3", &three),
			},
		}}}, nil
	case "evil-1":
		return &pb.ListTasksResponse{Tasks: []*pb.TaskStatus{{JobId: in.JobId, State: pb.TaskState_TASK_STATE_PENDING, PendingReason: p.jobs()[2].PendingReason}}}, nil
	}
	running := attempt(0, "w-0", pb.TaskState_TASK_STATE_RUNNING, "", nil)
	running.FinishedAt = nil
	return &pb.ListTasksResponse{Tasks: []*pb.TaskStatus{
		{JobId: in.JobId, State: pb.TaskState_TASK_STATE_SUCCEEDED, Attempts: []*pb.TaskAttempt{attempt(0, "w-0", pb.TaskState_TASK_STATE_SUCCEEDED, "", new(int32))}},
		{JobId: in.JobId, TaskIndex: 1, State: pb.TaskState_TASK_STATE_RUNNING, Attempts: []*pb.TaskAttempt{running}},
		{
			JobId: in.JobId, TaskIndex: 2, State: pb.TaskState_TASK_STATE_PENDING, PendingReason: p.jobs()[1].PendingReason, PreemptionCount: 1,
			Attempts: []*pb.TaskAttempt{attempt(0, "w-1", pb.TaskState_TASK_STATE_WORKER_FAILED, "lost worker w-1: no heartbeat for 60s", nil)},
		},
	}}, nil
}

func (played) ListWorkers(context.Context, *pb.ListWorkersRequest) (*pb.ListWorkersResponse, error) {
	return &pb.ListWorkersResponse{Workers: []*pb.WorkerStatus{
		{
			WorkerId: "w-0", State: pb.WorkerState_WORKER_STATE_LIVE, Address: "10.0.0.1:7071", LastHeartbeatAt: ago(time.Hour), Silent: true, AttemptUids: []string{"a/0/0"},
			Capacity: &pb.Resources{CpuMillis: 4000, MemoryBytes: 16 << 30}, Committed: &pb.Resources{CpuMillis: 3000, MemoryBytes: 2 << 30},
			Attributes: map[string]string{"worker": "w-0", "zone": "us-1"},
		},
		{WorkerId: "w\x1b[31m\u2066漢", State: pb.WorkerState_WORKER_STATE_LOST, Capacity: &pb.Resources{CpuMillis: 4000}, TimesLost: 2},
	}}, nil
}

func (played) ListControllers(context.Context, *pb.ListControllersRequest) (*pb.ListControllersResponse, error) {
	return &pb.ListControllersResponse{Controllers: []*pb.ControllerStatus{{ControllerId: "c-0", Address: "10.0.0.9:7070"}, {ControllerId: "c-1", Leads: true}}}, nil
}

func (played) GetFleet(context.Context, *pb.GetFleetRequest) (*pb.GetFleetResponse, error) {
	return nil, status.Error(codes.PermissionDenied, "role controller may not")
}

func (p played) CheckInvariants(context.Context, *pb.CheckInvariantsRequest) (*pb.CheckInvariantsResponse, error) {
	return &pb.CheckInvariantsResponse{Violations: p.violations}, nil
}

// serve has the played controller serve until the test ends, and returns its address.
func (p played) serve(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, done := grpc.NewServer(), make(chan struct{})
	pb.RegisterControllerServiceServer(server, p)
	pb.RegisterClusterServiceServer(server, p)
	go func() {
		defer close(done)
		if err := server.Serve(listener); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		server.Stop()
		<-done
	})
	return listener.Addr().String()
}
