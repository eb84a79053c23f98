package leader_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"iris/iris/state"
)

// What is decided follows from what was asked and when, and from nothing else: not from the order of a map, nor a clock.
func TestTheSameStepsDecideTheSame(t *testing.T) {
	kinds := map[string]int{}
	for seed := range uint64(20) {
		first, second := newHistory(seed), newHistory(seed)
		first.live(300)
		second.live(300)
		for i, line := range first.said {
			if i == len(second.said) || second.said[i] != line {
				t.Fatalf("with seed %d, line %d is first\n%s\nand then\n%s", seed, i, line, second.said[min(i, len(second.said)-1)])
			}
		}
		for kind, n := range first.kinds {
			kinds[kind] += n
		}
	}
	for _, kind := range []state.Command{
		state.Assign{}, state.CancelJob{}, state.EndSlice{}, state.Expire{}, state.FailDispatch{}, state.ForgetJobs{}, state.ForgetWorkers{},
		state.LoseWorker{}, state.Observe{}, state.ObserveSlice{}, state.RefuseSlice{}, state.RegisterWorker{}, state.RequestSlice{},
		state.SetGroups{}, state.StopSlice{}, state.SubmitJob{},
	} {
		if kinds[fmt.Sprintf("%T", kind)] == 0 {
			t.Errorf("the histories never have a %T: %v", kind, slices.Sorted(maps.Keys(kinds)))
		}
	}
}

// Who only reads the log has the same cluster, and it is in order.
func TestAStepIsAllInItsEntry(t *testing.T) {
	for seed := range uint64(5) {
		h, copied := newHistory(seed), state.New(config().Policy)
		for range 100 {
			h.live(5)
			for _, e := range h.log {
				for _, c := range e.commands {
					_, _ = copied.Apply(e.at, c) // a refusal is in the log as well
				}
			}
			h.log = nil
			if got, want := copied.Describe(start), h.leader.Cluster().Describe(start); got != want {
				t.Fatalf("with seed %d the log gives\n%s\nthe leader has\n%s", seed, got, want)
			}
			if err := h.leader.Cluster().Check(); err != nil {
				t.Fatalf("with seed %d: %v", seed, err)
			}
		}
	}
}

// Neither is what ends left out, whatever ends it, nor counted when it is forgotten.
func TestEveryEndIsCountedOnce(t *testing.T) {
	stopped := preempted()
	if got := stopped.leader.Change().Attempts[state.WorkerFailed]; got != 2 {
		t.Errorf("a slice was given back with two attempts, and %d have ended", got)
	}
	for seed := range uint64(5) {
		h := newHistory(seed)
		h.live(500)
		counts, live := h.leader.Cluster().Counts(), 0
		for _, s := range state.States {
			if !s.Terminal() {
				live += counts.Jobs[s]
			}
		}
		if h.ended+live != h.jobs || h.ended == 0 || live == 0 {
			t.Errorf("with seed %d, of %d jobs %d have ended and %d have not", seed, h.jobs, h.ended, live)
		}
	}
}
