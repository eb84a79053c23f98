package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	"iris/iris/client"
	"iris/iris/controller"
	"iris/iris/network"
	pb "iris/iris/proto"
)

const address = "controller"

var hello = client.Spec{Name: "hello", Entrypoint: client.Command("true")}

func TestACallSurvivesAControllerThatComesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		c := connect(t, n)
		began := time.Now()
		go func() {
			time.Sleep(30 * time.Second)
			control(t, n)
		}()
		job, err := c.Submit(t.Context(), hello)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < 30*time.Second || took > 42*time.Second { // two pauses of 5 s, with their jitter
			t.Errorf("submitted after %v", took)
		}
		if s, err := job.Status(t.Context()); err != nil || s.State != pb.JobState_JOB_STATE_PENDING {
			t.Errorf("the job is %v, %v", s, err)
		}
	})
}

func TestACallGivesUpAfterItsPatienceWithTheLastError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for patience, want := range map[time.Duration]struct{ least, most time.Duration }{
			time.Minute: {50 * time.Second, time.Minute},
			0:           {0, 0},
		} {
			c := connect(t, &network.Memory{}, client.Patience(patience))
			began := time.Now()
			_, err := c.Submit(t.Context(), hello)
			if took := time.Since(began); took < want.least || took > want.most {
				t.Errorf("patience %v: gave up after %v", patience, took)
			}
			if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "nobody listens there") {
				t.Errorf("patience %v: gave up with %v", patience, err)
			}
		}
	})
}

func TestACallThatTakesTooLongIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		tries := 0
		fake(t, n, &service{launch: func(ctx context.Context, in *pb.LaunchJobRequest) (*pb.LaunchJobResponse, error) {
			if tries++; tries < 3 {
				<-ctx.Done()
				return nil, status.FromContextError(ctx.Err()).Err()
			}
			return &pb.LaunchJobResponse{JobId: in.JobId}, nil
		}})
		began := time.Now()
		if _, err := connect(t, n).Submit(t.Context(), hello); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); tries != 3 || took < 20*time.Second || took > 22*time.Second {
			t.Errorf("%d tries in %v, want 3 of at most 10 s", tries, took)
		}
	})
}

func TestOnlyAnUnreachableControllerIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for code, again := range map[codes.Code]bool{
			codes.Unavailable: true, codes.InvalidArgument: false, codes.NotFound: false, codes.AlreadyExists: false,
			codes.FailedPrecondition: false, codes.Internal: false, codes.ResourceExhausted: false,
		} {
			n := &network.Memory{}
			tries := 0
			fake(t, n, &service{launch: func(context.Context, *pb.LaunchJobRequest) (*pb.LaunchJobResponse, error) {
				tries++
				return nil, status.Error(code, "no")
			}})
			_, err := connect(t, n, client.Patience(10*time.Second)).Submit(t.Context(), hello)
			if status.Code(err) != code || status.Convert(err).Message() != "no" {
				t.Errorf("%v: the error is %v", code, err)
			}
			if tries > 1 != again {
				t.Errorf("%v: %d tries", code, tries)
			}
		}
	})
}

func TestACallStopsWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		began := time.Now()
		_, err := connect(t, &network.Memory{}).Submit(ctx, hello)
		if took := time.Since(began); took != 7*time.Second {
			t.Errorf("stopped after %v", took)
		}
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "nobody listens there") {
			t.Errorf("stopped with %v", err)
		}

		// Also in the middle of a try.
		n := &network.Memory{}
		fake(t, n, &service{launch: func(ctx context.Context, _ *pb.LaunchJobRequest) (*pb.LaunchJobResponse, error) {
			<-ctx.Done()
			return nil, status.FromContextError(ctx.Err()).Err()
		}})
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		began = time.Now()
		_, err = connect(t, n).Submit(ctx, hello)
		if took := time.Since(began); took != 3*time.Second || !errors.Is(err, context.Canceled) {
			t.Errorf("stopped after %v with %v", took, err)
		}
	})
}

func TestSubmittingAnIDTwiceIsOneJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		control(t, n)
		c, spec := connect(t, n), hello
		spec.ID = "one"
		for range 2 {
			if job, err := c.Submit(t.Context(), spec); err != nil || job.ID != "one" {
				t.Errorf("submitted %v, %v", job, err)
			}
		}
		jobs, err := c.Jobs(t.Context(), "")
		if err != nil || len(jobs) != 1 {
			t.Errorf("there are %v, %v", jobs, err)
		}
		spec.CPU = 2
		if _, err := c.Submit(t.Context(), spec); status.Code(err) != codes.AlreadyExists {
			t.Errorf("another spec of that id: %v", err)
		}
	})
}

