package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"iris/chaos"
)

// watch stops with the test, inside its bubble if it has one.
func watch(t *testing.T, w *chaos.Watch) *chaos.Watch {
	t.Helper()
	t.Cleanup(w.Stop)
	return w
}

// next is the next event of a watch that has one, as text.
func next(t *testing.T, w *chaos.Watch) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	e, err := w.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%s %s#%d", e.By.Site().Name(), e.Firing.Target, e.Firing.Nth)
	if e.Missed > 0 {
		text += fmt.Sprintf(" after %d more", e.Missed)
	}
	return text
}

// idles fails unless the watch has nothing to hand out.
func idles(t *testing.T, w *chaos.Watch) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e, err := w.Next(ctx)
	equal(t, "error of a watch without news", err, context.Canceled)
	equal(t, "its event", e.Firing.Site, "")
}

func TestAWatchHandsOutFiringsAsTheyHappen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rule := arm(t, beat, chaos.Skip(1))
		pattern(t, beat, w("w-0"), 2)
		on := watch(t, chaos.Scope{}.Watch())
		idles(t, on)
		from := time.Now()
		var reader sync.WaitGroup
		reader.Go(func() {
			e, err := on.Next(t.Context())
			equal(t, "error", err, nil)
			equal(t, "waited", time.Since(from), time.Minute)
			equal(t, "by", e.By, rule)
			equal(t, "target", e.Firing.Target, "w-0")
			equal(t, "hit", e.Firing.Nth, 3)
			equal(t, "time", e.Firing.At, from.Add(time.Minute))
			equal(t, "action", e.Firing.Action, "fail")
			equal(t, "missed", e.Missed, 0)
		})
		time.Sleep(time.Minute)
		pattern(t, beat, w("w-0"), 1)
		reader.Wait()
		late := arm(t, plain)
		pattern(t, plain, nil, 1)
		pattern(t, beat, w("w-1"), 2)
		equal(t, "of a rule armed later", next(t, on), "test.plain #1")
		equal(t, "of another target", next(t, on), "test.beat w-1#2")
		late.Disarm()
		pattern(t, plain, nil, 1)
		idles(t, on)
	})
}

func TestAFiringIsHandedOutBeforeItsWaitIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rule := arm(t, plain, chaos.Pause())
		on := watch(t, chaos.Scope{}.Watch())
		wait := hits(t, plain, 1)
		equal(t, "event", next(t, on), "test.plain #1")
		synctest.Wait()
		equal(t, "held", rule.Held(), 1)
		rule.Release(1)
		wait()
		equal(t, "held after release", rule.Held(), 0)
	})
}

func TestAWatchOfAllBeginsWithTheLog(t *testing.T) {
	arm(t, beat)
	arm(t, plain)
	pattern(t, beat, w("w-0"), 1)
	pattern(t, plain, nil, 1)
	pattern(t, beat, w("w-0"), 1)
	on := watch(t, chaos.Scope{}.WatchAll())
	pattern(t, plain, nil, 1)
	for _, want := range []string{"test.beat w-0#1", "test.plain #1", "test.beat w-0#2", "test.plain #2"} {
		equal(t, "event", next(t, on), want)
	}
	idles(t, on)
}

func TestAWatchSeesItsScope(t *testing.T) {
	a, b := chaos.In("a"), chaos.In("b")
	armIn(t, a, "test.beat")
	armIn(t, b, "test.beat")
	arm(t, plain)
	pattern(t, beat, on("a", "w-0"), 1)
	pattern(t, beat, on("b", "w-1"), 1)
	watches := map[string]*chaos.Watch{
		"a": watch(t, a.WatchAll()), "b": watch(t, b.WatchAll()), "all": watch(t, chaos.Scope{}.WatchAll()),
	}
	pattern(t, plain, nil, 1)
	pattern(t, beat, on("b", "w-1"), 1)
	for name, want := range map[string][]string{
		"a": {"test.beat w-0#1"}, "b": {"test.beat w-1#1", "test.beat w-1#2"},
		"all": {"test.beat w-0#1", "test.beat w-1#1", "test.plain #1", "test.beat w-1#2"},
	} {
		for _, event := range want {
			equal(t, "event of "+name, next(t, watches[name]), event)
		}
		idles(t, watches[name])
	}
}

