package worker_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"iris/chaos"
	"iris/iris/network"
	pb "iris/iris/proto"
	"iris/iris/runtime"
	"iris/iris/worker"
)

// counter is a function that counts how often it ran.
func (b *bench) counter() *atomic.Int64 {
	n := &atomic.Int64{}
	b.functions.Register("count", func(context.Context, runtime.FuncTask) error {
		n.Add(1)
		return nil
	})
	return n
}

func TestAnAttemptRunsOnceHoweverOftenItIsOrdered(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		n := b.counter()
		b.boss.order(func(boss *boss) { boss.deaf = true })
		b.run(function("count"), "a", "a")
		b.run(function("count"), "a")
		b.wantEnd("a", succeeded, "")
		b.run(function("count"), "a")
		b.boss.order(func(boss *boss) { boss.deaf = false })
		time.Sleep(11 * time.Second) // a heartbeat brings the acknowledgement
		for range 29 {               // all tries of one order take less
			out := b.run(function("count"), "a")
			if len(out.Refused) != 1 || out.Refused[0].Message != "attempt a is over here, and its end was acknowledged" {
				b.Fatalf("whoever orders it now waits for ever: %v", out.Refused)
			}
			time.Sleep(time.Second)
		}
		if got := n.Load(); got != 1 {
			b.Errorf("it ran %d times", got)
		}
		b.boss.order(func(boss *boss) {
			if last := boss.beats[len(boss.beats)-1]; len(last.Attempts) != 0 {
				b.Errorf("after the acknowledgement a heartbeat tells %v", last)
			}
		})
	})
}

// A worker need not remember for ever.
func TestAnAcknowledgedAttemptIsForgottenInTheEnd(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		n := b.counter()
		b.run(function("count"), "a")
		time.Sleep(2 * time.Minute)
		b.run(function("count"), "a")
		synctest.Wait()
		if got := n.Load(); got != 2 {
			b.Errorf("it ran %d times", got)
		}
	})
}

// A stop that overtakes its order is confirmed at once, and the order is not followed when it comes (FM-8).
func TestAStopBeforeTheOrderIsConfirmedAndKept(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		n := b.counter()
		b.boss.order(func(boss *boss) { boss.deaf = true })
		b.stop("a")
		b.wantEnd("a", killed, "stopped before it began")
		b.run(function("count"), "a")
		b.boss.order(func(boss *boss) { boss.deaf = false })
		time.Sleep(11 * time.Second)
		b.run(function("count"), "a")
		synctest.Wait()
		if got := n.Load(); got != 0 {
			b.Errorf("it ran %d times", got)
		}
		if told := b.boss.told("a"); len(told) != 1 {
			b.Errorf("the controller was told %v", told)
		}
	})
}

func TestARunningAttemptIsStopped(t *testing.T) {
	for name, how := range map[string]func(*bench){
		"by StopTask":    func(b *bench) { b.stop("a") },
		"by a heartbeat": func(b *bench) { b.boss.order(func(boss *boss) { boss.stop = []string{"a"} }) },
		"by a report": func(b *bench) {
			b.boss.order(func(boss *boss) { boss.stop = []string{"a"} })
			b.run(function("sleep", "0s"), "b")
		},
		"by registration": func(b *bench) { b.boss.order(func(boss *boss) { boss.stop, boss.again = []string{"a"}, true }) },
		"by refusal of it": func(b *bench) {
			b.boss.order(func(boss *boss) {
				boss.again, boss.refusal = true, status.Error(codes.FailedPrecondition, "started again")
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(b *bench) {
				b.boss.order(func(boss *boss) { boss.deaf = true })
				b.run(function("sleep", "1h"), "a")
				synctest.Wait()
				how(b)
				began := time.Now()
				b.wantEnd("a", killed, "stopped on request")
				if took := time.Since(began); took > 10*time.Second+10*time.Millisecond {
					b.Errorf("it took %v", took)
				}
			})
		})
	}
}

