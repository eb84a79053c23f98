package controller

import (
	"context"
	"time"

	"google.golang.org/grpc/status"

	"iris/iris/leader"
	"iris/iris/state"
)

const (
	inboxSize = 4096 // requests that may wait for the loop; posting more waits
	batchSize = 1024 // requests that one entry of the log answers at the most
)

// request is one message to the loop. decide (may be nil) turns it into commands; answer (may be nil) gets one error for
// each of them after they were applied, and returns what reveals the answer.
type request struct {
	decide leader.Ask
	answer func(*loop, []error) (reveal func())
}

// ask posts a request to the loop that decides now and waits for its answer, which is computed inside the loop and
// revealed once everything it may have seen is committed.
func ask[T any](ctx context.Context, s *seat, decide leader.Ask, answer func(*loop, []error) T) (T, error) {
	var zero T
	l, err := s.current(ctx)
	if err != nil {
		return zero, err
	}
	answered := make(chan T, 1)
	r := request{decide, func(l *loop, errs []error) func() {
		value := answer(l, errs)
		return func() { answered <- value }
	}}
	select {
	case l.inbox <- r:
	case <-l.done:
		return zero, s.refusal(l.ended)
	case <-ctx.Done():
		return zero, status.FromContextError(ctx.Err()).Err()
	}
	select {
	case value := <-answered:
		return value, nil
	case <-l.done:
		select {
		case value := <-answered: // it was revealed just before
			return value, nil
		default:
			return zero, s.refusal(l.ended)
		}
	case <-ctx.Done():
		return zero, status.FromContextError(ctx.Err()).Err()
	}
}

// tell hands the loop something to decide that nobody waits for. It gives up when the context ends.
func (l *loop) tell(ctx context.Context, decide leader.Ask) {
	select {
	case l.inbox <- request{decide: decide}:
	case <-ctx.Done():
	case <-l.done:
	}
}

// decided is a command that somebody else has decided on.
func decided(command state.Command) leader.Ask {
	return func(*leader.Leader) []state.Command { return []state.Command{command} }
}

// heard notes that a worker answered a call that was meant for it and none other.
func heard(worker string, draining bool) leader.Ask {
	return func(l *leader.Leader) []state.Command {
		l.Heard(time.Now(), worker, draining)
		return nil
	}
}

// drain adds the requests that wait, up to a batch.
func (l *loop) drain(batch ...request) []request {
	for len(batch) < batchSize {
		select {
		case r := <-l.inbox:
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}