func TestAJobWithoutAnIDGetsOneOfItsName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		control(t, n)
		c := connect(t, n)
		for name, prefix := range map[string]string{
			"train":                  "train-",
			"größer & schöner (2)":   "gr--er---sch-ner--2--",
			strings.Repeat("x", 128): strings.Repeat("x", 64) + "-",
		} {
			spec := hello
			spec.Name = name
			job, err := c.Submit(t.Context(), spec)
			if err != nil {
				t.Error(err)
				continue
			}
			if !strings.HasPrefix(job.ID, prefix) || len(job.ID) != len(prefix)+12 {
				t.Errorf("job %q has id %q", name, job.ID)
			}
		}
	})
}

func TestASpecReachesTheWireWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		var got []*pb.JobSpec
		fake(t, n, &service{launch: func(_ context.Context, in *pb.LaunchJobRequest) (*pb.LaunchJobResponse, error) {
			got = append(got, in.Spec)
			return &pb.LaunchJobResponse{JobId: in.JobId}, nil
		}})
		c := connect(t, n)
		for _, spec := range []client.Spec{
			hello,
			{Name: "a", Entrypoint: client.Function("f"), CPU: 1.001, Memory: 5, Replicas: 3, GroupBy: "slice", Timeout: time.Second,
				SchedulingTimeout: time.Minute, MaxRetriesFailure: client.Limit(0), Ports: []string{"http"}, Exclusive: true},
		} {
			if _, err := c.Submit(t.Context(), spec); err != nil {
				t.Fatal(err)
			}
		}
		if r := got[0].Resources; r.CpuMillis != 1000 || r.MemoryBytes != client.GiB || got[0].Replicas != nil ||
			got[0].MaxRetriesFailure != nil || got[0].Timeout != nil || got[0].Coscheduling != nil {
			t.Errorf("the least spec is %v", got[0])
		}
		if s := got[1]; s.Resources.CpuMillis != 1001 || s.Resources.MemoryBytes != 5 || s.GetReplicas() != 3 ||
			s.Coscheduling.GetGroupBy() != "slice" || s.Timeout.AsDuration() != time.Second ||
			s.SchedulingTimeout.AsDuration() != time.Minute || s.MaxRetriesFailure == nil || !s.Exclusive || s.Ports[0] != "http" {
			t.Errorf("the spec is %v", s)
		}
	})
}

// Wait looks at a job until it is over, at last once a second.
func TestWaitReturnsWhenTheJobIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		began, looks := time.Now(), 0
		fake(t, n, &service{status: func(*pb.GetJobStatusRequest) (*pb.JobStatus, error) {
			looks++
			s := &pb.JobStatus{State: pb.JobState_JOB_STATE_RUNNING}
			if time.Since(began) >= 90*time.Second {
				s.State = pb.JobState_JOB_STATE_WORKER_FAILED
			}
			return s, nil
		}})
		s, err := connect(t, n).Job("j").Wait(t.Context())
		if err != nil || s.State != pb.JobState_JOB_STATE_WORKER_FAILED {
			t.Errorf("waited for %v, %v", s, err)
		}
		if took := time.Since(began); took > 91*time.Second || looks > 100 {
			t.Errorf("it took %v and %d looks", took, looks)
		}
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		control(t, n)
		job, err := connect(t, n).Submit(t.Context(), hello)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		s, err := job.Wait(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || s.GetState() != pb.JobState_JOB_STATE_PENDING {
			t.Errorf("it waited for %v, %v", s, err)
		}
	})
}

func TestLogsAreReadToTheirEndPageByPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []*pb.LogLine
		for i := range 25 {
			all = append(all, &pb.LogLine{Text: fmt.Sprint(i)})
		}
		for _, complete := range []bool{true, false} {
			n := &network.Memory{}
			var starts []int64
			fake(t, n, &service{logs: func(in *pb.FetchTaskLogsRequest) (*pb.FetchTaskLogsResponse, error) {
				starts = append(starts, in.StartLine)
				end := min(in.StartLine+10, 25)
				return &pb.FetchTaskLogsResponse{Lines: all[in.StartLine:end], NextLine: end, Complete: complete && end == 25}, nil
			}})
			got, err := connect(t, n).Job("j").Logs(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(all, got, protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
			want := []int64{0, 10, 20}
			if !complete { // only an empty page says that there is no more for now
				want = append(want, 25)
			}
			if diff := cmp.Diff(want, starts); diff != "" {
				t.Errorf("complete %v: pages from: %s", complete, diff)
			}
		}
	})
}

func TestListsAreReadPageByPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		control(t, n)
		c := connect(t, n)
		spec := hello
		spec.Replicas = 2500
		job, err := c.Submit(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		tasks, err := job.Tasks(t.Context())
		if err != nil || len(tasks) != 2500 {
			t.Fatalf("%d tasks, %v", len(tasks), err)
		}
		for i, task := range tasks {
			if int(task.TaskIndex) != i {
				t.Fatalf("task %d has index %d", i, task.TaskIndex)
			}
		}
		for i := range 1500 {
			spec := hello
			spec.Name = fmt.Sprintf("many-%04d", i)
			if _, err := c.Submit(t.Context(), spec); err != nil {
				t.Fatal(err)
			}
		}
		jobs, err := c.Jobs(t.Context(), "many-")
		if err != nil || len(jobs) != 1500 {
			t.Fatalf("%d jobs, %v", len(jobs), err)
		}
		for i, j := range jobs {
			if j.Name != fmt.Sprintf("many-%04d", i) {
				t.Fatalf("job %d is %s", i, j.Name)
			}
		}
	})
}

// A workspace larger than a message travels in several, and is sent again whole after an interruption.
func TestAWorkspaceIsUploadedBeforeItsJob(t *testing.T) {
	dir := t.TempDir()
	noise := make([]byte, 1<<20) // of a sort that compresses badly
	for i, x := 0, uint32(1); i < len(noise); i++ {
		x = x*1664525 + 1013904223
		noise[i] = byte(x >> 24)
	}
	if err := os.WriteFile(filepath.Join(dir, "data"), noise, 0o600); err != nil {
		t.Fatal(err)
	}
	n := &network.Memory{}
	var uploads []string
	var spec *pb.JobSpec
	messages := 0
	fake(t, n, &service{
		upload: func(stream pb.ControllerService_UploadBundleServer) error {
			for first := true; ; first = false {
				part, err := stream.Recv()
				if errors.Is(err, io.EOF) {
					return stream.SendAndClose(&pb.UploadBundleResponse{})
				}
				if err != nil {
					return err
				}
				messages++
				if first != (part.Sha256 != "") {
					return status.Error(codes.InvalidArgument, "the hash belongs into the first message, and there only")
				}
				if first {
					uploads = append(uploads, part.Sha256)
				}
				if len(uploads) == 1 && messages == 2 {
					return status.Error(codes.Unavailable, "interrupted")
				}
			}
		},
		launch: func(_ context.Context, in *pb.LaunchJobRequest) (*pb.LaunchJobResponse, error) {
			spec = in.Spec
			return &pb.LaunchJobResponse{JobId: in.JobId}, nil
		},
	})
	job := hello
	job.Workspace = dir
	if _, err := connect(t, n).Submit(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	if len(uploads) != 2 || uploads[0] != uploads[1] || spec.BundleSha256 != uploads[0] {
		t.Errorf("uploaded %v for a job with bundle %q", uploads, spec.GetBundleSha256())
	}
	if messages < 2+4 {
		t.Errorf("%d messages", messages)
	}

	job.Workspace = filepath.Join(dir, "none")
	if _, err := connect(t, n).Submit(t.Context(), job); err == nil || !strings.Contains(err.Error(), job.Workspace) {
		t.Errorf("a missing workspace: %v", err)
	}
}

// service is a controller that does what a test says.
type service struct {
	pb.UnimplementedControllerServiceServer
	launch func(context.Context, *pb.LaunchJobRequest) (*pb.LaunchJobResponse, error)
	status func(*pb.GetJobStatusRequest) (*pb.JobStatus, error)
	logs   func(*pb.FetchTaskLogsRequest) (*pb.FetchTaskLogsResponse, error)
	upload func(pb.ControllerService_UploadBundleServer) error
}

func (s *service) LaunchJob(ctx context.Context, in *pb.LaunchJobRequest) (*pb.LaunchJobResponse, error) {
	return s.launch(ctx, in)
}

func (s *service) GetJobStatus(_ context.Context, in *pb.GetJobStatusRequest) (*pb.GetJobStatusResponse, error) {
	job, err := s.status(in)
	return &pb.GetJobStatusResponse{Job: job}, err
}

func (s *service) FetchTaskLogs(_ context.Context, in *pb.FetchTaskLogsRequest) (*pb.FetchTaskLogsResponse, error) {
	return s.logs(in)
}

func (s *service) UploadBundle(stream pb.ControllerService_UploadBundleServer) error {
	return s.upload(stream)
}

// fake serves s at the address until the test ends.
func fake(t *testing.T, n network.Network, s *service) {
	t.Helper()
	l, err := n.Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	server := network.Server()
	pb.RegisterControllerServiceServer(server, s)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// control runs a real controller at the address until the test ends.
func control(t *testing.T, n network.Network) {
	c, err := controller.Start(controller.Config{Network: n, Address: address, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Error(err)
		return
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
}

func connect(t *testing.T, n network.Network, options ...client.Option) *client.Client {
	t.Helper()
	c, err := client.Connect(address, append(options, client.Network(n))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}
