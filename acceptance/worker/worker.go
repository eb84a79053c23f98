// Package worker has the specs about workers that fail, come late or come back.
package worker

import (
	"errors"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "iris/acceptance"
	"iris/chaos"
	"iris/iris/client"
	pb "iris/iris/proto"
)

var _ = Scenario("a worker's task monitor", Worker, Chaos, func(c *Cluster) {
	It("worker_crash_mid_task: fails the task of a monitor that crashed, and nothing of it stays", func(ctx SpecContext) {
		rule := c.Enable("worker.task_monitor", chaos.Skip(3)) // it has looked at the task three times before
		job := c.Submit(ctx, client.Spec{Name: "crash-mid-task", Entrypoint: c.Sleeping(120 * time.Second)})

		Eventually(ctx, job.Status).Should(HaveState(FAILED))
		Expect(c.Alive(job)).To(BeZero())
		Expect(job.Status(ctx)).To(HaveError("chaos: monitor crashed"))
		Expect(Task(job, 0)(ctx)).To(HaveAttempts(FAILED))
		Expect(rule.Counts().Fired).To(Equal(1))
	})
})

var _ = Scenario("workers that register late", Worker, Chaos, Arm(func(rules Faults) {
	for _, w := range []string{"w-0", "w-1"} { // a rule on heartbeats covers the first sign of life
		_, err := rules.Enable("worker.heartbeat", chaos.Match("worker", w), chaos.Delay(10*time.Second), chaos.MaxFailures(1))
		Expect(err).NotTo(HaveOccurred())
	}
}), func(c *Cluster) {
	It("worker_delayed_registration: a job waits, says so, and runs once they are there", func(ctx SpecContext) {
		job := c.Submit(ctx, client.Spec{Name: "delayed-reg", Entrypoint: c.Quick()})
		Expect(job.Status(ctx)).To(WaitBecause(pb.PendingReason_KIND_NO_WORKERS, "no live worker"))

		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
		Expect(Took(ctx, job, Submitted, Started)).To(BeBetween(10*time.Second-c.Slack(), 10*time.Second+c.Slack()))
		Eventually(ctx, c.Workers).Should(SatisfyAll(HaveLen(2), HaveEach(BeLive(0))))
		Expect(c.FiredOn("worker.heartbeat", "worker")).To(Equal(map[string]int{"w-0": 1, "w-1": 1}))
	})
})

var _ = Scenario("workers that cannot reach the controller", Worker, Chaos, Arm(func(rules Faults) {
	_, err := rules.Enable("worker.register", chaos.Match("worker", "w-0"), chaos.MaxFailures(3))
	Expect(err).NotTo(HaveOccurred())
}), func(c *Cluster) {
	It("register_lost: a worker tries again with growing pauses until it is taken", func(ctx SpecContext) {
		Eventually(ctx, c.Workers).Should(SatisfyAll(HaveLen(2), HaveEach(BeLive(0))))
		times := []time.Time{}
		for _, f := range c.Chaos.Firings() {
			times = append(times, f.At)
		}
		Expect(times).To(HaveLen(3))
		Expect(times[1].Sub(times[0])).To(BeBetween(450*time.Millisecond, 550*time.Millisecond+c.Slack()))
		Expect(times[2].Sub(times[1])).To(BeBetween(900*time.Millisecond, 1100*time.Millisecond+c.Slack()))
	})
})

var _ = Scenario("jobs one after the other", Worker, Chaos, func(c *Cluster) {
	It("worker_sequential_jobs: leaves every worker empty between them", func(ctx SpecContext) {
		for i := range 3 {
			job := c.Submit(ctx, client.Spec{Name: fmt.Sprintf("seq-%d", i), Entrypoint: c.Quick()})
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
			Expect(c.Workers(ctx)).To(SatisfyAll(HaveLen(2), HaveEach(SatisfyAll(BeLive(0), BeEmptyWorker()))))
		}
	})
})

var _ = Scenario("losing every worker", Worker, Chaos, func(c *Cluster) {
	It("all_workers_fail: fails the job, and the cluster works again when they are back", func(ctx SpecContext) {
		job := c.Submit(ctx, client.Spec{Name: "all-workers-fail", Entrypoint: c.Sleeping(120 * time.Second), CPU: 4, Replicas: 2})
		Eventually(ctx, job.Tasks).Should(HaveEach(HaveAttempts(RUNNING)))
		c.Enable("worker.heartbeat")

		Eventually(ctx, job.Status).WithTimeout(90 * time.Second).Should(HaveState(FAILED))
		Expect(job.Status(ctx)).To(HaveError("task 0: lost w-0, w-1 (no heartbeat for 60s); no worker left to run it"))
		Expect(job.Tasks(ctx)).To(HaveEach(HaveAttempts(WORKERFAILED)))
		Expect(c.Workers(ctx)).To(HaveEach(BeLost()))
		Expect(c.FiredOn("worker.heartbeat", "worker")).To(SatisfyAll(
			HaveKeyWithValue("w-0", BeNumerically(">=", 7)), HaveKeyWithValue("w-1", BeNumerically(">=", 7))), "a beat each 10 s")

		c.Heal()
		Eventually(ctx, c.Workers).Should(HaveEach(BeLive(1)))
		c.Works(ctx)
	})
})

var _ = Scenario("a container that cannot be made", Worker, Chaos, func(c *Cluster) {
	It("task_fails_once_then_succeeds: is retried within the failure budget", func(ctx SpecContext) {
		rule := c.Enable("worker.create_container", chaos.MaxFailures(1), chaos.Err(errors.New("chaos: transient container failure")))
		job := c.Submit(ctx, client.Spec{Name: "retry-once", Entrypoint: c.Quick(), MaxRetriesFailure: client.Limit(1)})

		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(job, 0)(ctx)).To(SatisfyAll(
			HaveAttempts(FAILED, SUCCEEDED),
			HaveAttemptError(0, Equal("chaos: transient container failure")),
		))
		Expect(rule.Counts().Fired).To(Equal(1))
	})
})
