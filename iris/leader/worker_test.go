package leader_test

import (
	"testing"
	"time"

	"iris/iris/leader"
	pb "iris/iris/proto"
	"iris/iris/state"
)

// returns is a history up to the step in which a worker registers after a silence, while a job is launched.
func returns(silence time.Duration, incarnation string, draining bool) (*history, leader.Step) {
	h := newHistory(0)
	h.step([]leader.Ask{h.registers("w-0", "1", false)})
	h.now = h.now.Add(silence)
	submit := state.SubmitJob{ID: "j", Spec: &pb.JobSpec{Name: "j", Resources: &pb.Resources{CpuMillis: 8000, MemoryBytes: 1}}}
	return h, h.step([]leader.Ask{decided(submit), h.registers("w-0", incarnation, draining)})
}

func (h *history) registers(id, incarnation string, draining bool) leader.Ask {
	r := h.registration(id, nil)
	r.Incarnation = incarnation
	return func(l *leader.Leader) []state.Command { return l.Register(r, draining) }
}

func placed(h *history) bool { return len(h.leader.Cluster().Job("j").Tasks[0].Attempts) == 1 }

// A worker that says nothing for more than half the timeout gets nothing new until it is heard of.
func TestAWorkerThatRegistersAgainGetsTasksInThatStep(t *testing.T) {
	timeout := config().WorkerTimeout
	if h, _ := returns(timeout*3/4, "2", false); !placed(h) {
		t.Errorf("it is taken for silent still:\n%s", h.leader.Cluster().Describe(start))
	}
}

func TestAWorkerThatDrainsAndRegistersGetsNothing(t *testing.T) {
	h, _ := returns(time.Second, "2", true)
	if placed(h) {
		t.Errorf("it gets a task:\n%s", h.leader.Cluster().Describe(start))
	}
	if got := h.leader.Standing(h.now, "w-0"); got != leader.Draining {
		t.Errorf("it is taken for %v", got)
	}
}

func TestAWorkerThatRegistersInTimeIsNotLost(t *testing.T) {
	h, step := returns(config().WorkerTimeout, "1", false) // the answer to its first try was lost
	if w := h.leader.Cluster().Worker("w-0"); w.Lost || w.TimesLost > 0 || !placed(h) {
		t.Errorf("it is lost: %v", step.Commands)
	}
}

// Nobody else's registration is a sign of life.
func TestARefusedRegistrationIsNoSignOfLife(t *testing.T) {
	h := newHistory(0)
	h.step([]leader.Ask{h.registers("w-0", "2", false)})
	h.now = h.now.Add(config().WorkerTimeout * 3 / 4)
	step := h.step([]leader.Ask{h.registers("w-0", "1", false)})
	if step.Errors[0][0] == nil || h.leader.Standing(h.now, "w-0") != leader.Silent {
		t.Errorf("it is taken for %v, after %v", h.leader.Standing(h.now, "w-0"), step.Errors)
	}
}