func TestACallForSomebodyElseIsRefused(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		n := b.counter()
		for _, to := range [][2]string{{"w-1", b.incarnation()}, {"w-0", "another"}, {"", ""}} {
			says := fmt.Sprintf("this is worker w-0, incarnation %s; the call is for %s, %s", b.incarnation(), to[0], to[1])
			_, run := b.client.RunTask(b.Context(), &pb.RunTaskRequest{
				WorkerId: to[0], Incarnation: to[1], Tasks: []*pb.TaskRun{{AttemptUid: "a", JobId: "j"}},
				Specs: map[string]*pb.JobSpec{"j": {Entrypoint: function("count")}},
			})
			_, stop := b.client.StopTask(b.Context(), &pb.StopTaskRequest{WorkerId: to[0], Incarnation: to[1], AttemptUids: []string{"a"}})
			_, logs := b.client.FetchTaskLogs(b.Context(), &pb.WorkerLogsRequest{WorkerId: to[0], Incarnation: to[1], AttemptUid: "a"})
			for what, err := range map[string]error{"RunTask": run, "StopTask": stop, "FetchTaskLogs": logs} {
				if status.Code(err) != codes.FailedPrecondition || status.Convert(err).Message() != says {
					b.Errorf("%s for %v: %v", what, to, err)
				}
			}
		}
		synctest.Wait()
		if n.Load() != 0 || len(b.boss.told("a")) != 0 {
			b.Errorf("it ran %d times and told %v", n.Load(), b.boss.told("a"))
		}
	})
}

// The network may hold an order up until the worker was lost and is back: what it was about runs elsewhere by then.
func TestAnOrderFromBeforeTheWorkerWasLostIsRefused(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		n := b.counter()
		order := func(uid string, timesLost *int32) error {
			_, err := b.client.RunTask(b.Context(), &pb.RunTaskRequest{
				WorkerId: "w-0", Incarnation: b.incarnation(), TimesLost: timesLost, Tasks: []*pb.TaskRun{{AttemptUid: uid, JobId: "j"}},
				Specs: map[string]*pb.JobSpec{"j": {Entrypoint: function("count")}},
			})
			synctest.Wait()
			return err
		}
		b.boss.order(func(boss *boss) { boss.again, boss.timesLost = true, 2 })
		time.Sleep(time.Minute)
		if err := order("a", proto.Int32(1)); status.Code(err) != codes.FailedPrecondition || n.Load() != 0 {
			b.Errorf("an order from before ran %d times: %v", n.Load(), err)
		}
		// One of now, one that comes before the answer to the next registration, and one of a controller that does not say.
		for i, timesLost := range []*int32{proto.Int32(2), proto.Int32(3), nil} {
			if err := order(fmt.Sprint(i), timesLost); err != nil || n.Load() != int64(i+1) {
				b.Errorf("order %d: %v; %d ran", i, err, n.Load())
			}
		}
	})
}

func TestAnOrderWithoutItsSpecIsRefusedAlone(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		out, err := b.client.RunTask(b.Context(), &pb.RunTaskRequest{
			WorkerId: "w-0", Incarnation: b.incarnation(), Specs: map[string]*pb.JobSpec{"j": {Entrypoint: function("sleep", "0s")}},
			Tasks: []*pb.TaskRun{{AttemptUid: "a", JobId: "k"}, {AttemptUid: "b", JobId: "j"}},
		})
		if err != nil {
			b.Fatal(err)
		}
		want := []*pb.Refusal{{AttemptUid: "a", Code: int32(codes.InvalidArgument), Message: "the call has no spec of job k"}}
		if diff := cmp.Diff(want, out.Refused, protocmp.Transform()); diff != "" {
			b.Error(diff)
		}
		b.wantEnd("b", succeeded, "")
	})
}

