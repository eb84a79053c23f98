// Package controller has the specs about controllers that crash, come back, and stand in for each other.
package controller

import (
	"fmt"
	"math"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "iris/acceptance"
	"iris/chaos"
	"iris/iris/client"
)

// onlyVirtual: each of these specs is about one instant between two steps of a controller.
var onlyVirtual = Only{Mode: Virtual, Why: "on the wall clock controllers are killed for real: see acceptance/process"}

// The points at which a controller may crash while an entry of its log takes effect, and how many entries of the story
// below pass each.
var points = []struct {
	site, what string
	entries    int
}{
	{"journal.before_append", "before its log has an entry", 8},
	{"journal.after_append", "when its log has an entry that is not committed", 8},
	{"journal.after_commit", "when an entry is committed and nobody knows", 8},
	{"journal.before_effect", "when an entry is committed and its orders have not left", 3},
	{"journal.before_answer", "when an entry is committed and its answers have not left", 8},
}

// crashes declares the story for some of the entries, counted from 1.
//
// What was acknowledged is kept, and what follows from it happens once.
func crashes(c *Cluster, who string, first, last int) {
	for _, p := range points {
		for nth := first; nth <= min(last, p.entries); nth++ {
			It(fmt.Sprintf("crash_%s: loses nothing and runs nothing twice, crashing %s (entry %d, %s; FM-14, FM-80)",
				p.site[len("journal."):], p.what, nth, who), func(ctx SpecContext) {
				long := c.Submit(ctx, client.Spec{Name: "long", Entrypoint: c.Sleeping(60 * time.Second)})
				Eventually(ctx, long.Status).Should(HaveState(RUNNING))
				rule := c.Enable(p.site, chaos.Match("controller", c.Leader()), chaos.Skip(nth-1), chaos.MaxFailures(1))

				short := c.Submit(ctx, client.Spec{Name: "short", Entrypoint: c.Sleeping(20 * time.Second)})
				Eventually(ctx, short.Status).Should(HaveState(RUNNING))
				unwanted := c.Submit(ctx, client.Spec{Name: "unwanted", Entrypoint: c.Sleeping(60 * time.Second)})
				Eventually(ctx, unwanted.Status).Should(HaveState(RUNNING))
				Expect(unwanted.Terminate(ctx)).To(Succeed())

				for _, job := range []*client.Job{short, long} {
					Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
					Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
				}
				Expect(unwanted.Status(ctx)).To(HaveState(KILLED))
				Expect(Task(unwanted, 0)(ctx)).To(SatisfyAll(HaveAttempts(KILLED), HaveAttemptError(0, Equal("terminated by a user"))))
				for _, job := range []*client.Job{short, long, unwanted} {
					Expect(c.Began(job)).To(Equal(1))
				}
				Expect(rule.Counts().Fired).To(Equal(1))
				Expect(c.Workers(ctx)).To(HaveEach(BeLive(0)))
			})
		}
	}
}

var _ = Scenario("a controller that crashes at its first entry", Controller, Chaos, Controllers(1), onlyVirtual,
	func(c *Cluster) { crashes(c, "alone", 1, 1) })

var _ = Scenario("a controller that crashes at a later entry", Controller, Crash, Controllers(1), onlyVirtual,
	func(c *Cluster) { crashes(c, "alone", 2, math.MaxInt) })

var _ = Scenario("the leader of three controllers crashes", Controller, Crash, Controllers(3), onlyVirtual,
	func(c *Cluster) { crashes(c, "of three", 1, math.MaxInt) })
