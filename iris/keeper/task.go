package keeper

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "iris/iris/proto"
	"iris/iris/runtime"
)

// Task is an attempt in the keeper, a runtime.Task.
type Task struct {
	client  *Client
	uid     string
	settled chan struct{} // closed when it was started, or cannot be
	refusal error         // why not; written before settled is closed
	done    chan struct{}
	exit    runtime.Exit // written before done is closed, as is judged
	judged  []byte

	// The client's lock guards what follows.
	order   *pb.StartOrder // nil: it was started
	size    int            // of the order, in bytes
	sentTo  string         // the keeper that the order was sent to
	stopAt  *time.Time     // when it is to be gone; nil: nobody has asked
	verdict []byte
	over    bool
}

func newTask(c *Client, uid string) *Task {
	return &Task{client: c, uid: uid, settled: make(chan struct{}), done: make(chan struct{})}
}

// Done implements runtime.Task. If the client ends first, for whatever reason, it is closed as well.
func (t *Task) Done() <-chan struct{} { return t.done }

// Exit implements runtime.Task.
func (t *Task) Exit() runtime.Exit { return t.exit }

// Verdict is what the keeper noted of a task that is over: that of the first StopFor, or its lapse. Empty: it was not
// stopped. It is for a task that is Done.
func (t *Task) Verdict() []byte { return t.judged }

// Stop implements runtime.Task.
func (t *Task) Stop(grace time.Duration) { t.StopFor(grace, nil) }

// StopFor is Stop with a verdict, which is kept with the attempt: it tells whoever opens the keeper after this process
// why the attempt ended. The first one counts.
func (t *Task) StopFor(grace time.Duration, verdict []byte) {
	c := t.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.over {
		return
	}
	at := time.Now().Add(grace)
	if t.stopAt == nil {
		t.verdict = verdict
	} else if !at.Before(*t.stopAt) {
		return
	}
	t.stopAt = &at
	c.stopping = append(c.stopping, t)
	stir(c.wake)
}

func (t *Task) stopOrder() *pb.StopOrder {
	order := &pb.StopOrder{Uid: t.uid, Verdict: t.verdict}
	if grace := time.Until(*t.stopAt); grace > 0 {
		order.Grace = durationpb.New(grace)
	}
	return order
}

// see takes note of what the keeper says.
func (t *Task) see(a *pb.KeptAttempt) {
	switch a.Phase {
	case running:
		t.settle(nil)
	case ended:
		t.settle(nil)
		if !t.over {
			t.judged = a.Verdict
		}
		t.finish(fromProto(a.Exit))
	case refused:
		t.settle(errors.New(a.Error))
		t.finish(runtime.Exit{Code: 1, Err: errors.New(a.Error)})
	case lost:
		t.lose(a.Error)
	}
}

// lose ends a task that nobody runs any more.
func (t *Task) lose(why string) {
	t.settle(lostError(fmt.Sprintf("attempt %s: not started: %s", t.uid, why)))
	t.finish(runtime.Exit{Code: 1, Err: lostError("lost: " + why)})
}

// settle and finish are called with the client's lock held. The first call counts.
func (t *Task) settle(refusal error) {
	select {
	case <-t.settled:
	default:
		t.refusal, t.order = refusal, nil
		close(t.settled)
	}
}

func (t *Task) finish(exit runtime.Exit) {
	if !t.over {
		t.over, t.exit = true, exit
		close(t.done)
	}
}
