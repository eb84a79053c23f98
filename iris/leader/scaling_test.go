package leader_test

import (
	"testing"
	"time"

	"iris/iris/leader"
	pb "iris/iris/proto"
	"iris/iris/state"
	"iris/iris/vm"
)

// preempted is a history up to the step in which a slice of two machines is given back, because one of them was taken away.
// Both ran a task, and there is a worker with room for both.
func preempted() *history {
	h := newHistory(0)
	heard := func(l *leader.Leader) []state.Command {
		return append(l.Listed("one", h.now, nil), l.Listed("two", h.now, nil)...)
	}
	h.step([]leader.Ask{heard}) // what min_slices wants is asked for
	shown := state.ObserveSlice{ID: "two-0", Group: "two", Zone: "a", VMs: []vm.VM{
		{ID: "vm-0", WorkerID: "gone", State: vm.Ready}, {ID: "vm-1", WorkerID: "left", State: vm.Ready},
	}}
	of := map[string]string{state.AttributeSlice: "two-0"}
	h.step([]leader.Ask{decided(shown), decided(h.registration("gone", of)), decided(h.registration("left", of))})
	for _, id := range []string{"j", "k"} {
		h.step([]leader.Ask{decided(state.SubmitJob{ID: id, Spec: &pb.JobSpec{Name: id, Resources: &pb.Resources{CpuMillis: 8000, MemoryBytes: 1}}})})
	}
	roomy := h.registration("w-0", nil)
	roomy.Capacity.CPUMillis = 16_000
	h.step([]leader.Ask{decided(roomy)})
	h.now = h.now.Add(5 * time.Second)
	shown.VMs[0].State = vm.Preempted
	h.step([]leader.Ask{decided(shown)})
	return h
}

// What ran on a slice that is given back goes where there is room, and waits for nobody to ask for something else.
func TestWhatRanOnASliceThatIsGivenBackIsPlacedAtOnce(t *testing.T) {
	h := preempted()
	c := h.leader.Cluster()
	if got := c.Slice("two-0").State; got != vm.Stopping {
		t.Fatalf("the slice is %v", got)
	}
	if wake := h.leader.Next(h.now); !wake.Equal(h.now) {
		t.Errorf("the next step is in %v", wake.Sub(h.now))
	}
	h.step(nil)
	for _, id := range []string{"j", "k"} {
		if attempts := c.Job(id).Tasks[0].Attempts; len(attempts) != 2 || attempts[1].Worker != "w-0" {
			t.Errorf("job %s has %d attempts:\n%s", id, len(attempts), c.Describe(start))
		}
	}
}
