package real

import (
	"flag"
	"strconv"
	"testing"
	"time"

	"iris/acceptance/chronos"
	"iris/acceptance/swarm/story"
)

var (
	from    = flag.Uint64("from", 0, "seed of the first story that is drawn")
	stories = flag.Int("stories", 0, "how many are drawn; 0: as many as take some seconds")
)

var limits = story.Limits{Workers: 5, Controllers: 3, Groups: 1, Length: 20 * time.Minute, Jobs: 60}

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
