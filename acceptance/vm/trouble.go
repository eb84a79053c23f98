package vm

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "iris/acceptance"
	"iris/chaos"
	"iris/fakevm"
	"iris/iris/client"
	pb "iris/iris/proto"
	"iris/iris/state"
	"iris/iris/vm"
)

var _ = Scenario("machines that do not come", VM, Chaos, pretended,
	ScaleGroups(
		cpu("first", 2, asked(1), at("us-1", "us-2"), pace(state.Pace{QuotaTimeout: 5 * time.Second, InitTimeout: 4 * time.Second, RequestingTimeout: 3 * time.Second})),
		cpu("second", 2, asked(2), large(8, 32<<30)),
	), func(c *Cluster) {
		It("vm_quota_wait: a job waits with the reason while there is no quota, and succeeds once there is (FM-69)", func(ctx SpecContext) {
			first, second := c.Cloud("first"), c.Cloud("second")
			first.SetFailureMode(fakevm.QuotaExceeded)
			second.SetFailureMode(fakevm.QuotaExceeded)
			job := c.Submit(ctx, client.Spec{Name: "waits", Entrypoint: c.Quick()})
			Eventually(ctx, c.Groups).Should(HaveKeyWithValue("first", HaveField("Availability", pb.ScaleGroupStatus_AVAILABILITY_QUOTA_EXCEEDED)))
			Eventually(ctx, c.Groups).Should(HaveKeyWithValue("second", HaveField("Availability", pb.ScaleGroupStatus_AVAILABILITY_QUOTA_EXCEEDED)))
			Expect(job.Status(ctx)).To(HaveField("PendingReason.Text", MatchRegexp(
				`^no live worker; first: quota exceeded in us-1 until [0-9:]{8}; quota exceeded in us-2 until [0-9:]{8}; `+
					`second: quota exceeded in us-1 until [0-9:]{8}$`)))
			Expect(c.Groups(ctx)).To(HaveKeyWithValue("first", HaveField("Failures", BeZero())), "no quota is no failure")
			Expect(first.Slices()).To(BeEmpty())

			first.SetFailureMode(fakevm.None)
			second.SetFailureMode(fakevm.None)
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
		})

		It("vm_stockout_zone: a zone without machines is passed over for the next zone of the group (FM-69)", func(ctx SpecContext) {
			first := c.Cloud("first")
			Expect(first.SetStock("us-1", false)).To(Succeed())
			job := c.Submit(ctx, client.Spec{Name: "elsewhere", Entrypoint: c.Quick()})
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(c.Slices("first")(ctx)).To(ConsistOf(HaveField("Zone", "us-2")))
			Expect(c.Slices("second")(ctx)).To(BeEmpty())
			Expect(c.Groups(ctx)).To(HaveKeyWithValue("first", HaveField("Failures", BeZero())))
		})

		It("vm_init_timeout: a slice whose workers never come FAILS in time, and another group takes the demand (FM-73)", func(ctx SpecContext) {
			first := c.Cloud("first")
			first.SetFailureMode(fakevm.InitStuck)
			job := c.Submit(ctx, client.Spec{Name: "patient", Entrypoint: c.Quick()})
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
			Expect(c.WorkerOf(ctx, job)).To(HavePrefix("worker-second-0"))
			Expect(c.Events("first")(ctx)).To(ContainElement(HavePrefix("first-0 FAILED: ")))
			Expect(c.Groups(ctx)).To(HaveKeyWithValue("first", HaveField("Failures", BeNumerically("==", 1))))
			Eventually(first.Live).Should(BeEmpty(), "what failed is given back")
			Eventually(ctx, c.Slices("first")).Should(BeEmpty())
		})

		It("vm_create_error: a platform that fails has its group back off while another takes the demand (FM-69)", func(ctx SpecContext) {
			c.Cloud("first").SetFailureMode(fakevm.CreateFails)
			job := c.Submit(ctx, client.Spec{Name: "detour", Entrypoint: c.Quick()})
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(c.WorkerOf(ctx, job)).To(HavePrefix("worker-second-0"))
			Expect(c.Groups(ctx)).To(HaveKeyWithValue("first", SatisfyAll(
				HaveField("Failures", BeNumerically("==", 1)), HaveField("Failure", ContainSubstring("slice creation failed")),
			)))
		})

		It("vm_late_slice: a creation that is not answered in time is given up, and what arrives late is adopted (FM-71)", func(ctx SpecContext) {
			first, second := c.Cloud("first"), c.Cloud("second")
			second.SetFailureMode(fakevm.QuotaExceeded)
			first.SetLateBy(10 * time.Second)
			first.SetFailureMode(fakevm.CreateHangs)
			job := c.Submit(ctx, client.Spec{Name: "late", Entrypoint: c.Quick()})
			Eventually(ctx, c.Events("first")).Should(ContainElement(HavePrefix("first-0 FAILED: no answer within 3s")))
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
			Expect(c.WorkerOf(ctx, job)).To(Equal("worker-first-0-vm-0"))
			Eventually(ctx, c.Events("first")).Should(ContainElement("first-0 ADOPTED: found on its platform"))
		})
	})

