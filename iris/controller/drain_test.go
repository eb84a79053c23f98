package controller_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"iris/iris/controller"
	"iris/iris/journal"
	"iris/iris/network"
	pb "iris/iris/proto"
	"iris/iris/state"
)

// drains has a worker say that it drains, or that it does not.
func (p *puppet) drains(yes bool, reports ...*pb.AttemptReport) {
	p.b.Helper()
	in := &pb.HeartbeatRequest{WorkerId: p.id, Incarnation: p.incarnation, Attempts: reports, Draining: yes}
	if _, err := p.b.Heartbeat(p.b.Context(), in); err != nil {
		p.b.Fatal(err)
	}
}

func (b *bench) wantReason(job string, task int32, kind pb.PendingReason_Kind, text string) {
	b.Helper()
	if r := b.task(job, task).PendingReason; r.GetKind() != kind || r.GetText() != text {
		b.Errorf("%s/%d waits because %v, want %v %q", job, task, r, kind, text)
	}
}

func TestAWorkerThatDrainsKeepsWhatItRunsAndGetsNothingNew(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		w := b.puppetOf("w-0", 2)
		b.launch("before")
		synctest.Wait()
		if _, err := w.report(running("before/0/0")); err != nil {
			b.Fatal(err)
		}
		w.drains(true, running("before/0/0"))
		b.launch("j")
		synctest.Wait()
		b.wantReason("j", 0, pb.PendingReason_KIND_NO_WORKERS, "w-0 is draining")
		out, err := b.ListWorkers(b.Context(), &pb.ListWorkersRequest{})
		if err != nil || !out.Workers[0].Draining || out.Workers[0].State != pb.WorkerState_WORKER_STATE_LIVE {
			b.Errorf("the worker is shown as %v, %v", out, err)
		}
		if _, err := w.report(succeeded("before/0/0")); err != nil {
			b.Fatal(err)
		}
		if s := b.job("before").State; s != pb.JobState_JOB_STATE_SUCCEEDED {
			b.Errorf("what ran there is %v", s)
		}
		synctest.Wait()
		b.wantReason("j", 0, pb.PendingReason_KIND_NO_WORKERS, "w-0 is draining")
		w.drains(false) // it has thought better of it
		synctest.Wait()
		if n := len(b.task("j", 0).Attempts); n != 1 {
			b.Errorf("when it drains no more there are %d attempts", n)
		}
	})
}

// A restarted worker does not drain any more, even if its last word was that it does.
func TestARegistrationSaysWhetherAWorkerDrains(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		w := b.puppet("w-0")
		w.drains(true)
		b.launch("j")
		synctest.Wait()
		b.wantReason("j", 0, pb.PendingReason_KIND_NO_WORKERS, "w-0 is draining")
		w.incarnation = "2"
		if _, err := w.register(); err != nil {
			b.Fatal(err)
		}
		synctest.Wait()
		if n := len(b.task("j", 0).Attempts); n != 1 {
			b.Errorf("after its restart there are %d attempts", n)
		}
		in := &pb.RegisterRequest{WorkerId: "w-1", Incarnation: "1", Address: "nowhere", Draining: true,
			Capacity: &pb.Resources{CpuMillis: 1 << 40, MemoryBytes: 1 << 40}}
		if _, err := b.Register(b.Context(), in); err != nil {
			b.Fatal(err)
		}
		b.launch("k", onWorker("w-1"))
		synctest.Wait()
		b.wantReason("k", 0, pb.PendingReason_KIND_NO_WORKERS, "w-1 is draining")
	})
}

// The reason is true: workers that drain are named only where they are what stands in the way.
func TestWorkersThatDrainAreNamedWhereTheyStandInTheWay(t *testing.T) {
	const noCapacity, tooLarge, noWorkers = pb.PendingReason_KIND_NO_CAPACITY, pb.PendingReason_KIND_TOO_LARGE, pb.PendingReason_KIND_NO_WORKERS
	for name, c := range map[string]struct {
		draining, silent, staying int // workers of 1 CPU
		full                      bool
		kind                      pb.PendingReason_Kind
		text                      string
	}{
		"one, which has room":    {draining: 1, kind: noWorkers, text: "w-0 is draining"},
		"one, which has none":    {draining: 1, full: true, kind: noWorkers, text: "w-0 is draining"},
		"three":                  {draining: 3, kind: noWorkers, text: "w-0, w-1, w-2 are draining"},
		"five":                   {draining: 5, kind: noWorkers, text: "w-0, w-1, w-2 and 2 more are draining"},
		"one, others are full":   {draining: 1, staying: 1, full: true, kind: noCapacity, text: "needs 1 CPU, largest free is 0 CPU on w-1; 1 worker"},
		"one, another is silent": {draining: 1, silent: 1, kind: noWorkers, text: "the workers that have room for it miss their heartbeats and get nothing new"},
		"one, all are too small": {draining: 1, kind: tooLarge, text: "needs 2 CPU, the largest worker w-0 has 1 CPU; 1 worker"},
		"no one, one is silent":  {silent: 1, kind: noWorkers, text: "the workers that have room for it miss their heartbeats and get nothing new"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, controller.Config{}, func(b *bench) {
				var all []*puppet
				for i := range c.draining + c.silent + c.staying {
					all = append(all, b.puppetOf(fmt.Sprintf("w-%d", i), 1000))
				}
				if c.full {
					b.launch("filling", cores(1), replicas(int32(len(all))))
					synctest.Wait()
				}
				time.Sleep(31 * time.Second)
				for i, w := range all {
					if i < c.draining {
						w.drains(true)
					} else if i >= c.draining+c.silent {
						w.beat()
					}
				}
				need := int64(1)
				if c.kind == tooLarge {
					need = 2
				}
				b.launch("j", cores(need))
				synctest.Wait()
				b.wantReason("j", 0, c.kind, c.text)
			})
		})
	}
}

