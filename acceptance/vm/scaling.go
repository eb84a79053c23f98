package vm

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "iris/acceptance"
	"iris/iris/client"
	"iris/iris/config"
	pb "iris/iris/proto"
	"iris/iris/state"
	"iris/iris/vm"
)

// cpu is a scale group of up to most slices of one machine of 4 CPU and 16 GiB.
func cpu(name string, most int, edits ...func(*config.Group)) config.Group {
	g := config.Group{
		Name: name, Platform: config.Local, CPU: 4, Memory: 16 << 30, MaxSlices: most, Zones: []string{"us-1"},
		BootDelay: 200 * time.Millisecond, InitDelay: 200 * time.Millisecond,
	}
	for _, edit := range edits {
		edit(&g)
	}
	return g
}

// tpu is a scale group of up to most slices of the four machines of a v5litepod-16.
func tpu(name string, most int, edits ...func(*config.Group)) config.Group {
	return cpu(name, most, append([]func(*config.Group){func(g *config.Group) { g.Variant = "v5litepod-16" }}, edits...)...)
}

func at(zones ...string) func(*config.Group) { return func(g *config.Group) { g.Zones = zones } }
func asked(priority int) func(*config.Group) { return func(g *config.Group) { g.Priority = priority } }
func pace(p state.Pace) func(*config.Group)  { return func(g *config.Group) { g.Pace = config.Pace(p) } }
func least(min, buffer int) func(*config.Group) {
	return func(g *config.Group) { g.MinSlices, g.BufferSlices = min, buffer }
}
func large(cores float64, memory int64) func(*config.Group) {
	return func(g *config.Group) { g.CPU, g.Memory = cores, config.Bytes(memory) }
}

// pretended keeps specs out of the mode in which the machines of a cluster are real.
var pretended = Without{Mode: Process, Why: "the cloud is a fake that the specs change while it runs"}

var _ = Scenario("a cluster that grows and shrinks", VM, Chaos, pretended,
	ScaleGroups(cpu("cpu", 3, pace(brisk)), tpu("tpu", 2, pace(brisk))), func(c *Cluster) {
		It("vm_scale_from_zero: a job brings the machine it runs on, which goes when it has been idle", func(ctx SpecContext) {
			Expect(c.Workers(ctx)).To(BeEmpty())
			job := c.Submit(ctx, client.Spec{Name: "first", Entrypoint: c.Quick()})
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(Task(job, 0)(ctx)).To(HaveAttempts(SUCCEEDED))
			Expect(c.Slices("cpu")(ctx)).To(BeSlices(vm.Ready))
			Expect(c.Slices("tpu")(ctx)).To(BeEmpty())
			Eventually(ctx, c.Slices("cpu")).Should(BeEmpty())
			Expect(c.Events("cpu")(ctx)).To(ContainElement("cpu-0 IDLE: idle for 5s"))
			Expect(c.Cloud("cpu").Live()).To(BeEmpty())
		})

		It("vm_tpu_slice: a coscheduled job lands on exactly one slice, task by task on its machines", func(ctx SpecContext) {
			job := c.Submit(ctx, client.Spec{
				Name: "train", Entrypoint: c.Quick(), Replicas: 4, GroupBy: "tpu-name", CPU: 4,
				Constraints: []*pb.Constraint{{Key: "device-variant", Op: pb.ConstraintOp_CONSTRAINT_OP_EQ, Value: "v5litepod-16"}},
			})
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(c.Slices("tpu")(ctx)).To(BeSlices(vm.Ready))
			Expect(c.Slices("cpu")(ctx)).To(BeEmpty())
			tasks, err := job.Tasks(ctx)
			Expect(err).NotTo(HaveOccurred())
			for i, t := range tasks {
				Expect(t).To(HaveAttempts(SUCCEEDED))
				w := c.Worker(ctx, t.Attempts[0].WorkerId)
				Expect(w.Attributes).To(SatisfyAll(
					HaveKeyWithValue("slice", "tpu-0"), HaveKeyWithValue("tpu-name", "tpu-0"),
					HaveKeyWithValue("tpu-worker-id", string(rune('0'+i))), HaveKeyWithValue("tpu-topology", "4x4"),
					HaveKeyWithValue("device-type", "tpu"), HaveKeyWithValue("zone", "us-1"),
				))
			}
		})

		It("vm_no_walk_up: what fits one slice of several machines asks for one slice (FM-67)", func(ctx SpecContext) {
			job := c.Submit(ctx, client.Spec{
				Name: "wide", Entrypoint: c.Sleeping(3 * time.Second), Replicas: 16,
				Constraints: []*pb.Constraint{{Key: "device-type", Op: pb.ConstraintOp_CONSTRAINT_OP_EQ, Value: "tpu"}},
			})
			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(job.Tasks(ctx)).To(HaveEach(HaveAttempts(SUCCEEDED)))
			Expect(c.Slices("tpu")(ctx)).To(HaveLen(1), "16 tasks of 1 CPU fit 4 machines of 4")
			Expect(c.Slices("cpu")(ctx)).To(BeEmpty())
		})
	})
