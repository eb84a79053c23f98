package worker_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"iris/chaos"
	"iris/iris/network"
	pb "iris/iris/proto"
	"iris/iris/runtime"
	"iris/iris/worker"
)

// draining has the worker drain on the side. It returns the wait for that, which says how long it took.
func (b *bench) draining(ctx context.Context) (wait func() (time.Duration, error)) {
	began, done := time.Now(), make(chan error, 1)
	go func() { done <- b.Drain(ctx) }()
	synctest.Wait()
	return func() (time.Duration, error) {
		err := <-done
		return time.Since(began), err
	}
}

// wantDrained wants a drain to have ended well, after so long.
func (b *bench) wantDrained(wait func() (time.Duration, error), after time.Duration) {
	b.Helper()
	if took, err := wait(); took != after || err != nil {
		b.Errorf("it took %v (%v), want %v", took, err, after)
	}
}

func TestADrainWaitsForWhatRunsAndForItsResults(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.run(function("sleep", "27s"), "a")
		synctest.Wait()
		wait := b.draining(b.Context())
		b.boss.order(func(boss *boss) {
			if n := len(boss.beats); n != 1 || !boss.beats[0].Draining {
				b.Errorf("the controller is told %v at once", boss.beats)
			}
		})
		b.wantHealth("while it drains", isServing, notServing)
		out := b.run(function("sleep", "1s"), "a", "b")
		if len(out.Refused) != 1 || out.Refused[0].AttemptUid != "b" || codes.Code(out.Refused[0].Code) != codes.FailedPrecondition ||
			out.Refused[0].Message != "worker w-0 is draining and takes nothing new" {
			b.Errorf("of one that runs and a new one it refuses %v", out.Refused)
		}
		b.wantDrained(wait, 27*time.Second)
		b.wantEnd("a", succeeded, "")
		if told := b.boss.told("b"); len(told) != 0 {
			b.Errorf("the refused one is told as %v", told)
		}
	})
}

func TestAnIdleWorkerDrainsAtOnce(t *testing.T) {
	inBubble(t, nil, func(b *bench) { b.wantDrained(b.draining(b.Context()), 0) })
}

// What lasts longer than the timeout is stopped, as lost with its worker: the controller charges the preemption budget.
func TestADrainStopsWhatLastsTooLong(t *testing.T) {
	inBubble(t, func(c *worker.Config) { c.DrainTimeout = 25 * time.Second }, func(b *bench) {
		hold, err := chaos.In(b.Name()).Enable("worker.create_container", chaos.Match("task", "1"), chaos.Pause())
		if err != nil {
			b.Fatal(err)
		}
		defer hold.Disarm()
		b.run(function("sleep", "1h"), "runs", "held")
		wait := b.draining(b.Context())
		time.Sleep(25*time.Second - 1)
		for _, uid := range []string{"runs", "held"} {
			if told := b.boss.told(uid); len(told) > 0 && over(told[len(told)-1]) {
				b.Errorf("%s ended before its time: %v", uid, told)
			}
		}
		b.wantDrained(wait, 25*time.Second)
		b.wantEnd("runs", killed, "worker w-0 was drained")
		b.wantEnd("held", killed, "worker w-0 was drained")
	})
}

// A negative timeout waits for nothing.
func TestADrainNeedNotWait(t *testing.T) {
	inBubble(t, func(c *worker.Config) { c.DrainTimeout = -1 }, func(b *bench) {
		b.run(function("sleep", "1h"), "a")
		b.wantDrained(b.draining(b.Context()), 0)
		b.wantEnd("a", killed, "worker w-0 was drained")
	})
}

// The controller stops what it wants stopped, drain or not, and that is told as ever.
func TestAStopDuringADrainIsTheControllers(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.run(function("sleep", "1h"), "a")
		synctest.Wait()
		wait := b.draining(b.Context())
		b.stop("a")
		b.wantDrained(wait, 0)
		b.wantEnd("a", killed, "stopped on request")
	})
}

