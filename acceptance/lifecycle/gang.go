package lifecycle

import (
	"errors"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "iris/acceptance"
	"iris/chaos"
	"iris/iris/client"
	pb "iris/iris/proto"
)

var _ = Scenario("a gang of tasks", Lifecycle, Chaos, func(c *Cluster) {
	It("coscheduled_sibling_failure: ends whole when one of its tasks fails", func(ctx SpecContext) {
		rule := c.Enable("worker.create_container", chaos.Match("task", "0"), chaos.MaxFailures(1),
			chaos.Err(errors.New("chaos: replica fail")))
		job := c.Submit(ctx, client.Spec{
			Name: "cosched-fail", Entrypoint: c.Sleeping(120 * time.Second), Replicas: 2, GroupBy: "worker",
		})

		Eventually(ctx, job.Status).Should(HaveState(FAILED))
		Expect(job.Status(ctx)).To(HaveError("task 0: chaos: replica fail"))
		Expect(Task(job, 0)(ctx)).To(HaveAttempts(FAILED))
		Expect(Task(job, 1)(ctx)).To(SatisfyAll(
			HaveAttempts(COSCHEDFAILED),
			HaveAttemptError(0, Equal("its job ended FAILED")),
		))
		Expect(rule.Counts().Fired).To(Equal(1))
		Eventually(ctx, c.Workers).WithTimeout(10*time.Second).Should(HaveEach(BeEmptyWorker()), "capacity comes back")
		Expect(c.Alive(job)).To(BeZero(), "capacity is back: the sibling has stopped")
	})

	It("coscheduled_retry: goes back to wait together and runs again together (FM-55)", func(ctx SpecContext) {
		rule := c.Enable("worker.create_container", chaos.Match("task", "1"), chaos.Match("attempt", "0"))
		job := c.Submit(ctx, client.Spec{
			Name: "cosched-retry", Entrypoint: c.Sleeping(3 * time.Second), Replicas: 2, GroupBy: "worker",
			MaxRetriesFailure: client.Limit(1),
		})

		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(job, 0)(ctx)).To(HaveAttempts(COSCHEDFAILED, SUCCEEDED))
		Expect(Task(job, 1)(ctx)).To(HaveAttempts(FAILED, SUCCEEDED))
		Expect(rule.Counts().Fired).To(Equal(1))
	})

	It("coscheduled_capacity_wait: waits whole while it does not fit, then runs whole", func(ctx SpecContext) {
		var blockers []*client.Job
		for _, name := range []string{"blocker-0", "blocker-1"} {
			blockers = append(blockers, c.Submit(ctx, client.Spec{Name: name, Entrypoint: c.Sleeping(8 * time.Second), CPU: 3}))
		}
		for _, b := range blockers {
			Eventually(ctx, b.Status).Should(HaveState(RUNNING))
		}
		gang := c.Submit(ctx, client.Spec{Name: "gang", Entrypoint: c.Quick(), Replicas: 2, GroupBy: "worker"})
		Expect(gang.Status(ctx)).To(WaitBecause(pb.PendingReason_KIND_GANG,
			"gang of 2 tasks (1 CPU and 1 GiB each) fits no worker; most room is for 1 in w-0"))
		Expect(gang.Tasks(ctx)).To(HaveEach(HaveAttempts()))

		Eventually(ctx, gang.Status).Should(HaveState(SUCCEEDED))
		Expect(gang.Tasks(ctx)).To(HaveEach(HaveAttempts(SUCCEEDED)))
		tasks, err := gang.Tasks(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(tasks[0].Attempts[0].WorkerId).To(Equal(tasks[1].Attempts[0].WorkerId))
	})
})
