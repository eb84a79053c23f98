// Package acceptance is what Iris promises, as specs against a real cluster, with faults switched on inside it.
//
// A [Scenario] is written once and runs in both clocks: in virtual time, over the in-memory network, with functions as
// tasks; and on the wall clock, over TCP, with real processes. Each spec has its own cluster, booted before it and
// stopped after it, and ends with what must hold whatever happened: every armed fault fired, the invariants hold, nothing
// runs that the controller ended, and nothing is left behind.
//
// The specs live in ordinary packages below this one; the one suite file at the repository's root imports them.
package acceptance

import (
	"fmt"
	"time"

	"github.com/onsi/ginkgo/v2"

	"iris/acceptance/chronos"
	"iris/chaos"
)

// Arm arms chaos rules before the cluster boots. Pass it to Scenario.
type Arm func(chaos.Scope)

// Scenario declares a situation and its specs, in both clocks. Arguments are labels (string), an Arm, and the body, which
// declares the specs with It; the cluster it is given is the running spec's.
func Scenario(text, area string, args ...any) bool {
	var body func(*Cluster)
	labels, arm := []string{area}, Arm(nil)
	for _, arg := range args {
		switch a := arg.(type) {
		case string:
			labels = append(labels, a)
		case Arm:
			arm = a
		case func(*Cluster):
			body = a
		default:
			panic(fmt.Sprintf("Scenario %q: an argument is a %T", text, arg))
		}
	}
	return InBothClocks(text, labels, func(virtual bool) {
		c := &Cluster{Virtual: virtual}
		ginkgo.BeforeEach(func(ctx ginkgo.SpecContext) { c.boot(ctx, arm) })
		ginkgo.AfterEach(func(ctx ginkgo.SpecContext) { c.settle(ctx) })
		body(c)
	})
}

// InBothClocks declares specs that need no cluster, once for each clock.
func InBothClocks(text string, labels []string, body func(virtual bool)) bool {
	ginkgo.Describe(text+", in virtual time", ginkgo.Label(labels...), ginkgo.Label(Virtual, Fast), chronos.Virtual(),
		func() { body(true) })
	ginkgo.Describe(text+", on the wall clock", ginkgo.Label(labels...), ginkgo.Label(Realtime, Slow),
		func() { body(false) })
	return true
}

// Seeds declares a spec for each of n seeds of the chaos decisions in virtual time, and for one on the wall clock. The
// seeds follow from the run's own (--seed), so that it repeats the faults as well as the order. SeedName names a spec.
func (c *Cluster) Seeds(n int, declare func(seed uint64)) {
	if !c.Virtual {
		n = 1
	}
	for i := range n {
		declare(uint64(ginkgo.GinkgoRandomSeed())<<8 + uint64(i+1))
	}
}

// SeedName tells the specs of one Seeds apart, whatever the run's seed.
func SeedName(seed uint64) string { return fmt.Sprintf("(seed %d)", seed&0xff) }

// Slack is by how much an instant may be late: nothing in virtual time but the polls of those who watch.
func (c *Cluster) Slack() time.Duration {
	if c.Virtual {
		return 200 * time.Millisecond
	}
	return 2 * time.Second
}

// Lag is by how much two participants' views of an instant may differ: what a report takes on its way.
func (c *Cluster) Lag() time.Duration {
	if c.Virtual {
		return 0
	}
	return time.Second
}
