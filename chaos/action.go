package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// action is what a firing does.
type action struct {
	does  Ability // which of the four; the fields below matter only with their bit
	delay time.Duration
	call  func(context.Context, Labels) error
	err   error      // nil: the default text
	code  codes.Code // OK: not chosen
}

// act does to a hit what the rule fired for. Nil lets the hit go on.
func (r *Rule) act(ctx context.Context, a *action, labels Labels) error {
	switch err := r.wait(ctx, a); {
	case err == errDisarmed:
		return nil
	case err != nil:
		return interrupted(err, r.site)
	}
	if a.does&CanCall != 0 {
		if err := a.call(ctx, labels); err != nil {
			return injected(err, a.code)
		}
	}
	if a.does&CanFail == 0 {
		return nil
	}
	err := a.err
	if err == nil {
		err = errors.New("chaos: " + r.site.name)
	}
	return injected(err, a.code)
}

// failsWith is the code that was chosen for a failure, or comes with its error; OK: neither.
func (a *action) failsWith() codes.Code {
	if st, ok := status.FromError(a.err); ok && a.code == codes.OK {
		return st.Code() // OK for no error
	}
	return a.code
}

// String is the action in words, each preceded by a space, in the order in which they happen.
func (a *action) String() string {
	var text string
	if a.does&CanDelay != 0 {
		text += fmt.Sprintf(" delay %v", a.delay)
	}
	if a.does&CanPause != 0 {
		text += " pause"
	}
	if a.does&CanCall != 0 {
		text += " call"
	}
	if a.does&CanFail != 0 && a.err == nil {
		text += " fail"
	}
	if a.err != nil {
		text += fmt.Sprintf(" err %q", a.err)
	}
	if code := a.failsWith(); code != codes.OK {
		text += " code " + code.String()
	}
	return text
}