func TestAnAttemptKnowsWhatItIs(t *testing.T) {
	inBubble(t, func(c *worker.Config) { c.ID = "w-0" }, func(b *bench) {
		env := make(chan map[string]string, 1)
		b.functions.Register("env", func(_ context.Context, task runtime.FuncTask) error {
			env <- task.Env
			return nil
		})
		_, err := b.client.RunTask(b.Context(), &pb.RunTaskRequest{
			WorkerId: "w-0", Incarnation: b.incarnation(),
			Tasks: []*pb.TaskRun{{AttemptUid: "j/3/2", JobId: "j", TaskId: "j/3", TaskIndex: 3, NumTasks: 5, AttemptId: 2}},
			Specs: map[string]*pb.JobSpec{"j": {
				Entrypoint: function("env"), Environment: map[string]string{"MINE": "1"}, Ports: []string{"http", "rpc_2"},
			}},
		})
		if err != nil {
			b.Fatal(err)
		}
		got := <-env
		ports := map[string]bool{}
		for _, name := range []string{"IRIS_PORT_HTTP", "IRIS_PORT_RPC_2"} {
			port, err := strconv.Atoi(got[name])
			if err != nil || port < 1 || port > 65535 {
				b.Errorf("%s is %q", name, got[name])
			}
			ports[got[name]] = true
			delete(got, name)
		}
		if len(ports) != 2 {
			b.Errorf("the ports are %v", ports)
		}
		want := map[string]string{
			"MINE": "1", "IRIS_JOB_ID": "j", "IRIS_TASK_ID": "j/3", "IRIS_TASK_INDEX": "3", "IRIS_NUM_TASKS": "5",
			"IRIS_ATTEMPT_ID": "2", "IRIS_WORKER_ID": "w-0", "IRIS_CONTROLLER_ADDRESS": "memory-1",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			b.Error(diff)
		}
	})
}

// What finishes while the controller is away is told when it is back, by whatever call comes first, until it is
// acknowledged (FM-11).
func TestAResultIsKeptUntilItIsAcknowledged(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.run(function("sleep", "30s"), "a")
		synctest.Wait()
		address := b.boss.registers[0]
		b.boss.server.Stop()
		time.Sleep(10 * time.Minute)
		b.boss.order(func(boss *boss) {
			if told := len(boss.reports); told != 1 {
				b.Errorf("%d reports reached a controller that was away", told)
			}
			boss.deaf, boss.again = true, true // it has forgotten the worker
		})
		b.open("memory-1")
		b.wantEnd("a", succeeded, "")
		time.Sleep(time.Minute)
		b.boss.order(func(boss *boss) {
			last := boss.registers[len(boss.registers)-1]
			if len(boss.registers) != 2 || last.Incarnation != address.Incarnation ||
				len(last.Attempts) != 1 || last.Attempts[0].State != succeeded {
				b.Errorf("it registered again with %v", last)
			}
			if beat := boss.beats[len(boss.beats)-1]; len(beat.Attempts) != 1 || beat.Attempts[0].GetExitCode() != 0 {
				b.Errorf("not acknowledged, it is in the heartbeat: %v", beat)
			}
			boss.deaf = false
		})
		time.Sleep(20 * time.Second)
		b.boss.order(func(boss *boss) {
			if beat := boss.beats[len(boss.beats)-1]; len(beat.Attempts) != 0 {
				b.Errorf("acknowledged, it is still in the heartbeat: %v", beat)
			}
		})
	})
}

func TestALostReportIsRepairedWithinASecond(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.boss.order(func(boss *boss) { boss.lossy = true })
		began := time.Now()
		b.run(function("sleep", "2s"), "a")
		b.wantEnd("a", succeeded, "")
		if took := time.Since(began); took > 3*time.Second+10*time.Millisecond {
			b.Errorf("it was told after %v", took)
		}
	})
}

