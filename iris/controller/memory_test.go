package controller

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"iris/iris/network"
	pb "iris/iris/proto"
	"iris/iris/state"
)

// A controller that runs short jobs for ever needs no more memory than what it keeps of the past.
func TestMemoryIsBoundedByWhatIsKept(t *testing.T) {
	const (
		jobs  = 200_000
		burst = 2_000 // at once, every 10 s: the least time for which jobs are kept holds 6 to 8 of them
		warm  = 20    // bursts, after which nothing may grow
	)
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		c, err := Start(Config{Network: n, Address: "c", Retention: state.Retention{Jobs: 1000}, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := c.Stop(); err != nil {
				t.Error(err)
			}
		}()
		w := &quick{registry: &registryService{seat: c.seat, log: c.config.Log}}
		w.serve(t, n)
		service, used := &jobService{seat: c.seat}, uint64(0)
		for round := range jobs / burst {
			var all sync.WaitGroup
			for i := range burst {
				id := fmt.Sprintf("j-%d-%d", round, i)
				all.Go(func() {
					if _, err := service.LaunchJob(t.Context(), &pb.LaunchJobRequest{JobId: id, Spec: &pb.JobSpec{
						Name: id, Resources: &pb.Resources{CpuMillis: 1, MemoryBytes: 1},
						Entrypoint: &pb.Entrypoint{Kind: &pb.Entrypoint_Function{Function: &pb.Function{Name: "f"}}},
					}}); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			time.Sleep(10 * time.Second)
			if round == warm {
				used = heap()
			}
		}
		counts, err := ask(t.Context(), c.seat, nil, func(l *loop, _ []error) state.Counts { return l.leader.Cluster().Counts() })
		if err != nil || counts.Jobs[state.Succeeded] != counts.Tasks[state.Succeeded] || counts.Jobs[state.Succeeded] > 8*burst {
			t.Fatalf("of all jobs %v are left, %v", counts, err)
		}
		if now := heap(); now > used+used/4 {
			t.Errorf("%d jobs need %d KiB, %d need %d KiB", (warm+1)*burst, used>>10, jobs, now>>10)
		} else {
			t.Logf("%d jobs need %d KiB, %d need %d KiB", (warm+1)*burst, used>>10, jobs, now>>10)
		}
	})
}

// heap is what is in use, in bytes.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what finalizers kept
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// quick is a worker each of whose attempts has succeeded as soon as it came.
type quick struct {
	pb.UnimplementedWorkerServiceServer
	registry *registryService
	running  sync.WaitGroup
}

func (w *quick) serve(t *testing.T, n network.Network) {
	listener, err := n.Listen("w-0")
	if err != nil {
		t.Fatal(err)
	}
	server := network.Server()
	pb.RegisterWorkerServiceServer(server, w)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(func() {
		stop()
		w.running.Wait()
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	if _, err := w.registry.Register(ctx, &pb.RegisterRequest{
		WorkerId: "w-0", Incarnation: "1", Address: "w-0", Capacity: &pb.Resources{CpuMillis: 1 << 30, MemoryBytes: 1 << 30},
	}); err != nil {
		t.Fatal(err)
	}
	w.running.Go(func() {
		for ctx.Err() == nil {
			if _, err := w.registry.Heartbeat(ctx, &pb.HeartbeatRequest{WorkerId: "w-0", Incarnation: "1"}); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			select {
			case <-time.After(10 * time.Second):
			case <-ctx.Done():
			}
		}
	})
}

func (w *quick) RunTask(ctx context.Context, in *pb.RunTaskRequest) (*pb.RunTaskResponse, error) {
	out := &pb.ReportTaskStateRequest{WorkerId: "w-0", Incarnation: "1"}
	for _, task := range in.Tasks {
		out.Attempts = append(out.Attempts, &pb.AttemptReport{AttemptUid: task.AttemptUid, State: pb.TaskState_TASK_STATE_SUCCEEDED})
	}
	_, err := w.registry.ReportTaskState(ctx, out)
	return &pb.RunTaskResponse{}, err
}
