package rpc

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "iris/acceptance"
	"iris/chaos"
	"iris/iris/client"
	pb "iris/iris/proto"
)

var _ = Scenario("worker heartbeats", RPC, Chaos, func(c *Cluster) {
	It("heartbeat_temporary_failure: a worker that loses three beats in a row keeps its task", func(ctx SpecContext) {
		job := c.Submit(ctx, client.Spec{Name: "temp-hb-fail", Entrypoint: c.Sleeping(50 * time.Second)})
		Eventually(ctx, job.Status).Should(HaveState(RUNNING))
		rule := c.Enable("worker.heartbeat", chaos.Match("worker", c.WorkerOf(ctx, job)), chaos.MaxFailures(3))

		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
		Expect(rule.Counts().Fired).To(Equal(3))
		status, err := job.Status(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(c.Chaos.Firings()[2].At).To(BeTemporally("<", status.FinishedAt.AsTime()), "the job outlasts the losses")
		Expect(c.Workers(ctx)).To(HaveEach(BeLive(0)))
	})

	It("heartbeat_permanent_failure: marks the worker lost after 60 s of silence and fails its task", func(ctx SpecContext) {
		job := c.Submit(ctx, client.Spec{Name: "perm-hb-fail", Entrypoint: c.Sleeping(120 * time.Second)})
		Eventually(ctx, job.Status).Should(HaveState(RUNNING))
		c.Enable("worker.heartbeat")

		Eventually(ctx, job.Status).WithTimeout(90 * time.Second).Should(HaveState(FAILED))
		Expect(job.Status(ctx)).To(HaveError("lost w-0, w-1 (no heartbeat for 60s); no worker left to run it"))
		Expect(Task(job, 0)(ctx)).To(SatisfyAll(
			HaveAttempts(WORKERFAILED),
			HaveAttemptError(0, Equal("lost worker w-0: no heartbeat for 60s")),
		))
		Expect(c.FiredOn("worker.heartbeat", "worker")).To(SatisfyAll(
			HaveKeyWithValue("w-0", BeNumerically(">=", 7)), HaveKeyWithValue("w-1", BeNumerically(">=", 7))), "a beat each 10 s")
	})

	It("heartbeat_silence: silent workers get nothing new until they are heard of again", func(ctx SpecContext) {
		c.Enable("worker.heartbeat")
		time.Sleep(35 * time.Second) // more than half of the 60 s after which they are lost
		job := c.Submit(ctx, client.Spec{Name: "in-silence", Entrypoint: c.Quick()})
		Expect(job.Status(ctx)).To(WaitBecause(pb.PendingReason_KIND_NO_WORKERS,
			"the workers that have room for it miss their heartbeats and get nothing new"))
		Expect(Task(job, 0)(ctx)).To(HaveAttempts())

		c.Heal()
		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
		Expect(Took(ctx, job, Submitted, Started)).To(BeBetween(0, 10*time.Second))
		Expect(c.Workers(ctx)).To(HaveEach(BeLive(0)))
	})

	It("exclusive_lease: an exclusive task has ended before its silent worker counts as lost (FM-19)", func(ctx SpecContext) {
		job := c.Submit(ctx, client.Spec{Name: "exclusive", Entrypoint: c.Sleeping(120 * time.Second), Exclusive: true})
		Eventually(ctx, job.Status).Should(HaveState(RUNNING))
		w := c.WorkerOf(ctx, job)
		c.Enable("worker.heartbeat", chaos.Match("worker", w))
		c.Enable("worker.report_task_state", chaos.Match("worker", w))

		Eventually(ctx, c.Alive).WithArguments(job).Should(BeZero())
		Expect(job.Status(ctx)).To(HaveState(RUNNING), "the controller still counts on the worker")
		Eventually(ctx, Task(job, 0)).Should(HaveAttempts(WORKERFAILED, RUNNING))
		Expect(Task(job, 0)(ctx)).To(HaveAttemptError(0, Equal("lost worker "+w+": no heartbeat for 60s")))
		Expect(c.Alive(job)).To(Equal(1))
	})
})

var _ = Scenario("reports of a task's end", RPC, Chaos, func(c *Cluster) {
	It("report_task_state_failure: the next heartbeat brings a result whose report was lost (FM-11)", func(ctx SpecContext) {
		const length, beat = 15 * time.Second, 10 * time.Second
		rule := c.Enable("worker.report_task_state")
		job := c.Submit(ctx, client.Spec{Name: "report-fail", Entrypoint: c.Sleeping(length)})

		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
		Expect(rule.Counts().Fired).To(BeNumerically(">=", 2), "its start and its end were both lost")
		Expect(Took(ctx, job, Submitted, Finished)).To(BeBetween(length, length+beat+c.Slack()))
	})
})
