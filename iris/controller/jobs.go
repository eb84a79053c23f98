package controller

import (
	"context"
	"errors"
	"io"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	"iris/iris/bundle"
	"iris/iris/peers"
	pb "iris/iris/proto"
	"iris/iris/state"
)

// maxPage is the largest page of a list, and the default.
const maxPage = 1000

// jobService is what clients call.
type jobService struct {
	pb.UnimplementedControllerServiceServer
	seat    *seat
	bundles *peers.Bundles
	traces  *traces
}

// LaunchJob validates, then launches.
func (s *jobService) LaunchJob(ctx context.Context, in *pb.LaunchJobRequest) (*pb.LaunchJobResponse, error) {
	if err := state.Validate(in.JobId, in.Spec); err != nil {
		return nil, wire(err)
	}
	if sum := in.Spec.BundleSha256; sum != "" && (s.bundles == nil || !s.bundles.Has(ctx, bundle.Hash(sum))) {
		return nil, status.Errorf(codes.NotFound, "bundle %s is not stored here; upload it before the job", sum)
	}
	submit := state.SubmitJob{ID: in.JobId, Spec: in.Spec, Trace: s.traces.launch(ctx)}
	if err := s.change(ctx, submit); err != nil {
		return nil, err
	}
	return &pb.LaunchJobResponse{JobId: in.JobId}, nil
}

// TerminateJob ends a job.
func (s *jobService) TerminateJob(ctx context.Context, in *pb.TerminateJobRequest) (*pb.TerminateJobResponse, error) {
	if err := s.change(ctx, state.CancelJob{ID: in.JobId, Reason: "terminated by a user"}); err != nil {
		return nil, err
	}
	return &pb.TerminateJobResponse{}, nil
}

// change has the loop carry out one command.
func (s *jobService) change(ctx context.Context, command state.Command) error {
	refused, err := ask(ctx, s.seat,
		decided(command),
		func(_ *loop, errs []error) error { return errs[0] })
	if err != nil {
		return err
	}
	return wire(refused)
}

// read has the loop answer a question about one job.
func read[T any](ctx context.Context, s *seat, id string, answer func(*picture, *state.Job) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	r, err := ask(ctx, s, nil, func(l *loop, _ []error) result {
		j := l.leader.Cluster().Job(id)
		if j == nil {
			return result{err: status.Errorf(codes.NotFound, "job %q is unknown", id)}
		}
		value, err := answer(newPicture(l), j)
		return result{value, err}
	})
	if err != nil {
		return r.value, err
	}
	return r.value, r.err
}

// GetJobStatus describes one job.
func (s *jobService) GetJobStatus(ctx context.Context, in *pb.GetJobStatusRequest) (*pb.GetJobStatusResponse, error) {
	return read(ctx, s.seat, in.JobId, func(p *picture, j *state.Job) (*pb.GetJobStatusResponse, error) {
		out := &pb.GetJobStatusResponse{Job: p.job(j)}
		if in.WithSpec {
			out.Spec = withoutSecrets(j.Spec)
		}
		return out, nil
	})
}

// withoutSecrets is a spec whose environment has names alone (FM-86).
func withoutSecrets(spec *pb.JobSpec) *pb.JobSpec {
	out := &pb.JobSpec{}
	spec.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		out.ProtoReflect().Set(field, value) // a spec never changes
		return true
	})
	out.Environment = make(map[string]string, len(spec.Environment))
	for name := range spec.Environment {
		out.Environment[name] = ""
	}
	return out
}

// ListJobs describes a page of jobs. A page begins at a job's number, so that it stays where it is when others are
// forgotten.
func (s *jobService) ListJobs(ctx context.Context, in *pb.ListJobsRequest) (*pb.ListJobsResponse, error) {
	from, size, err := page(in.PageToken, in.PageSize)
	if err != nil {
		return nil, err
	}
	return ask(ctx, s.seat, nil, func(l *loop, _ []error) *pb.ListJobsResponse {
		cluster, p := l.leader.Cluster(), newPicture(l)
		out := &pb.ListJobsResponse{Counts: jobCounts(cluster.Counts())}
		for j := range inOrder(cluster, in, uint64(from)) {
			if !strings.HasPrefix(j.Spec.Name, in.NamePrefix) ||
				len(in.States) > 0 && !slices.Contains(in.States, pb.JobState(j.State)) {
				continue
			}
			if len(out.Jobs) == size {
				out.NextPageToken = strconv.FormatUint(j.Seq, 10)
				break
			}
			out.Jobs = append(out.Jobs, p.job(j))
		}
		return out
	})
}