var _ = Scenario("a machine that does not come with the others of its slice", VM, Chaos, pretended,
	ScaleGroups(tpu("tpu", 2)), func(c *Cluster) {
		It("vm_partial_slice: a slice of which a machine fails is given back whole, and replaced (FM-72)", func(ctx SpecContext) {
			cloud := c.Cloud("tpu")
			cloud.SetFailureMode(fakevm.CreatePartial)
			job := c.Submit(ctx, client.Spec{Name: "whole", Entrypoint: c.Quick(), Replicas: 4, GroupBy: "tpu-name", CPU: 4})
			Eventually(ctx, c.Events("tpu")).Should(ContainElement(
				"tpu-0 FAILED: tpu-0-vm-3 is FAILED: the fake platform could not create it"))
			cloud.SetFailureMode(fakevm.None)
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(job.Tasks(ctx)).To(HaveEach(HaveAttempts(SUCCEEDED)))
			Expect(c.Slices("tpu")(ctx)).To(ConsistOf(HaveField("SliceId", "tpu-1")))
			failed, known := cloud.Slice("tpu-0")
			Expect(known).To(BeTrue())
			Expect(failed.Status().VMs).To(HaveExactElements(
				HaveField("State", vm.Terminated), HaveField("State", vm.Terminated), HaveField("State", vm.Terminated),
				HaveField("State", vm.Failed)), "the good ones are given back with it")
			Expect(cloud.Live()).To(ConsistOf(HaveField("ID()", "tpu-1")))
		})
	})

