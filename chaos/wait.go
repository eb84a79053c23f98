package chaos

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// wait is one goroutine that waits at a rule. It makes the channel itself and is off the rule's list before
// it goes on: nothing is left behind of a finished synctest bubble. Its outcome is settled, under the
// rule's lock, by whoever takes it off the list.
type wait struct {
	kind  waitKind
	count int           // awaiting: the number of paused hits
	woken chan struct{} // closed to end the wait
	cut   bool          // by disarming
}

type waitKind uint8

const (
	delayed  waitKind = iota // a hit, until its time is over
	paused                   // a hit, until it is released
	awaiting                 // a test, until enough hits have paused
)

// wait holds a hit for as long as the action says. It returns errDisarmed if the rule ended before,
// and ctx.Err() if ctx did.
func (r *Rule) wait(ctx context.Context, a *action) error {
	if a.does&CanDelay != 0 && a.delay > 0 {
		timer := time.NewTimer(a.delay)
		defer timer.Stop()
		if err := r.park(ctx, &wait{kind: delayed}, timer.C); err != nil {
			return err
		}
	}
	if a.does&CanPause != 0 {
		return r.park(ctx, &wait{kind: paused}, nil)
	}
	return nil
}

// park waits, without a lock, until w is woken, timeout (nil: never) or the end of ctx. It returns nil,
// errDisarmed or ctx.Err().
func (r *Rule) park(ctx context.Context, w *wait, timeout <-chan time.Time) error {
	r.mu.Lock()
	if w.kind == awaiting && r.paused >= w.count {
		r.mu.Unlock()
		return nil
	}
	if r.over {
		r.mu.Unlock()
		return errDisarmed
	}
	if w.kind == paused {
		r.paused++
		r.wake(func(w *wait) bool { return w.kind == awaiting && r.paused >= w.count })
	}
	w.woken = make(chan struct{})
	r.waits = append(r.waits, w)
	r.mu.Unlock()

	select {
	case <-w.woken:
	case <-timeout:
	case <-ctx.Done():
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	switch i := slices.Index(r.waits, w); {
	case w.cut:
		return errDisarmed
	case i < 0:
		return nil // woken
	default:
		r.waits = slices.Delete(r.waits, i, i+1)
		return ctx.Err() // nil if the time was over first
	}
}

// wake ends the waits that are chosen, in order of arrival. The caller holds r.mu.
func (r *Rule) wake(chosen func(*wait) bool) {
	var kept []*wait
	for _, w := range r.waits {
		if chosen(w) {
			close(w.woken)
		} else {
			kept = append(kept, w)
		}
	}
	r.waits = kept
}

// end makes the rule decide nothing any more and cuts its waits short.
func (r *Rule) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	r.wake(func(w *wait) bool { w.cut = true; return true })
}

// Await returns nil once n hits in all, released ones included, have paused at the rule. It returns an
// error if the rule is disarmed before, if ctx ends before (errors.Is finds ctx.Err()), or if the rule has
// no Pause.
func (r *Rule) Await(ctx context.Context, n int) error {
	if r.does()&CanPause == 0 {
		return fmt.Errorf("chaos: rule %v holds no hit: arm it with Pause to await one", r)
	}
	if err := r.park(ctx, &wait{kind: awaiting, count: n}, nil); err != nil {
		return fmt.Errorf("chaos: rule %v: fewer than %s paused: %w", r, times(n, "hit"), err)
	}
	return nil
}

// Held is how many hits are paused at the rule right now.
func (r *Rule) Held() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	held := 0
	for _, w := range r.waits {
		if w.kind == paused {
			held++
		}
	}
	return held
}

// Release lets the n hits that have been paused longest go on, or all if there are fewer, and returns how
// many that were. Hits that pause later are not affected: Await them first.
func (r *Rule) Release(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	released := 0
	r.wake(func(w *wait) bool {
		if w.kind != paused || released >= n {
			return false
		}
		released++
		return true
	})
	return released
}
