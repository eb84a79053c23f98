package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/chaos"
)

// hits passes the site from n goroutines at once and returns a function that waits for all of them and
// returns their errors and the time it took.
func hits(t *testing.T, s *chaos.Site, n int) (wait func() ([]error, time.Duration)) {
	errs, from := make([]error, n), time.Now()
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = s.Hit(t.Context(), nil) })
	}
	return func() ([]error, time.Duration) {
		all.Wait()
		return errs, time.Since(from)
	}
}

func TestDelaysOverlapInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		arm(t, plain, chaos.Delay(10*time.Second))
		errs, took := hits(t, plain, 4)()
		equal(t, "time of four hits at once", took, 10*time.Second)
		equal(t, "errors", fmt.Sprint(errs), "[<nil> <nil> <nil> <nil>]")
	})
}

func TestDisarmingCutsWaitsShortAndNothingFails(t *testing.T) {
	for name, disarm := range map[string]func(*chaos.Rule){
		"Disarm": (*chaos.Rule).Disarm,
		"Reset":  func(*chaos.Rule) { chaos.Reset() },
	} {
		for kind, opt := range map[string]chaos.Option{"delay": chaos.Delay(time.Hour), "pause": chaos.Pause()} {
			t.Run(name+" in a "+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					rule := arm(t, plain, opt, chaos.Fail())
					wait := hits(t, plain, 3)
					time.Sleep(time.Second)
					equal(t, "fired", rule.Counts().Fired, 3)
					disarm(rule)
					errs, took := wait()
					equal(t, "time", took, time.Second)
					equal(t, "errors", fmt.Sprint(errs), "[<nil> <nil> <nil>]")
					equal(t, "error of a hit afterwards", plain.Hit(t.Context(), nil), nil)
					equal(t, "fired at last", rule.Counts().Fired, 3)
				})
			})
		}
	}
}

func TestDisarmingOneRuleLetsTheHitGoOnToTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := arm(t, plain, chaos.Pause())
		arm(t, plain, chaos.Err(errors.New("second")))
		wait := hits(t, plain, 1)
		synctest.Wait()
		first.Disarm()
		errs, _ := wait()
		equal(t, "errors", fmt.Sprint(errs), "[second]")
	})
}

func TestARuleDisarmedWhileTheHitWaitsElsewhereDoesNotFire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		arm(t, plain, chaos.Delay(time.Second))
		second := arm(t, plain)
		wait := hits(t, plain, 1)
		synctest.Wait()
		second.Disarm()
		errs, _ := wait()
		equal(t, "errors", fmt.Sprint(errs), "[<nil>]")
	})
}

func TestEndOfContextEndsAWaitWithItsError(t *testing.T) {
	for kind, opt := range map[string]chaos.Option{"delay": chaos.Delay(time.Hour), "pause": chaos.Pause()} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				arm(t, plain, opt, chaos.Fail())
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				from := time.Now()
				err := plain.Hit(ctx, nil)
				equal(t, "time", time.Since(from), 2*time.Second)
				equal(t, "text", fmt.Sprint(err), "held by chaos at test.plain: context deadline exceeded")
				equal(t, "is DeadlineExceeded", errors.Is(err, context.DeadlineExceeded), true)
				equal(t, "is ErrInjected", errors.Is(err, chaos.ErrInjected), false)
				equal(t, "code", status.Code(err), codes.DeadlineExceeded)

				gone, cancel := context.WithCancel(t.Context())
				cancel()
				err = plain.Hit(gone, nil)
				equal(t, "is Canceled", errors.Is(err, context.Canceled), true)
				equal(t, "code", status.Code(err), codes.Canceled)
			})
		})
	}
}

func TestPauseHoldsUntilReleasedOldestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rule := arm(t, beat, chaos.Pause())
		equal(t, "released with nobody there", rule.Release(1), 0)
		gone := make(chan string, 3)
		var all sync.WaitGroup
		for i := range 3 {
			all.Go(func() {
				if err := beat.Hit(t.Context(), w("w")); err != nil {
					t.Error(err)
				}
				gone <- fmt.Sprint(i)
			})
			if err := rule.Await(t.Context(), i+1); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour)
		equal(t, "hits gone before release", len(gone), 0)
		equal(t, "released", rule.Release(1), 1)
		equal(t, "first gone", <-gone, "0")
		equal(t, "released for 5", rule.Release(5), 2)
		all.Wait()
		equal(t, "await of hits gone by", rule.Await(t.Context(), 3), nil)
	})
}

func TestPauseThenFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rule := arm(t, plain, chaos.Delay(time.Second), chaos.Pause(), chaos.Fail())
		wait := hits(t, plain, 2)
		if err := rule.Await(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		rule.Release(2)
		rule.Disarm() // does not undo a release
		errs, took := wait()
		equal(t, "time", took, time.Second)
		equal(t, "errors", fmt.Sprint(errs), "[chaos: test.plain chaos: test.plain]")
	})
}

func TestAwaitEndsWithAnErrorWhenItCannotBeMet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rule := arm(t, plain, chaos.Pause())
		wait := hits(t, plain, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := rule.Await(ctx, 2)
		equal(t, "text", fmt.Sprint(err),
			"chaos: rule test.plain pause: fewer than 2 hits paused: context deadline exceeded")
		equal(t, "is DeadlineExceeded", errors.Is(err, context.DeadlineExceeded), true)

		result := make(chan error)
		go func() { result <- rule.Await(t.Context(), 2) }()
		synctest.Wait()
		rule.Disarm()
		const want = "chaos: rule test.plain pause: fewer than 2 hits paused: the rule was disarmed"
		equal(t, "text for one who waits", fmt.Sprint(<-result), want)
		equal(t, "text afterwards", fmt.Sprint(rule.Await(t.Context(), 2)), want)
		wait()

		equal(t, "text without Pause", fmt.Sprint(arm(t, plain).Await(t.Context(), 1)),
			"chaos: rule test.plain fail holds no hit: arm it with Pause to await one")
	})
}

func TestWaitsHoldUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rule := arm(t, beat, chaos.Match("worker", "w-0"), chaos.Pause())
		var held sync.WaitGroup
		held.Go(func() { _ = beat.Hit(t.Context(), w("w-0")) })
		synctest.Wait()
		from := time.Now()
		equal(t, "error of another worker", beat.Hit(t.Context(), w("w-1")), nil)
		equal(t, "counts", rule.Counts(), chaos.Counts{Reached: 2, Matched: 1, Fired: 1})
		arm(t, plain).Disarm()
		equal(t, "firings", len(chaos.Firings()), 1)
		equal(t, "time", time.Since(from), 0)
		rule.Release(1)
		held.Wait()
	})
}

// Waking a goroutine from outside its bubble, or by a channel of a finished one, ends the process.
func TestARuleLeftOverFromABubbleMayBeHitAndResetAnywhere(t *testing.T) {
	t.Cleanup(chaos.Reset)
	synctest.Test(t, func(t *testing.T) {
		rule, err := plain.Enable(chaos.Delay(time.Minute), chaos.Pause())
		if err != nil {
			t.Fatal(err)
		}
		for _, timeout := range []time.Duration{time.Second, time.Hour} { // in the delay, in the pause
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			if plain.Hit(ctx, nil) == nil || rule.Await(ctx, 9) == nil {
				t.Error("the wait did not end with its context")
			}
			cancel()
		}
	})
	equal(t, "armed after the bubble", plain.Armed(), true)
	synctest.Test(t, func(t *testing.T) {
		wait := hits(t, plain, 2)
		time.Sleep(time.Second)
		chaos.Reset()
		errs, took := wait()
		equal(t, "time", took, time.Second)
		equal(t, "errors", fmt.Sprint(errs), "[<nil> <nil>]")
	})
	synctest.Test(t, func(t *testing.T) {
		if _, err := plain.Enable(chaos.Pause()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		equal(t, "code", status.Code(plain.Hit(ctx, nil)), codes.DeadlineExceeded)
	})
	chaos.Reset() // outside of any bubble
	equal(t, "armed after reset", plain.Armed(), false)
}