func TestHeartbeatsKeepTheirPaceAndTellEverything(t *testing.T) {
	inBubble(t, func(c *worker.Config) { c.HeartbeatInterval = 7 * time.Second }, func(b *bench) {
		b.boss.order(func(boss *boss) { boss.deaf = true })
		began := time.Now()
		b.run(function("sleep", "1h"), "a", "b")
		b.run(function("sleep", "1s"), "c")
		time.Sleep(30 * time.Second)
		b.boss.order(func(boss *boss) {
			for i, at := range boss.beatsAt {
				if want := time.Duration(i+1) * 7 * time.Second; at.Sub(began) != want {
					b.Errorf("heartbeat %d came after %v, want %v", i, at.Sub(began), want)
				}
				got := map[string]pb.TaskState{}
				for _, r := range boss.beats[i].Attempts {
					got[r.AttemptUid] = r.State
				}
				want := map[string]pb.TaskState{"a": isRunning, "b": isRunning, "c": succeeded}
				if diff := cmp.Diff(want, got); diff != "" {
					b.Error(diff)
				}
			}
			if len(boss.beats) != 4 {
				b.Errorf("%d heartbeats in 30s", len(boss.beats))
			}
		})
	})
}

func TestATimeoutIsExact(t *testing.T) {
	inBubble(t, func(c *worker.Config) { c.PollInterval = time.Hour }, func(b *bench) {
		b.runSpec(&pb.JobSpec{Name: "job", Entrypoint: function("sleep", "1h"), Timeout: durationpb.New(7 * time.Second)}, "a", "b")
		time.Sleep(7*time.Second - 1)
		synctest.Wait()
		if told := b.boss.told("a"); len(told) != 1 || told[0].State != isRunning {
			b.Errorf("before its timeout it is %v", told)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		for _, uid := range []string{"a", "b"} {
			if told := b.boss.told(uid); len(told) != 2 || told[1].State != failed || told[1].Error != "timed out after 7s" {
				b.Errorf("at its timeout it is %v", told)
			}
		}
	})
}

// An exclusive attempt ends before the controller may start another elsewhere; others go on (design §4).
func TestOnlyAnExclusiveAttemptEndsWithItsLease(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		time.Sleep(10 * time.Second)
		synctest.Wait() // a heartbeat was answered: the lease runs from here
		b.runSpec(&pb.JobSpec{Name: "job", Entrypoint: function("sleep", "55s"), Exclusive: true}, "a")
		b.runSpec(&pb.JobSpec{Name: "job", Entrypoint: function("sleep", "10m")}, "b")
		synctest.Wait()
		b.boss.server.Stop()
		time.Sleep(5 * time.Minute)
		b.open("memory-1")
		b.wantEnd("a", killed, "its lease ran out: the controller has not answered")
		if told := b.boss.told("b"); told[len(told)-1].State != isRunning {
			b.Errorf("the other one is %v", told)
		}
	})
}

// The controller takes a worker and gives it orders; the orders may come first, and the lease with the answer.
func TestAnExclusiveAttemptMayComeBeforeItsLease(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.boss.order(func(boss *boss) { boss.absent = true })
		time.Sleep(2 * time.Minute)
		synctest.Wait() // the lease is over
		answered := time.Now()
		b.boss.order(func(boss *boss) {
			boss.absent, boss.again = false, true
			boss.before = func() {
				b.runSpec(&pb.JobSpec{Name: "job", Entrypoint: function("sleep", "5s"), Exclusive: true}, "a")
				b.runSpec(&pb.JobSpec{Name: "job", Entrypoint: function("sleep", "5s")}, "b")
				time.Sleep(time.Second)
				answered = time.Now()
			}
		})
		b.wantEnd("a", succeeded, "")
		if took := time.Since(answered); took < 5*time.Second || took > 5*time.Second+20*time.Millisecond {
			b.Errorf("it ended %v after the answer", took)
		}
		b.wantEnd("b", succeeded, "")
	})
}

