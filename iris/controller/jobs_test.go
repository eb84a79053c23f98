package controller_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"iris/iris/bundle"
	"iris/iris/controller"
	"iris/iris/network"
	"iris/iris/peers"
	pb "iris/iris/proto"
)

func TestJobsAreListedPageByPage(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		var all []string
		for i := range 7 {
			all = append(all, fmt.Sprintf("job-%d", i))
			b.launch(all[i])
		}
		b.launch("other")
		if _, err := b.TerminateJob(b.Context(), &pb.TerminateJobRequest{JobId: "job-3"}); err != nil {
			b.Fatal(err)
		}
		for name, c := range map[string]struct {
			in    *pb.ListJobsRequest
			pages [][]string
		}{
			"all in one":   {&pb.ListJobsRequest{}, [][]string{append(slices.Clone(all), "other")}},
			"exact pages":  {&pb.ListJobsRequest{PageSize: 4}, [][]string{all[:4], {"job-4", "job-5", "job-6", "other"}}},
			"a rest":       {&pb.ListJobsRequest{PageSize: 3, NamePrefix: "job-"}, [][]string{all[:3], all[3:6], all[6:]}},
			"by state":     {&pb.ListJobsRequest{States: []pb.JobState{pb.JobState_JOB_STATE_KILLED}}, [][]string{{"job-3"}}},
			"nothing":      {&pb.ListJobsRequest{NamePrefix: "none"}, [][]string{nil}},
			"others apart": {&pb.ListJobsRequest{PageSize: 1, NamePrefix: "o"}, [][]string{{"other"}}},
			"newest first": {&pb.ListJobsRequest{PageSize: 3, NewestFirst: true},
				[][]string{{"other", "job-6", "job-5"}, {"job-4", "job-3", "job-2"}, {"job-1", "job-0"}}},
			"newest first, some": {&pb.ListJobsRequest{PageSize: 3, NewestFirst: true, NamePrefix: "job-", States: []pb.JobState{
				pb.JobState_JOB_STATE_PENDING}}, [][]string{{"job-6", "job-5", "job-4"}, {"job-2", "job-1", "job-0"}}},
		} {
			var pages [][]string
			for {
				out, err := b.ListJobs(b.Context(), c.in)
				if err != nil {
					b.Fatal(err)
				}
				var page []string
				for _, j := range out.Jobs {
					page = append(page, j.JobId)
				}
				pages = append(pages, page)
				if c.in.PageToken = out.NextPageToken; c.in.PageToken == "" {
					break
				}
			}
			if diff := cmp.Diff(c.pages, pages); diff != "" {
				b.Errorf("%s: %s", name, diff)
			}
		}
	})
}

func TestEachPageSaysHowManyJobsThereAre(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		for i := range 5 {
			b.launch(fmt.Sprintf("job-%d", i))
		}
		if _, err := b.TerminateJob(b.Context(), &pb.TerminateJobRequest{JobId: "job-3"}); err != nil {
			b.Fatal(err)
		}
		out, err := b.ListJobs(b.Context(), &pb.ListJobsRequest{PageSize: 1, NamePrefix: "none"})
		want := []*pb.JobStateCount{
			{State: pb.JobState_JOB_STATE_PENDING, Count: 4}, {State: pb.JobState_JOB_STATE_KILLED, Count: 1},
		}
		if diff := cmp.Diff(want, out.GetCounts(), protocmp.Transform()); err != nil || diff != "" {
			b.Errorf("%v %s", err, diff)
		}
	})
}

func TestAJobsSpecIsShownWithoutTheValuesOfItsEnvironment(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		launched := spec("j", replicas(3), func(s *pb.JobSpec) { s.Environment = map[string]string{"KEY": "secret"} })
		b.launch("j", func(s *pb.JobSpec) { proto.Merge(s, launched) })
		out, err := b.GetJobStatus(b.Context(), &pb.GetJobStatusRequest{JobId: "j"})
		if err != nil || out.Spec != nil {
			b.Errorf("unasked, the spec is %v, %v", out.GetSpec(), err)
		}
		out, err = b.GetJobStatus(b.Context(), &pb.GetJobStatusRequest{JobId: "j", WithSpec: true})
		launched.Environment["KEY"] = ""
		if diff := cmp.Diff(launched, out.GetSpec(), protocmp.Transform()); err != nil || diff != "" {
			b.Errorf("%v %s", err, diff)
		}
	})
}

