package chronos

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// ErrHangs says that a bubble had not ended after all the real time that it was given.
var ErrHangs = errors.New("the bubble hangs")

// Bubble runs f in a bubble of its own, whose time stands still once f has returned. The error says what f left behind that
// waits then, or wraps [ErrHangs] if the bubble has not ended after so much real time: whatever runs in it then goes on, and
// what it writes must not be read. Both have the stacks. f must not end its goroutine, as t.FailNow does.
//
// Under the race detector one bubble at a time may run.
func Bubble(t *testing.T, patience time.Duration, f func()) error {
	defer oneProcessor()()
	b := &bubble{over: make(chan struct{})}
	named := make(chan struct{})
	go func() {
		defer close(b.over)
		defer func() {
			if p := recover(); p != nil {
				b.why = fmt.Sprintf("%v\n\n%s", p, b.stacks())
			}
		}()
		synctest.Test(t, func(*testing.T) {
			b.name = inBubble.FindString(stacks(false))
			close(named)
			f()
		})
	}()
	<-named
	select {
	case <-b.over:
	case <-time.After(patience):
		return fmt.Errorf("%w: it has not ended after %v\n\n%s", ErrHangs, patience, b.stacks())
	}
	if b.why != "" {
		return errors.New(b.why)
	}
	return nil
}
