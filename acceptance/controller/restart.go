package controller

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	. "iris/acceptance"
	"iris/chaos"
	"iris/iris/client"
	pb "iris/iris/proto"
)

var _ = Scenario("a controller that is away", Controller, Chaos, Controllers(1), onlyVirtual, func(c *Cluster) {
	It("controller_restart: what runs goes on and is adopted, what waits still waits (FM-16, FM-75)", func(ctx SpecContext) {
		running := c.Submit(ctx, client.Spec{Name: "running", Entrypoint: c.Sleeping(60 * time.Second), CPU: 4, Replicas: 2})
		Eventually(ctx, running.Tasks).Should(HaveEach(HaveAttempts(RUNNING)))
		waiting := c.Submit(ctx, client.Spec{Name: "waiting", Entrypoint: c.Quick()})
		over := c.Submit(ctx, client.Spec{Name: "over", Entrypoint: c.Quick()})
		Expect(over.Terminate(ctx)).To(Succeed())
		before, err := running.Tasks(ctx)
		Expect(err).NotTo(HaveOccurred())
		c.Kill("c-0")
		time.Sleep(20 * time.Second)
		c.Revive("c-0")

		Expect(over.Status(ctx)).To(SatisfyAll(HaveState(KILLED), HaveError("terminated by a user")))
		Expect(waiting.Status(ctx)).To(WaitBecause(pb.PendingReason_KIND_NO_CAPACITY,
			"needs 1 CPU, largest free is 0 CPU on w-0; 2 workers"))
		for i, task := range before {
			Expect(Task(running, i)(ctx)).To(EqualProto(task))
		}
		for _, job := range []*client.Job{running, waiting} {
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(job.Tasks(ctx)).To(HaveEach(HaveAttempts(SUCCEEDED)))
		}
		Expect(c.Began(running)).To(Equal(2))
	})

	It("controller_away_for_long: workers keep what they run, results wait, and nobody is lost (FM-19, FM-22)", func(ctx SpecContext) {
		long := c.Submit(ctx, client.Spec{Name: "long", Entrypoint: c.Sleeping(30 * time.Minute)})
		ends := c.Submit(ctx, client.Spec{Name: "ends", Entrypoint: c.Sleeping(time.Minute)})
		for _, job := range []*client.Job{long, ends} {
			Eventually(ctx, job.Status).Should(HaveState(RUNNING))
		}
		c.Kill("c-0")
		time.Sleep(20 * time.Minute) // twenty times the worker timeout
		Expect(c.Alive(long)).To(Equal(1))
		c.Revive("c-0")

		Eventually(ctx, ends.Status).WithTimeout(3*time.Second).Should(HaveState(SUCCEEDED), "the new leader asks at once")
		Eventually(ctx, long.Status).WithTimeout(15 * time.Minute).Should(HaveState(SUCCEEDED))
		for _, job := range []*client.Job{long, ends} {
			Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
			Expect(c.Began(job)).To(Equal(1))
		}
		Expect(c.Workers(ctx)).To(HaveEach(BeLive(0)))
	})

	It("stale_worker: a worker that died meanwhile gets nothing new, and is lost in time (FM-23)", func(ctx SpecContext) {
		old := c.Submit(ctx, client.Spec{Name: "old", Entrypoint: c.Sleeping(10 * time.Minute), Constraints: On("w-0"),
			MaxRetriesPreemption: client.Limit(0)})
		Eventually(ctx, old.Status).Should(HaveState(RUNNING))
		c.Kill("c-0")
		c.Kill("w-0")
		c.Revive("c-0")
		began := time.Now()
		fresh := c.Submit(ctx, client.Spec{Name: "fresh", Entrypoint: c.Quick()})

		Eventually(ctx, fresh.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(fresh, 0)(ctx)).To(SatisfyAll(HaveAttempts(SUCCEEDED), HaveField("Attempts", HaveEach(HaveField("WorkerId", "w-1")))))
		Expect(Took(ctx, fresh, Submitted, Started)).To(BeBetween(0, time.Second), "the live worker answers at once")
		Eventually(ctx, old.Status).Should(HaveState(WORKERFAILED))
		Expect(time.Since(began)).To(BeBetween(60*time.Second, 62*time.Second), "its silence counts from the restart")
		Expect(old.Status(ctx)).To(HaveError("lost worker w-0: no heartbeat for 60s"))
		c.Revive("w-0")
		Eventually(ctx, c.Workers).Should(HaveEach(HaveField("State", pb.WorkerState_WORKER_STATE_LIVE)))
	})

	It("client_reset: a client whose connection breaks goes on waiting, and following the logs (FM-82)", func(ctx SpecContext) {
		job := c.Submit(ctx, client.Spec{Name: "watched", Entrypoint: c.Sleeping(60 * time.Second)})
		Eventually(ctx, job.Status).Should(HaveState(RUNNING))
		type result struct {
			status *pb.JobStatus
			err    error
		}
		waited := make(chan result, 1)
		go func() {
			status, err := job.Wait(ctx)
			waited <- result{status, err}
		}()
		for range 3 {
			time.Sleep(10 * time.Second)
			c.Kill("c-0")
			time.Sleep(5 * time.Second)
			c.Revive("c-0")
		}
		end := <-waited
		Expect(end.err).NotTo(HaveOccurred())
		Expect(end.status).To(HaveState(SUCCEEDED))
		Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
	})
})

var _ = Scenario("a controller whose log does not move", Controller, Chaos, Controllers(1), onlyVirtual, func(c *Cluster) {
	health := func(ctx context.Context) (grpc_health_v1.HealthCheckResponse_ServingStatus, error) {
		out, err := grpc_health_v1.NewHealthClient(c.Conn()).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
		return out.GetStatus(), err
	}

	It("log_stuck: its health says so, nobody is lost, and nothing is lost when it moves again (FM-31, FM-22)", func(ctx SpecContext) {
		job := c.Submit(ctx, client.Spec{Name: "running", Entrypoint: c.Sleeping(2 * time.Minute)})
		Eventually(ctx, job.Status).Should(HaveState(RUNNING))
		Eventually(ctx, health).Should(Equal(grpc_health_v1.HealthCheckResponse_SERVING))
		rule := c.Enable("journal.before_append", chaos.Pause(), chaos.MaxFailures(1))
		request := &pb.LaunchJobRequest{JobId: "stuck", Spec: &pb.JobSpec{
			Name: "stuck", Entrypoint: c.Quick(), Resources: &pb.Resources{CpuMillis: 1000, MemoryBytes: client.GiB}}}
		soon, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		_, err := c.RPC().LaunchJob(soon, request)
		Expect(status.Code(err)).To(Equal(codes.DeadlineExceeded), "what is not in the log is not acknowledged")

		Eventually(ctx, health).Should(Equal(grpc_health_v1.HealthCheckResponse_NOT_SERVING))
		time.Sleep(3 * time.Minute) // three times the worker timeout
		Expect(rule.Release(1)).To(Equal(1))
		Eventually(ctx, health).Should(Equal(grpc_health_v1.HealthCheckResponse_SERVING))
		for _, id := range []string{job.ID, "stuck"} {
			Eventually(ctx, c.Job(id).Status).Should(HaveState(SUCCEEDED))
			Expect(Task(c.Job(id), 0)(ctx)).To(HaveAttempts(SUCCEEDED))
		}
		Expect(c.Workers(ctx)).To(HaveEach(BeLive(0)))
	})
})
