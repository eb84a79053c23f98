package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
)

// action is what a firing does.
type action struct {
	does  Ability // which of the four; the fields below matter only with their bit
	delay time.Duration
	call  func(context.Context, Labels) error
	err   error      // nil: the default text
	code  codes.Code // OK: not chosen
}

// act does what the rule does to a hit that it fired on. Nil lets the hit go on.
func (r *Rule) act(ctx context.Context, labels Labels) error {
	switch err := r.wait(ctx); {
	case err == errDisarmed:
		return nil
	case err != nil:
		return interrupted(err, r.site)
	}
	if r.action.does&CanCall != 0 {
		if err := r.action.call(ctx, labels); err != nil {
			return injected(err, r.action.code)
		}
	}
	if r.action.does&CanFail == 0 {
		return nil
	}
	err := r.action.err
	if err == nil {
		err = errors.New("chaos: " + r.site.name)
	}
	return injected(err, r.action.code)
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
	if a.code != codes.OK {
		text += " code " + a.code.String()
	}
	return text
}