var _ = Scenario("machines that fail under what they run", VM, Chaos, pretended,
	ScaleGroups(tpu("tpu", 2, pace(state.Pace{UnhealthyTimeout: 10 * time.Second, IdleThreshold: time.Hour}))), func(c *Cluster) {
		gang := func(ctx SpecContext, name string, d time.Duration) *client.Job {
			GinkgoHelper()
			job := c.Submit(ctx, client.Spec{
				Name: name, Entrypoint: c.Sleeping(d), Replicas: 4, GroupBy: "tpu-name", CPU: 4, MaxRetriesPreemption: client.Limit(1),
			})
			Eventually(ctx, job.Status).Should(HaveState(RUNNING))
			Eventually(ctx, job.Tasks).Should(HaveEach(HaveAttempts(RUNNING)))
			return job
		}

		It("vm_preempted_gang: a gang whose slice is preempted restarts whole on a new slice, counted as a preemption, "+
			"with nothing left running", func(ctx SpecContext) {
			job := gang(ctx, "train", 5*time.Second)
			cloud := c.Cloud("tpu")
			Expect(cloud.Preempt("tpu-0")).To(Succeed())
			Eventually(ctx, job.Status).Should(HaveState(PENDING))
			Expect(c.Alive(job)).To(BeZero(), "the machines are gone, and what ran on them")
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))

			Expect(Task(job, 0)(ctx)).To(SatisfyAll(
				HaveAttempts(WORKERFAILED, SUCCEEDED),
				HaveAttemptError(0, Equal("lost worker worker-tpu-0-vm-0: its machine is PREEMPTED")),
			))
			for i := 1; i < 4; i++ {
				Expect(Task(job, i)(ctx)).To(HaveAttempts(COSCHEDFAILED, SUCCEEDED))
			}
			Expect(job.Status(ctx)).To(HaveField("PreemptionCount", BeNumerically("==", 1)), "one machine is charged, the gang is sent back by it")
			tasks, err := job.Tasks(ctx)
			Expect(err).NotTo(HaveOccurred())
			for _, t := range tasks {
				Expect(c.Worker(ctx, t.Attempts[1].WorkerId).Attributes).To(HaveKeyWithValue("slice", "tpu-1"))
			}
			Expect(job.Status(ctx)).To(HaveField("FailureCount", BeZero()))
			Expect(c.Events("tpu")(ctx)).To(ContainElement(HavePrefix("tpu-0 PREEMPTED: ")))
			Expect(c.Slices("tpu")(ctx)).To(ConsistOf(HaveField("SliceId", "tpu-1")))
		})

		It("vm_notice: tasks on a machine that is about to be preempted get SIGTERM and their grace, and nothing new comes", func(ctx SpecContext) {
			job := gang(ctx, "noticed", 30*time.Second)
			Expect(c.Cloud("tpu").Notice("tpu-0", 20*time.Second)).To(Succeed())
			Eventually(ctx, c.Slices("tpu")).Should(ContainElement(HaveField("State", pb.VmState_VM_STATE_UNHEALTHY)))
			Expect(c.Worker(ctx, "worker-tpu-0-vm-0").Draining).To(BeTrue())
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			tasks, err := job.Tasks(ctx)
			Expect(err).NotTo(HaveOccurred())
			drained := 0
			for _, t := range tasks {
				Expect(t.Attempts).To(HaveLen(2))
				Expect(c.Worker(ctx, t.Attempts[1].WorkerId).Attributes).To(HaveKeyWithValue("slice", "tpu-1"))
				first := t.Attempts[0]
				if first.Error == "worker "+first.WorkerId+" was drained" {
					drained++
					Expect(t).To(HaveAttempts(WORKERFAILED, SUCCEEDED))
				} else {
					Expect(t).To(HaveAttempts(COSCHEDFAILED, SUCCEEDED))
				}
				ran := first.FinishedAt.AsTime().Sub(first.StartedAt.AsTime())
				Expect(ran).To(BeBetween(14*time.Second, 18*time.Second), "what leaves time for the grace, and is not cut short by the end")
			}
			Expect(drained).To(Equal(1), "the first that stops sends the gang back")
		})

		It("vm_zombie: a slice that is READY for its platform and lacks a worker is given back whole, and replaced (FM-65)", func(ctx SpecContext) {
			job := gang(ctx, "zombie", 90*time.Second)
			c.Kill("worker-tpu-0-vm-2")
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(c.Events("tpu")(ctx)).To(ContainElement(HavePrefix("tpu-0 UNHEALTHY: ")))
			Eventually(ctx, c.Slices("tpu")).Should(ConsistOf(HaveField("SliceId", "tpu-1")))
			Expect(c.Cloud("tpu").Live()).To(HaveLen(1))
		})

		It("vm_phantom: a slice that its platform does not have any more is forgotten, and replaced (FM-66)", func(ctx SpecContext) {
			job := gang(ctx, "phantom", 20*time.Second)
			slice, known := c.Cloud("tpu").Slice("tpu-0")
			Expect(known).To(BeTrue())
			Expect(slice.Terminate(ctx)).To(Succeed()) // by somebody else
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(c.Slices("tpu")(ctx)).To(ConsistOf(HaveField("SliceId", "tpu-1")))
		})

		It("vm_terminate_fails: a slice that cannot be given back at first is, and costs nothing in the end", func(ctx SpecContext) {
			job := gang(ctx, "sticky", 5*time.Second)
			cloud := c.Cloud("tpu")
			rule := c.Enable("vm.terminate", chaos.MaxFailures(3))
			Expect(cloud.FailVM("tpu-0-vm-1", "the disk is broken")).To(Succeed())
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Eventually(ctx, c.Slices("tpu")).Should(ConsistOf(HaveField("SliceId", "tpu-1")))
			Expect(rule.Counts().Fired).To(Equal(3))
			Expect(cloud.Live()).To(HaveLen(1))
		})
	})
