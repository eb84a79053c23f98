package view

import (
	"testing"

	pb "iris/iris/proto"
)

func TestAWorkerThatDrainsIsShownAsSuch(t *testing.T) {
	live, lost := pb.WorkerState_WORKER_STATE_LIVE, pb.WorkerState_WORKER_STATE_LOST
	for _, c := range []struct {
		state    pb.WorkerState
		draining bool
		want     string
	}{{live, false, "LIVE"}, {live, true, "DRAINING"}, {lost, false, "LOST"}, {lost, true, "LOST"}} {
		if got := standing(&pb.WorkerStatus{State: c.state, Draining: c.draining}); got != c.want {
			t.Errorf("%v, draining %v, is shown as %s, want %s", c.state, c.draining, got, c.want)
		}
	}
}