func TestTasksAreListedPageByPage(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		b.launch("j", replicas(1007))
		var sizes []int
		in, next := &pb.ListTasksRequest{JobId: "j"}, int32(0)
		for {
			out, err := b.ListTasks(b.Context(), in)
			if err != nil {
				b.Fatal(err)
			}
			for _, task := range out.Tasks {
				if task.TaskIndex != next || task.TaskId != fmt.Sprintf("j/%d", next) {
					b.Fatalf("task %d is %v", next, task)
				}
				next++
			}
			sizes = append(sizes, len(out.Tasks))
			if in.PageToken = out.NextPageToken; in.PageToken == "" {
				break
			}
		}
		if diff := cmp.Diff([]int{1000, 7}, sizes); diff != "" {
			b.Error(diff)
		}
		out, err := b.ListTasks(b.Context(), &pb.ListTasksRequest{JobId: "j", PageToken: "1005", PageSize: 2})
		if err != nil || len(out.Tasks) != 2 || out.NextPageToken != "" {
			b.Errorf("the last two are %v, %v", out, err)
		}
		out, err = b.ListTasks(b.Context(), &pb.ListTasksRequest{JobId: "j", PageToken: "5000"})
		if err != nil || len(out.Tasks) != 0 || out.NextPageToken != "" {
			b.Errorf("beyond the end are %v, %v", out, err)
		}
	})
}

func TestTasksAreListedByState(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		b.puppetOf("w-0", 2)
		b.launch("j", replicas(5))
		synctest.Wait()
		in := &pb.ListTasksRequest{JobId: "j", PageSize: 2, States: []pb.TaskState{pb.TaskState_TASK_STATE_PENDING}}
		var pages [][]int32
		for {
			out, err := b.ListTasks(b.Context(), in)
			if err != nil {
				b.Fatal(err)
			}
			var page []int32
			for _, task := range out.Tasks {
				page = append(page, task.TaskIndex)
			}
			pages = append(pages, page)
			if in.PageToken = out.NextPageToken; in.PageToken == "" {
				break
			}
		}
		if diff := cmp.Diff([][]int32{{2, 3}, {4}}, pages); diff != "" {
			b.Errorf("those that wait: %s", diff)
		}
	})
}

func TestAWorkerIsListedWithItsLease(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		began := time.Now()
		b.puppet("w-0")
		look := func() *pb.WorkerStatus {
			out, err := b.ListWorkers(b.Context(), &pb.ListWorkersRequest{})
			if err != nil {
				b.Fatal(err)
			}
			return out.Workers[0]
		}
		if w := look(); w.Silent || !w.LeaseEndsAt.AsTime().Equal(began.Add(time.Minute)) || w.LostAt != nil || w.LostCause != "" {
			b.Errorf("at first it is %v", w)
		}
		time.Sleep(31 * time.Second)
		if w := look(); !w.Silent || w.LeaseEndsAt == nil {
			b.Errorf("after half of its lease it is %v", w)
		}
		time.Sleep(30 * time.Second)
		w := look()
		if w.Silent || w.LeaseEndsAt != nil || !w.LostAt.AsTime().Equal(began.Add(time.Minute)) || w.LostCause != "no heartbeat for 60s" {
			b.Errorf("when its lease is over it is %v", w)
		}
	})
}

func TestABadPageIsRefused(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		b.launch("j")
		for _, c := range []struct {
			token string
			size  int32
			says  string
		}{
			{"x", 0, `page_token "x" is not one that a list returned`},
			{"-1", 0, `page_token "-1" is not one that a list returned`},
			{"", -1, "page_size -1 is not in 0..1000"},
			{"", 1001, "page_size 1001 is not in 0..1000"},
		} {
			_, err := b.ListJobs(b.Context(), &pb.ListJobsRequest{PageToken: c.token, PageSize: c.size})
			wantCode(b.T, err, codes.InvalidArgument, c.says)
			_, err = b.ListTasks(b.Context(), &pb.ListTasksRequest{JobId: "j", PageToken: c.token, PageSize: c.size})
			wantCode(b.T, err, codes.InvalidArgument, c.says)
		}
	})
}

