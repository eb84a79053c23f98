package acceptance

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	goruntime "runtime"
	"sync/atomic"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"github.com/onsi/gomega/gleak"

	"iris/chaos"
	"iris/iris/client"
	"iris/iris/cluster"
	"iris/iris/config"
	"iris/iris/network"
	pb "iris/iris/proto"
)

// Cluster is the cluster of the running spec.
type Cluster struct {
	*cluster.Manager
	*client.Client
	// Chaos are the rules of this cluster alone.
	Chaos chaos.Scope
	// Virtual tells the clock, already when specs are declared.
	Virtual bool

	payloads *payloads
	booted   time.Time
	before   []gleak.Goroutine // on the wall clock: what ran before the boot
}

var clusters atomic.Int64

// Timeouts of Eventually, by clock: generous, since a spec that hangs has failed anyway.
const (
	patience    = 3 * time.Minute
	pollVirtual = 50 * time.Millisecond
	pollReal    = 20 * time.Millisecond
)

// boot starts the local cluster of the demo and waits until it is ready, unless rules were armed before: then its start
// is the story.
func (c *Cluster) boot(ctx context.Context, arm Arm) {
	ginkgo.GinkgoHelper()
	description, err := config.Load(filepath.Join(root(), "examples", "demo.yaml"))
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	description = cluster.MakeLocalConfig(description)
	description.Name = ClusterName()

	c.Chaos = chaos.In(description.Name)
	c.Chaos.Seed(uint64(ginkgo.GinkgoRandomSeed()))
	ginkgo.DeferCleanup(c.Chaos.Reset)
	ginkgo.DeferOnFailure(c.explain)
	if arm != nil {
		arm(c.Chaos)
	}

	gomega.EnforceDefaultTimeoutsWhenUsingContexts()
	gomega.SetDefaultEventuallyTimeout(patience)
	gomega.SetDefaultEventuallyPollingInterval(pollReal)
	options := cluster.Options{Network: network.TCP{}, Log: slog.New(slog.NewTextHandler(ginkgo.GinkgoWriter, nil))}
	c.payloads = newPayloads()
	if c.Virtual {
		gomega.SetDefaultEventuallyPollingInterval(pollVirtual)
		options.Network, options.Functions = &network.Memory{}, c.payloads.functions()
	} else {
		c.before = gleak.Goroutines()
	}

	c.booted = time.Now()
	c.Manager, err = cluster.Start(description, options)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	ginkgo.DeferCleanup(c.stop)
	c.Client, err = c.Connect()
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	if arm == nil {
		gomega.Expect(c.Ready(ctx)).To(gomega.Succeed())
	}
}

// ClusterName is a new name: no two specs see each other's chaos rules.
func ClusterName() string {
	return fmt.Sprintf("spec-%d-%d", ginkgo.GinkgoParallelProcess(), clusters.Add(1))
}

// root is the repository's directory.
func root() string {
	_, file, _, _ := goruntime.Caller(0)
	return filepath.Dir(filepath.Dir(file))
}

// settle ends a spec: its faults stop, and then what must hold after any story is checked (design §6).
func (c *Cluster) settle(ctx context.Context) {
	c.record(ctx)
	if ginkgo.CurrentSpecReport().Failed() {
		return // the story is in the failure; what follows would only bury it
	}
	gomega.Expect(c.Chaos.Verify()).To(gomega.Succeed(), "every armed rule must have fired")
	c.Chaos.Reset()

	gomega.Expect(c.Controller().Check(ctx)).To(gomega.Succeed(), "the invariants must hold")
	jobs, err := c.Jobs(ctx, "")
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	for _, j := range jobs {
		if j.State == pb.JobState_JOB_STATE_PENDING {
			gomega.Expect(j.PendingReason.GetText()).NotTo(gomega.BeEmpty(), "job %s waits and must say why", j.Name)
		}
		gomega.Expect(c.Job(j.JobId).Terminate(ctx)).To(gomega.Succeed())
	}
	gomega.Eventually(ctx, c.Workers).Should(gomega.HaveEach(BeEmptyWorker()), "ended attempts must be confirmed stopped")
	gomega.Eventually(ctx, c.alive).WithArguments("").Should(gomega.BeZero(), "nothing may run that the controller ended")
	gomega.Expect(c.Controller().Check(ctx)).To(gomega.Succeed(), "the invariants must hold at the end")
}

// stop ends the cluster and, on the wall clock, looks for what it left behind; in virtual time the bubble does.
func (c *Cluster) stop() {
	gomega.Expect(c.Client.Close()).To(gomega.Succeed())
	gomega.Expect(c.Manager.Stop()).To(gomega.Succeed())
	gomega.Expect(c.alive("")).To(gomega.BeZero(), "nothing may outlive the cluster")
	if !c.Virtual {
		gomega.Eventually(gleak.Goroutines).ShouldNot(gleak.HaveLeaked(c.before))
	}
}

// Submit launches a job of one CPU and 1 GiB, unless the spec says otherwise.
func (c *Cluster) Submit(ctx context.Context, spec client.Spec) *client.Job {
	ginkgo.GinkgoHelper()
	job, err := c.Client.Submit(ctx, spec)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return job
}

// Works asserts that the cluster runs a new job on each of its workers, faults being over.
func (c *Cluster) Works(ctx context.Context) {
	ginkgo.GinkgoHelper()
	c.Heal()
	workers, err := c.Workers(ctx)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	for _, w := range workers {
		job := c.Submit(ctx, client.Spec{
			Name: "probe-" + w.WorkerId, Entrypoint: c.Quick(),
			Constraints: []*pb.Constraint{{Key: "worker", Op: pb.ConstraintOp_CONSTRAINT_OP_EQ, Value: w.WorkerId}},
		})
		gomega.Eventually(ctx, job.Status).Should(HaveState(pb.JobState_JOB_STATE_SUCCEEDED))
	}
}

// Enable arms a rule that must be valid.
func (c *Cluster) Enable(key string, options ...chaos.Option) *chaos.Rule {
	ginkgo.GinkgoHelper()
	rule, err := c.Chaos.Enable(key, options...)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return rule
}

// Task is a getter of one task of a job.
func Task(job *client.Job, index int) func(context.Context) (*pb.TaskStatus, error) {
	return func(ctx context.Context) (*pb.TaskStatus, error) {
		tasks, err := job.Tasks(ctx)
		if err != nil {
			return nil, err
		}
		return tasks[index], nil
	}
}