// drainer is a worker that drains.
type drainer struct {
	pb.UnimplementedWorkerServiceServer
}

func (drainer) StopTask(context.Context, *pb.StopTaskRequest) (*pb.StopTaskResponse, error) {
	return &pb.StopTaskResponse{Draining: true}, nil
}

// A leader that has just taken over learns from its greeting who drains.
func TestANewLeaderLearnsWhoDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		listener, err := n.Listen("w-0")
		if err != nil {
			t.Fatal(err)
		}
		server := network.Server()
		pb.RegisterWorkerServiceServer(server, drainer{})
		served := make(chan error, 1)
		go func() { served <- server.Serve(listener) }()
		old := journal.Entry{At: time.Now(), Commands: []state.Command{
			state.RegisterWorker{ID: "w-0", Incarnation: "1", Address: "w-0", Capacity: state.Resources{CPUMillis: 1, MemoryBytes: 1}},
			state.SubmitJob{ID: "j", Spec: spec("j")},
		}}
		c, err := controller.Start(controller.Config{Network: n, Address: "c", Journal: newSlowJournal(old), Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		conn, err := network.Client(n, "c")
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		out, err := pb.NewControllerServiceClient(conn).GetTaskStatus(t.Context(), &pb.GetTaskStatusRequest{JobId: "j"})
		if err != nil || out.Task.PendingReason.GetText() != "w-0 is draining" {
			t.Errorf("the task is %v, %v", out, err)
		}
		if err := errors.Join(conn.Close(), c.Stop()); err != nil {
			t.Error(err)
		}
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// A controller that is told to stop answers what it was asked before, and nothing after.
func TestADrainingControllerAnswersWhatIsUnderWay(t *testing.T) {
	slow := newSlowJournal()
	inBubble(t, controller.Config{Journal: slow}, func(b *bench) {
		slow.pause = 3 * time.Second
		wait := b.launchMeanwhile("j")
		synctest.Wait()
		began, done := time.Now(), make(chan error, 1)
		go func() { done <- b.controller.Drain(b.Context()) }()
		synctest.Wait()
		health, err := grpc_health_v1.NewHealthClient(b.conn).Check(b.Context(), &grpc_health_v1.HealthCheckRequest{})
		if err != nil || health.Status != grpc_health_v1.HealthCheckResponse_NOT_SERVING {
			b.Errorf("its health is %v, %v", health, err)
		}
		_, err = b.LaunchJob(b.Context(), &pb.LaunchJobRequest{JobId: "k", Spec: spec("k")})
		wantCode(b.T, err, codes.Unavailable, "the controller is stopping; try again")
		wait()
		if err := <-done; err != nil || time.Since(began) != 3*time.Second {
			b.Errorf("it drained for %v: %v", time.Since(began), err)
		}
	}, stopped)
}

// Whoever follows a log holds up no drain: it is followed elsewhere.
func TestADrainDoesNotWaitForLogs(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		w, followed := b.puppet("w-0"), make(chan error, 1)
		w.logs = func(*pb.WorkerLogsRequest) (*pb.FetchTaskLogsResponse, error) {
			time.Sleep(5 * time.Second)
			return &pb.FetchTaskLogsResponse{}, nil
		}
		b.launch("j")
		go func() {
			_, err := b.FetchTaskLogs(b.Context(), &pb.FetchTaskLogsRequest{JobId: "j"})
			followed <- err
		}()
		synctest.Wait()
		began := time.Now()
		if err := b.controller.Drain(b.Context()); err != nil || time.Since(began) != time.Second { // in which answers leave
			b.Errorf("it drained for %v: %v", time.Since(began), err)
		}
		if err := <-followed; status.Code(err) != codes.Unavailable {
			b.Errorf("whoever followed it gets %v", err)
		}
	}, stopped)
}

func TestADrainThatIsCutShortSaysSo(t *testing.T) {
	for name, c := range map[string]struct {
		limit time.Duration
		after time.Duration
	}{"by its context": {2 * time.Second, 2 * time.Second}, "by itself": {time.Hour, 11 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			slow := newSlowJournal()
			inBubble(t, controller.Config{Journal: slow}, func(b *bench) {
				slow.pause = time.Minute
				launched := make(chan error, 1)
				go func() {
					_, err := b.LaunchJob(b.Context(), &pb.LaunchJobRequest{JobId: "j", Spec: spec("j")})
					launched <- err
				}()
				synctest.Wait()
				ctx, cancel := context.WithTimeout(b.Context(), c.limit)
				defer cancel()
				began, done := time.Now(), make(chan error, 1)
				go func() { done <- b.controller.Drain(ctx) }()
				if err := <-launched; status.Code(err) != codes.Unavailable || time.Since(began) != c.after {
					b.Errorf("after %v the launch gets %v", time.Since(began), err)
				}
				if err := <-done; err == nil || err.Error() != "calls are cut off that were under way (1): context deadline exceeded" {
					b.Errorf("it says %v", err)
				}
			}, stopped)
		})
	}
}
