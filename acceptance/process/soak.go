// Package process has the specs about daemons that are killed with kill -9.
package process

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	. "iris/acceptance"
	"iris/iris/client"
	pb "iris/iris/proto"
)

var real = Only{Mode: Process, Why: "it takes a process to kill one with kill -9"}

// tasks is how many each soak runs.
const tasks = 500

// soak is a mix of jobs that runs while daemons end and begin again. What the controller says of each task is then compared
// with what the task itself wrote down. FM-14, FM-75, FM-80
type soak struct {
	name  string
	salt  uint64
	pause time.Duration // the mean between two strikes
	next  choice
	kinds []kind
	lossy bool // what runs may be lost
}

func (k soak) declare(c *Cluster) {
	It(k.name+": every job ends right, and nothing runs twice", func(ctx SpecContext) {
		seed := uint64(GinkgoRandomSeed())
		s := &strikes{cluster: c, random: random(seed, k.salt), number: kills(), pause: k.pause, next: k.next}
		DeferCleanup(func() { AddReportEntry("the strikes", s.story.String(), ReportEntryVisibilityFailureOrVerbose) })
		diary, err := newDiary(GinkgoT().TempDir())
		Expect(err).NotTo(HaveOccurred())
		mix := mixed(random(seed, k.salt+1), diary, k.kinds, tasks, s.span())
		By(fmt.Sprintf("striking %d times while %d tasks run in %d jobs", s.number, tasks, len(mix)))

		acknowledged := launch(ctx, c, mix)
		s.run(ctx)
		acknowledged.Wait()
		var history []*pb.TaskStatus
		for _, w := range mix {
			job := c.Job(w.ID)
			Eventually(ctx, known(job)).WithTimeout(s.span() + 5*time.Minute).Should(HaveState(w.state))
			Expect(job.Status(ctx)).To(HaveError(w.error))
			history = append(history, w.tasksOf(ctx, job)...)
		}
		Expect(c.Jobs(ctx, "")).To(HaveLen(len(mix)), "a job that was submitted again after a strike is one job")
		Expect(c.Workers(ctx)).To(HaveEach(BeLive(0)), "nobody is lost who is started again at once")
		lines, err := diary.read()
		Expect(err).NotTo(HaveOccurred())
		Expect(judge(history, lines, k.lossy)).To(BeEmpty())
	})
}

// random follows from the run's seed, and is another one for each salt.
func random(seed, salt uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, salt)) }

// launch submits each job in its time, and terminates those that are to be. It is over when all are acknowledged.
func launch(ctx context.Context, c *Cluster, mix []work) *sync.WaitGroup {
	users := &sync.WaitGroup{}
	for _, w := range mix {
		users.Go(func() {
			defer GinkgoRecover()
			sleep(ctx, w.at)
			job := c.Submit(ctx, w.Spec)
			if w.cancel > 0 {
				Eventually(ctx, known(job)).Should(HaveState(RUNNING))
				sleep(ctx, w.cancel)
				Expect(job.Terminate(ctx)).To(Succeed())
			}
		})
	}
	return users
}

// known is a getter of the status of a job that there must be.
func known(job *client.Job) func(context.Context) (*pb.JobStatus, error) {
	return func(ctx context.Context) (*pb.JobStatus, error) {
		s, err := job.Status(ctx)
		if status.Code(err) == codes.NotFound {
			err = StopTrying("a job that was acknowledged is gone").Wrap(err)
		}
		return s, err
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// tasksOf is the history of a job that is over; each task must have had the attempts that the mix says.
func (w work) tasksOf(ctx context.Context, job *client.Job) []*pb.TaskStatus {
	GinkgoHelper()
	history, err := job.Tasks(ctx)
	Expect(err).NotTo(HaveOccurred())
	for i, task := range history {
		var counted []pb.JobState
		for _, a := range task.Attempts {
			if s := pb.JobState(a.State); s != WORKERFAILED && s != COSCHEDFAILED {
				counted = append(counted, s)
			}
		}
		Expect(counted).To(Equal(w.tasks(i)), "%s: %v", task.TaskId, task.Attempts)
	}
	return history
}

var _ = Scenario("the controller killed again and again", Controller, Chaos, Kill, real,
	soak{name: "kill9_controller", salt: 10, pause: time.Second, next: theController, kinds: exact}.declare)

var _ = Scenario("the leader of three controllers killed again and again", Controller, Chaos, Kill, real, Controllers(3),
	soak{name: "kill9_leader", salt: 20, pause: 3 * time.Second, next: theLeader, kinds: exact}.declare)

var _ = Scenario("workers killed again and again", Worker, Chaos, Kill, real,
	soak{name: "kill9_worker", salt: 30, pause: time.Second, next: aWorker, kinds: exact}.declare)

var _ = Scenario("controller and workers killed again and again", Controller, Chaos, Kill, real,
	soak{name: "kill9_everybody", salt: 40, pause: time.Second, next: either, kinds: exact}.declare)

var _ = Scenario("keepers killed again and again, workers with them", Worker, Chaos, Kill, real,
	soak{name: "kill9_keeper", salt: 50, pause: time.Second, next: aKeeper, kinds: robust, lossy: true}.declare)

var _ = Scenario("three controllers restarted again and again", Controller, Chaos, Kill, real, Controllers(3),
	soak{name: "restart_controllers", salt: 60, pause: 3 * time.Second, next: upgrade, kinds: exact}.declare)