func TestASlowReaderIsToldHowManyItMissed(t *testing.T) {
	const kept = 1024
	arm(t, plain)
	on := watch(t, chaos.Scope{}.Watch())
	pattern(t, plain, nil, kept+100)
	equal(t, "first event", next(t, on), "test.plain #101 after 100 more")
	equal(t, "second event", next(t, on), "test.plain #102")
	pattern(t, plain, nil, 3)
	equal(t, "after one more", next(t, on), "test.plain #104 after 1 more")
	for n := 105; n <= kept+103; n++ {
		equal(t, "event", next(t, on), fmt.Sprintf("test.plain #%d", n))
	}
	idles(t, on)
}

func TestAWatchOfAllTellsWhatTheLogHasLost(t *testing.T) {
	arm(t, plain)
	arm(t, beat)
	pattern(t, beat, w("w-0"), 1)
	pattern(t, plain, nil, 1024+10)
	on := watch(t, chaos.Scope{}.WatchAll())
	pattern(t, plain, nil, 1024) // as many as are kept besides the log
	equal(t, "first event", next(t, on), "test.beat w-0#1 after 10 more")
	equal(t, "second event", next(t, on), "test.plain #11")
	pattern(t, plain, nil, 5)
	equal(t, "after three more", next(t, on), "test.plain #15 after 3 more")
}

func TestAStoppedWatchReturnsFromNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		arm(t, plain)
		on, other := chaos.Scope{}.Watch(), watch(t, chaos.Scope{}.Watch())
		ended := make(chan error)
		go func() { _, err := on.Next(t.Context()); ended <- err }()
		synctest.Wait()
		on.Stop()
		on.Stop()
		equal(t, "error", fmt.Sprint(<-ended), "chaos: the watch was stopped")
		pattern(t, plain, nil, 1)
		_, err := on.Next(t.Context())
		equal(t, "error afterwards", fmt.Sprint(err), "chaos: the watch was stopped")
		equal(t, "event of another watch", next(t, other), "test.plain #1")
	})
}

func TestNextEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		arm(t, plain)
		on := watch(t, chaos.Scope{}.Watch())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := on.Next(ctx)
		equal(t, "error", errors.Is(err, context.DeadlineExceeded), true)
		pattern(t, plain, nil, 1)
		equal(t, "event afterwards", next(t, on), "test.plain #1")
	})
}

func TestNothingIsLostOrDoubledBetweenLogAndWatch(t *testing.T) {
	const hitters, each = 4, 250 // a watch has room for all of them
	var all sync.WaitGroup
	var fired atomic.Int64
	for i := range hitters {
		arm(t, beat, chaos.Match("worker", fmt.Sprint(i)))
		all.Go(func() {
			for range each {
				pattern(t, beat, w(fmt.Sprint(i)), 1)
				fired.Add(1)
			}
		})
	}
	var watches []*chaos.Watch
	for n := range int64(hitters * each / 20) {
		for fired.Load() < n*20 {
			runtime.Gosched()
		}
		watches = append(watches, watch(t, chaos.Scope{}.WatchAll()))
	}
	all.Wait()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, on := range watches {
		last := map[string]int{}
		for n := 0; ; n++ {
			e, err := on.Next(ended)
			if err != nil {
				equal(t, "firings", n, hitters*each)
				break
			}
			if before := last[e.Firing.Target]; e.Missed != 0 || e.Firing.Nth != before+1 {
				t.Fatalf("hit %d of %s comes after hit %d, %d missed", e.Firing.Nth, e.Firing.Target, before, e.Missed)
			}
			last[e.Firing.Target]++
		}
	}
}