// inOrder are the jobs of a list from where its page begins.
func inOrder(c *state.Cluster, in *pb.ListJobsRequest, from uint64) iter.Seq[*state.Job] {
	jobs := c.JobsFrom(from)
	if in.NewestFirst {
		if in.PageToken == "" {
			from = math.MaxUint64
		}
		jobs = c.JobsUpTo(from)
	}
	return func(yield func(*state.Job) bool) {
		for i := range jobs {
			if in.NewestFirst {
				i = len(jobs) - 1 - i
			}
			if !yield(jobs[i]) {
				return
			}
		}
	}
}

func jobCounts(all state.Counts) []*pb.JobStateCount {
	var counts []*pb.JobStateCount
	for _, s := range state.States {
		if n := all.Jobs[s]; n > 0 {
			counts = append(counts, &pb.JobStateCount{State: pb.JobState(s), Count: int32(n)})
		}
	}
	return counts
}

// GetTaskStatus describes one task with all its attempts.
func (s *jobService) GetTaskStatus(ctx context.Context, in *pb.GetTaskStatusRequest) (*pb.GetTaskStatusResponse, error) {
	return read(ctx, s.seat, in.JobId, func(p *picture, j *state.Job) (*pb.GetTaskStatusResponse, error) {
		if err := checkTask(j, in.TaskIndex); err != nil {
			return nil, err
		}
		return &pb.GetTaskStatusResponse{Task: p.task(j, int(in.TaskIndex))}, nil
	})
}

func checkTask(j *state.Job, index int32) error {
	if index < 0 || int(index) >= len(j.Tasks) {
		return status.Errorf(codes.NotFound, "job %s has no task %d; it has %d, counted from 0", j.ID, index, len(j.Tasks))
	}
	return nil
}

// ListTasks describes a page of a job's tasks.
func (s *jobService) ListTasks(ctx context.Context, in *pb.ListTasksRequest) (*pb.ListTasksResponse, error) {
	from, size, err := page(in.PageToken, in.PageSize)
	if err != nil {
		return nil, err
	}
	return read(ctx, s.seat, in.JobId, func(p *picture, j *state.Job) (*pb.ListTasksResponse, error) {
		out := &pb.ListTasksResponse{}
		for i := from; i < len(j.Tasks); i++ {
			if len(in.States) > 0 && !slices.Contains(in.States, pb.TaskState(j.Tasks[i].State)) {
				continue
			}
			if len(out.Tasks) == size {
				out.NextPageToken = strconv.Itoa(i)
				break
			}
			out.Tasks = append(out.Tasks, p.task(j, i))
		}
		return out, nil
	})
}

// ListWorkers describes all workers.
func (s *jobService) ListWorkers(ctx context.Context, _ *pb.ListWorkersRequest) (*pb.ListWorkersResponse, error) {
	return ask(ctx, s.seat, nil, func(l *loop, _ []error) *pb.ListWorkersResponse {
		out, now := &pb.ListWorkersResponse{}, time.Now()
		for _, w := range l.leader.Cluster().Workers() {
			out.Workers = append(out.Workers,
				workerProto(w, l.leader.LastHeard(w.ID), l.config.WorkerTimeout, l.leader.Standing(now, w.ID)))
		}
		return out
	})
}

func page(token string, size int32) (from, n int, err error) {
	if token != "" {
		if from, err = strconv.Atoi(token); err != nil || from < 0 {
			return 0, 0, status.Errorf(codes.InvalidArgument, "page_token %q is not one that a list returned", token)
		}
	}
	if size < 0 || size > maxPage {
		return 0, 0, status.Errorf(codes.InvalidArgument, "page_size %d is not in 0..%d", size, maxPage)
	}
	if size == 0 {
		size = maxPage
	}
	return from, int(size), nil
}

const (
	logsTimeout = 5 * time.Second  // of the call to the worker whose logs are read, besides what it is to wait
	maxLogsWait = 20 * time.Second // for lines
	logsPause   = time.Second      // for an attempt that has no log yet
)

