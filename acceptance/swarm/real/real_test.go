package real

import (
	"flag"
	"strconv"
	"testing"
	"time"

	"iris/acceptance/chronos"
	"iris/acceptance/swarm/story"
)

// The stories that are drawn. Larger ones, and more of them, are for whoever hunts.
var (
	from    = flag.Uint64("from", 0, "seed of the first story that is drawn")
	stories = flag.Int("stories", 0, "how many are drawn; 0: as many as take some seconds")
	limits  = story.Limits{Groups: 1}
)

func init() {
	flag.IntVar(&limits.Workers, "workers", 5, "how many a story has at the most")
	flag.IntVar(&limits.Controllers, "controllers", 3, "how many a story has at the most: 1, 3 or 5")
	flag.DurationVar(&limits.Length, "length", 20*time.Minute, "of a story at the most, until its faults are over")
	flag.IntVar(&limits.Jobs, "jobs", 60, "an hour, at the most")
}

func TestWhateverStoryIsDrawnItHolds(t *testing.T) {
	n := *stories
	switch {
	case n > 0:
	case chronos.Racing:
		n = 5
	default:
		n = 30
	}
	for seed := *from; seed < *from+uint64(n); seed++ {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			s := story.Draw(seed, limits)
			began := time.Now()
			out := Run(t, s, Options{})
			t.Logf("%d faults and %d jobs, %v within %v; struck %v, fired %v, ended %v", len(s.Faults), len(s.Jobs), out.Told,
				time.Since(began), out.Struck, out.Fired, out.Ended)
			if err := out.Err(); err != nil {
				t.Errorf("%v\n%s", err, s.Marshal())
			}
		})
	}
}
