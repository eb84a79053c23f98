package acceptance

import (
	"fmt"
	"time"

	"github.com/onsi/ginkgo/v2"

	"iris/acceptance/chronos"
)

// Mode is a way to run the same specs: by which clock, and how far apart the participants are.
type Mode struct {
	// Label is what its specs are labelled with, and what reports call it.
	Label string

	speed     string // Fast or Slow
	phrase    string // what the text of a situation ends with
	decorator []any  // of its containers
	seeds     bool   // whether a spec runs with many seeds
	slack     time.Duration
	lag       time.Duration
	poll      time.Duration // of Eventually
	// system makes the cluster of a spec, which does not run yet.
	system func(plan) system
}

// The modes.
var (
	// Virtual runs everything in one process, in virtual time, over the in-memory network; tasks are functions.
	Virtual = &Mode{
		Label: "virtual", speed: Fast, phrase: "in virtual time", decorator: []any{chronos.Virtual()}, seeds: true,
		slack: 200 * time.Millisecond, lag: 0, poll: 50 * time.Millisecond, system: newVirtual,
	}
	// Realtime runs the participants in one process, on the wall clock, over TCP; tasks are processes.
	Realtime = &Mode{
		Label: "realtime", speed: Slow, phrase: "on the wall clock",
		slack: 2 * time.Second, lag: time.Second, poll: 20 * time.Millisecond, system: newRealtime,
	}
	// Process runs each participant as a daemon of its own, on the wall clock, over TCP; tasks are processes.
	Process = &Mode{
		Label: "process", speed: Slow, phrase: "with real daemons",
		slack: 2 * time.Second, lag: time.Second, poll: 20 * time.Millisecond, system: newDaemons,
	}
)

var modes = []*Mode{Virtual, Realtime, Process}

// modeOf is the mode with this label.
func modeOf(label string) (*Mode, bool) {
	for _, m := range modes {
		if m.Label == label {
			return m, true
		}
	}
	return nil, false
}

// Slack is by how much an instant may be late: nothing in virtual time but the polls of those who watch.
func (m *Mode) Slack() time.Duration { return m.slack }

// Lag is by how much two participants' views of an instant may differ: what a report takes on its way.
func (m *Mode) Lag() time.Duration { return m.lag }

// Seeds declares a spec for each of n seeds of the chaos decisions in virtual time, and for one in other modes. The seeds
// follow from the run's own (--seed), so that it repeats the faults as well as the order. SeedName names a spec.
func (m *Mode) Seeds(n int, declare func(seed uint64)) {
	if !m.seeds {
		n = 1
	}
	for i := range n {
		declare(runSeed()<<8 + uint64(i+1))
	}
}

// SeedName tells the specs of one Seeds apart, whatever the run's seed.
func SeedName(seed uint64) string { return fmt.Sprintf("(seed %d)", seed&0xff) }

// runSeed is the run's own.
func runSeed() uint64 { return uint64(ginkgo.GinkgoRandomSeed()) }

// Without keeps specs out of a mode in which they cannot run. Pass it to Scenario or InEachMode.
type Without struct {
	Mode *Mode
	// Why is for whoever wonders: it must be there.
	Why string
}

func (w Without) explained(text string) {
	if w.Why == "" {
		panic(fmt.Sprintf("%q is not for every mode and does not say why", text))
	}
}

// Only keeps specs to one mode. Pass it to Scenario or InEachMode.
type Only Without

// LongStory is for stories that take minutes, and in which nothing depends on the clock.
var LongStory = Only{Mode: Virtual, Why: "the story takes minutes, and another clock shows nothing new"}

// InEachMode declares specs that need no cluster, once for each mode. Arguments are labels (string), Withouts or an
// Only, and the body, which declares the specs with It.
func InEachMode(text string, args ...any) bool {
	var body func(*Mode)
	labels, out := []string{}, map[*Mode]bool{}
	for _, arg := range args {
		switch a := arg.(type) {
		case string:
			labels = append(labels, a)
		case Without:
			a.explained(text)
			out[a.Mode] = true
		case Only:
			Without(a).explained(text)
			for _, m := range modes {
				out[m] = out[m] || m != a.Mode
			}
		case func(*Mode):
			body = a
		default:
			panic(fmt.Sprintf("%q: an argument is a %T", text, arg))
		}
	}
	for _, m := range modes {
		if !out[m] {
			ginkgo.Describe(text+", "+m.phrase, ginkgo.Label(labels...), ginkgo.Label(m.Label, m.speed), m.decorator,
				func() { body(m) })
		}
	}
	return true
}