// FetchTaskLogs asks the attempt's worker.
func (s *jobService) FetchTaskLogs(ctx context.Context, in *pb.FetchTaskLogsRequest) (*pb.FetchTaskLogsResponse, error) {
	wait := in.Wait.AsDuration()
	if wait < 0 {
		return nil, status.Errorf(codes.InvalidArgument, "wait is %v; it must not be negative", wait)
	}
	from, err := s.logsOf(ctx, in)
	if err != nil {
		return nil, err
	}
	if from.client == nil {
		return noLogs(ctx, in, from.over)
	}
	request := &pb.WorkerLogsRequest{
		WorkerId: from.worker, Incarnation: from.incarnation, AttemptUid: from.uid, StartLine: in.StartLine, MaxLines: in.MaxLines,
	}
	timeout := logsTimeout
	if wait > 0 && !from.over {
		wait = min(wait, maxLogsWait)
		timeout += wait
		request.Wait = durationpb.New(wait)
	}
	call, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	out, err := from.client.FetchTaskLogs(call, request)
	switch {
	case status.Code(err) == codes.NotFound && (!from.over || !from.began): // its order is on its way, or never came
		return noLogs(ctx, in, from.over)
	case status.Code(err) == codes.NotFound && from.restarted:
		return nil, status.Errorf(codes.NotFound, "worker %s was started again after attempt %s; the logs are gone", from.worker, from.uid)
	case err != nil:
		return nil, status.Errorf(status.Code(err), "logs of attempt %s on worker %s: %s", from.uid, from.worker, status.Convert(err).Message())
	}
	return out, nil
}

// logSource is where the logs of an attempt are.
type logSource struct {
	worker, incarnation, uid string
	client                   pb.WorkerServiceClient // nil: the task has had no attempt
	began                    bool
	over                     bool // nothing is written any more
	restarted                bool // the worker, since then
}

// logsOf finds the worker of an attempt.
func (s *jobService) logsOf(ctx context.Context, in *pb.FetchTaskLogsRequest) (*logSource, error) {
	return read(ctx, s.seat, in.JobId, func(p *picture, j *state.Job) (*logSource, error) {
		if err := checkTask(j, in.TaskIndex); err != nil {
			return nil, err
		}
		attempts := j.Tasks[in.TaskIndex].Attempts
		if len(attempts) == 0 && in.AttemptId == nil {
			return &logSource{over: j.Tasks[in.TaskIndex].State.Terminal()}, nil
		}
		n := len(attempts) - 1
		if in.AttemptId != nil {
			n = int(*in.AttemptId)
		}
		if n < 0 || n >= len(attempts) {
			return nil, status.Errorf(codes.NotFound, "task %s has no attempt %d; it has %d, counted from 0",
				j.TaskID(int(in.TaskIndex)), n, len(attempts))
		}
		a := attempts[n]
		conn := p.couriers.conn(a.Worker)
		if conn == nil {
			return nil, status.Errorf(codes.FailedPrecondition, "worker %s, which has the logs of attempt %s, is lost", a.Worker, a.UID)
		}
		now := p.cluster.Worker(a.Worker).Incarnation // which may have kept the logs of the one before
		return &logSource{
			worker: a.Worker, incarnation: now, uid: a.UID, client: pb.NewWorkerServiceClient(conn),
			began: !a.Started.IsZero(), over: a.Released, restarted: now != a.Incarnation,
		}, nil
	})
}

// noLogs answers that nothing was written so far, or never. Who follows asks again at once, so that it comes after a
// pause if something may yet be written.
func noLogs(ctx context.Context, in *pb.FetchTaskLogsRequest, over bool) (*pb.FetchTaskLogsResponse, error) {
	if over {
		return &pb.FetchTaskLogsResponse{Complete: true}, nil
	}
	pause := time.NewTimer(min(in.Wait.AsDuration(), logsPause))
	defer pause.Stop()
	select {
	case <-pause.C:
		return &pb.FetchTaskLogsResponse{}, nil
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

// UploadBundle stores a workspace under its hash.
func (s *jobService) UploadBundle(stream pb.ControllerService_UploadBundleServer) error {
	if s.bundles == nil {
		return status.Error(codes.FailedPrecondition, "this controller stores no bundles")
	}
	if _, err := s.seat.current(stream.Context()); err != nil {
		return err
	}
	if err := peers.Receive(stream, func(hash bundle.Hash, from io.Reader) error {
		return s.bundles.Put(stream.Context(), hash, from)
	}); err != nil {
		return err
	}
	return stream.SendAndClose(&pb.UploadBundleResponse{})
}

// wire gives a refusal its gRPC code.
func wire(err error) error {
	refused := (*state.Error)(nil)
	if !errors.As(err, &refused) {
		return err
	}
	return status.Error(map[state.Kind]codes.Code{
		state.InvalidArgument:    codes.InvalidArgument,
		state.NotFound:           codes.NotFound,
		state.AlreadyExists:      codes.AlreadyExists,
		state.FailedPrecondition: codes.FailedPrecondition,
		state.Unavailable:        codes.Unavailable,
	}[refused.Kind], refused.Text)
}
