package controller_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"iris/iris/controller"
	pb "iris/iris/proto"
)

func cores(n int64) func(*pb.JobSpec) {
	return func(s *pb.JobSpec) { s.Resources.CpuMillis = 1000 * n }
}

// A task that must not go where there is room does not keep it from one that may.
func TestATaskThatAvoidsAWorkerLeavesItsRoomToTheNext(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		first, second := b.puppetOf("w-0", 1000), b.puppetOf("w-1", 1000)
		first.run = func(_ context.Context, in *pb.RunTaskRequest) (*pb.RunTaskResponse, error) {
			if order(in)[0] != "j/0/0" {
				return &pb.RunTaskResponse{}, nil
			}
			return &pb.RunTaskResponse{Refused: []*pb.Refusal{{AttemptUid: "j/0/0", Code: int32(codes.Internal)}}}, nil
		}
		b.launch("other", cores(1), onWorker("w-1"))
		b.launch("j", cores(1), replicas(2))
		synctest.Wait()
		if _, err := first.report(&pb.AttemptReport{AttemptUid: "j/0/0", State: pb.TaskState_TASK_STATE_KILLED}); err != nil {
			b.Fatal(err)
		}
		if a := b.task("j", 1).Attempts; len(a) != 1 || a[0].WorkerId != "w-0" {
			b.Errorf("the next task has attempts %v", a)
		}
		reason := b.task("j", 0).PendingReason.GetText()
		if want := "needs 1 CPU, largest free is 0 CPU on w-0; 2 workers"; reason != want {
			b.Errorf("the task that avoids it waits because it %s, want %s", reason, want)
		}
		if _, err := second.report(succeeded("other/0/0")); err != nil {
			b.Fatal(err)
		}
		if a := b.task("j", 0).Attempts; len(a) != 2 || a[1].WorkerId != "w-1" {
			b.Errorf("the task that avoids it has attempts %v", a)
		}
	})
}

// The room that one job leaves is another's, also behind a long queue that does not fit.
func TestATaskThatDoesNotFitBlocksNoneThatDoes(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		b.launch("huge", cores(100))
		b.launch("large", cores(3), replicas(1000))
		b.launch("gang", cores(2), replicas(2), func(s *pb.JobSpec) { s.Coscheduling = &pb.Coscheduling{GroupBy: "worker"} })
		b.launch("small", cores(1), replicas(1000))
		b.puppetOf("w-0", 2000)
		b.puppetOf("w-1", 5000)
		count := func(job string) int32 {
			for _, n := range b.job(job).TaskStates {
				if n.State == pb.TaskState_TASK_STATE_ASSIGNED {
					return n.Count
				}
			}
			return 0
		}
		time.Sleep(time.Second)
		if large, gang, small := count("large"), count("gang"), count("small"); large != 1 || gang != 0 || small != 4 {
			b.Errorf("%d large ones, %d of the gang and %d small ones were placed, want 1, 0 and 4", large, gang, small)
		}
	})
}
