package dashboard

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"iris/iris/faults"
	pb "iris/iris/proto"
)

func TestTroublesAreToldTheWorstFirstAndManyAsOne(t *testing.T) {
	now := time.Date(2000, 1, 1, 12, 0, 0, 0, time.UTC)
	job := func(id string, state pb.JobState, ended time.Time, why string) *pb.JobStatus {
		return &pb.JobStatus{JobId: id, State: state, Error: why, FinishedAt: timestamppb.New(ended)}
	}
	f := &facts{
		now:         now,
		controllers: []*pb.ControllerStatus{{ControllerId: "c-0", Leads: true}, {ControllerId: "c-1", Joining: true}},
		failed: []*pb.JobStatus{
			job("fresh", pb.JobState_JOB_STATE_FAILED, now.Add(-time.Minute), "exit code 3"),
			job("stale", pb.JobState_JOB_STATE_FAILED, now.Add(-time.Hour), "exit code 4"),
		},
		waiting: []*pb.JobStatus{
			{JobId: "large", PendingReason: &pb.PendingReason{Kind: pb.PendingReason_KIND_TOO_LARGE, Text: "too large"}},
			{JobId: "next", PendingReason: &pb.PendingReason{Kind: pb.PendingReason_KIND_NEXT_PASS, Text: "in a moment"}},
		},
		workers: []*pb.WorkerStatus{
			{WorkerId: "good", State: pb.WorkerState_WORKER_STATE_LIVE},
			{WorkerId: "ends", State: pb.WorkerState_WORKER_STATE_LIVE, Draining: true, AttemptUids: []string{"a/0/0"}},
		},
		fleet: optional[*pb.GetFleetResponse]{Value: &pb.GetFleetResponse{
			Groups: []*pb.ScaleGroupStatus{
				{Name: "fine", Availability: pb.ScaleGroupStatus_AVAILABILITY_AVAILABLE},
				{Name: "hurt", Availability: pb.ScaleGroupStatus_AVAILABILITY_BACKOFF, Failure: "boot failed"},
				{Name: "poor", Availability: pb.ScaleGroupStatus_AVAILABILITY_QUOTA_EXCEEDED},
			},
			Slices: []*pb.SliceStatus{
				{SliceId: "tpu-0", State: pb.VmState_VM_STATE_READY}, {SliceId: "tpu-1", State: pb.VmState_VM_STATE_PREEMPTED, Cause: "taken"},
			},
		}},
		rules: optional[[]faults.Report]{Value: []faults.Report{{Rules: []faults.Rule{{Armed: true}, {}}}}},
	}
	for i := range 7 {
		f.workers = append(f.workers, &pb.WorkerStatus{
			WorkerId: fmt.Sprintf("w-%d", i), State: pb.WorkerState_WORKER_STATE_LOST, LostCause: "no heartbeat",
		})
	}
	var got []string
	for _, trouble := range f.troubles() {
		got = append(got, trouble.State+" "+trouble.What+": "+trouble.Why)
	}
	want := []string{
		"LOST worker w-0: no heartbeat", "LOST worker w-1: no heartbeat", "LOST worker w-2: no heartbeat",
		"LOST worker w-3: no heartbeat", "LOST worker w-4: no heartbeat", "LOST 2 more workers: ",
		"BACKOFF group hurt: boot failed", "PREEMPTED slice tpu-1: taken", "FAILED job fresh: exit code 3",
		"PENDING controller c-1: it is joining and has no vote yet", "DRAINING worker ends: it is about to end, and holds 1 attempt",
		"QUOTA_EXCEEDED group poor: no zone has quota, or machines", "PENDING job large: too large",
		"PENDING chaos: 1 rule armed in the controller that leads",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the troubles are\n%q\nwant\n%q", got, want)
	}
}
