package controller

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"iris/iris/journal"
	"iris/iris/leader"
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
			decide: func(l *leader.Leader) []state.Command { return l.Register(register, false) },
		}})
		time.Sleep(5 * time.Minute)
		l.turn(time.Now(), nil)
		if l.leader.Cluster().Worker("w-0").Lost {
			t.Error("the worker is lost though nobody listened to it")
		}
		for i := range 100 {
			if l.leader.Cluster().Worker("w-0").Lost {
				return
			}
			time.Sleep(time.Until(l.wake))
			if l.turn(time.Now(), nil); i == 99 {
				t.Error("the worker is never lost")
			}
		}
	})
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
			if l.turn(time.Now(), nil); l.leader.Cluster().Policy() != config.Policy || term.Committed() != want {
				t.Errorf("after turn %d the policy is %+v, and the log has %d entries", turn, l.leader.Cluster().Policy(), term.Committed())
			}
		}
	})
}
