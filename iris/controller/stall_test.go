package controller

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"iris/iris/journal"
	"iris/iris/state"
)

// The process may be stopped for minutes while the loop waits.
func TestALoopThatOversleptLosesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := Config{Log: slog.New(slog.DiscardHandler)}
		config.setDefaults()
		term, err := config.Journal.Lead(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		l := newLoop(config, newSeat(config.Journal, ""), term)
		defer l.couriers.close()
		register := state.RegisterWorker{ID: "w-0", Incarnation: "1", Address: "a"}
		l.turn(time.Now(), []request{{
			decide: func(*loop) []state.Command { return []state.Command{register} },
			answer: func(l *loop, _ []error) func() {
				l.liveness.hear("w-0", time.Now(), false)
				return func() {}
			},
		}})
		time.Sleep(5 * time.Minute)
		l.turn(time.Now(), nil)
		if l.cluster.Worker("w-0").Lost {
			t.Error("the worker is lost though nobody listened to it")
		}
		for i := range 100 {
			if l.cluster.Worker("w-0").Lost {
				return
			}
			time.Sleep(time.Until(l.wake))
			if l.turn(time.Now(), nil); i == 99 {
				t.Error("the worker is never lost")
			}
		}
	})
}

// A stall of the whole process shows in nothing but a timer that fires late, so there is always one soon.
func TestTheLoopLooksOftenEnoughToNoticeAStall(t *testing.T) {
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	l := newLiveness(time.Minute)
	if at, ok := l.next(start); ok {
		t.Errorf("without workers it looks at %v", at)
	}
	l.hear("w-0", start, false)
	for at, want := range map[time.Duration]time.Duration{0: 15 * time.Second, 40 * time.Second: 55 * time.Second, 50 * time.Second: time.Minute} {
		if got, ok := l.next(start.Add(at)); !ok || got.Sub(start) != want {
			t.Errorf("%v after a heartbeat it looks at %v, want %v", at, got.Sub(start), want)
		}
	}
}

func TestAStallIsAddedToEverybodysTime(t *testing.T) {
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	l := newLiveness(time.Minute)
	for _, c := range []struct{ heard, late, left time.Duration }{
		{0, stall, time.Minute - 15*time.Second - stall},        // the loop was busy, no more
		{0, stall + 1, 45 * time.Second},                        // the stall does not count
		{-30 * time.Second, 10 * time.Second, 30 * time.Second}, // half the timeout is left in any case
		{-45 * time.Second, time.Hour, 30 * time.Second},        // also after a long stall
		{0, time.Hour, 45 * time.Second},
	} {
		l.heard["w-0"] = start.Add(c.heard)
		wake := start.Add(15 * time.Second)
		now := wake.Add(c.late)
		l.forgive(wake, now)
		if left := l.heard["w-0"].Add(l.timeout).Sub(now); left != c.left {
			t.Errorf("heard %v, late %v: %v are left, want %v", c.heard, c.late, left, c.left)
		}
	}
	l.heard["w-0"] = start
	l.forgive(time.Time{}, start.Add(time.Hour))
	if !l.heard["w-0"].Equal(start) {
		t.Error("the first turn counts as a stall")
	}
}

// The log remembers the rules of whoever led before; this controller's are what it is configured with.
func TestALeaderSetsItsPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := Config{Log: slog.New(slog.DiscardHandler), Policy: state.Policy{DispatchRounds: 7}}
		config.Journal = journal.NewMemory(Policy(state.Policy{}))
		config.setDefaults()
		term, err := config.Journal.Lead(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		l := newLoop(config, newSeat(config.Journal, ""), term)
		defer l.couriers.close()
		for turn, want := range []uint64{1, 1} { // the second has nothing to set
			if l.turn(time.Now(), nil); l.cluster.Policy() != config.Policy || term.Committed() != want {
				t.Errorf("after turn %d the policy is %+v, and the log has %d entries", turn, l.cluster.Policy(), term.Committed())
			}
		}
	})
}
