package rpc

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	. "iris/acceptance"
	"iris/acceptance/fault"
	"iris/iris/client"
	pb "iris/iris/proto"
)

// inMemory is for what only a network can do that is told to fail.
var inMemory = Only{Mode: Virtual, Why: "only the in-memory network can be told to fail between two participants"}

var _ = Scenario("a worker that is cut from its controller", RPC, Chaos, inMemory, func(c *Cluster) {
	w0 := func(ctx context.Context) *pb.WorkerStatus { return c.Worker(ctx, "w-0") }
	run := func(ctx context.Context, name string, length time.Duration) *client.Job {
		job := c.Submit(ctx, client.Spec{Name: name, Entrypoint: c.Sleeping(length), Constraints: On("w-0")})
		Eventually(ctx, job.Status).Should(HaveState(RUNNING))
		return job
	}

	It("net_unheard_briefly: a worker whose beats do not arrive for 45 s keeps its task", func(ctx SpecContext) {
		job := run(ctx, "unheard", 80*time.Second)
		c.Inject(fault.Partition("w-0", "c-0"))
		time.Sleep(45 * time.Second)
		c.Heal()
		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
		Expect(c.Workers(ctx)).To(HaveEach(BeLive(0)))
	})

	It("net_unheard: one whose beats do not arrive for 60 s is lost, and its copy stopped when it is back", func(ctx SpecContext) {
		job := c.Submit(ctx, client.Spec{Name: "unheard", Entrypoint: c.Sleeping(150 * time.Second)})
		Eventually(ctx, job.Status).Should(HaveState(RUNNING))
		Expect(c.WorkerOf(ctx, job)).To(Equal("w-0"))
		cut := time.Now()
		c.Inject(fault.Partition("w-0", "c-0"))
		Eventually(ctx, Task(job, 0)).Should(HaveAttempts(WORKERFAILED, RUNNING))
		Expect(time.Since(cut)).To(BeBetween(50*time.Second-c.Slack(), 60*time.Second+c.Slack()))
		Expect(Task(job, 0)(ctx)).To(HaveAttemptError(0, Equal("lost worker w-0: no heartbeat for 60s")))
		Expect(c.Alive(job)).To(Equal(2), "nothing reaches the controller, so it can stop nothing")

		c.Heal()
		Eventually(ctx, w0).Should(BeLive(1))
		Eventually(ctx, c.Alive).WithArguments(job).Should(Equal(1))
		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(job, 0)(ctx)).To(HaveAttempts(WORKERFAILED, SUCCEEDED))
	})

	It("net_unanswered_briefly: results count though no answer arrives, and a task goes on for 45 s without", func(ctx SpecContext) {
		ends, goesOn := run(ctx, "ends", 20*time.Second), run(ctx, "goes-on", 80*time.Second)
		c.Inject(fault.Partition("c-0", "w-0"))
		Eventually(ctx, ends.Status).Should(HaveState(SUCCEEDED))
		Expect(Took(ctx, ends, Started, Finished)).To(BeBetween(20*time.Second, 20*time.Second+c.Slack()))
		time.Sleep(25 * time.Second)
		c.Heal()
		Eventually(ctx, goesOn.Status).Should(HaveState(SUCCEEDED))
		for _, job := range []*client.Job{ends, goesOn} {
			Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
			Expect(c.Began(job)).To(Equal(1))
		}
		Expect(c.Workers(ctx)).To(HaveEach(BeLive(0)))
	})

	It("net_unanswered: a worker without answers gives its connection up, can make no other, and is lost", func(ctx SpecContext) {
		job := c.Submit(ctx, client.Spec{Name: "unanswered", Entrypoint: c.Sleeping(150 * time.Second)})
		Eventually(ctx, job.Status).Should(HaveState(RUNNING))
		Expect(c.WorkerOf(ctx, job)).To(Equal("w-0"))
		cut := time.Now()
		c.Inject(fault.Partition("c-0", "w-0"))
		Eventually(ctx, Task(job, 0)).Should(HaveAttempts(WORKERFAILED, RUNNING))
		Expect(time.Since(cut)).To(BeBetween(60*time.Second, 110*time.Second), "beats arrive for another 43 s at most")
		Expect(Task(job, 0)(ctx)).To(HaveAttemptError(0, Equal("lost worker w-0: no heartbeat for 60s")))

		c.Heal()
		Eventually(ctx, w0).Should(BeLive(1))
		Eventually(ctx, c.Alive).WithArguments(job).Should(Equal(1))
		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(job, 0)(ctx)).To(HaveAttempts(WORKERFAILED, SUCCEEDED))
	})

	for _, way := range []struct {
		name string
		cut  func()
	}{
		{"net_exclusive_unheard: when its beats do not arrive", func() { c.Inject(fault.Partition("w-0", "c-0")) }},
		{"net_exclusive_deaf: when no answer arrives", func() { c.Inject(fault.Partition("c-0", "w-0")) }},
		{"net_exclusive_cut: when neither does", func() { c.Inject(fault.Cut("w-0", "c-0")) }},
	} {
		It(way.name+", a worker has ended its exclusive task before another begins it", func(ctx SpecContext) {
			job := c.Submit(ctx, client.Spec{Name: "exclusive", Entrypoint: c.Sleeping(3 * time.Minute), Exclusive: true})
			Eventually(ctx, job.Status).Should(HaveState(RUNNING))
			Expect(c.WorkerOf(ctx, job)).To(Equal("w-0"))
			way.cut()
			Eventually(ctx, c.Alive).WithArguments(job).Should(BeZero())
			Expect(Task(job, 0)(ctx)).To(HaveAttempts(RUNNING), "the controller still counts on the worker")
			Eventually(ctx, Task(job, 0)).Should(HaveAttempts(WORKERFAILED, RUNNING))
			Expect(Task(job, 0)(ctx)).To(HaveAttemptError(0, Equal("lost worker w-0: no heartbeat for 60s")))
			Expect(c.Alive(job)).To(Equal(1))
			Expect(c.Began(job)).To(Equal(2))
		})
	}

	It("net_refused: a worker that nobody can call loses the new task to another, free of charge (FM-2)", func(ctx SpecContext) {
		c.Inject(fault.Refuse("c-0", "w-0"))
		c.Inject(fault.Reset("c-0", "w-0"))
		job := c.Submit(ctx, client.Spec{Name: "refused", Entrypoint: c.Quick(), MaxRetriesPreemption: client.Limit(0)})
		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(job, 0)(ctx)).To(SatisfyAll(HaveAttempts(WORKERFAILED, SUCCEEDED), HaveField("PreemptionCount", int32(0)),
			HaveAttemptError(0, HavePrefix("dispatch to w-0 failed 4 times: "))))
		Expect(c.Began(job)).To(Equal(1))
		Expect(c.Workers(ctx)).To(HaveEach(BeLive(0)))
	})
})

