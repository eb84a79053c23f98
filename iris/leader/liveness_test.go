package leader

import (
	"testing"
	"time"
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
