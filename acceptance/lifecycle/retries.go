// Package lifecycle has the specs about tasks and jobs: retries, timeouts, gangs, waiting.
package lifecycle

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "iris/acceptance"
	"iris/chaos"
	"iris/iris/client"
	pb "iris/iris/proto"
)

var _ = Scenario("downloading a workspace", Lifecycle, Chaos, func(c *Cluster) {
	c.Seeds(20, func(seed uint64) {
		It("bundle_download_intermittent: costs one attempt for each failed download "+SeedName(seed), func(ctx SpecContext) {
			workspace := GinkgoT().TempDir()
			Expect(os.WriteFile(filepath.Join(workspace, "greeting.txt"), []byte("hello from the bundle\n"), 0o600)).To(Succeed())
			rule := c.Enable("worker.bundle_download", chaos.FailureRate(0.5), chaos.WithSeed(seed),
				chaos.MinFailures(1), chaos.MaxFailures(2), chaos.Err(errors.New("chaos: download failed")))
			job := c.Submit(ctx, client.Spec{
				Name: "bundle-fail", Entrypoint: c.Reading("greeting.txt"), Workspace: workspace, MaxRetriesFailure: client.Limit(3),
			})

			Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
			Expect(Task(job, 0)(ctx)).To(SatisfyAll(
				HaveAttempts(append(slices.Repeat([]pb.JobState{FAILED}, rule.Counts().Fired), SUCCEEDED)...),
				HaveAttemptError(0, Equal("chaos: download failed")),
			))
			Expect(job.Logs(ctx, 0)).To(ConsistOf(HaveField("Text", "hello from the bundle")))
		})
	})
})

var _ = Scenario("a task's timeout", Lifecycle, Chaos, func(c *Cluster) {
	It("task_timeout: fails a task that outlasts it, and nothing of it stays", func(ctx SpecContext) {
		const limit, poll = 5 * time.Second, 100 * time.Millisecond
		job := c.Submit(ctx, client.Spec{Name: "timeout-test", Entrypoint: c.Sleeping(300 * time.Second), Timeout: limit})

		Eventually(ctx, job.Status).Should(HaveState(FAILED))
		Expect(c.Alive(job)).To(BeZero())
		Expect(job.Status(ctx)).To(HaveError("timed out after 5s"))
		Expect(Task(job, 0)(ctx)).To(HaveAttempts(FAILED))
		Expect(Took(ctx, job, Started, Finished)).To(BeBetween(limit-c.Lag(), limit+poll+c.Lag()))
	})
})

var _ = Scenario("the failure budget", Lifecycle, Chaos, func(c *Cluster) {
	transient := chaos.Err(errors.New("chaos: transient"))

	It("retry_budget_exact: is enough for as many failures as it says", func(ctx SpecContext) {
		rule := c.Enable("worker.create_container", chaos.MaxFailures(2), transient)
		job := c.Submit(ctx, client.Spec{Name: "exact-retry", Entrypoint: c.Quick(), MaxRetriesFailure: client.Limit(2)})

		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		Expect(Task(job, 0)(ctx)).To(HaveAttempts(FAILED, FAILED, SUCCEEDED))
		Expect(rule.Counts().Fired).To(Equal(2))
	})

	It("retry_budget_exceeded: fails the job after exactly one failure more", func(ctx SpecContext) {
		rule := c.Enable("worker.create_container", chaos.MaxFailures(3), transient)
		job := c.Submit(ctx, client.Spec{Name: "exact-retry", Entrypoint: c.Quick(), MaxRetriesFailure: client.Limit(2)})

		Eventually(ctx, job.Status).Should(HaveState(FAILED))
		Expect(job.Status(ctx)).To(HaveError("chaos: transient"))
		Expect(Task(job, 0)(ctx)).To(HaveAttempts(FAILED, FAILED, FAILED))
		Expect(rule.Counts().Fired).To(Equal(3))
	})
})
