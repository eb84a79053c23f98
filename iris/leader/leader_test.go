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
