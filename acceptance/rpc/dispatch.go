// Package rpc has the specs about calls that fail between the participants.
package rpc

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"google.golang.org/grpc/codes"

	. "iris/acceptance"
	"iris/chaos"
	"iris/iris/client"
)

var _ = Scenario("dispatching a task", RPC, Chaos, func(c *Cluster) {
	c.Seeds(20, func(seed uint64) {
		It("dispatch_intermittent_failure: retries a lost try inside the same attempt "+SeedName(seed), func(ctx SpecContext) {
			const tasks = 4
			rule := c.Enable("controller.dispatch", chaos.FailureRate(0.3), chaos.WithSeed(seed),
				chaos.MinFailures(1), chaos.MaxFailures(3)) // never the four that end an attempt
			job := c.Submit(ctx, client.Spec{Name: "intermittent-dispatch", Entrypoint: c.Quick(), Replicas: tasks})

			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(job.Tasks(ctx)).To(HaveEach(HaveAttempts(SUCCEEDED)))
			Expect(rule.Counts().Matched).To(Equal(tasks+rule.Counts().Fired), "each lost try is made again, and no other")
		})
	})

	It("dispatch_permanent_failure: tries every worker once, four times each, then fails the job (FM-1)", func(ctx SpecContext) {
		c.Enable("controller.dispatch")
		job := c.Submit(ctx, client.Spec{Name: "permanent-dispatch", Entrypoint: c.Quick()})

		Eventually(ctx, job.Status).WithTimeout(120 * time.Second).Should(HaveState(FAILED))
		Expect(job.Status(ctx)).To(HaveError("dispatch failed on every worker that can run it (w-0, w-1)"))
		Expect(Task(job, 0)(ctx)).To(SatisfyAll(
			HaveAttempts(WORKERFAILED, WORKERFAILED),
			HaveAttemptError(0, Equal("dispatch to w-0 failed 4 times: Unavailable: chaos: controller.dispatch")),
			HaveAttemptError(1, Equal("dispatch to w-1 failed 4 times: Unavailable: chaos: controller.dispatch")),
		))
		Expect(c.FiredOn("controller.dispatch", "worker")).To(Equal(map[string]int{"w-0": 4, "w-1": 4}))
		Expect(c.Workers(ctx)).To(HaveEach(BeLive(0)))
		c.Works(ctx)
	})

	It("dispatch_delayed: waits for slow tries and runs the task in its first attempt", func(ctx SpecContext) {
		rule := c.Enable("controller.dispatch", chaos.Delay(3*time.Second), chaos.Fail(), chaos.MaxFailures(2))
		job := c.Submit(ctx, client.Spec{Name: "delayed-dispatch", Entrypoint: c.Quick()})

		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
		Expect(rule.Counts().Fired).To(Equal(2))
		Expect(Took(ctx, job, Submitted, Started)).To(BeBetween(6*time.Second, 6*time.Second+c.Slack()))
	})

	It("submit_task_refused: moves on at once when a worker refuses for good", func(ctx SpecContext) {
		rule := c.Enable("worker.submit_task", chaos.Match("worker", "w-0"), chaos.Code(codes.ResourceExhausted))
		job := c.Submit(ctx, client.Spec{Name: "refused", Entrypoint: c.Quick()})

		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(job, 0)(ctx)).To(SatisfyAll(
			HaveAttempts(WORKERFAILED, SUCCEEDED),
			HaveAttemptError(0, Equal("dispatch to w-0 failed 1 time: ResourceExhausted: chaos: worker.submit_task")),
		))
		Expect(rule.Counts().Fired).To(Equal(1))
	})

	It("dispatch_held: a job that is terminated while its dispatch is held never runs", func(ctx SpecContext) {
		rule := c.Enable("controller.dispatch", chaos.Pause())
		soon, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		job := c.Submit(ctx, client.Spec{Name: "held", Entrypoint: c.Sleeping(120 * time.Second)})
		Expect(rule.Await(soon, 1)).To(Succeed())

		Expect(job.Terminate(ctx)).To(Succeed())
		Eventually(ctx, c.Workers).Should(HaveEach(BeEmptyWorker()), "the stop of what never came is confirmed")
		Expect(rule.Release(1)).To(Equal(1))
		probe := c.Submit(ctx, client.Spec{Name: "after", Entrypoint: c.Quick()}) // it leaves after what was held
		Expect(rule.Await(soon, 2)).To(Succeed())
		Expect(rule.Release(1)).To(Equal(1))
		Eventually(ctx, probe.Status).Should(HaveState(SUCCEEDED))
		Expect(c.Alive(job)).To(BeZero())
		Expect(Task(job, 0)(ctx)).To(SatisfyAll(HaveAttempts(KILLED), HaveAttemptError(0, Equal("terminated by a user"))))
	})
})