// One that comes while the controller is silent does not wait for ever.
func TestAnExclusiveAttemptWithoutALeaseLapses(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.boss.order(func(boss *boss) { boss.absent = true })
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		b.runSpec(&pb.JobSpec{Name: "job", Entrypoint: function("sleep", "5s"), Exclusive: true}, "a", "b")
		b.stop("b")
		b.wantEnd("a", killed, "its lease ran out: the controller has not answered")
		b.wantEnd("b", killed, "stopped on request")
	})
}

func TestWhatCannotRunFailsAndSaysWhy(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.functions.Register("three", func(context.Context, runtime.FuncTask) error { return runtime.ExitError(3) })
		for uid, c := range map[string]struct {
			spec *pb.JobSpec
			text string
		}{
			"unknown":  {&pb.JobSpec{Entrypoint: function("none")}, `attempt unknown: unknown function "none" (known: sleep, three)`},
			"process":  {&pb.JobSpec{Entrypoint: command("true")}, "worker w-0 does not run this kind of entrypoint"},
			"bundle":   {&pb.JobSpec{Entrypoint: function("three"), BundleSha256: "ab"}, "this worker takes no bundles"},
			"exit":     {&pb.JobSpec{Entrypoint: function("three")}, "exit code 3"},
			"nothing":  {&pb.JobSpec{}, "worker w-0 does not run this kind of entrypoint"},
			"argument": {&pb.JobSpec{Entrypoint: function("sleep", "x")}, `time: invalid duration "x"`},
		} {
			b.runSpec(c.spec, uid)
			b.wantEnd(uid, failed, c.text)
		}
		if code := b.end("exit").GetExitCode(); code != 3 {
			b.Errorf("the exit code is %d", code)
		}
	})
}

func TestLogsAreReadWhileAndAfterItRuns(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.functions.Register("talk", func(ctx context.Context, task runtime.FuncTask) error {
			task.Printf("one\ntwo")
			time.Sleep(time.Second)
			task.Printf("three")
			return nil
		})
		b.run(function("talk"), "a")
		synctest.Wait()
		if got := b.logs("a"); len(got.Lines) != 2 || got.Complete || got.NextLine != 2 {
			b.Errorf("while it runs: %v", got)
		}
		b.wantEnd("a", succeeded, "")
		got := b.logs("a")
		if len(got.Lines) != 3 || !got.Complete || got.Lines[2].Text != "three" || got.Lines[2].Stream != "stdout" {
			b.Errorf("at the end: %v", got)
		}
		if took := got.Lines[2].At.AsTime().Sub(got.Lines[0].At.AsTime()); took != time.Second {
			b.Errorf("between its lines is %v", took)
		}
		b.run(function("sleep", "1h"), "silent")
		if got := b.logs("silent"); got.Complete {
			b.Errorf("one that runs may yet say something: %v", got)
		}
		for _, in := range []*pb.WorkerLogsRequest{{StartLine: -1}, {MaxLines: -1}, {MaxLines: 10_001}, {Wait: durationpb.New(-1)}} {
			in.WorkerId, in.Incarnation, in.AttemptUid = "w-0", b.incarnation(), "a"
			if _, err := b.client.FetchTaskLogs(b.Context(), in); status.Code(err) != codes.InvalidArgument {
				b.Errorf("%v: %v", in, err)
			}
		}
	})
}

// follow asks for lines after start and waits for them; it also says how long that took.
func (b *bench) follow(uid string, start int64, wait time.Duration) (*pb.FetchTaskLogsResponse, time.Duration, error) {
	began := time.Now()
	page, err := b.client.FetchTaskLogs(b.Context(), &pb.WorkerLogsRequest{
		WorkerId: "w-0", Incarnation: b.incarnation(), AttemptUid: uid, StartLine: start, Wait: durationpb.New(wait)})
	return page, time.Since(began), err
}

