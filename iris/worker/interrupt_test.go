package worker

import (
	"testing"
	"time"

	pb "iris/iris/proto"
	"iris/iris/runtime"
)

// ended is a task that has ended by itself.
type ended struct{ exit runtime.Exit }

func (ended) Done() <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}
func (e ended) Exit() runtime.Exit { return e.exit }
func (ended) Stop(time.Duration)   {}

// A stop may come when the task has just ended: then how it ended is what counts (FM-54).
func TestAnEndOfItsOwnCountsForMoreThanAStop(t *testing.T) {
	w := &Worker{ctx: t.Context()}
	for code, want := range map[int]phase{
		0:   {state: pb.TaskState_TASK_STATE_SUCCEEDED},
		3:   {state: pb.TaskState_TASK_STATE_FAILED, text: "exit code 3"},
		137: {state: pb.TaskState_TASK_STATE_FAILED, text: "exit code 137"},
	} {
		for _, as := range []phase{stopped, shutDown, lapsed} {
			got := w.interrupt(ended{runtime.Exit{Code: code}}, 0, as)
			if got.state != want.state || got.text != want.text || got.exit == nil || *got.exit != int32(code) {
				t.Errorf("with exit code %d, stopped as %q, it is %v %q with %v", code, as.text, got.state, got.text, got.exit)
			}
		}
	}
}
