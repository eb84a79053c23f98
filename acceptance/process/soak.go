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

// soak runs a mix of jobs while daemons are killed, and then compares what the controller says of each task with what the
// task itself wrote down. FM-14, FM-75, FM-80
func soak(c *Cluster, name string, salt uint64, pause time.Duration, victims func(*Cluster, *rand.Rand) []string) {
	It(name, func(ctx SpecContext) {
		seed := uint64(GinkgoRandomSeed())
		s := &strikes{cluster: c, random: random(seed, salt), number: kills(), pause: pause, victims: victims}
		DeferOnFailure(func() { AddReportEntry("the kills", s.story.String(), ReportEntryVisibilityFailureOrVerbose) })
		diary, err := newDiary(GinkgoT().TempDir())
		Expect(err).NotTo(HaveOccurred())
		mix := mixed(random(seed, salt+1), diary, tasks, s.span())
		By(fmt.Sprintf("killing %d times while %d tasks run in %d jobs", s.number, tasks, len(mix)))

		jobs := launch(ctx, c, mix)
		s.run(ctx)
		var history []*pb.TaskStatus
		for i, job := range jobs() {
			Eventually(ctx, acknowledged(job)).WithTimeout(s.span() + 5*time.Minute).Should(HaveState(mix[i].state))
			Expect(job.Status(ctx)).To(HaveError(mix[i].error))
			history = append(history, mix[i].tasksOf(ctx, job)...)
		}
		Expect(c.Jobs(ctx, "")).To(HaveLen(len(mix)), "a job that was submitted again after a kill is one job")
		Expect(c.Workers(ctx)).To(HaveEach(BeLive(0)), "nobody is lost who is started again at once")
		lines, err := diary.read()
		Expect(err).NotTo(HaveOccurred())
		Expect(judge(history, lines)).To(BeEmpty())
	})
}

// random follows from the run's seed, and is another one for each salt.
func random(seed, salt uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, salt)) }

// launch submits each job in its time, and terminates those that are to be. The jobs are there, in their order, once all
// are acknowledged.
func launch(ctx context.Context, c *Cluster, mix []work) (jobs func() []*client.Job) {
	all := make([]*client.Job, len(mix))
	var users sync.WaitGroup
	for i, w := range mix {
		users.Go(func() {
			defer GinkgoRecover()
			sleep(ctx, w.at)
			all[i] = c.Submit(ctx, w.Spec)
			if w.cancel > 0 {
				Eventually(ctx, acknowledged(all[i])).Should(HaveState(RUNNING))
				sleep(ctx, w.cancel)
				Expect(all[i].Terminate(ctx)).To(Succeed())
			}
		})
	}
	return func() []*client.Job {
		users.Wait()
		return all
	}
}

// acknowledged is a getter of the status of a job that there must be.
func acknowledged(job *client.Job) func(context.Context) (*pb.JobStatus, error) {
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

var _ = Scenario("the controller killed again and again", Controller, Chaos, Kill, real, func(c *Cluster) {
	soak(c, "kill9_controller: every job ends right, and nothing runs twice", 10, time.Second, theController)
})

var _ = Scenario("the leader of three controllers killed again and again", Controller, Chaos, Kill, real, Controllers(3), func(c *Cluster) {
	soak(c, "kill9_leader: every job ends right, and nothing runs twice", 20, 3*time.Second, theLeader)
})

var _ = Scenario("workers killed again and again", Worker, Chaos, Kill, real, func(c *Cluster) {
	soak(c, "kill9_worker: every job ends right, and nothing runs twice", 30, time.Second, aWorker)
})

var _ = Scenario("controller and workers killed again and again", Controller, Chaos, Kill, real, func(c *Cluster) {
	soak(c, "kill9_everybody: every job ends right, and nothing runs twice", 40, time.Second, either)
})