func TestWhatIsUnknownIsNotFound(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		b.launch("j", replicas(2))
		_, err := b.GetJobStatus(b.Context(), &pb.GetJobStatusRequest{JobId: "k"})
		wantCode(b.T, err, codes.NotFound, `job "k" is unknown`)
		_, err = b.ListTasks(b.Context(), &pb.ListTasksRequest{JobId: "k"})
		wantCode(b.T, err, codes.NotFound, `job "k" is unknown`)
		_, err = b.TerminateJob(b.Context(), &pb.TerminateJobRequest{JobId: "k"})
		wantCode(b.T, err, codes.NotFound, `job k is unknown`)
		for _, index := range []int32{-1, 2} {
			says := fmt.Sprintf("job j has no task %d; it has 2, counted from 0", index)
			_, err = b.GetTaskStatus(b.Context(), &pb.GetTaskStatusRequest{JobId: "j", TaskIndex: index})
			wantCode(b.T, err, codes.NotFound, says)
			_, err = b.FetchTaskLogs(b.Context(), &pb.FetchTaskLogsRequest{JobId: "j", TaskIndex: index})
			wantCode(b.T, err, codes.NotFound, says)
		}
	})
}

func TestARefusedLaunchHasItsCode(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		b.launch("j")
		b.launch("over")
		if _, err := b.TerminateJob(b.Context(), &pb.TerminateJobRequest{JobId: "over"}); err != nil {
			b.Fatal(err)
		}
		below := func(parent string) func(*pb.JobSpec) { return func(s *pb.JobSpec) { s.ParentJobId = parent } }
		for id, c := range map[string]struct {
			spec *pb.JobSpec
			code codes.Code
		}{
			"j":   {spec("j", replicas(2)), codes.AlreadyExists},
			"k":   {spec("j"), codes.AlreadyExists},
			"l":   {spec("l", replicas(0)), codes.InvalidArgument},
			"m":   {nil, codes.InvalidArgument},
			"n":   {spec("n", below("nobody")), codes.NotFound},
			"o":   {spec("o", below("over")), codes.FailedPrecondition},
			"":    {spec("p"), codes.InvalidArgument},
			"p":   {spec("p", func(s *pb.JobSpec) { s.BundleSha256 = fmt.Sprintf("%064d", 0) }), codes.NotFound},
			"q/r": {spec("q"), codes.InvalidArgument},
		} {
			if _, err := b.LaunchJob(b.Context(), &pb.LaunchJobRequest{JobId: id, Spec: c.spec}); status.Code(err) != c.code {
				b.Errorf("job %q: %v, want %v", id, err, c.code)
			}
		}
	})
}

