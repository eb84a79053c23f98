package rpc

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

// registry is the service that workers call, for a spec that speaks for one.
func registry(c *Cluster) pb.RegistryServiceClient { return pb.NewRegistryServiceClient(c.Conn()) }

var _ = Scenario("reports that come late, twice or out of order", RPC, Chaos, LongStory, func(c *Cluster) {
	It("late_report: what a lost worker reports when it is back changes nothing (FM-12)", func(ctx SpecContext) {
		job := c.Submit(ctx, client.Spec{Name: "twice", Entrypoint: c.Sleeping(65 * time.Second)})
		Eventually(ctx, job.Status).Should(HaveState(RUNNING))
		first := c.WorkerOf(ctx, job)
		c.Enable("worker.heartbeat", chaos.Match("worker", first))
		reports := c.Enable("worker.report_task_state", chaos.Match("worker", first))

		Eventually(ctx, Task(job, 0)).Should(HaveAttempts(WORKERFAILED, RUNNING))
		Eventually(ctx, reports.Counts).Should(HaveField("Fired", 1), "the first copy ends by itself, and succeeds")
		Expect(c.Alive(job)).To(Equal(1))
		c.Heal()
		Eventually(ctx, func(ctx context.Context) *pb.WorkerStatus { return c.Worker(ctx, first) }).Should(BeLive(1))
		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(job, 0)(ctx)).To(SatisfyAll(HaveAttempts(WORKERFAILED, SUCCEEDED), HaveField("PreemptionCount", int32(1))))
	})

	It("report_repeated: a report that comes again, and one of an earlier phase, change nothing (FM-13)", func(ctx SpecContext) {
		job := c.Submit(ctx, client.Spec{Name: "running", Entrypoint: c.Sleeping(30 * time.Second)})
		Eventually(ctx, job.Status).Should(HaveState(RUNNING))
		before, err := Task(job, 0)(ctx)
		Expect(err).NotTo(HaveOccurred())
		w := c.Worker(ctx, c.WorkerOf(ctx, job))
		for _, state := range []pb.TaskState{pb.TaskState_TASK_STATE_RUNNING, pb.TaskState_TASK_STATE_BUILDING, pb.TaskState_TASK_STATE_PENDING} {
			answer, err := registry(c).ReportTaskState(ctx, &pb.ReportTaskStateRequest{
				WorkerId: w.WorkerId, Incarnation: w.Incarnation,
				Attempts: []*pb.AttemptReport{{AttemptUid: before.Attempts[0].AttemptUid, State: state}},
			})
			Expect(err).NotTo(HaveOccurred())
			Expect(answer.Stop).To(BeEmpty())
			Expect(Task(job, 0)(ctx)).To(EqualProto(before))
		}
		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
	})
})

var _ = Scenario("reports of what is over", RPC, Chaos, Controllers(1), LongStory, func(c *Cluster) {
	It("reports_end: what is over is not reported for ever, and heartbeats leave nothing in the log (FM-15)", func(ctx SpecContext) {
		job := c.Submit(ctx, client.Spec{Name: "many", Entrypoint: c.Quick(), Replicas: 100, CPU: 0.1})
		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Eventually(ctx, c.Workers).Should(HaveEach(BeEmptyWorker()))
		time.Sleep(time.Second)

		entries := c.Enable("journal.before_append", chaos.FailureRate(0), chaos.MayNotFire())
		time.Sleep(5 * time.Minute) // thirty heartbeats of each worker
		Expect(entries.Counts().Reached).To(BeZero())
		Expect(c.Workers(ctx)).To(HaveEach(BeLive(0)))

		next := c.Submit(ctx, client.Spec{Name: "next", Entrypoint: c.Quick()})
		Eventually(ctx, next.Status).Should(HaveState(SUCCEEDED))
		Expect(entries.Counts().Reached).To(BeNumerically(">", 0), "the count sees what there is to see")
	})
})

var _ = Scenario("a worker with nothing to do", RPC, Chaos, LongStory, func(c *Cluster) {
	It("idle_workers: whatever is quiet stays alive by its heartbeats alone (FM-20)", func(ctx SpecContext) {
		beats := c.Enable("worker.heartbeat", chaos.FailureRate(0), chaos.MayNotFire())
		time.Sleep(time.Hour)
		Expect(c.Workers(ctx)).To(HaveEach(BeLive(0)))
		Expect(beats.Counts().Reached).To(BeNumerically("~", 720, 2), "one each 10 s, of two workers")

		job := c.Submit(ctx, client.Spec{Name: "after", Entrypoint: c.Quick()})
		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
	})
})
