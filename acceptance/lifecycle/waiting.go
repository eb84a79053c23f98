package lifecycle

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "iris/acceptance"
	"iris/iris/client"
	pb "iris/iris/proto"
)

var _ = Scenario("waiting for capacity", Lifecycle, Chaos, func(c *Cluster) {
	It("capacity_wait: a job waits while the cluster is full, says so, and starts when capacity frees", func(ctx SpecContext) {
		var blockers []*client.Job
		for _, name := range []string{"blocker-0", "blocker-1"} {
			blockers = append(blockers, c.Submit(ctx, client.Spec{Name: name, Entrypoint: c.Sleeping(8 * time.Second), CPU: 4}))
		}
		for _, b := range blockers {
			Eventually(ctx, b.Status).Should(HaveState(RUNNING))
		}
		waiting := c.Submit(ctx, client.Spec{Name: "pending", Entrypoint: c.Quick()})
		Expect(waiting.Status(ctx)).To(WaitBecause(pb.PendingReason_KIND_NO_CAPACITY,
			"needs 1 CPU, largest free is 0 CPU on w-0; 2 workers"))

		Eventually(ctx, waiting.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(waiting, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
		status, err := waiting.Status(ctx)
		Expect(err).NotTo(HaveOccurred())
		for _, b := range blockers { // which last alike
			Eventually(ctx, b.Status).Should(HaveState(SUCCEEDED))
			blocker, err := b.Status(ctx)
			Expect(err).NotTo(HaveOccurred())
			Expect(Started(status)).To(BeTemporally("~", Finished(blocker), c.Slack()))
		}
	})

	It("scheduling_timeout: a job that never fits is unschedulable in time, with the reason", func(ctx SpecContext) {
		const limit = 2 * time.Second
		job := c.Submit(ctx, client.Spec{Name: "unsched", Entrypoint: c.Quick(), CPU: 9999, SchedulingTimeout: limit})

		Eventually(ctx, job.Status).Should(HaveState(UNSCHEDULABLE))
		Expect(job.Status(ctx)).To(HaveError(
			"not scheduled within 2s: needs 9999 CPU, the largest worker w-0 has 4 CPU; 2 workers"))
		Expect(Task(job, 0)(ctx)).To(HaveAttempts())
		Expect(Took(ctx, job, Submitted, Finished)).To(BeBetween(limit, limit+c.Slack()))
	})
})