func TestLogsComeFromTheAttemptsWorker(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		fetch := func(attempt *int32) (*pb.FetchTaskLogsResponse, error) {
			return b.FetchTaskLogs(b.Context(), &pb.FetchTaskLogsRequest{JobId: "j", AttemptId: attempt, StartLine: 3, MaxLines: 4})
		}
		first, second, third := int32(0), int32(1), int32(2)
		b.launch("j", func(s *pb.JobSpec) { s.MaxRetriesFailure = &third })

		out, err := fetch(nil)
		if err != nil || len(out.Lines) != 0 || out.Complete {
			b.Errorf("a task that has had no attempt has written %v, %v", out, err)
		}
		_, err = fetch(&first)
		wantCode(b.T, err, codes.NotFound, "task j/0 has no attempt 0; it has 0, counted from 0")

		w := b.puppet("w-0")
		synctest.Wait()
		if _, err := w.report(&pb.AttemptReport{AttemptUid: "j/0/0", State: pb.TaskState_TASK_STATE_FAILED}); err != nil {
			b.Fatal(err)
		}
		var asked []*pb.WorkerLogsRequest
		want := &pb.FetchTaskLogsResponse{Lines: []*pb.LogLine{{Text: "hello"}}, NextLine: 4, Complete: true}
		w.logs = func(in *pb.WorkerLogsRequest) (*pb.FetchTaskLogsResponse, error) {
			asked = append(asked, in)
			return want, nil
		}
		for _, attempt := range []*int32{nil, &first} { // the last one, and one by its number
			out, err = fetch(attempt)
			if diff := cmp.Diff(want, out, protocmp.Transform()); diff != "" || err != nil {
				b.Errorf("%v %s", err, diff)
			}
		}
		request := func(uid string) *pb.WorkerLogsRequest {
			return &pb.WorkerLogsRequest{WorkerId: "w-0", Incarnation: "1", AttemptUid: uid, StartLine: 3, MaxLines: 4}
		}
		if diff := cmp.Diff([]*pb.WorkerLogsRequest{request("j/0/1"), request("j/0/0")}, asked, protocmp.Transform()); diff != "" {
			b.Error(diff)
		}
		_, err = fetch(&third)
		wantCode(b.T, err, codes.NotFound, "task j/0 has no attempt 2; it has 2, counted from 0")
		minus := int32(-1)
		_, err = fetch(&minus)
		wantCode(b.T, err, codes.NotFound, "task j/0 has no attempt -1; it has 2, counted from 0")

		w.logs = func(*pb.WorkerLogsRequest) (*pb.FetchTaskLogsResponse, error) {
			return nil, status.Error(codes.InvalidArgument, "no such line")
		}
		_, err = fetch(&second)
		wantCode(b.T, err, codes.InvalidArgument, "logs of attempt j/0/1 on worker w-0: no such line")

		w.logs = func(*pb.WorkerLogsRequest) (*pb.FetchTaskLogsResponse, error) {
			time.Sleep(time.Minute)
			return want, nil
		}
		began := time.Now()
		_, err = fetch(nil)
		if took := time.Since(began); status.Code(err) != codes.DeadlineExceeded || took != 5*time.Second {
			b.Errorf("a worker that does not answer: %v after %v", err, took)
		}

		time.Sleep(time.Minute) // it answers nobody now
		synctest.Wait()
		w.incarnation = "2"
		if _, err := w.register(); err != nil {
			b.Fatal(err)
		}
		w.logs = func(in *pb.WorkerLogsRequest) (*pb.FetchTaskLogsResponse, error) {
			if in.Incarnation != "2" || in.AttemptUid == "j/0/0" {
				return nil, status.Error(codes.NotFound, "gone")
			}
			return want, nil
		}
		_, err = fetch(&first)
		wantCode(b.T, err, codes.NotFound, "worker w-0 was started again after attempt j/0/0; the logs are gone")
		if out, err = fetch(&second); err != nil || len(out.Lines) != 1 {
			b.Errorf("the worker's next process has kept the logs: %v, %v", out, err)
		}
		time.Sleep(time.Minute)
		_, err = fetch(nil)
		wantCode(b.T, err, codes.FailedPrecondition, "worker w-0, which has the logs of attempt j/0/2, is lost")
	})
}