var _ = Scenario("a client that is cut from the controller", RPC, Chaos, inMemory, func(c *Cluster) {
	type submission struct {
		job *client.Job
		err error
	}
	submit := func(ctx context.Context, name string) <-chan submission {
		done := make(chan submission, 1)
		go func() {
			job, err := c.Client.Submit(ctx, client.Spec{Name: name, Entrypoint: c.Sleeping(time.Minute)})
			done <- submission{job, err}
		}()
		return done
	}
	once := func(ctx context.Context, s submission) {
		GinkgoHelper()
		Expect(s.err).NotTo(HaveOccurred())
		Eventually(ctx, s.job.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(s.job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
		Expect(c.Began(s.job)).To(Equal(1))
		Expect(c.Jobs(ctx, "")).To(HaveLen(1))
	}

	It("net_submit_unanswered: a job whose acceptance nobody hears of is submitted once (FM-60)", func(ctx SpecContext) {
		Expect(c.Jobs(ctx, "")).To(BeEmpty(), "there is a connection")
		c.Inject(fault.Partition("c-0", "client"))
		submitted := submit(ctx, "once")
		time.Sleep(25 * time.Second) // two tries, each of 10 s, and a third
		Expect(submitted).NotTo(Receive())
		Expect(c.AllAlive()).To(Equal(1), "the first try arrived, and the job runs")
		c.Heal()
		once(ctx, <-submitted)
	})

	It("net_submit_unheard: a job that nobody hears of is submitted once the way is free", func(ctx SpecContext) {
		Expect(c.Jobs(ctx, "")).To(BeEmpty(), "there is a connection")
		c.Inject(fault.Partition("client", "c-0"))
		submitted := submit(ctx, "once")
		time.Sleep(25 * time.Second)
		Expect(submitted).NotTo(Receive())
		Expect(c.AllAlive()).To(BeZero())
		c.Heal()
		once(ctx, <-submitted)
	})
})

var _ = Scenario("a leader that is cut from the others", RPC, Chaos, Controllers(3), inMemory, func(c *Cluster) {
	for _, way := range []struct {
		name string
		cut  func(leader, other string)
		jobs int
	}{
		{"net_leader_cut: another leads, jobs go on, and what the old one did not commit never was",
			func(l, o string) { c.Inject(fault.Cut(l, o)) }, 2},
		{"net_leader_unheard: another leads, jobs go on, and what the others never heard of never was",
			func(l, o string) { c.Inject(fault.Partition(l, o)) }, 2},
		{"net_leader_deaf: another leads, jobs go on, and what the others did hear of is kept, and done once",
			func(l, o string) { c.Inject(fault.Partition(o, l)) }, 3},
	} {
		It(way.name, func(ctx SpecContext) {
			job := c.Submit(ctx, client.Spec{Name: "goes-on", Entrypoint: c.Sleeping(time.Minute)})
			Eventually(ctx, job.Status).Should(HaveState(RUNNING))
			old := c.Leader()
			direct := c.ConnectTo(old).RPC()
			_, err := direct.ListJobs(ctx, &pb.ListJobsRequest{})
			Expect(err).NotTo(HaveOccurred())
			for _, other := range c.ControllerIDs() {
				if other != old {
					way.cut(old, other)
				}
			}
			Expect(c.Leader()).To(Equal(old), "it does not know yet")
			_, err = direct.LaunchJob(ctx, &pb.LaunchJobRequest{JobId: "unheard", Spec: &pb.JobSpec{
				Name: "unheard", Entrypoint: c.Quick(), Resources: &pb.Resources{CpuMillis: 1000, MemoryBytes: client.GiB}}})
			Expect(status.Code(err)).To(Equal(codes.Unavailable), "it cannot know that a majority has it in its log")

			Eventually(ctx, c.Leader).Should(And(Not(BeEmpty()), Not(Equal(old))))
			_, err = direct.ListJobs(ctx, &pb.ListJobsRequest{})
			Expect(status.Code(err)).To(Equal(codes.Unavailable), "it has stepped down")
			during := c.Submit(ctx, client.Spec{Name: "during", Entrypoint: c.Quick()})
			Eventually(ctx, during.Status).Should(HaveState(SUCCEEDED))
			time.Sleep(10 * time.Second)

			c.Heal()
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			jobs, err := c.Jobs(ctx, "")
			Expect(err).NotTo(HaveOccurred())
			Expect(jobs).To(HaveLen(way.jobs))
			for _, j := range jobs {
				Expect(Task(c.Job(j.JobId), 0)(ctx)).To(HaveAttempts(SUCCEEDED))
				Expect(c.Began(c.Job(j.JobId))).To(Equal(1))
			}
			Expect(c.Workers(ctx)).To(HaveEach(BeLive(0)))
		})
	}
})

var _ = Scenario("a network that is bad for everybody", RPC, Chaos, inMemory, func(c *Cluster) {
	const everybody = fault.Anybody
	many := func(ctx context.Context, length time.Duration) *client.Job {
		return c.Submit(ctx, client.Spec{Name: "many", Entrypoint: c.Sleeping(length), Replicas: 16, CPU: 0.5})
	}
	unharmed := func(ctx context.Context, job *client.Job) {
		GinkgoHelper()
		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(job.Tasks(ctx)).To(HaveEach(HaveAttempts(SUCCEEDED)))
		Expect(c.Began(job)).To(Equal(16))
		Expect(c.Workers(ctx)).To(HaveEach(BeLive(0)))
	}

	It("net_reset: all connections break again and again, and nothing is lost (FM-82)", func(ctx SpecContext) {
		reset := func(also ...string) {
			GinkgoHelper()
			for _, who := range append(also, "w-0", "w-1") {
				Expect(c.Inject(fault.Reset(who, everybody)).Struck()).To(BeTrueBecause("%s has connections", who))
			}
		}
		c.Inject(fault.Delay(everybody, everybody, 400*time.Millisecond, 0))
		job := many(ctx, 30*time.Second)
		reset("client") // the orders are on their way
		Eventually(ctx, c.Alive).WithArguments(job).Should(Equal(16))
		for range 2 {
			time.Sleep(12 * time.Second) // a beat of each worker
			reset()
		}
		Eventually(ctx, c.Alive).WithArguments(job).Should(BeZero())
		time.Sleep(time.Second)
		reset() // the reports have just arrived, or the connections for them are being made
		unharmed(ctx, job)
	})

	It("net_delay: two seconds each way change nothing but times", func(ctx SpecContext) {
		c.Inject(fault.Delay(everybody, everybody, 2*time.Second, 0))
		job := many(ctx, 20*time.Second)
		unharmed(ctx, job)
		Expect(Took(ctx, job, Submitted, Finished)).To(BeBetween(24*time.Second, 40*time.Second))
	})

	c.Seeds(20, func(seed uint64) {
		It("net_lossy: a fifth of all packets is lost, and nothing changes but times "+SeedName(seed), func(ctx SpecContext) {
			c.SeedNetwork(seed)
			c.Inject(fault.Lossy(everybody, everybody, 0.2))
			unharmed(ctx, many(ctx, 20*time.Second))
		})
	})
})

var _ = Scenario("a worker behind a slow link", RPC, Chaos, inMemory, func(c *Cluster) {
	It("net_slow: its orders take seconds, and no other worker's do (FM-28)", func(ctx SpecContext) {
		c.Inject(fault.Slow("c-0", "w-0", 200))
		slow := c.Submit(ctx, client.Spec{Name: "slow", Entrypoint: c.Quick(), Constraints: On("w-0")})
		fast := c.Submit(ctx, client.Spec{Name: "fast", Entrypoint: c.Quick(), Replicas: 20, Constraints: On("w-1")})
		Eventually(ctx, fast.Status).Should(HaveState(SUCCEEDED))
		Expect(Took(ctx, fast, Submitted, Finished)).To(BeBetween(0, c.Slack()))
		Eventually(ctx, slow.Status).Should(HaveState(SUCCEEDED))
		Expect(Took(ctx, slow, Submitted, Finished)).To(BeNumerically(">", time.Second))
		Expect(Task(slow, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
		Expect(c.Workers(ctx)).To(HaveEach(BeLive(0)))
	})
})
