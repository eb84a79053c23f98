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
	pb "iris/iris/proto"
)

var _ = Scenario("orders that do not arrive as they were sent", RPC, Chaos, LongStory, func(c *Cluster) {
	It("undelivered_is_free: what was never delivered costs no preemption (FM-2)", func(ctx SpecContext) {
		c.Enable("controller.dispatch", chaos.Match("worker", "w-0"))
		job := c.Submit(ctx, client.Spec{Name: "free", Entrypoint: c.Quick(), MaxRetriesPreemption: client.Limit(0)})

		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(job, 0)(ctx)).To(SatisfyAll(HaveAttempts(WORKERFAILED, SUCCEEDED), HaveField("PreemptionCount", int32(0))))
		Expect(c.Began(job)).To(Equal(1))
	})

	It("answer_lost: an order that arrived runs once, though nobody heard that it did (FM-3)", func(ctx SpecContext) {
		rule := c.Enable("worker.accept_task", chaos.MaxFailures(3))
		job := c.Submit(ctx, client.Spec{Name: "answered", Entrypoint: c.Sleeping(20 * time.Second)})

		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
		Expect(c.Began(job)).To(Equal(1))
		Expect(rule.Counts().Fired).To(Equal(3))
	})

	It("dispatch_spares_the_rest: a worker that cannot be given a task keeps those it has (FM-4)", func(ctx SpecContext) {
		there := c.Submit(ctx, client.Spec{Name: "there", Entrypoint: c.Sleeping(30 * time.Second), Constraints: On("w-0")})
		Eventually(ctx, there.Status).Should(HaveState(RUNNING))
		c.Enable("controller.dispatch", chaos.Match("worker", "w-0"), chaos.Match("job", "new"))
		fresh := c.Submit(ctx, client.Spec{Name: "new", Entrypoint: c.Quick(), Constraints: On("w-0")})

		Eventually(ctx, fresh.Status).Should(HaveState(FAILED))
		Expect(fresh.Status(ctx)).To(HaveError("dispatch failed on every worker that can run it (w-0)"))
		Eventually(ctx, there.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(there, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
		Expect(c.Workers(ctx)).To(HaveEach(BeLive(0)))
	})

	It("heartbeat_before_order: nothing follows from a heartbeat that does not know a task yet (FM-5)", func(ctx SpecContext) {
		rule := c.Enable("controller.dispatch", chaos.Pause())
		job := c.Submit(ctx, client.Spec{Name: "under-way", Entrypoint: c.Sleeping(5 * time.Second)})
		soon, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		Expect(rule.Await(soon, 1)).To(Succeed())
		time.Sleep(25 * time.Second) // two heartbeats
		Expect(Task(job, 0)(ctx)).To(HaveAttempts(ASSIGNED))

		Expect(rule.Release(1)).To(Equal(1))
		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
		Expect(c.Began(job)).To(Equal(1))
	})

	It("return_of_the_lost: a worker that is told to begin anew takes new tasks and drops only old ones (FM-6)", func(ctx SpecContext) {
		old := c.Submit(ctx, client.Spec{Name: "old", Entrypoint: c.Sleeping(10 * time.Minute), Constraints: On("w-0")})
		Eventually(ctx, old.Status).Should(HaveState(RUNNING))
		c.Enable("worker.heartbeat", chaos.Match("worker", "w-0"))
		Eventually(ctx, func(ctx context.Context) *pb.WorkerStatus { return c.Worker(ctx, "w-0") }).Should(BeLost())
		fresh := c.Submit(ctx, client.Spec{Name: "fresh", Entrypoint: c.Sleeping(30 * time.Second), Constraints: On("w-0")})

		c.Heal()
		Eventually(ctx, fresh.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(fresh, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
		Expect(Task(old, 0)(ctx)).To(SatisfyAll(HaveAttempts(WORKERFAILED, RUNNING),
			HaveAttemptError(0, Equal("lost worker w-0: no heartbeat for 60s"))))
		Eventually(ctx, c.Alive).WithArguments(old).Should(Equal(1), "the copy that was given up is stopped")
	})

	It("orders_of_the_dead: an order for a worker that died does not reach the one that came back (FM-7)", func(ctx SpecContext) {
		rule := c.Enable("controller.dispatch", chaos.Pause(), chaos.MaxFailures(1))
		job := c.Submit(ctx, client.Spec{Name: "late", Entrypoint: c.Sleeping(5 * time.Second), Constraints: On("w-0")})
		soon, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		Expect(rule.Await(soon, 1)).To(Succeed())
		c.Kill("w-0")
		c.Revive("w-0")

		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		rule.Release(1)
		Expect(Task(job, 0)(ctx)).To(SatisfyAll(HaveAttempts(WORKERFAILED, SUCCEEDED),
			HaveAttemptError(0, Equal("worker w-0 was restarted")), HaveField("PreemptionCount", int32(0))))
		Expect(c.Began(job)).To(Equal(1))
	})

	It("stop_lost: a stop that is lost is repeated until it is confirmed (FM-8)", func(ctx SpecContext) {
		rule := c.Enable("controller.stop")
		job := c.Submit(ctx, client.Spec{Name: "zombie", Entrypoint: c.Sleeping(10 * time.Minute)})
		Eventually(ctx, job.Status).Should(HaveState(RUNNING))
		Expect(job.Terminate(ctx)).To(Succeed())

		Expect(c.Alive(job)).To(Equal(1), "the order to stop it is lost")
		began := time.Now()
		Eventually(ctx, c.Alive).WithArguments(job).Should(BeZero())
		Expect(time.Since(began)).To(BeBetween(0, 10*time.Second+c.Slack()), "the next heartbeat's answer has it")
		Expect(Task(job, 0)(ctx)).To(HaveAttempts(KILLED))
		Expect(rule.Counts().Fired).To(Equal(1))
	})

	It("capacity_on_confirmation: the place of what was stopped is taken until it has stopped (FM-9)", func(ctx SpecContext) {
		const lasts = 25 * time.Second
		stubborn := c.Submit(ctx, client.Spec{Name: "stubborn", Entrypoint: c.Stubborn(lasts), CPU: 4, Constraints: On("w-0")})
		Eventually(ctx, stubborn.Status).Should(HaveState(RUNNING))
		Expect(stubborn.Terminate(ctx)).To(Succeed())
		next := c.Submit(ctx, client.Spec{Name: "next", Entrypoint: c.Quick(), CPU: 4, Constraints: On("w-0")})

		Eventually(ctx, next.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(next, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
		Expect(Took(ctx, next, Submitted, Started)).To(BeBetween(lasts-c.Slack(), lasts+c.Slack()))
	})

	It("refused_is_not_forgotten: a task whose order is refused does not stay assigned (FM-10)", func(ctx SpecContext) {
		c.Enable("worker.submit_task", chaos.Code(codes.Internal))
		job := c.Submit(ctx, client.Spec{Name: "refused", Entrypoint: c.Quick()})

		Eventually(ctx, job.Status).Should(HaveState(FAILED))
		Expect(job.Status(ctx)).To(HaveError("dispatch failed on every worker that can run it (w-0, w-1)"))
		Expect(Task(job, 0)(ctx)).To(HaveAttempts(WORKERFAILED, WORKERFAILED))
		Expect(c.Began(job)).To(BeZero())
	})

	It("straggler: a worker that is slow to take its orders delays no other's (FM-28)", func(ctx SpecContext) {
		c.Enable("worker.submit_task", chaos.Match("worker", "w-0"), chaos.Delay(4*time.Second))
		slow := c.Submit(ctx, client.Spec{Name: "slow", Entrypoint: c.Quick(), Constraints: On("w-0")})
		fast := c.Submit(ctx, client.Spec{Name: "fast", Entrypoint: c.Quick(), Replicas: 20, Constraints: On("w-1")})

		Eventually(ctx, fast.Status).Should(HaveState(SUCCEEDED))
		Expect(Took(ctx, fast, Submitted, Finished)).To(BeBetween(0, c.Slack()))
		Eventually(ctx, slow.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(slow, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
	})
})
