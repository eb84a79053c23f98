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

// strikes kill daemons at random moments, and start them again.
type strikes struct {
	cluster *Cluster
	random  *rand.Rand
	number  int
	pause   time.Duration                       // the mean between two
	victims func(*Cluster, *rand.Rand) []string // of one strike
	story   strings.Builder
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
		victims := s.victims(s.cluster, s.random)
		fmt.Fprintf(&s.story, "kill -9 at %.3fs: %s\n", time.Since(began).Seconds(), strings.Join(victims, " and "))
		for _, v := range victims {
			s.cluster.Kill(v)
		}
		time.Sleep(restartPause)
		for _, v := range victims {
			s.cluster.Revive(v)
		}
	}
}

// theController is the only one.
func theController(*Cluster, *rand.Rand) []string { return []string{"c-0"} }

// aWorker is any of the two.
func aWorker(_ *Cluster, random *rand.Rand) []string {
	return []string{fmt.Sprintf("w-%d", random.IntN(2))}
}

// either is the controller, a worker, or both at once.
func either(c *Cluster, random *rand.Rand) []string {
	switch random.IntN(3) {
	case 0:
		return theController(c, random)
	case 1:
		return aWorker(c, random)
	}
	return append(theController(c, random), aWorker(c, random)...)
}

// theLeader is whoever leads, as soon as somebody does.
func theLeader(c *Cluster, _ *rand.Rand) []string {
	GinkgoHelper()
	var leader string
	Eventually(func() string { leader = c.Leader(); return leader }).ShouldNot(BeEmpty(), "somebody must come to lead")
	return []string{leader}
}