func TestLogsAreWaitedFor(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		follow := func(job string, wait time.Duration) (out *pb.FetchTaskLogsResponse, took time.Duration, err error) {
			began := time.Now()
			out, err = b.FetchTaskLogs(b.Context(), &pb.FetchTaskLogsRequest{JobId: job, Wait: durationpb.New(wait)})
			return out, time.Since(began), err
		}
		b.launch("j")
		_, _, err := follow("j", -1)
		wantCode(b.T, err, codes.InvalidArgument, "wait is -1ns; it must not be negative")
		if out, took, err := follow("j", 9*time.Second); err != nil || took != time.Second || out.Complete {
			b.Errorf("a task without an attempt: after %v %v, %v", took, out, err)
		}
		w := b.puppet("w-0")
		synctest.Wait()

		var asked []time.Duration
		w.logs = func(in *pb.WorkerLogsRequest) (*pb.FetchTaskLogsResponse, error) {
			asked = append(asked, in.Wait.AsDuration())
			time.Sleep(in.Wait.AsDuration() + 4*time.Second)
			return nil, status.Error(codes.NotFound, "no such attempt")
		}
		for wait, want := range map[time.Duration]time.Duration{
			0: 4 * time.Second, 3 * time.Second: (3 + 4 + 1) * time.Second, time.Hour: (20 + 4 + 1) * time.Second,
		} {
			if out, took, err := follow("j", wait); err != nil || took != want || out.Complete {
				b.Errorf("a worker whose order is on its way, asked to wait for %v: after %v %v, %v", wait, took, out, err)
			}
		}
		slices.Sort(asked)
		if want := []time.Duration{0, 3 * time.Second, 20 * time.Second}; !slices.Equal(asked, want) {
			b.Errorf("the worker was asked to wait for %v, want %v", asked, want)
		}
		w.logs = func(in *pb.WorkerLogsRequest) (*pb.FetchTaskLogsResponse, error) {
			time.Sleep(in.Wait.AsDuration() + 6*time.Second)
			return &pb.FetchTaskLogsResponse{}, nil
		}
		if _, took, err := follow("j", 3*time.Second); status.Code(err) != codes.DeadlineExceeded || took != 8*time.Second {
			b.Errorf("a worker that does not answer: %v after %v", err, took)
		}
		time.Sleep(time.Second) // it answers nobody now
		synctest.Wait()

		// What is over writes nothing any more.
		if _, err := w.report(&pb.AttemptReport{AttemptUid: "j/0/0", State: pb.TaskState_TASK_STATE_SUCCEEDED}); err != nil {
			b.Fatal(err)
		}
		w.logs = func(in *pb.WorkerLogsRequest) (*pb.FetchTaskLogsResponse, error) {
			if in.Wait != nil {
				b.Errorf("it is asked to wait for %v", in.Wait.AsDuration())
			}
			return nil, status.Error(codes.NotFound, "dropped")
		}
		_, _, err = follow("j", time.Minute)
		wantCode(b.T, err, codes.NotFound, "logs of attempt j/0/0 on worker w-0: dropped")
	})
}

// What never ran has written nothing: that is no error.
func TestTheLogOfWhatNeverRanIsEmptyAndComplete(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		end := func(job string) {
			if _, err := b.TerminateJob(b.Context(), &pb.TerminateJobRequest{JobId: job}); err != nil {
				b.Fatal(err)
			}
		}
		read := func(job, what string) {
			out, err := b.FetchTaskLogs(b.Context(), &pb.FetchTaskLogsRequest{JobId: job, Wait: durationpb.New(time.Hour)})
			if err != nil || len(out.Lines) != 0 || !out.Complete {
				b.Errorf("%s has written %v, %v", what, out, err)
			}
		}
		b.launch("j")
		end("j")
		read("j", "a task without an attempt")
		w := b.puppet("w-0")
		w.logs = func(*pb.WorkerLogsRequest) (*pb.FetchTaskLogsResponse, error) {
			return nil, status.Error(codes.NotFound, "never heard of it")
		}
		b.launch("k")
		synctest.Wait()
		end("k")
		if _, err := w.report(&pb.AttemptReport{AttemptUid: "k/0/0", State: pb.TaskState_TASK_STATE_KILLED}); err != nil {
			b.Fatal(err)
		}
		read("k", "an attempt that was stopped before it began")
	})
}

