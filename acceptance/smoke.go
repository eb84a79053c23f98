package acceptance

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"iris/iris/client"
)

var _ = Scenario("a local cluster", Lifecycle, Chaos, func(c *Cluster) {
	It("smoke: runs a job to its end in one attempt", func(ctx SpecContext) {
		job := c.Submit(ctx, client.Spec{Name: "chaos-smoke", Entrypoint: c.Quick()})
		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
	})
})
