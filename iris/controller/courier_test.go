package controller_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"iris/iris/controller"
	pb "iris/iris/proto"
	"iris/iris/state"
)

// order is what one call told a worker to run.
func order(in *pb.RunTaskRequest) []string {
	var uids []string
	for _, task := range in.Tasks {
		uids = append(uids, task.AttemptUid)
	}
	return uids
}

func TestWhatIsDueGoesInOneCall(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		w := b.puppet("w-0")
		b.launch("j", replicas(3))
		orders := w.told()
		if len(orders) != 1 {
			b.Fatalf("%d calls", len(orders))
		}
		in := orders[0]
		if diff := cmp.Diff([]string{"j/0/0", "j/1/0", "j/2/0"}, order(in)); diff != "" {
			b.Error(diff)
		}
		if len(in.Specs) != 1 || in.Specs["j"].GetName() != "j" || in.WorkerId != "w-0" || in.Incarnation != "1" {
			b.Errorf("the call is %v", in)
		}
		want := &pb.TaskRun{AttemptUid: "j/2/0", JobId: "j", TaskId: "j/2", TaskIndex: 2, NumTasks: 3}
		if !proto.Equal(in.Tasks[2], want) {
			b.Errorf("its last task is %v", in.Tasks[2])
		}
		uids := []string{"j/0/0", "j/1/0", "j/2/0"}
		if _, err := b.TerminateJob(b.Context(), &pb.TerminateJobRequest{JobId: "j"}); err != nil {
			b.Fatal(err)
		}
		if diff := cmp.Diff(uids, w.stops()); diff != "" {
			b.Error(diff)
		}
	})
}

// A message must not exceed what the network takes, whatever the specs.
func TestABatchIsSplitBySizeAndByNumber(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		big := func(s *pb.JobSpec) {
			s.Environment = map[string]string{}
			for i := range 16 {
				s.Environment[fmt.Sprintf("V%d", i)] = strings.Repeat("x", 1<<20/16-100)
			}
		}
		var want []string
		for i := range 20 {
			b.launch(fmt.Sprintf("big-%02d", i), big)
			want = append(want, fmt.Sprintf("big-%02d/0/0", i))
		}
		b.launch("many", replicas(2500))
		for i := range 2500 {
			want = append(want, fmt.Sprintf("many/%d/0", i))
		}
		w := b.puppet("w-0") // now there is room, for all at once
		orders, got := w.told(), []string(nil)
		for _, in := range orders {
			if size := proto.Size(in); size > 9<<20 {
				b.Errorf("a call of %d bytes", size)
			}
			if len(in.Tasks) > 1000 {
				b.Errorf("a call of %d tasks", len(in.Tasks))
			}
			got = append(got, order(in)...)
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			b.Error(diff)
		}
		if len(orders) > 8 {
			b.Errorf("%d calls", len(orders))
		}
	})
}

func TestASlowWorkerDelaysNobodyElse(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		slow, quick := b.puppet("w-0"), b.puppet("w-1")
		slow.run = hang
		began := time.Now()
		for i := range 5 {
			b.launch(fmt.Sprintf("slow-%d", i), onWorker("w-0"))
			b.launch(fmt.Sprintf("quick-%d", i), onWorker("w-1"))
			if n := len(quick.told()); n != i+1 {
				b.Errorf("%d of %d jobs have reached the quick one", n, i+1)
			}
		}
		if took := time.Since(began); took != 0 {
			b.Errorf("it took %v", took)
		}
		if n := len(slow.told()); n != 1 {
			b.Errorf("%d calls at once to one worker", n)
		}
	})
}

// Four tries, counted from the beginning of each: the pauses are 0.5, 1 and 2 s, give or take a tenth.
func TestAnOrderIsTriedFourTimes(t *testing.T) {
	inBubble(t, controller.Config{Policy: state.Policy{DispatchRounds: 1}}, func(b *bench) {
		w := b.puppet("w-0")
		var at []time.Duration
		began := time.Now()
		w.run = func(context.Context, *pb.RunTaskRequest) (*pb.RunTaskResponse, error) {
			at = append(at, time.Since(began))
			return nil, status.Error(codes.Unavailable, "not now")
		}
		b.launch("j")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if len(at) != 4 {
			b.Fatalf("tried at %v", at)
		}
		for i, pause := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second} {
			if got := at[i+1] - at[i]; got < pause*9/10 || got > pause*11/10 {
				b.Errorf("pause %d is %v, want about %v", i, got, pause)
			}
		}
		attempts, want := b.task("j", 0).Attempts, "dispatch to w-0 failed 4 times: Unavailable: not now"
		if len(attempts) != 1 || attempts[0].Error != want || attempts[0].State != pb.TaskState_TASK_STATE_WORKER_FAILED {
			b.Errorf("the attempts are %v", attempts)
		}
	})
}

