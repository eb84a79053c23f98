package vm

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "iris/acceptance"
	"iris/chaos"
	"iris/iris/client"
	"iris/iris/config"
	pb "iris/iris/proto"
	"iris/iris/state"
	"iris/iris/vm"
)

// brisk is a pace at which idle machines go within seconds.
var brisk = state.Pace{IdleThreshold: 5 * time.Second, ScaleDownCooldown: time.Second, ScaleDownRate: 60}

var _ = Scenario("machines that nobody needs", VM, Chaos, pretended,
	ScaleGroups(cpu("cpu", 4, pace(brisk)), cpu("kept", 4, least(1, 1), asked(200), large(2, 8<<30), pace(brisk))), func(c *Cluster) {
		// one is a job that takes a whole machine of group cpu.
		one := func(name string, d time.Duration) client.Spec {
			return client.Spec{Name: name, Entrypoint: c.Sleeping(d), CPU: 4}
		}

		It("vm_idle: an idle slice is given back, and nothing is placed on it from then on (FM-63)", func(ctx SpecContext) {
			first := c.Submit(ctx, one("first", 0))
			Eventually(ctx, first.Status).Should(HaveState(SUCCEEDED))
			c.Enable("vm.terminate", chaos.Delay(4*time.Second)) // it is there for a while yet
			Eventually(ctx, c.Slices("cpu")).Should(BeSlices(vm.Stopping))
			second := c.Submit(ctx, one("second", 0))
			Eventually(ctx, second.Status).Should(HaveState(SUCCEEDED))
			Expect(c.WorkerOf(ctx, second)).To(Equal("worker-cpu-1-vm-0"))
			Expect(Task(second, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
			Expect(c.Events("cpu")(ctx)).To(ContainElement("cpu-0 IDLE: idle for 5s"))
		})

		It("vm_busy: a slice whose attempt has only been sent to it is not idle (FM-64)", func(ctx SpecContext) {
			warm := c.Submit(ctx, one("warm", 0))
			Eventually(ctx, warm.Status).Should(HaveState(SUCCEEDED))
			c.Enable("worker.create_container", chaos.Delay(20*time.Second)) // BUILDING all the while
			job := c.Submit(ctx, one("builds", 0))
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
			Expect(c.WorkerOf(ctx, job)).To(Equal("worker-cpu-0-vm-0"))
			Expect(Took(ctx, job, Submitted, Finished)).To(BeNumerically(">=", 20*time.Second))
			Expect(c.Events("cpu")(ctx)).NotTo(ContainElement(HavePrefix("cpu-0 IDLE")))
		})

		It("vm_min_and_buffer: the least is there from the start, and a spare one besides what is in use", func(ctx SpecContext) {
			Eventually(ctx, c.Slices("kept")).Should(BeSlices(vm.Ready))
			job := c.Submit(ctx, client.Spec{Name: "small", Entrypoint: c.Sleeping(20 * time.Second), CPU: 2})
			Eventually(ctx, job.Status).Should(HaveState(RUNNING))
			Expect(c.WorkerOf(ctx, job)).To(Equal("worker-kept-0-vm-0"))
			Eventually(ctx, c.Slices("kept")).Should(BeSlices(vm.Ready, vm.Ready))
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Eventually(ctx, c.Slices("kept")).Should(HaveLen(1), "the spare one is enough again")
			Expect(c.Slices("cpu")(ctx)).To(BeEmpty())
		})
	})

var _ = Scenario("many machines that nobody needs", VM, Chaos, pretended, LongStory,
	ScaleGroups(cpu("cpu", 4, pace(state.Pace{IdleThreshold: 5 * time.Second, ScaleDownCooldown: 20 * time.Second, ScaleDownRate: 2}))),
	func(c *Cluster) {
		It("vm_scale_down_rate: many idle slices go within their rate, not one each cooldown (FM-70)", func(ctx SpecContext) {
			job := c.Submit(ctx, client.Spec{Name: "wide", Entrypoint: c.Sleeping(3 * time.Second), Replicas: 4, CPU: 4})
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(c.Slices("cpu")(ctx)).To(HaveLen(4))
			Eventually(ctx, c.Slices("cpu")).Should(BeEmpty())
			fleet, err := c.Fleet(ctx)
			Expect(err).NotTo(HaveOccurred())
			var asked time.Time // the last one
			var idle []time.Duration
			for _, e := range fleet.Events {
				switch e.Kind {
				case pb.SliceEventKind_SLICE_EVENT_KIND_REQUESTED:
					asked = e.At.AsTime()
				case pb.SliceEventKind_SLICE_EVENT_KIND_IDLE:
					idle = append(idle, e.At.AsTime().Sub(asked))
				}
			}
			Expect(idle).To(HaveExactElements(20*time.Second, 20*time.Second, 50*time.Second, 80*time.Second),
				"a minute's worth at once when the cooldown is over, and then one each half minute")
		})
	})

var _ = Scenario("demand that what is there cannot meet", VM, Chaos, pretended,
	ScaleGroups(cpu("small", 2, least(1, 0), large(4, 4<<30)), cpu("large", 2, large(4, 64<<30))), func(c *Cluster) {
		It("vm_wrong_shape: an idle machine that is too small does not count against the demand (FM-68)", func(ctx SpecContext) {
			Eventually(ctx, c.Slices("small")).Should(BeSlices(vm.Ready))
			job := c.Submit(ctx, client.Spec{Name: "big", Entrypoint: c.Quick(), Memory: 32 << 30})
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(c.WorkerOf(ctx, job)).To(Equal("worker-large-0-vm-0"))
			Expect(c.Slices("small")(ctx)).To(HaveLen(1))
		})

		It("vm_nobody_can: a job that no group has machines for says so, and asks for none", func(ctx SpecContext) {
			job := c.Submit(ctx, client.Spec{Name: "huge", Entrypoint: c.Quick(), Memory: 128 << 30, SchedulingTimeout: 5 * time.Second})
			Eventually(ctx, job.Status).Should(HaveState(UNSCHEDULABLE))
			Expect(job.Status(ctx)).To(HaveField("Error", SatisfyAll(
				HavePrefix("not scheduled within 5s: "), ContainSubstring("no scale group"), ContainSubstring("large"))))
			Expect(c.Cloud("large").Slices()).To(BeEmpty())
		})
	})

var _ = Scenario("gangs on slices", VM, Chaos, pretended,
	ScaleGroups(tpu("tpu", 1)), func(c *Cluster) {
		gang := func(name string, d time.Duration, retries int32) client.Spec {
			return client.Spec{
				Name: name, Entrypoint: c.Sleeping(d), Replicas: 4, GroupBy: "tpu-name", CPU: 4, MaxRetriesFailure: client.Limit(retries),
			}
		}

		It("gang_releases_once: what a failed gang held comes back once its machines confirm, and not twice (FM-44)", func(ctx SpecContext) {
			rule := c.Enable("worker.create_container", chaos.Match("task", "2"), chaos.MaxFailures(1))
			job := c.Submit(ctx, gang("leaky", 2*time.Second, 1))
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(rule.Counts().Fired).To(Equal(1))
			Expect(job.Tasks(ctx)).To(HaveEach(HaveField("Attempts", HaveLen(2))))
			Eventually(ctx, c.Workers).Should(HaveEach(BeEmptyWorker()))
			again := c.Submit(ctx, gang("again", 0, 0)) // the whole slice is free
			Eventually(ctx, again.Status).Should(HaveState(SUCCEEDED))
			Expect(c.Slices("tpu")(ctx)).To(HaveLen(1))
		})

		It("gang_one_at_a_time: two gangs never share the machines that each wants whole (FM-45)", func(ctx SpecContext) {
			first := c.Submit(ctx, gang("first", 5*time.Second, 0))
			second := c.Submit(ctx, gang("second", 5*time.Second, 0))
			Eventually(ctx, second.Status).Should(HaveState(SUCCEEDED))
			Expect(first.Tasks(ctx)).To(HaveEach(HaveAttempts(SUCCEEDED)))
			Expect(second.Tasks(ctx)).To(HaveEach(HaveAttempts(SUCCEEDED)))
			before, err := first.Status(ctx)
			Expect(err).NotTo(HaveOccurred())
			after, err := second.Status(ctx)
			Expect(err).NotTo(HaveOccurred())
			Expect(Started(after)).NotTo(BeTemporally("<", Finished(before).Add(-c.Lag())))
		})

		It("gang_not_starved: small jobs that wait do not take the slice of a gang that was sent back (FM-47)", func(ctx SpecContext) {
			job := c.Submit(ctx, gang("patient", 4*time.Second, 1))
			Eventually(ctx, job.Tasks).Should(HaveEach(HaveAttempts(RUNNING)))
			var small []*client.Job
			for i := range 8 {
				small = append(small, c.Submit(ctx, client.Spec{Name: fmt.Sprintf("small-%d", i), Entrypoint: c.Quick(), CPU: 2}))
			}
			c.Enable("worker.task_monitor", chaos.Match("task", "0"), chaos.MaxFailures(1))
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(Task(job, 0)(ctx)).To(HaveAttempts(FAILED, SUCCEEDED))
			gangs, err := job.Status(ctx)
			Expect(err).NotTo(HaveOccurred())
			for _, s := range small {
				Eventually(ctx, s.Status).Should(HaveState(SUCCEEDED))
				status, err := s.Status(ctx)
				Expect(err).NotTo(HaveOccurred())
				Expect(Started(status)).NotTo(BeTemporally("<", Finished(gangs).Add(-c.Lag())))
			}
		})

		It("ports_do_not_collide: tasks side by side on a machine have ports of their own (FM-46)", func(ctx SpecContext) {
			job := c.Submit(ctx, client.Spec{
				Name: "served", Entrypoint: c.Sleeping(5 * time.Second), Replicas: 8, CPU: 2, Ports: []string{"http", "metrics"},
			})
			Eventually(ctx, job.Tasks).Should(HaveEach(HaveAttempts(RUNNING)))
			tasks, err := job.Tasks(ctx)
			Expect(err).NotTo(HaveOccurred())
			taken := map[string]string{}
			for _, t := range tasks {
				Expect(t.Attempts[0].Endpoints).To(HaveLen(2))
				for _, endpoint := range t.Attempts[0].Endpoints {
					Expect(taken).NotTo(HaveKey(endpoint), "task %d has the port of task %s", t.TaskIndex, taken[endpoint])
					taken[endpoint] = t.TaskId
				}
			}
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		})
	})

var _ = Scenario("a slice that lacks a worker", VM, Chaos, pretended,
	ScaleGroups(tpu("tpu", 1, pace(state.Pace{UnhealthyTimeout: 30 * time.Second, IdleThreshold: 70 * time.Second}))), func(c *Cluster) {
		It("vm_degraded: is no idle spare while a gang waits for it, and is whole again when the worker returns (FM-74)", func(ctx SpecContext) {
			gang := client.Spec{Name: "warm", Entrypoint: c.Quick(), Replicas: 4, GroupBy: "tpu-name", CPU: 4}
			warm := c.Submit(ctx, gang)
			Eventually(ctx, warm.Status).Should(HaveState(SUCCEEDED))
			c.Kill("worker-tpu-0-vm-1")
			Eventually(ctx, c.Slices("tpu")).Should(BeSlices(vm.Unhealthy))
			gang.Name = "waits"
			job := c.Submit(ctx, gang)
			time.Sleep(15 * time.Second) // it has run nothing for longer than makes it idle
			Expect(c.Slices("tpu")(ctx)).To(BeSlices(vm.Unhealthy))
			Expect(job.Tasks(ctx)).To(HaveEach(HaveAttempts()))
			c.Revive("worker-tpu-0-vm-1")
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(job.Tasks(ctx)).To(HaveEach(HaveAttempts(SUCCEEDED)))
			Expect(c.Events("tpu")(ctx)).NotTo(ContainElement(HavePrefix("tpu-0 IDLE")))
			Expect(c.Slices("tpu")(ctx)).To(ConsistOf(HaveField("SliceId", "tpu-0")))
		})
	})

var _ = Scenario("a platform whose lists are out of date", VM, Chaos, pretended, LongStory,
	ScaleGroups(cpu("cpu", 2, pace(brisk), func(g *config.Group) { g.BootDelay = 10 * time.Second })), func(c *Cluster) {
		It("vm_stale_list: what is new is not taken for gone, nor what is gone for new (FM-66)", func(ctx SpecContext) {
			c.Cloud("cpu").SetListLag(40 * time.Second)
			job := c.Submit(ctx, client.Spec{Name: "patient", Entrypoint: c.Quick()})
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(Took(ctx, job, Submitted, Finished)).To(BeNumerically("<", 15*time.Second))
			Eventually(ctx, c.Slices("cpu")).Should(BeEmpty())
			time.Sleep(2 * time.Minute) // lists show it for a while yet
			Expect(c.Events("cpu")(ctx)).To(HaveExactElements(
				HavePrefix("cpu-0 REQUESTED: "), HavePrefix("cpu-0 CREATED: "), HavePrefix("cpu-0 READY: "),
				"cpu-0 IDLE: idle for 5s", "cpu-0 GONE: idle for 5s",
			))
			Expect(c.Cloud("cpu").Slices()).To(HaveLen(1))
		})
	})

var _ = Scenario("a slice that its platform does not list", VM, Chaos, pretended, LongStory,
	ScaleGroups(cpu("cpu", 2, pace(state.Pace{UnhealthyTimeout: time.Hour, IdleThreshold: time.Hour}))), func(c *Cluster) {
		It("vm_forgotten: is forgotten when nothing is heard of it either, and given back when it is listed again (FM-66)", func(ctx SpecContext) {
			job := c.Submit(ctx, client.Spec{Name: "elsewhere", Entrypoint: c.Sleeping(10 * time.Minute)})
			Eventually(ctx, job.Status).Should(HaveState(RUNNING))
			cloud := c.Cloud("cpu")
			Expect(cloud.Hide("cpu-0", true)).To(Succeed())
			time.Sleep(3 * time.Minute)
			Expect(c.Slices("cpu")(ctx)).To(ConsistOf(HaveField("SliceId", "cpu-0")), "its worker is heard of")
			Expect(Task(job, 0)(ctx)).To(HaveAttempts(RUNNING))
			c.Kill("worker-cpu-0-vm-0")
			Eventually(ctx, c.Events("cpu")).Should(ContainElement("cpu-0 GONE: its platform does not have it any more"))
			Expect(cloud.Hide("cpu-0", false)).To(Succeed())
			Eventually(ctx, c.Events("cpu")).Should(ContainElement("cpu-0 ORPHAN: its platform has it again; it was given back before"))
			Eventually(ctx, cloud.Live).Should(HaveLen(1))
			Eventually(ctx, job.Status).WithTimeout(20 * time.Minute).Should(HaveState(SUCCEEDED))
			Expect(Task(job, 0)(ctx)).To(HaveAttempts(WORKERFAILED, SUCCEEDED))
			Expect(c.WorkerOf(ctx, job)).To(Equal("worker-cpu-1-vm-0"))
		})
	})

var _ = Scenario("slices that do not last", VM, Chaos, pretended, LongStory,
	ScaleGroups(cpu("cpu", 2, pace(state.Pace{ShortLived: 30 * time.Second, BackoffInitial: 4 * time.Second, IdleThreshold: time.Hour}))), func(c *Cluster) {
		It("vm_short_lived: a slice that is taken away soon after it came has its group back off, further each time (FM-69)", func(ctx SpecContext) {
			job := c.Submit(ctx, client.Spec{Name: "unlucky", Entrypoint: c.Sleeping(10 * time.Second)})
			for n, pause := range []time.Duration{4 * time.Second, 8 * time.Second, 16 * time.Second} {
				Eventually(ctx, job.Status).Should(HaveState(RUNNING))
				slice := fmt.Sprintf("cpu-%d", n)
				Expect(c.Cloud("cpu").Preempt(slice)).To(Succeed())
				Eventually(ctx, c.Events("cpu")).Should(ContainElement(HavePrefix(slice + " PREEMPTED: ")))
				group, err := c.Groups(ctx)
				Expect(err).NotTo(HaveOccurred())
				Expect(group["cpu"].Failures).To(BeNumerically("==", n+1))
				Expect(time.Until(group["cpu"].BackoffUntil.AsTime())).To(BeNumerically("~", pause, time.Second))
			}
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(Task(job, 0)(ctx)).To(HaveAttempts(WORKERFAILED, WORKERFAILED, WORKERFAILED, SUCCEEDED))
			Expect(job.Status(ctx)).To(HaveField("PreemptionCount", BeNumerically("==", 3)))
		})

		It("vm_list_fails: nothing is concluded while a platform does not say what it has (FM-66)", func(ctx SpecContext) {
			job := c.Submit(ctx, client.Spec{Name: "undisturbed", Entrypoint: c.Sleeping(4 * time.Minute)})
			Eventually(ctx, job.Status).Should(HaveState(RUNNING))
			rule := c.Enable("vm.list", chaos.MaxFailures(180)) // three minutes
			Eventually(ctx, job.Status).WithTimeout(10 * time.Minute).Should(HaveState(SUCCEEDED))
			Expect(rule.Counts().Fired).To(Equal(180))
			Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
			Expect(c.Slices("cpu")(ctx)).To(BeSlices(vm.Ready))
			Expect(c.Cloud("cpu").Slices()).To(HaveLen(1))
		})
	})