func TestALogIsFollowed(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.functions.Register("talk", func(ctx context.Context, task runtime.FuncTask) error {
			for range 2 {
				time.Sleep(3 * time.Second)
				task.Printf("hello")
			}
			time.Sleep(50 * time.Second)
			return nil
		})
		b.run(function("talk"), "a")
		for _, c := range []struct {
			what     string
			start    int64
			wait     time.Duration
			took     time.Duration
			lines    int
			complete bool
		}{
			{"no wait", 0, 0, 0, 0, false},
			{"the wait is over", 0, time.Second, time.Second, 0, false},
			{"the first line comes", 0, 10 * time.Second, 2 * time.Second, 1, false},
			{"it is there", 0, 10 * time.Second, 0, 1, false},
			{"the second line comes", 1, 10 * time.Second, 3 * time.Second, 1, false},
			{"more than counts", 2, time.Minute, 20 * time.Second, 0, false},
			{"again", 2, time.Minute, 20 * time.Second, 0, false},
			{"the end comes", 2, time.Minute, 10 * time.Second, 0, true},
			{"it has come", 2, time.Minute, 0, 0, true},
		} {
			page, took, err := b.follow("a", c.start, c.wait)
			if err != nil || took != c.took || len(page.Lines) != c.lines || page.Complete != c.complete ||
				page.NextLine != c.start+int64(c.lines) {
				b.Errorf("%s: after %v %v, %v", c.what, took, page, err)
			}
		}
	})
}

func TestTheLogOfAnAttemptThatIsOnItsWayIsFollowed(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		time.AfterFunc(3*time.Second, func() { b.run(function("sleep", "4s"), "other", "a") })
		page, took, err := b.follow("a", 0, 10*time.Second)
		if err != nil || took != 7*time.Second || !page.Complete {
			b.Errorf("after %v %v, %v", took, page, err)
		}
	})
}

func TestALogThatIsNotKeptIsNotFound(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.functions.Register("talk", func(_ context.Context, task runtime.FuncTask) error {
			task.Printf("hello")
			return nil
		})
		uids := make([]string, 1001)
		for i := range uids {
			uids[i] = fmt.Sprintf("j/%d/0", i)
			b.run(function("talk"), uids[i])
			b.wantEnd(uids[i], succeeded, "")
		}
		for uid, wait := range map[string]time.Duration{uids[0]: 0, "never ran": 0, "comes late": 3 * time.Second} {
			_, took, err := b.follow(uid, 0, wait)
			says := "worker w-0 has no log of attempt " + uid + ": the attempt never ran here, or the log was dropped; " +
				"the logs of the last 1000 finished attempts are kept"
			if status.Code(err) != codes.NotFound || status.Convert(err).Message() != says || took != wait {
				b.Errorf("the log of %s after %v: %v", uid, took, err)
			}
		}
		if got := b.logs(uids[1]); len(got.Lines) != 1 || !got.Complete {
			b.Errorf("the oldest that is kept is %v", got)
		}
	})
}

// Who follows a log does not hold up a worker that stops.
func TestAWorkerStopsWhileALogIsFollowed(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.run(function("sleep", "1h"), "a")
		synctest.Wait()
		go func() {
			if _, took, _ := b.follow("a", 0, 20*time.Second); took != 0 {
				b.Errorf("it went on for %v", took)
			}
		}()
		synctest.Wait()
	})
}

func TestAWorkerRegistersWhenItsControllerComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, network: &network.Memory{}, boss: &boss{refusal: status.Error(codes.ResourceExhausted, "not yet")}}
		w, err := worker.Start(worker.Config{ID: "w-0", Controller: "controller", Network: b.network, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := w.Stop(); err != nil {
				t.Error(err)
			}
		}()
		time.Sleep(time.Minute)
		b.open("controller")
		time.Sleep(time.Minute)
		synctest.Wait()
		select {
		case <-w.Registered():
			t.Error("it counts as registered though it was refused")
		default:
		}
		b.boss.order(func(boss *boss) {
			if n := len(boss.registers); n < 10 || n > 25 { // one in 5 s, after a connection
				t.Errorf("%d tries in a minute", n)
			}
			boss.refusal = nil
		})
		time.Sleep(6 * time.Second)
		select {
		case <-w.Registered():
		default:
			t.Error("it has not registered")
		}
	})
}