func TestResultsThatNobodyTakesEndADrainWithAnError(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.boss.order(func(boss *boss) { boss.deaf = true })
		b.run(function("sleep", "12s"), "a")
		took, err := b.draining(b.Context())()
		if took != 42*time.Second || err == nil ||
			err.Error() != "worker w-0: the controller has not acknowledged every result: context deadline exceeded" {
			b.Errorf("it took %v: %v", took, err)
		}
	})
}

// While the controller does not answer it may still give orders, for as long as a call lasts; they are followed.
func TestOrdersAreFollowedUntilTheControllerKnows(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.boss.order(func(boss *boss) { boss.absent = true })
		wait := b.draining(b.Context())
		if out := b.run(function("sleep", "7s"), "a"); len(out.Refused) > 0 {
			b.Errorf("before the controller knows it refuses %v", out.Refused)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if out := b.run(function("sleep", "1s"), "b"); len(out.Refused) != 1 {
			b.Error("after the longest call it is not refused")
		}
		b.wantDrained(wait, 7*time.Second) // reports come through
		b.wantEnd("a", succeeded, "")
	})
}

func TestADrainThatIsCutShortKillsAndSaysSo(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.run(function("sleep", "1h"), "a")
		ctx, cancel := context.WithTimeout(b.Context(), 3*time.Second)
		defer cancel()
		took, err := b.draining(ctx)()
		if took != 3*time.Second || !errors.Is(err, context.DeadlineExceeded) ||
			!strings.HasPrefix(err.Error(), "worker w-0: attempts are killed that it was to wait for: ") {
			b.Errorf("it took %v: %v", took, err)
		}
	})
}

func TestAWorkerThatNobodyKnowsDrainsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := worker.Start(worker.Config{ID: "w-0", Network: &network.Memory{}, Controller: "nowhere", Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := w.Drain(t.Context()); err != nil || time.Since(began) != 0 {
			t.Errorf("it took %v: %v", time.Since(began), err)
		}
	})
}

// A controller that forgot the worker hears of the drain when it is registered with again.
func TestARegistrationTellsThatAWorkerDrains(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.run(function("sleep", "27s"), "a")
		b.boss.order(func(boss *boss) { boss.again = true })
		wait := b.draining(b.Context())
		b.boss.order(func(boss *boss) {
			if n := len(boss.registers); n != 2 || boss.registers[0].Draining || !boss.registers[1].Draining {
				b.Errorf("it registered as %v", boss.registers)
			}
		})
		in := &pb.StopTaskRequest{WorkerId: "w-0", Incarnation: b.incarnation()}
		if out, err := b.client.StopTask(b.Context(), in); err != nil || !out.Draining {
			b.Errorf("a new leader's greeting is answered with %v, %v", out, err)
		}
		b.wantDrained(wait, 27*time.Second)
	})
}

// Whoever follows a log reads its last lines, though the worker has nothing else to do any more (FM-81).
func TestALogIsReadToItsEndBeforeAWorkerEnds(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.functions.Register("talk", func(_ context.Context, task runtime.FuncTask) error {
			time.Sleep(7 * time.Second)
			task.Printf("the last line")
			time.Sleep(100 * time.Millisecond)
			return nil
		})
		b.run(function("talk"), "a")
		lines, followed := []*pb.LogLine{}, make(chan error, 1)
		go func() {
			for start := int64(0); ; {
				in := &pb.WorkerLogsRequest{WorkerId: "w-0", Incarnation: b.incarnation(), AttemptUid: "a", StartLine: start, Wait: durationpb.New(time.Minute)}
				page, err := b.client.FetchTaskLogs(b.Context(), in)
				if err != nil || page.Complete {
					lines = append(lines, page.GetLines()...)
					followed <- err
					return
				}
				lines, start = append(lines, page.Lines...), page.NextLine
				time.Sleep(300 * time.Millisecond) // the way there and back
			}
		}()
		wait := b.draining(b.Context())
		if err := <-followed; err != nil || len(lines) != 1 || lines[0].Text != "the last line" {
			b.Errorf("the log is %v, %v", lines, err)
		}
		if took, err := wait(); err != nil || took > 9*time.Second {
			b.Errorf("it took %v: %v", took, err)
		}
	})
}
