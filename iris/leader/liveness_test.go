package leader

import (
	"testing"
	"time"

	"iris/iris/state"
)

// A stall of the whole process shows in nothing but a timer that fires late, so there is always one soon.
func TestALeaderLooksOftenEnoughToNoticeAStall(t *testing.T) {
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	l := newLiveness(time.Minute)
	if at, ok := l.next(start); ok {
		t.Errorf("without workers it looks at %v", at)
	}
	l.hear("w-0", start, false)
	for at, want := range map[time.Duration]time.Duration{0: 15 * time.Second, 40 * time.Second: 55 * time.Second, 50 * time.Second: time.Minute} {
		if got, ok := l.next(start.Add(at)); !ok || got.Sub(start) != want {
			t.Errorf("%v after a heartbeat it looks at %v, want %v", at, got.Sub(start), want)
		}
	}
}

func TestAStallIsAddedToEverybodysTime(t *testing.T) {
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	l := newLiveness(time.Minute)
	for _, c := range []struct{ heard, late, left time.Duration }{
		{0, stall, time.Minute - 15*time.Second - stall},        // the loop was busy, no more
		{0, stall + 1, 45 * time.Second},                        // the stall does not count
		{-30 * time.Second, 10 * time.Second, 30 * time.Second}, // half the timeout is left in any case
		{-45 * time.Second, time.Hour, 30 * time.Second},        // also after a long stall
		{0, time.Hour, 45 * time.Second},
	} {
		l.workers["w-0"] = &sign{at: start.Add(c.heard)}
		wake := start.Add(15 * time.Second)
		now := wake.Add(c.late)
		l.forgive(wake, now)
		if left := l.workers["w-0"].at.Add(l.timeout).Sub(now); left != c.left {
			t.Errorf("heard %v, late %v: %v are left, want %v", c.heard, c.late, left, c.left)
		}
	}
	l.workers["w-0"] = &sign{at: start}
	l.forgive(time.Time{}, start.Add(time.Hour))
	if !l.workers["w-0"].at.Equal(start) {
		t.Error("the first turn counts as a stall")
	}
}

func TestWhatWasHeardLastCountsThoughItBeOfBefore(t *testing.T) {
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	c := state.New(state.Policy{})
	for _, id := range []string{"w-0", "w-1"} {
		if _, err := c.Apply(start, state.RegisterWorker{ID: id, Incarnation: "1", Address: id}); err != nil {
			t.Fatal(err)
		}
	}
	l := newLiveness(time.Minute)
	l.hear("w-0", start.Add(time.Hour), false)
	l.hear("w-1", start.Add(time.Hour), false)
	if !l.allTake(start.Add(time.Hour)) {
		t.Error("two workers are heard of in an hour, and may be silent before")
	}
	l.hear("w-1", start, false)
	for _, at := range []time.Duration{59 * time.Second, time.Minute} {
		if got := l.lost(start.Add(at), c); len(got) > 0 != (at == time.Minute) {
			t.Errorf("%v after the last sign of w-1, %v are lost", at, got)
		}
	}
}

func TestAllTakeTasksOnlyWhileNoneCanBeSilentAndNoneDrains(t *testing.T) {
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	l := newLiveness(time.Minute)
	if l.allTake(start) {
		t.Error("nobody is known, and all take tasks")
	}
	l.hear("w-0", start, false)
	l.hear("w-1", start.Add(10*time.Second), false)
	if at := start.Add(30 * time.Second); !l.allTake(at) || l.standing("w-0", at) != Takes {
		t.Error("after half the timeout a worker is silent")
	}
	if at := start.Add(30*time.Second + 1); l.allTake(at) || l.standing("w-0", at) != Silent {
		t.Error("after more than half the timeout it is not")
	}
	l.hear("w-0", start.Add(20*time.Second), true)
	if l.allTake(start.Add(20 * time.Second)) {
		t.Error("a worker drains, and all take tasks")
	}
}
