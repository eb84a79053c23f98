package controller

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "iris/acceptance"
	"iris/iris/client"
)

var _ = Scenario("a controller's disk", Controller, Chaos, Controllers(1), onlyVirtual, func(c *Cluster) {
	It("disk_full: says so while the disk is full, loses nothing, and goes on by itself when there is space", func(ctx SpecContext) {
		running := c.Submit(ctx, client.Spec{Name: "running", Entrypoint: c.Sleeping(90 * time.Second)})
		Eventually(ctx, running.Status).Should(HaveState(RUNNING))
		ending := c.Submit(ctx, client.Spec{Name: "ending", Entrypoint: c.Sleeping(10 * time.Second)})
		Eventually(ctx, ending.Status).Should(HaveState(RUNNING))
		c.Enable("journal.disk")

		impatient, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		_, err := c.Client.Submit(impatient, client.Spec{ID: "refused", Name: "refused", Entrypoint: c.Quick()})
		Expect(err).To(MatchError(ContainSubstring("no space left on device")))
		c.Heal()

		again := c.Submit(ctx, client.Spec{ID: "refused", Name: "refused", Entrypoint: c.Quick()})
		for _, job := range []*client.Job{again, ending, running} {
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
			Expect(c.Began(job)).To(Equal(1))
		}
		Expect(c.Workers(ctx)).To(HaveEach(BeLive(0)), "nobody is lost because the controller was away")
	})
})
