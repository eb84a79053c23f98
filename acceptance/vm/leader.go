package vm

import (
	"os"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "iris/acceptance"
	"iris/chaos"
	"iris/iris/client"
	"iris/iris/state"
	"iris/iris/vm"
)

var _ = Scenario("machines and the end of who asked for them", VM, Chaos, pretended, Controllers(3),
	ScaleGroups(cpu("cpu", 2, pace(state.Pace{IdleThreshold: time.Hour}))), func(c *Cluster) {
		It("vm_leader_dies: the next leader goes on with the slice that the last one asked for, and asks for no other", func(ctx SpecContext) {
			rule := c.Enable("vm.create", chaos.Delay(2*time.Second), chaos.MaxFailures(1)) // the request is on its way
			job := c.Submit(ctx, client.Spec{Name: "handed-over", Entrypoint: c.Quick()})
			Eventually(ctx, c.Slices("cpu")).Should(BeSlices(vm.Requesting))
			leader := c.Leader()
			c.Kill(leader)
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
			Expect(rule.Counts().Fired).To(Equal(1))
			Expect(c.Cloud("cpu").Slices()).To(HaveLen(1))
			Expect(c.Slices("cpu")(ctx)).To(ConsistOf(HaveField("SliceId", "cpu-0")))
			c.Revive(leader)
		})
	})

var _ = Scenario("machines whose controller is started again", VM, Chaos, pretended, Controllers(1),
	ScaleGroups(cpu("cpu", 2, pace(state.Pace{IdleThreshold: time.Hour}))), func(c *Cluster) {
		It("vm_restart: slices survive a restart of the controller, with what runs on them", func(ctx SpecContext) {
			job := c.Submit(ctx, client.Spec{Name: "goes-on", Entrypoint: c.Sleeping(10 * time.Second)})
			Eventually(ctx, job.Status).Should(HaveState(RUNNING))
			c.Kill("c-0")
			c.Revive("c-0")
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
			Expect(c.Slices("cpu")(ctx)).To(ConsistOf(HaveField("SliceId", "cpu-0")))
			Expect(c.Cloud("cpu").Slices()).To(HaveLen(1))
		})
	})

var _ = Scenario("machines whose controller has lost its log", VM, Chaos, pretended, Controllers(1),
	ScaleGroups(cpu("cpu", 2, least(1, 0))), func(c *Cluster) {
		It("vm_log_lost: are adopted before others are asked for, and go on with their numbers", func(ctx SpecContext) {
			Eventually(ctx, c.Slices("cpu")).Should(BeSlices(vm.Ready))
			Expect(c.Cloud("cpu").Preempt("cpu-0")).To(Succeed())
			Eventually(ctx, c.Slices("cpu")).Should(ConsistOf(SatisfyAll(
				HaveField("SliceId", "cpu-1"), HaveField("State", BeEquivalentTo(vm.Ready)))))
			c.Kill("c-0")
			Expect(os.RemoveAll(c.Dir("c-0"))).To(Succeed())
			c.Revive("c-0")
			job := c.Submit(ctx, client.Spec{Name: "next", Entrypoint: c.Quick()})
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(c.WorkerOf(ctx, job)).To(Equal("worker-cpu-1-vm-0"))
			Expect(c.Events("cpu")(ctx)).To(HaveExactElements("cpu-1 ADOPTED: found on its platform", HavePrefix("cpu-1 READY: ")))
			Expect(c.Cloud("cpu").Live()).To(HaveLen(1))
			wide := c.Submit(ctx, client.Spec{Name: "wide", Entrypoint: c.Quick(), Replicas: 2, CPU: 4})
			Eventually(ctx, wide.Status).Should(HaveState(SUCCEEDED))
			Expect(c.Events("cpu")(ctx)).NotTo(ContainElement(HavePrefix("cpu-0 ")), "no id is used twice")
		})
	})
