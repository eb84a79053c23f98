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

// A pause between two rounds of dispatch ends without a command. What it held back is demand from then on.
func TestATaskWhosePauseEndsHasAMachineBrought(t *testing.T) {
	h := newHistory(0)
	c := config()
	c.Policy.DispatchPause = 2 * time.Minute // by then the worker is forgotten as well, which would be a command
	c.Groups = c.Groups[:1]
	h.leader = leader.New(c, state.New(c.Policy))
	h.leader.Begin(h.now)
	until := func(end time.Time) {
		for next := h.leader.Next(h.now); !next.After(end); next = h.leader.Next(h.now) {
			h.now = next
			h.step(nil)
		}
	}
	h.step([]leader.Ask{func(l *leader.Leader) []state.Command { return l.Listed("one", h.now, nil) }})
	job := state.SubmitJob{ID: "j", Spec: &pb.JobSpec{Name: "j", Resources: &pb.Resources{CpuMillis: 1, MemoryBytes: 1}}}
	h.step([]leader.Ask{decided(job)})
	until(h.now.Add(5 * time.Second))
	shown := state.ObserveSlice{ID: "one-0", Group: "one", Zone: "a", VMs: []vm.VM{{ID: "vm-0", WorkerID: "w", State: vm.Ready}}}
	h.step([]leader.Ask{decided(shown), decided(h.registration("w", map[string]string{state.AttributeSlice: "one-0"}))})
	h.step([]leader.Ask{decided(state.FailDispatch{UID: "j/0/0", Cause: "dispatch to w failed 4 times: cable cut"})})
	h.step([]leader.Ask{decided(state.EndSlice{ID: "one-0", Cause: "idle"})})

	paused := h.leader.Cluster().Job("j").NotBefore(0)
	until(paused.Add(-time.Second))
	if n := len(h.leader.Cluster().Slices()); n > 0 {
		t.Fatalf("%d slices while it must not start:\n%s", n, h.leader.Cluster().Describe(start))
	}
	until(paused.Add(c.EvaluationInterval))
	if h.leader.Cluster().Slice("one-1") == nil {
		t.Errorf("nobody asked for a machine:\n%s", h.leader.Cluster().Describe(start))
	}
}
