package lifecycle

import (
	"context"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "iris/acceptance"
	"iris/chaos"
	"iris/iris/client"
	pb "iris/iris/proto"
)

var _ = Scenario("what a task leaves to be found", Lifecycle, Chaos, func(c *Cluster) {
	It("last_lines: the log of a task that is over has its last line, though the report of its end was lost (FM-81)", func(ctx SpecContext) {
		const lines = 2000
		c.Enable("worker.report_task_state", chaos.MaxFailures(1))
		job := c.Submit(ctx, client.Spec{Name: "counts", Entrypoint: c.Counting(lines)})

		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		log, err := job.Logs(ctx, 0)
		Expect(err).NotTo(HaveOccurred())
		Expect(log).To(HaveLen(lines))
		for i, line := range log {
			Expect(line.Text).To(Equal(strconv.Itoa(i + 1)))
		}
	})

	It("endpoints: ports are those of the attempt that runs, and of none that is over (FM-61)", func(ctx SpecContext) {
		c.Enable("worker.task_monitor", chaos.Match("job", "serves"), chaos.Match("attempt", "0"), chaos.Skip(20))
		job := c.Submit(ctx, client.Spec{Name: "serves", Entrypoint: c.Sleeping(10 * time.Second), Ports: []string{"http"},
			MaxRetriesFailure: client.Limit(1)})
		attempts := func(ctx context.Context, job *client.Job) ([]*pb.TaskAttempt, error) {
			task, err := Task(job, 0)(ctx)
			return task.GetAttempts(), err
		}
		here := HaveField("Endpoints", HaveKeyWithValue("http", MatchRegexp(`:[0-9]+$`)))
		nowhere := HaveField("Endpoints", BeEmpty())

		Eventually(ctx, attempts).WithArguments(job).Should(HaveExactElements(here))
		Eventually(ctx, attempts).WithArguments(job).Should(HaveExactElements(nowhere, here))
		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(attempts(ctx, job)).To(HaveExactElements(nowhere, nowhere))

		unwanted := c.Submit(ctx, client.Spec{Name: "unwanted", Entrypoint: c.Sleeping(10 * time.Minute), Ports: []string{"http"}})
		Eventually(ctx, attempts).WithArguments(unwanted).Should(HaveExactElements(here))
		Expect(unwanted.Terminate(ctx)).To(Succeed())
		Expect(attempts(ctx, unwanted)).To(HaveExactElements(nowhere), "also of one that the controller has ended")
		Expect(Task(job, 0)(ctx)).To(HaveAttempts(FAILED, SUCCEEDED))
	})
})
