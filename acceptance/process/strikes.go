package process

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "iris/acceptance"
)

// strikes end daemons at random moments, and start them again.
type strikes struct {
	cluster *Cluster
	random  *rand.Rand
	number  int
	pause   time.Duration // the mean between two
	next    choice
	story   strings.Builder
}

// choice is whom the next strike hits.
type choice func(*Cluster, *rand.Rand) []strike

// strike is the end of one daemon, and its new beginning a moment later.
type strike struct {
	what       string
	end, begin func()
}

func killed(c *Cluster, id string) strike {
	return strike{"kill -9 " + id, func() { c.Kill(id) }, func() { c.Revive(id) }}
}

// restartPause is how long a supervisor waits before it starts a daemon again: systemd's RestartSec by default.
const restartPause = 100 * time.Millisecond

// kills is how many kills a spec has: KILLS of the environment, or so many as a slow suite has time for.
func kills() int {
	text := os.Getenv("KILLS")
	if text == "" {
		return 20
	}
	n, err := strconv.Atoi(text)
	Expect(err).NotTo(HaveOccurred(), "KILLS")
	Expect(n).To(BeNumerically(">", 0), "KILLS")
	return n
}

// span is how long all of them take, about.
func (s *strikes) span() time.Duration { return time.Duration(s.number) * (s.pause + restartPause) }

// run strikes, and has everybody up again at the end.
func (s *strikes) run(ctx SpecContext) {
	GinkgoHelper()
	began := time.Now()
	for range s.number {
		wait := time.Duration(s.random.Int64N(int64(2 * s.pause)))
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		hits := s.next(s.cluster, s.random)
		for _, h := range hits {
			fmt.Fprintf(&s.story, "at %.3fs: %s\n", time.Since(began).Seconds(), h.what)
			h.end()
		}
		time.Sleep(restartPause)
		for _, h := range hits {
			h.begin()
		}
	}
}

// theController is the only one.
func theController(c *Cluster, _ *rand.Rand) []strike { return []strike{killed(c, "c-0")} }

// aWorker is any of the two.
func aWorker(c *Cluster, random *rand.Rand) []strike {
	return []strike{killed(c, fmt.Sprintf("w-%d", random.IntN(2)))}
}

// either is the controller, a worker, or both at once.
func either(c *Cluster, random *rand.Rand) []strike {
	switch random.IntN(3) {
	case 0:
		return theController(c, random)
	case 1:
		return aWorker(c, random)
	}
	return append(theController(c, random), aWorker(c, random)...)
}

// theLeader is whoever leads, as soon as somebody does.
func theLeader(c *Cluster, _ *rand.Rand) []strike {
	GinkgoHelper()
	var leader string
	Eventually(func() string { leader = c.Leader(); return leader }).ShouldNot(BeEmpty(), "somebody must come to lead")
	return []strike{killed(c, leader)}
}

// aKeeper is that of a worker, and the worker itself every other time: then nothing is left of either.
func aKeeper(c *Cluster, random *rand.Rand) []strike {
	id := fmt.Sprintf("w-%d", random.IntN(2))
	keeper := strike{"kill -9 the keeper of " + id, func() { c.KillKeeper(id) }, func() {}}
	if random.IntN(2) == 0 {
		return []strike{keeper}
	}
	return []strike{keeper, killed(c, id)}
}

// upgrade is a controller that is stopped in good order, and started again.
func upgrade(c *Cluster, random *rand.Rand) []strike {
	id := fmt.Sprintf("c-%d", random.IntN(3))
	return []strike{{"restart " + id, func() { c.Restart(id) }, func() {}}}
}
