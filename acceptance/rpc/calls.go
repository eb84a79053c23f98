package rpc

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "iris/acceptance"
	"iris/acceptance/fault"
	"iris/iris/client"
	pb "iris/iris/proto"
)

// mixed is work of every kind: much of it, each over before the last that was said of it has arrived; some that goes on while
// beats come; a failure that is retried; and a task that is stopped.
type mixed struct{ short, long, fails, unwanted *client.Job }

func submitMixed(ctx context.Context, c *Cluster) mixed {
	GinkgoHelper()
	w := mixed{
		short:    c.Submit(ctx, client.Spec{Name: "short", Entrypoint: c.Sleeping(time.Second), Replicas: 24, CPU: 0.5}),
		long:     c.Submit(ctx, client.Spec{Name: "long", Entrypoint: c.Sleeping(25 * time.Second), Replicas: 2, CPU: 0.5}),
		fails:    c.Submit(ctx, client.Spec{Name: "fails", Entrypoint: c.Exiting(3), MaxRetriesFailure: client.Limit(2)}),
		unwanted: c.Submit(ctx, client.Spec{Name: "unwanted", Entrypoint: c.Sleeping(time.Hour)}),
	}
	Eventually(ctx, w.unwanted.Status).Should(HaveState(RUNNING))
	Expect(w.unwanted.Terminate(ctx)).To(Succeed())
	return w
}

// once wants each attempt to have been made once, and each end of one to have counted once.
func (w mixed) once(ctx context.Context, c *Cluster) {
	GinkgoHelper()
	for job, tasks := range map[*client.Job]int{w.short: 24, w.long: 2} {
		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(job.Tasks(ctx)).To(HaveEach(HaveAttempts(SUCCEEDED)))
		Expect(c.Began(job)).To(Equal(tasks))
	}
	Eventually(ctx, w.fails.Status).Should(HaveState(FAILED))
	Expect(Task(w.fails, 0)(ctx)).To(SatisfyAll(HaveAttempts(FAILED, FAILED, FAILED), HaveField("FailureCount", int32(3))))
	Expect(c.Began(w.fails)).To(Equal(3))
	Expect(w.unwanted.Status(ctx)).To(HaveState(KILLED))
	Expect(Task(w.unwanted, 0)(ctx)).To(HaveAttempts(KILLED))
	Expect(c.Began(w.unwanted)).To(Equal(1))
	Eventually(ctx, c.Alive).WithArguments(w.unwanted).Should(BeZero())
	Expect(c.Workers(ctx)).To(HaveEach(BeLive(0)))
}

var _ = Scenario("calls that arrive twice", RPC, Chaos, inMemory, func(c *Cluster) {
	It("net_repeated_reports: beats and reports that all come twice say nothing new the second time (FM-12)", func(ctx SpecContext) {
		c.Inject(fault.Repeat("w-0", "c-0", 1))
		c.Inject(fault.Repeat("w-1", "c-0", 1))
		submitMixed(ctx, c).once(ctx, c)
	})

	It("net_repeated_registrations: a worker that registers twice was started again once (FM-17)", func(ctx SpecContext) {
		job := c.Submit(ctx, client.Spec{Name: "interrupted", Entrypoint: c.Sleeping(30 * time.Second), Constraints: On("w-0")})
		Eventually(ctx, job.Status).Should(HaveState(RUNNING))
		c.Inject(fault.Repeat("w-0", "c-0", 1))
		c.Inject(fault.Restart("w-0"))
		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(job, 0)(ctx)).To(SatisfyAll(HaveAttempts(WORKERFAILED, SUCCEEDED),
			HaveAttemptError(0, Equal("worker w-0 was restarted")), HaveField("PreemptionCount", int32(1))))
		Expect(c.Began(job)).To(Equal(2))
		Expect(c.Workers(ctx)).To(HaveEach(BeLive(0)))
	})

	It("net_repeated_orders: orders that all come twice are followed once (FM-3)", func(ctx SpecContext) {
		c.Inject(fault.Repeat("c-0", "w-0", 1))
		c.Inject(fault.Repeat("c-0", "w-1", 1))
		submitMixed(ctx, c).once(ctx, c)
	})

	It("net_repeated_launches: jobs whose launches all come twice are launched once (FM-60)", func(ctx SpecContext) {
		c.Inject(fault.Repeat("client", "c-0", 1))
		submitMixed(ctx, c).once(ctx, c)
		Expect(c.Jobs(ctx, "")).To(HaveLen(4))
	})
})