func TestABundleComesBackAsItWasUploaded(t *testing.T) {
	store, err := bundle.NewStore(t.TempDir(), bundle.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	others := peers.New(&network.Memory{}, store)
	inBubble(t, controller.Config{Bundles: others.Bundles(nil)}, func(b *bench) {
		data := bytes.Repeat([]byte("0123456789"), 100_000) // several chunks
		hash := sha256.Sum256(data)
		sum := hex.EncodeToString(hash[:])

		upload := func(sum string, parts ...[]byte) error {
			stream, err := b.UploadBundle(b.Context())
			if err != nil {
				return err
			}
			for i, part := range parts {
				in := &pb.UploadBundleRequest{Data: part}
				if i == 0 {
					in.Sha256 = sum
				}
				if stream.Send(in) != nil {
					break // CloseAndRecv has the error
				}
			}
			_, err = stream.CloseAndRecv()
			return err
		}
		download := func(sum string) ([]byte, error) {
			stream, err := b.DownloadBundle(b.Context(), &pb.DownloadBundleRequest{Sha256: sum})
			if err != nil {
				return nil, err
			}
			var all []byte
			for {
				part, err := stream.Recv()
				if errors.Is(err, io.EOF) {
					return all, nil
				}
				if err != nil {
					return nil, err
				}
				all = append(all, part.Data...)
			}
		}

		if _, err := download(sum); status.Code(err) != codes.NotFound {
			b.Errorf("before the upload: %v", err)
		}
		if err := upload(sum, data[1:]); status.Code(err) != codes.InvalidArgument {
			b.Errorf("bytes of another hash: %v", err)
		}
		if err := upload("no hash", data); status.Code(err) != codes.InvalidArgument {
			b.Errorf("no hash at all: %v", err)
		}
		for range 2 { // again is harmless
			if err := upload(sum, data[:10], data[10:500_000], data[500_000:]); err != nil {
				b.Error(err)
			}
		}
		got, err := download(sum)
		if err != nil || !bytes.Equal(got, data) {
			b.Errorf("came back as %d bytes, %v", len(got), err)
		}
		if _, err := download("no hash"); status.Code(err) != codes.InvalidArgument {
			b.Errorf("no hash: %v", err)
		}
		b.launch("j", func(s *pb.JobSpec) { s.BundleSha256 = sum })
	})
}

func TestWithoutAStoreBundlesAreRefused(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		stream, err := b.UploadBundle(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		_, err = stream.CloseAndRecv()
		wantCode(b.T, err, codes.FailedPrecondition, "this controller stores no bundles")
		down, err := b.DownloadBundle(b.Context(), &pb.DownloadBundleRequest{Sha256: fmt.Sprintf("%064d", 0)})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := down.Recv(); status.Code(err) != codes.NotFound {
			b.Errorf("download: %v", err)
		}
	})
}

func TestTheServerTellsItsHealthAndItsServices(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		out, err := grpc_health_v1.NewHealthClient(b.conn).Check(b.Context(), &grpc_health_v1.HealthCheckRequest{})
		if err != nil || out.Status != grpc_health_v1.HealthCheckResponse_SERVING {
			b.Errorf("its health is %v, %v", out, err)
		}
		stream, err := grpc_reflection_v1.NewServerReflectionClient(b.conn).ServerReflectionInfo(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		list := &grpc_reflection_v1.ServerReflectionRequest_ListServices{}
		if err := stream.Send(&grpc_reflection_v1.ServerReflectionRequest{MessageRequest: list}); err != nil {
			b.Fatal(err)
		}
		answer, err := stream.Recv()
		if err != nil {
			b.Fatal(err)
		}
		var names []string
		for _, s := range answer.GetListServicesResponse().GetService() {
			names = append(names, s.Name)
		}
		for _, want := range []string{"iris.v1.ControllerService", "iris.v1.RegistryService", "grpc.health.v1.Health"} {
			if !slices.Contains(names, want) {
				b.Errorf("reflection knows %v, not %s", names, want)
			}
		}
	})
}

// What a task says of its end goes into the log and into every answer about it.
func TestALongErrorIsCut(t *testing.T) {
	inBubble(t, controller.Config{}, func(b *bench) {
		w := b.puppet("w-0")
		b.launch("j")
		w.told()
		if _, err := w.report(&pb.AttemptReport{
			AttemptUid: "j/0/0", State: pb.TaskState_TASK_STATE_FAILED, Error: strings.Repeat("ä", 1<<20),
		}); err != nil {
			b.Fatal(err)
		}
		if got := b.job("j").Error; got != strings.Repeat("ä", 2048)+"…" {
			b.Errorf("it has %d bytes", len(got))
		}
	})
}
