package rpc

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	. "iris/acceptance"
	"iris/iris/bundle"
	"iris/iris/client"
	pb "iris/iris/proto"
)

var _ = Scenario("bad input", RPC, func(c *Cluster) {
	good := func() *pb.LaunchJobRequest {
		return &pb.LaunchJobRequest{JobId: "job", Spec: &pb.JobSpec{
			Name: "job", Entrypoint: c.Quick(), Resources: &pb.Resources{CpuMillis: 1000, MemoryBytes: client.GiB},
		}}
	}
	launch := func(ctx context.Context, change func(*pb.LaunchJobRequest)) error {
		request := good()
		change(request)
		_, err := c.RPC().LaunchJob(ctx, request)
		return err
	}
	negative := durationpb.New(-time.Second)

	DescribeTable("launching a job with", func(ctx SpecContext, change func(*pb.LaunchJobRequest), code codes.Code, text string) {
		err := launch(ctx, change)
		Expect(status.Code(err)).To(Equal(code), "%v", err)
		Expect(err).To(MatchError(ContainSubstring(text)))
		Expect(c.Jobs(ctx, "")).To(BeEmpty(), "a refused job leaves nothing")

		Expect(launch(ctx, func(*pb.LaunchJobRequest) {})).To(Succeed(), "and is in nobody's way")
		Eventually(ctx, c.Job("job").Status).Should(HaveState(SUCCEEDED))
	},
		Entry("no spec", func(r *pb.LaunchJobRequest) { r.Spec = nil }, codes.InvalidArgument, "name"),
		Entry("an empty id", func(r *pb.LaunchJobRequest) { r.JobId = "" }, codes.InvalidArgument, "id"),
		Entry("an id with a slash", func(r *pb.LaunchJobRequest) { r.JobId = "a/b" }, codes.InvalidArgument, "a/b"),
		Entry("an empty name", func(r *pb.LaunchJobRequest) { r.Spec.Name = "" }, codes.InvalidArgument, "name"),
		Entry("an over-long name", func(r *pb.LaunchJobRequest) { r.Spec.Name = strings.Repeat("n", 129) }, codes.InvalidArgument, "128"),
		Entry("a slash in the name", func(r *pb.LaunchJobRequest) { r.Spec.Name = "a/b" }, codes.InvalidArgument, "/"),
		Entry("a control character in the name", func(r *pb.LaunchJobRequest) { r.Spec.Name = "a\x07b" }, codes.InvalidArgument, "control"),
		Entry("no entrypoint", func(r *pb.LaunchJobRequest) { r.Spec.Entrypoint = nil }, codes.InvalidArgument, "entrypoint"),
		Entry("an empty command", func(r *pb.LaunchJobRequest) { r.Spec.Entrypoint = client.Command() }, codes.InvalidArgument, "argv"),
		Entry("no CPU", func(r *pb.LaunchJobRequest) { r.Spec.Resources.CpuMillis = 0 }, codes.InvalidArgument, "cpu"),
		Entry("negative CPU", func(r *pb.LaunchJobRequest) { r.Spec.Resources.CpuMillis = -1 }, codes.InvalidArgument, "cpu"),
		Entry("absurd CPU", func(r *pb.LaunchJobRequest) { r.Spec.Resources.CpuMillis = 1 << 50 }, codes.InvalidArgument, "cpu"),
		Entry("no memory", func(r *pb.LaunchJobRequest) { r.Spec.Resources.MemoryBytes = 0 }, codes.InvalidArgument, "memory"),
		Entry("negative memory", func(r *pb.LaunchJobRequest) { r.Spec.Resources.MemoryBytes = -1 }, codes.InvalidArgument, "memory"),
		Entry("absurd memory", func(r *pb.LaunchJobRequest) { r.Spec.Resources.MemoryBytes = 1 << 60 }, codes.InvalidArgument, "memory"),
		Entry("zero replicas", func(r *pb.LaunchJobRequest) { r.Spec.Replicas = proto.Int32(0) }, codes.InvalidArgument, "replicas"),
		Entry("negative replicas", func(r *pb.LaunchJobRequest) { r.Spec.Replicas = proto.Int32(-1) }, codes.InvalidArgument, "replicas"),
		Entry("10 001 replicas", func(r *pb.LaunchJobRequest) { r.Spec.Replicas = proto.Int32(10_001) }, codes.InvalidArgument, "10"),
		Entry("an unknown constraint op", func(r *pb.LaunchJobRequest) {
			r.Spec.Constraints = []*pb.Constraint{{Key: "zone", Op: 99, Value: "eu"}}
		}, codes.InvalidArgument, "constraint"),
		Entry("a negative timeout", func(r *pb.LaunchJobRequest) { r.Spec.Timeout = negative }, codes.InvalidArgument, "timeout"),
		Entry("a negative scheduling timeout", func(r *pb.LaunchJobRequest) { r.Spec.SchedulingTimeout = negative },
			codes.InvalidArgument, "scheduling_timeout"),
		Entry("a negative failure budget", func(r *pb.LaunchJobRequest) { r.Spec.MaxRetriesFailure = proto.Int32(-1) },
			codes.InvalidArgument, "max_retries_failure"),
		Entry("a negative preemption budget", func(r *pb.LaunchJobRequest) { r.Spec.MaxRetriesPreemption = proto.Int32(-1) },
			codes.InvalidArgument, "max_retries_preemption"),
		Entry("a negative task budget", func(r *pb.LaunchJobRequest) { r.Spec.MaxTaskFailures = proto.Int32(-1) },
			codes.InvalidArgument, "max_task_failures"),
		Entry("an unknown parent", func(r *pb.LaunchJobRequest) { r.Spec.ParentJobId = "nobody" }, codes.NotFound, "nobody"),
		Entry("an unknown bundle", func(r *pb.LaunchJobRequest) { r.Spec.BundleSha256 = strings.Repeat("0", 64) }, codes.NotFound, "bundle"),
		Entry("a reserved variable", func(r *pb.LaunchJobRequest) { r.Spec.Environment = map[string]string{"IRIS_JOB_ID": "x"} },
			codes.InvalidArgument, "IRIS_"),
		Entry("a message beyond the limit", func(r *pb.LaunchJobRequest) {
			r.Spec.Environment = map[string]string{"BIG": strings.Repeat("x", 17<<20)}
		}, codes.ResourceExhausted, "larger than max"),
	)

	It("refuses a parent that is over", func(ctx SpecContext) {
		parent := c.Submit(ctx, client.Spec{Name: "parent", Entrypoint: c.Quick()})
		Eventually(ctx, parent.Status).Should(HaveState(SUCCEEDED))
		err := launch(ctx, func(r *pb.LaunchJobRequest) { r.Spec.ParentJobId = parent.ID })
		Expect(status.Code(err)).To(Equal(codes.FailedPrecondition))
		Expect(err).To(MatchError(ContainSubstring("is over (SUCCEEDED)")))
	})

	It("takes the same job twice as one, and refuses another body under its id (FM-60)", func(ctx SpecContext) {
		Expect(launch(ctx, func(*pb.LaunchJobRequest) {})).To(Succeed())
		Expect(launch(ctx, func(*pb.LaunchJobRequest) {})).To(Succeed())
		Eventually(ctx, c.Job("job").Status).Should(HaveState(SUCCEEDED))
		Expect(launch(ctx, func(*pb.LaunchJobRequest) {})).To(Succeed(), "also when it is over")
		Expect(c.Jobs(ctx, "")).To(HaveLen(1))
		Expect(Task(c.Job("job"), 0)(ctx)).To(HaveAttempts(SUCCEEDED))

		err := launch(ctx, func(r *pb.LaunchJobRequest) { r.Spec.Entrypoint = c.Exiting(1) })
		Expect(status.Code(err)).To(Equal(codes.AlreadyExists))
		Expect(c.Job("job").Status(ctx)).To(HaveState(SUCCEEDED))
	})

	It("refuses a name that a job has which is not over (FM-59)", func(ctx SpecContext) {
		first := c.Submit(ctx, client.Spec{Name: "same", Entrypoint: c.Sleeping(time.Minute)})
		_, err := c.Client.Submit(ctx, client.Spec{Name: "same", Entrypoint: c.Quick()})
		Expect(status.Code(err)).To(Equal(codes.AlreadyExists))
		Expect(first.Terminate(ctx)).To(Succeed())
		Expect(first.Status(ctx)).To(SatisfyAll(HaveState(KILLED), HaveError("terminated by a user")))
		again := c.Submit(ctx, client.Spec{Name: "same", Entrypoint: c.Quick()})
		Eventually(ctx, again.Status).Should(HaveState(SUCCEEDED))
	})

	It("says NOT_FOUND of jobs, tasks and attempts that do not exist", func(ctx SpecContext) {
		job := c.Submit(ctx, client.Spec{Name: "one", Entrypoint: c.Quick()})
		Eventually(ctx, job.Status).Should(HaveState(SUCCEEDED))
		nobody := c.Job("nobody")
		_, err := nobody.Status(ctx)
		Expect(status.Code(err)).To(Equal(codes.NotFound))
		_, err = nobody.Tasks(ctx)
		Expect(status.Code(err)).To(Equal(codes.NotFound))
		_, err = nobody.Logs(ctx, 0)
		Expect(status.Code(err)).To(Equal(codes.NotFound))
		Expect(status.Code(nobody.Terminate(ctx))).To(Equal(codes.NotFound))
		_, err = c.RPC().GetTaskStatus(ctx, &pb.GetTaskStatusRequest{JobId: job.ID, TaskIndex: 1})
		Expect(status.Code(err)).To(Equal(codes.NotFound))
		_, err = c.RPC().FetchTaskLogs(ctx, &pb.FetchTaskLogsRequest{JobId: job.ID, AttemptId: proto.Int32(1)})
		Expect(status.Code(err)).To(Equal(codes.NotFound))
	})

	It("lets a gang on an attribute that no worker has wait, say so, and time out", func(ctx SpecContext) {
		job := c.Submit(ctx, client.Spec{
			Name: "nowhere", Entrypoint: c.Quick(), Replicas: 2, GroupBy: "tpu-name", SchedulingTimeout: 5 * time.Second,
		})
		Expect(job.Status(ctx)).To(WaitBecause(pb.PendingReason_KIND_GANG, "no worker has the attribute tpu-name; 2 workers"))
		Eventually(ctx, job.Status).Should(HaveState(UNSCHEDULABLE))
		Expect(job.Status(ctx)).To(HaveError("task 0: not scheduled within 5s: no worker has the attribute tpu-name; 2 workers"))
	})

	It("refuses a bundle whose bytes do not have its hash, and keeps nothing of it", func(ctx SpecContext) {
		sum := bundle.Of([]byte("what was meant"))
		stream, err := c.RPC().UploadBundle(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(stream.Send(&pb.UploadBundleRequest{Sha256: string(sum), Data: []byte("what came")})).To(Succeed())
		_, err = stream.CloseAndRecv()
		Expect(status.Code(err)).To(Equal(codes.InvalidArgument), "%v", err)
		Expect(status.Code(launch(ctx, func(r *pb.LaunchJobRequest) { r.Spec.BundleSha256 = string(sum) }))).To(Equal(codes.NotFound))
	})
})
