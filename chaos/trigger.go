package chaos

import (
	"fmt"
	"strings"
	"time"
)

// trigger chooses the hits that its steps may fire on. It holds no state: what has happened so far is an argument.
type trigger struct {
	skip     int
	every    int
	windowed bool
	from, to time.Duration
	floor    int // of firings, over the whole rule
	demand   int // firings that Verify wants
	seed     uint64
	seeded   bool // the seed was chosen for this rule
}

// always is the trigger of a rule without options.
var always = trigger{every: 1, demand: 1}

// lets reports whether the nth matched hit (from 1) of a target may fire at this age of the rule.
func (t *trigger) lets(nth int, age time.Duration) bool {
	switch {
	case t.windowed && (age < t.from || age >= t.to):
		return false
	case nth <= t.skip:
		return false
	}
	return (nth-t.skip)%t.every == 0
}

// draw is a number in [0,1) that depends on its arguments alone. Recorded seeds rely on it: it must never
// change.
func draw(seed uint64, site, target string, nth int) float64 {
	h := mix(seed)
	for _, word := range [...]string{site, target} {
		for i := range len(word) {
			h = (h ^ uint64(word[i])) * 0x100000001b3 // FNV-1a
		}
		h = mix(h ^ uint64(len(word)))
	}
	return float64(mix(h^uint64(nth))>>11) / (1 << 53)
}

// mix spreads every bit of x over the whole word (the finaliser of SplitMix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// say is in words when a rule fires whose only step is s, each preceded by a space; what is as by default is left out.
func (t *trigger) say(s *step) string {
	var b strings.Builder
	say := func(differs bool, format string, args ...any) {
		if differs {
			fmt.Fprintf(&b, " "+format, args...)
		}
	}
	say(s.rate != 1, "rate %v", s.rate)
	say(t.skip != 0, "skip %d", t.skip)
	say(t.every != 1, "every %d", t.every)
	say(t.windowed, "window %v to %v", t.from, t.to)
	say(t.floor != 0, "min %d", t.floor)
	say(s.ends(), "max %d", s.count)
	say(t.seed != 0 || t.seeded, "seed %d", t.seed)
	say(t.demand == 0, "may-not-fire")
	return b.String()
}
