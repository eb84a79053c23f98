package vm

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	. "iris/acceptance"
	"iris/chaos"
	"iris/iris/client"
	"iris/iris/config"
	"iris/iris/state"
)

// real keeps specs to the mode in which a slice is processes.
var real = Only{Mode: Process, Why: "elsewhere the machines are pretended"}

var _ = Scenario("machines that are processes", VM, Chaos, real,
	ScaleGroups(
		cpu("cpu", 2, instant, pace(state.Pace{UnhealthyTimeout: 5 * time.Second, IdleThreshold: 3 * time.Second, ScaleDownCooldown: time.Second})),
	), func(c *Cluster) {
		It("vm_scale_from_zero: a job brings a worker's process, which goes when it has been idle", func(ctx SpecContext) {
			Expect(c.Workers(ctx)).To(BeEmpty())
			job := c.Submit(ctx, client.Spec{Name: "first", Entrypoint: c.Quick()})
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(c.WorkerOf(ctx, job)).To(Equal("cpu-0-vm-0"))
			Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
			Eventually(ctx, c.Slices("cpu")).Should(BeEmpty())
			Expect(c.MachineRuns("cpu-0-vm-0")).To(BeFalse())
		})

		It("vm_killed: a machine that is killed with what it runs is noticed at once, given back and replaced", func(ctx SpecContext) {
			job := c.Submit(ctx, client.Spec{Name: "long", Entrypoint: c.Sleeping(6 * time.Second)})
			Eventually(ctx, job.Status).Should(HaveState(RUNNING))
			c.KillMachine("cpu-0-vm-0")
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(Task(job, 0)(ctx)).To(HaveAttempts(WORKERFAILED, SUCCEEDED))
			Expect(c.WorkerOf(ctx, job)).To(Equal("cpu-1-vm-0"))
			Expect(c.Events("cpu")(ctx)).To(ContainElement(HavePrefix("cpu-0 PREEMPTED: ")))
			Expect(Took(ctx, job, Submitted, Finished)).To(BeNumerically("<", 25*time.Second), "no heartbeat had to be missed")
		})

		It("vm_restart: slices survive their controller, and the next one adopts them with what they run", func(ctx SpecContext) {
			job := c.Submit(ctx, client.Spec{Name: "goes-on", Entrypoint: c.Sleeping(6 * time.Second)})
			Eventually(ctx, job.Status).Should(HaveState(RUNNING))
			c.Kill("c-0")
			c.Revive("c-0")
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
			Expect(c.Events("cpu")(ctx)).NotTo(ContainElement(ContainSubstring("cpu-1")))
			Eventually(ctx, c.Slices("cpu")).Should(BeEmpty())
			Expect(c.MachineRuns("cpu-0-vm-0")).To(BeFalse())
		})

		It("vm_quota_wait: a job waits with the reason while its platform has no quota, and succeeds once it has", func(ctx SpecContext) {
			rule := c.Enable("vm.create", chaos.Err(status.Error(codes.ResourceExhausted, "quota exceeded for cpu in us-1")), chaos.MaxFailures(1))
			job := c.Submit(ctx, client.Spec{Name: "waits", Entrypoint: c.Quick()})
			Eventually(ctx, job.Status).Should(HaveField("PendingReason.Text", ContainSubstring("quota exceeded")))
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(rule.Counts().Fired).To(Equal(1))
			Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
		})
	})

// instant is a platform that has no delays of its own.
func instant(g *config.Group) { g.BootDelay, g.InitDelay = 0, 0 }