var _ = Scenario("calls that overtake each other", RPC, Chaos, inMemory, func(c *Cluster) {
	const late = 2 * time.Second // two in a row, when both of a call that comes twice are held back, still make its deadline
	both := func(from, to string) {
		c.Inject(fault.Repeat(from, to, 1))
		c.Inject(fault.Reorder(from, to, 0.8, late)) // a share that a handful of calls does not miss
	}

	c.Seeds(20, func(seed uint64) {
		It("net_reordered_reports: what a worker said before, heard again later, changes nothing (FM-12) "+SeedName(seed), func(ctx SpecContext) {
			c.SeedNetwork(seed)
			both(fault.Anybody, "c-0")
			submitMixed(ctx, c).once(ctx, c)
		})

		It("net_reordered_orders: an order that comes again when all is over is not followed (FM-3) "+SeedName(seed), func(ctx SpecContext) {
			c.SeedNetwork(seed)
			both("c-0", fault.Anybody)
			submitMixed(ctx, c).once(ctx, c)
		})
	})
})

var _ = Scenario("a worker that lives too slowly", RPC, Chaos, inMemory, func(c *Cluster) {
	w0 := func(ctx context.Context) *pb.WorkerStatus { return c.Worker(ctx, "w-0") }
	run := func(ctx context.Context) *client.Job {
		GinkgoHelper()
		job := c.Submit(ctx, client.Spec{Name: "long", Entrypoint: c.Sleeping(150 * time.Second)})
		Eventually(ctx, job.Status).Should(HaveState(RUNNING))
		Expect(c.WorkerOf(ctx, job)).To(Equal("w-0"))
		return job
	}
	lost := func(ctx context.Context, job *client.Job, since time.Time) {
		GinkgoHelper()
		Eventually(ctx, Task(job, 0)).Should(HaveAttempts(WORKERFAILED, RUNNING))
		Expect(time.Since(since)).To(BeBetween(50*time.Second-c.Slack(), 60*time.Second+c.Slack()))
		Expect(Task(job, 0)(ctx)).To(HaveAttemptError(0, Equal("lost worker w-0: no heartbeat for 60s")))
		Expect(c.WorkerOf(ctx, job)).To(Equal("w-1"))
		Expect(c.Alive(job)).To(Equal(2), "nobody has told w-0")
	}
	back := func(ctx context.Context, job *client.Job) {
		GinkgoHelper()
		Eventually(ctx, w0).Should(BeLive(1))
		Eventually(ctx, c.Alive).WithArguments(job).Should(Equal(1))
		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(job, 0)(ctx)).To(SatisfyAll(HaveAttempts(WORKERFAILED, SUCCEEDED), HaveField("PreemptionCount", int32(1))))
		Expect(c.Began(job)).To(Equal(2))
		Expect(c.Worker(ctx, "w-1")).To(BeLive(0))
	}

	It("net_frozen: one that was lost while it was frozen ends its copy when it is back (FM-12)", func(ctx SpecContext) {
		job, froze := run(ctx), time.Now()
		frozen := c.Inject(fault.Freeze("w-0"))
		lost(ctx, job, froze)
		time.Sleep(time.Minute)
		Expect(c.Worker(ctx, "w-0")).To(BeLost())
		Expect(frozen.End()).To(Succeed())
		back(ctx, job)
	})

	It("net_slow_clock: one whose beats are 45 s late keeps its task (FM-21)", func(ctx SpecContext) {
		job := run(ctx)
		c.Inject(fault.Skew("w-0", 45*time.Second))
		time.Sleep(2 * time.Minute)
		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
		Expect(c.Workers(ctx)).To(HaveEach(BeLive(0)))
	})

	It("net_slower_clock: one whose beats are 70 s late is lost, and back with each beat that arrives (FM-21)", func(ctx SpecContext) {
		job, slowed := run(ctx), time.Now()
		c.Inject(fault.Skew("w-0", 70*time.Second))
		lost(ctx, job, slowed)
		Eventually(ctx, w0).Should(BeLive(1))
		Expect(time.Since(slowed)).To(BeBetween(70*time.Second, 80*time.Second+c.Slack()))
		c.Heal()
		back(ctx, job)
	})
})

var _ = Scenario("a leader that crashes while a job is launched", RPC, Chaos, Controllers(3), inMemory, func(c *Cluster) {
	for _, site := range []string{
		"journal.before_append", "journal.after_append", "journal.after_commit", "journal.before_effect", "journal.before_answer",
	} {
		It("launch_"+site[len("journal."):]+": the job is launched once, though its leader crashed there (FM-60)", func(ctx SpecContext) {
			crash := c.Inject(fault.AtSite(site, c.Leader(), 1, 1))
			job := c.Submit(ctx, client.Spec{Name: "once", Entrypoint: c.Sleeping(5 * time.Second)})
			Expect(crash.Struck()).To(BeTrueBecause("the launch is in the log"))
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(c.Jobs(ctx, "")).To(HaveLen(1))
			Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
			Expect(c.Began(job)).To(Equal(1))
			Expect(c.Workers(ctx)).To(HaveEach(BeLive(0)))
		})
	}
})
