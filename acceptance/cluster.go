package acceptance

import (
	"context"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"github.com/onsi/gomega/gleak"

	"iris/acceptance/daemon"
	"iris/acceptance/fault"
	"iris/iris/client"
	pb "iris/iris/proto"
)

// Cluster is the cluster of the running spec.
type Cluster struct {
	*Mode // already when specs are declared
	*client.Client
	// Chaos are the rules of this cluster alone.
	Chaos Faults

	system   system
	booted   time.Time
	kills    int               // so far
	past     past              // what the report tells besides
	injected []*fault.Ongoing  // those that are over too
	before   []gleak.Goroutine // on the wall clock: what ran before the boot
}

// patience is the timeout of Eventually: generous, since a spec that hangs has failed anyway.
const patience = 3 * time.Minute

// boot starts the local cluster of the demo and waits until it is ready, unless rules were armed before: then its start
// is the story.
func (c *Cluster) boot(ctx context.Context, arm Arm, wishes []Wish) {
	ginkgo.GinkgoHelper()
	c.Client, c.kills, c.injected, c.past = nil, 0, nil, past{}
	p := newPlan()
	for _, wish := range wishes {
		wish(&p)
	}
	c.past.tap = p.tap
	current = c
	ginkgo.DeferCleanup(func() { current = nil })
	c.system = c.Mode.system(p)
	c.Chaos = c.system.Faults()
	ginkgo.DeferCleanup(c.Chaos.Reset)
	ginkgo.DeferOnFailure(c.explain)
	if arm != nil {
		arm(c.Chaos)
	}

	gomega.EnforceDefaultTimeoutsWhenUsingContexts()
	gomega.SetDefaultEventuallyTimeout(patience)
	gomega.SetDefaultEventuallyPollingInterval(c.poll)
	if c.Mode != Virtual {
		c.before = gleak.Goroutines()
	}
	c.booted = time.Now()
	gomega.Expect(c.system.Start()).To(gomega.Succeed())
	ginkgo.DeferCleanup(c.stop)
	ginkgo.DeferCleanup(c.calm) // before that
	connection, err := c.system.Connect()
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	ginkgo.DeferCleanup(connection.Close)
	c.Client = connection
	if arm == nil {
		gomega.Expect(c.system.Ready(ctx)).To(gomega.Succeed())
	}
}

// settle ends a spec: its faults stop, and then what must hold after any story is checked (design §6).
func (c *Cluster) settle(ctx context.Context) {
	c.record(ctx)
	if ginkgo.CurrentSpecReport().Failed() {
		return // the story is in the failure; what follows would only bury it
	}
	gomega.Expect(c.Chaos.Verify()).To(gomega.Succeed(), "every armed rule must have fired")
	c.Chaos.Reset()
	c.mend()

	gomega.Expect(c.system.Check(ctx)).To(gomega.Succeed(), "the invariants must hold")
	jobs, err := c.Jobs(ctx, "")
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	for _, j := range jobs {
		if j.State == pb.JobState_JOB_STATE_PENDING {
			gomega.Expect(j.PendingReason.GetText()).NotTo(gomega.BeEmpty(), "job %s waits and must say why", j.Name)
		}
		gomega.Expect(c.Job(j.JobId).Terminate(ctx)).To(gomega.Succeed())
	}
	gomega.Eventually(ctx, c.Workers).Should(gomega.Or(gomega.BeEmpty(), gomega.HaveEach(BeEmptyWorker())), "ended attempts must be confirmed stopped")
	gomega.Eventually(ctx, c.system.Alive).WithArguments("").Should(gomega.BeZero(), "nothing may run that the controller ended")
	gomega.Expect(c.system.Check(ctx)).To(gomega.Succeed(), "the invariants must hold at the end")
	c.accounted(ctx)
}

// stop ends the cluster and, on the wall clock, looks for what it left behind; in virtual time the bubble does.
func (c *Cluster) stop() {
	gomega.Expect(c.system.Stop()).To(gomega.Succeed())
	gomega.Expect(c.system.Alive("")).To(gomega.BeZero(), "nothing may outlive the cluster")
	if c.Mode != Virtual {
		gomega.Eventually(gleak.Goroutines).ShouldNot(gleak.HaveLeaked(c.before))
	}
}

// ControllerIDs are those of the cluster's controllers: c-0, c-1 and so on.
func (c *Cluster) ControllerIDs() []string { return c.system.Controllers() }

// Leader is the id of the controller that leads; empty while none does.
func (c *Cluster) Leader() string { return c.system.Leader() }

// Dir is what a controller that lives in the process of the specs keeps on its disk.
func (c *Cluster) Dir(controller string) string { return c.system.(*inProcess).Dir(controller) }

// Kill ends a controller ("c-0") or a worker ("w-1") as abruptly as the end of its process would.
func (c *Cluster) Kill(id string) {
	ginkgo.GinkgoHelper()
	c.noteKill(id)
	gomega.Expect(c.system.Kill(id)).To(gomega.Succeed())
}

// Revive starts what was killed, on what it left on its disk.
func (c *Cluster) Revive(id string) {
	ginkgo.GinkgoHelper()
	gomega.Expect(c.TryRevive(id)).To(gomega.Succeed())
}

// TryRevive is Revive of what may not start.
func (c *Cluster) TryRevive(id string) error {
	c.noteStart(id)
	return c.system.Revive(id)
}

// KillKeeper ends the process that runs a worker's commands, once there is one, as kill -9 does. Only with real daemons.
func (c *Cluster) KillKeeper(worker string) {
	ginkgo.GinkgoHelper()
	var keeper daemon.Process
	gomega.Eventually(func() (found bool) {
		keeper, found = c.system.(*daemons).fleet.Keeper(worker)
		return found
	}).Should(gomega.BeTrue(), "%s must come to have a keeper", worker)
	c.noteKill("keeper of " + worker)
	gomega.Expect(keeper.Kill()).To(gomega.Succeed())
}

// Restart ends a daemon in good order and starts it again, as an upgrade does. Only with real daemons.
func (c *Cluster) Restart(id string) {
	ginkgo.GinkgoHelper()
	d := c.system.(*daemons).fleet.Daemon(id)
	gomega.Expect(d.Terminate(time.Minute)).To(gomega.Succeed())
	gomega.Expect(d.Start()).To(gomega.Succeed())
}

// ConnectTo is a connection to this controller alone, whoever leads, of a cluster in the process of the specs.
func (c *Cluster) ConnectTo(id string) *client.Client {
	ginkgo.GinkgoHelper()
	connection, err := c.system.(*inProcess).ConnectTo(id)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	ginkgo.DeferCleanup(connection.Close)
	return connection
}

// Submit launches a job of one CPU and 1 GiB, unless the spec says otherwise.
func (c *Cluster) Submit(ctx context.Context, spec client.Spec) *client.Job {
	ginkgo.GinkgoHelper()
	job, err := c.Client.Submit(ctx, spec)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return job
}

// Worker is a worker as the controller sees it.
func (c *Cluster) Worker(ctx context.Context, id string) *pb.WorkerStatus {
	ginkgo.GinkgoHelper()
	workers, err := c.Workers(ctx)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	for _, w := range workers {
		if w.WorkerId == id {
			return w
		}
	}
	ginkgo.Fail("there is no worker " + id)
	return nil
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
			Constraints: On(w.WorkerId),
		})
		gomega.Eventually(ctx, job.Status).Should(HaveState(pb.JobState_JOB_STATE_SUCCEEDED))
	}
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
