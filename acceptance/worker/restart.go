package worker

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "iris/acceptance"
	"iris/chaos"
	"iris/iris/client"
	pb "iris/iris/proto"
)

var _ = Scenario("workers that are started again", Worker, Chaos, LongStory, func(c *Cluster) {
	It("restart_between_beats: what a worker lost when it was started again is known at once and retried (FM-17)", func(ctx SpecContext) {
		job := c.Submit(ctx, client.Spec{Name: "interrupted", Entrypoint: c.Sleeping(30 * time.Second), Constraints: On("w-0")})
		Eventually(ctx, job.Status).Should(HaveState(RUNNING))
		c.Kill("w-0")
		c.Revive("w-0")

		began := time.Now()
		Eventually(ctx, Task(job, 0)).Should(HaveAttempts(WORKERFAILED, RUNNING))
		Expect(time.Since(began)).To(BeBetween(0, time.Second+c.Slack()), "nobody waits for the worker timeout")
		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(job, 0)(ctx)).To(SatisfyAll(HaveAttempts(WORKERFAILED, SUCCEEDED),
			HaveAttemptError(0, Equal("worker w-0 was restarted")), HaveField("PreemptionCount", int32(1))))
		Expect(c.Workers(ctx)).To(HaveEach(BeLive(0)))
	})

	It("restart_again_and_again: each restart counts, however often a worker registers (FM-18)", func(ctx SpecContext) {
		job := c.Submit(ctx, client.Spec{
			Name: "unlucky", Entrypoint: c.Sleeping(10 * time.Minute), Constraints: On("w-0"), MaxRetriesPreemption: client.Limit(2),
		})
		for round := range 3 {
			Eventually(ctx, Task(job, 0)).Should(SatisfyAll(
				HaveField("Attempts", HaveLen(round+1)), HaveField("State", pb.TaskState_TASK_STATE_RUNNING)))
			c.Kill("w-0")
			c.Revive("w-0")
		}
		Eventually(ctx, job.Status).Should(HaveState(WORKERFAILED))
		Expect(job.Status(ctx)).To(HaveError("worker w-0 was restarted"))
		Expect(Task(job, 0)(ctx)).To(HaveAttempts(WORKERFAILED, WORKERFAILED, WORKERFAILED))
	})

	It("address_recycled: who registers an address ends its former owner, and gets none of its orders (FM-24)", func(ctx SpecContext) {
		job := c.Submit(ctx, client.Spec{Name: "moves", Entrypoint: c.Sleeping(20 * time.Second)})
		Eventually(ctx, job.Status).Should(HaveState(RUNNING))
		former := c.Worker(ctx, c.WorkerOf(ctx, job))
		_, err := pb.NewRegistryServiceClient(c.Conn()).Register(ctx, &pb.RegisterRequest{
			WorkerId: "heir", Incarnation: "1", Address: former.Address, Capacity: &pb.Resources{CpuMillis: 1, MemoryBytes: 1},
		})
		Expect(err).NotTo(HaveOccurred())

		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(job, 0)(ctx)).To(SatisfyAll(HaveAttempts(WORKERFAILED, SUCCEEDED), HaveAttemptError(0,
			Equal("lost worker "+former.WorkerId+": its address "+former.Address+" now belongs to heir"))))
		_, err = pb.NewRegistryServiceClient(c.Conn()).Register(ctx, &pb.RegisterRequest{ // it goes elsewhere
			WorkerId: "heir", Incarnation: "2", Address: "elsewhere", Capacity: &pb.Resources{CpuMillis: 1, MemoryBytes: 1},
		})
		Expect(err).NotTo(HaveOccurred())
		back := func(ctx context.Context) *pb.WorkerStatus { return c.Worker(ctx, former.WorkerId) }
		Eventually(ctx, back).Should(BeLive(1), "the former owner is told at its next heartbeat")
	})
})

var _ = Scenario("workers that take a minute to register", Worker, Chaos, LongStory, Arm(func(rules Faults) {
	_, err := rules.Enable("worker.register", chaos.Match("worker", "w-0"), chaos.Delay(70*time.Second), chaos.MaxFailures(1))
	Expect(err).NotTo(HaveOccurred())
}), func(c *Cluster) {
	It("slow_start: what a worker's registration takes does not count as its silence (FM-34)", func(ctx SpecContext) {
		Eventually(ctx, c.Workers).Should(HaveLen(2))
		job := c.Submit(ctx, client.Spec{Name: "waits", Entrypoint: c.Sleeping(65 * time.Second), Constraints: On("w-0")})
		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
		Expect(c.Workers(ctx)).To(HaveEach(BeLive(0)))
	})
})
