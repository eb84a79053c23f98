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

		It("vm_log_lost: a controller that lost its log adopts the machines that it had, and pays for no others", func(ctx SpecContext) {
			job := c.Submit(ctx, client.Spec{Name: "first", Entrypoint: c.Quick()})
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			c.Kill("c-0")
			Expect(os.RemoveAll(c.Dir("c-0"))).To(Succeed())
			c.Revive("c-0")
			again := c.Submit(ctx, client.Spec{Name: "second", Entrypoint: c.Quick()})
			Eventually(ctx, again.Status).Should(HaveState(SUCCEEDED))
			Expect(c.WorkerOf(ctx, again)).To(Equal("worker-cpu-0-vm-0"))
			Eventually(ctx, c.Events("cpu")).Should(ContainElement("cpu-0 ADOPTED: found on its platform"))
			Expect(c.Cloud("cpu").Slices()).To(HaveLen(1))
		})
	})