func TestARefusalIsFinalAndIsTheAttemptsAlone(t *testing.T) {
	inBubble(t, controller.Config{Policy: state.Policy{DispatchRounds: 1}}, func(b *bench) {
		w := b.puppet("w-0")
		w.run = func(_ context.Context, in *pb.RunTaskRequest) (*pb.RunTaskResponse, error) {
			return &pb.RunTaskResponse{Refused: []*pb.Refusal{
				{AttemptUid: "j/1/0", Code: int32(codes.Internal), Message: "no"},
			}}, nil
		}
		one := int32(1)
		b.launch("j", replicas(3), func(s *pb.JobSpec) { s.MaxTaskFailures = &one })
		if n := len(w.told()); n != 1 {
			b.Errorf("%d calls", n)
		}
		time.Sleep(time.Minute - 1)
		if n := len(w.told()); n != 1 {
			b.Errorf("%d calls", n)
		}
		var states []pb.TaskState
		for i := range int32(3) {
			states = append(states, b.task("j", i).State)
		}
		want := []pb.TaskState{pb.TaskState_TASK_STATE_ASSIGNED, pb.TaskState_TASK_STATE_FAILED, pb.TaskState_TASK_STATE_ASSIGNED}
		if diff := cmp.Diff(want, states); diff != "" {
			b.Error(diff)
		}
		if got := b.task("j", 1).Attempts[0].Error; got != "dispatch to w-0 failed 1 time: Internal: no" {
			b.Errorf("the error is %q", got)
		}
	})
}

// Whatever an order is doing when its attempt is stopped, it is not tried again.
func TestAStoppedAttemptIsNotSentAgain(t *testing.T) {
	for name, run := range map[string]func(context.Context, *pb.RunTaskRequest) (*pb.RunTaskResponse, error){
		"between two tries": func(context.Context, *pb.RunTaskRequest) (*pb.RunTaskResponse, error) {
			return nil, status.Error(codes.Unavailable, "not now")
		},
		"in the middle of one": hang,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, controller.Config{}, func(b *bench) {
				w := b.puppet("w-0")
				w.run = run
				b.launch("j")
				synctest.Wait()
				if _, err := b.TerminateJob(b.Context(), &pb.TerminateJobRequest{JobId: "j"}); err != nil {
					b.Fatal(err)
				}
				time.Sleep(50 * time.Second)
				if n := len(w.told()); n != 1 {
					b.Errorf("it was sent %d times", n)
				}
				if diff := cmp.Diff([]string{"j/0/0"}, w.stops()); diff != "" {
					b.Errorf("the worker must confirm the stop: %s", diff)
				}
			})
		})
	}
}

func TestOrdersFollowTheirWorkersAddress(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		old, other := b.puppet("w-0"), b.puppet("w-1")
		moved := &puppet{b: b, id: "w-0", incarnation: "1", address: other.address, millis: old.millis}
		if _, err := moved.register(); err != nil {
			b.Fatal(err)
		}
		b.launch("j")
		if here, there := old.told(), other.told(); len(here) != 0 || len(there) != 1 || there[0].WorkerId != "w-0" {
			b.Errorf("the old address was told %v, the new one %v", here, there)
		}
	})
}

// What was not delivered to a lost worker is not delivered to its next life (FM-7).
func TestOrdersDieWithTheirIncarnation(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		w := b.puppet("w-0")
		w.run = hang
		b.launch("j")
		synctest.Wait()
		w.incarnation, w.run = "2", nil
		if _, err := w.register(); err != nil {
			b.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		orders := w.told()
		if len(orders) != 2 || orders[1].Incarnation != "2" || order(orders[1])[0] != "j/0/1" {
			b.Errorf("it was told %v", orders)
		}
	})
}