// Two faults of the report of an attempt that never ran here: the rule of its cluster sees it like any other.
func TestChaosSeesWhatWasStoppedBeforeItBegan(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		rules := chaos.In(b.Name())
		defer rules.Reset()
		if _, err := rules.Enable("worker.report_task_state", chaos.Match("worker", "w-0")); err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		b.stop("a")
		b.wantEnd("a", killed, "stopped before it began")
		if took := time.Since(began); took < time.Second {
			b.Errorf("the report was not lost: it took %v", took)
		}
		if err := rules.Verify(); err != nil {
			b.Error(err)
		}
	})
}

// held arms a pause at a site for this worker. The returned function waits until somebody is held there.
func (b *bench) held(site string) (rule *chaos.Rule, await func()) {
	b.Helper()
	rules := chaos.In(b.Name())
	b.Cleanup(rules.Reset)
	rule, err := rules.Enable(site, chaos.Pause())
	if err != nil {
		b.Fatal(err)
	}
	return rule, func() {
		b.Helper()
		if synctest.Wait(); rule.Counts().Fired != 1 {
			b.Fatalf("%v held %d", rule, rule.Counts().Fired)
		}
	}
}

// A stop may come while the order is on its way through the door: it is not followed.
func TestAStopDuringTheOrderIsKept(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		n := b.counter()
		rule, await := b.held("worker.submit_task")
		ordered := make(chan struct{})
		go func() {
			defer close(ordered)
			b.run(function("count"), "a")
		}()
		await()
		b.stop("a")
		b.wantEnd("a", killed, "stopped before it began")
		synctest.Wait() // until it is acknowledged, and so no longer among the attempts
		rule.Disarm()
		<-ordered
		synctest.Wait()
		if got := n.Load(); got != 0 {
			b.Errorf("it ran %d times", got)
		}
	})
}

func TestAnAttemptStoppedWhileItIsPreparedIsKilledNotFailed(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		n := b.counter()
		_, await := b.held("worker.create_container")
		b.run(function("count"), "a")
		await()
		b.stop("a")
		b.wantEnd("a", killed, "stopped on request")
		if got := n.Load(); got != 0 {
			b.Errorf("it ran %d times", got)
		}
	})
}

func TestTheServerIsHealthyUntilItStops(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		out, err := grpc_health_v1.NewHealthClient(b.conn).Check(b.Context(), &grpc_health_v1.HealthCheckRequest{})
		if err != nil || out.Status != grpc_health_v1.HealthCheckResponse_SERVING {
			b.Errorf("its health is %v, %v", out, err)
		}
	})
}

func TestAnAddressInUseFailsTheStart(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		_, err := worker.Start(worker.Config{ID: "w-1", Network: b.network, Address: b.Address(), Controller: "c"})
		if err == nil || !strings.HasPrefix(err.Error(), "worker w-1: listen on ") {
			b.Errorf("started with %v", err)
		}
	})
}

// Stop does not wait for what runs to end by itself.
func TestStopEndsWhatRuns(t *testing.T) {
	began := time.Time{}
	synctest.Test(t, func(t *testing.T) {
		onBench(t, &network.Memory{}, nil, func(b *bench) {
			b.run(function("sleep", "1h"), "a", "b", "c")
			synctest.Wait()
			began = time.Now()
		})
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %v", took)
		}
	})
}

// entries are the names in a directory.
func entries(t *testing.T, dir string) []string {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range all {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	return names
}
