//go:build race

package chronos

import "runtime"

// Racing says that the race detector is on, which makes everything many times slower.
const Racing = true

// oneProcessor runs a bubble on one processor under the race detector: as of Go 1.26 a bubble's timers share one race
// context, and two processors that fire timers at once corrupt it ("ThreadSanitizer: CHECK failed", golang/go#78156).
// The detector judges by happens-before, not by luck, so it still sees the races.
func oneProcessor() (restore func()) {
	before := runtime.GOMAXPROCS(1)
	return func() { runtime.GOMAXPROCS(before) }
}
