package swarm

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"iris/acceptance/fault"
	"iris/acceptance/swarm/exact"
	"iris/acceptance/swarm/real"
	"iris/acceptance/swarm/story"
	"iris/acceptance/timeline"
)

// Telling is what came of one story, whoever told it.
type Telling struct {
	// Violation is what did not hold; nil: all did.
	Violation error
	Told      time.Duration // of virtual time
	Struck    map[fault.Kind]int
	Sites     map[string]int // of chaos, that fired
	Ends      map[string]int // of jobs
	Met       exact.Met      // only of the pure core
	Rows      map[int]int
	Digest    [32]byte // of the history; only of the pure core, whose histories are the same everywhere
}

// Teller tells stories of its own limits. It is safe for concurrent use.
type Teller struct {
	Name   string
	Limits story.Limits
	Tell   func(story.Story) Telling
	// Timeline is that of a story, which is told for it, and how it fails.
	Timeline func(story.Story) (timeline.Timeline, error)
	// Tries is how often a story is told that is to fail: 1 if the same story is always the same history.
	Tries int
}

// Exact tells stories on the pure core.
func Exact() Teller {
	return Teller{
		Name: "exact", Tries: 1,
		Limits: story.Limits{Workers: 50, Controllers: 5, Groups: 2, Length: 4 * time.Hour, Jobs: 60},
		Tell: func(s story.Story) Telling {
			out := exact.Run(s, exact.Options{Mirror: s.Seed%8 == 0})
			ends := map[string]int{}
			for end, n := range out.Ends {
				ends[end.String()] = n
			}
			return Telling{
				Violation: out.Violation, Told: out.Told, Struck: out.Struck, Sites: out.Sites, Ends: ends, Met: out.Met, Rows: out.Rows,
				Digest: out.Digest,
			}
		},
		Timeline: func(s story.Story) (timeline.Timeline, error) {
			var facts timeline.Facts
			out := exact.Run(s, exact.Options{Facts: &facts})
			facts.Notes = append(facts.Notes, "The pure core has no calls to draw: what is lost on the way is seen by what does not happen.")
			return timeline.Draw(facts), out.Violation
		},
	}
}

// Draw is the story of a seed.
func (t Teller) Draw(seed uint64) story.Story { return story.Draw(seed, t.Limits) }

// fails tells a story until it fails, as often as it may take. The violation is nil if it does not.
func (t Teller) fails(s story.Story) (violation error) {
	for range t.Tries {
		if violation = t.safely(s).Violation; violation != nil {
			return violation
		}
	}
	return nil
}

// safely is Tell of a story that may be such that the teller panics.
func (t Teller) safely(s story.Story) (telling Telling) {
	defer func() {
		if p := recover(); p != nil {
			telling.Violation = fmt.Errorf("panic: %v", p)
		}
	}()
	return t.Tell(s)
}

// Real tells stories on the production code, in bubbles that belong to a test. It tells one at a time.
func Real(t *testing.T) Teller {
	turn := &sync.Mutex{}
	return Teller{
		Name: "real", Tries: 3,
		Limits: story.Limits{Workers: 5, Controllers: 3, Groups: 1, Length: 20 * time.Minute, Jobs: 60},
		Tell: func(s story.Story) Telling {
			turn.Lock()
			defer turn.Unlock()
			out := real.Run(t, s, real.Options{})
			return Telling{Violation: out.Err(), Told: out.Told, Struck: out.Struck, Sites: out.Fired, Ends: out.Ended}
		},
		Timeline: func(s story.Story) (timeline.Timeline, error) {
			turn.Lock()
			defer turn.Unlock()
			var facts timeline.Facts
			out := real.Run(t, s, real.Options{Facts: &facts})
			return timeline.Draw(facts), out.Err()
		},
	}
}
