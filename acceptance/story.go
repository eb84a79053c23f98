package acceptance

import (
	"context"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"iris/iris/client"
	pb "iris/iris/proto"
)

// Moment picks an instant of a job's life.
type Moment func(*pb.JobStatus) time.Time

// Submitted is when it was launched, by the controller's clock, as are the others.
func Submitted(j *pb.JobStatus) time.Time { return j.SubmittedAt.AsTime() }

// Started is when its first attempt ran.
func Started(j *pb.JobStatus) time.Time { return j.StartedAt.AsTime() }

// Finished is when it was over.
func Finished(j *pb.JobStatus) time.Time { return j.FinishedAt.AsTime() }

// Took is the time between two moments of a job.
func Took(ctx context.Context, job *client.Job, from, to Moment) time.Duration {
	ginkgo.GinkgoHelper()
	status, err := job.Status(ctx)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return to(status).Sub(from(status))
}

// BeBetween matches a duration.
func BeBetween(least, most time.Duration) types.GomegaMatcher {
	return gomega.SatisfyAll(gomega.BeNumerically(">=", least), gomega.BeNumerically("<=", most))
}

// WorkerOf is the worker of the last attempt of a job's first task.
func (c *Cluster) WorkerOf(ctx context.Context, job *client.Job) string {
	ginkgo.GinkgoHelper()
	task, err := Task(job, 0)(ctx)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	gomega.Expect(task.Attempts).NotTo(gomega.BeEmpty())
	return task.Attempts[len(task.Attempts)-1].WorkerId
}

// On pins a job to a worker: it is the one constraint of its spec.
func On(worker string) []*pb.Constraint {
	return []*pb.Constraint{{Key: "worker", Op: pb.ConstraintOp_CONSTRAINT_OP_EQ, Value: worker}}
}
