package controller_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"iris/iris/controller"
	"iris/iris/network"
	pb "iris/iris/proto"
)

// bench is a controller on a network of its own, inside a bubble, and the two services it offers.
type bench struct {
	*testing.T
	network    network.Network
	controller *controller.Controller
	conn       *grpc.ClientConn
	pb.ControllerServiceClient
	pb.RegistryServiceClient
}

// stopped says that a test leaves its controller stopped.
const stopped = true

// inBubble runs a test against a controller in virtual time. Nothing of either may be left at the end.
func inBubble(t *testing.T, config controller.Config, test func(*bench), stops ...bool) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, network: &network.Memory{}}
		config.Network, config.Address = b.network, "controller"
		config.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
		var err error
		if b.controller, err = controller.Start(config); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := b.controller.Stop(); err != nil {
				t.Error(err)
			}
		}()
		b.conn = b.dial(b.controller.Address())
		b.ControllerServiceClient = pb.NewControllerServiceClient(b.conn)
		b.RegistryServiceClient = pb.NewRegistryServiceClient(b.conn)
		test(b)
		if len(stops) > 0 {
			return
		}
		if err := b.controller.Check(t.Context()); err != nil {
			t.Errorf("the invariants do not hold at the end: %v", err)
		}
	})
}

func (b *bench) dial(address string) *grpc.ClientConn {
	b.Helper()
	conn, err := network.Client(b.network, address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return conn
}

// launch submits a job that must be taken.
func (b *bench) launch(id string, change ...func(*pb.JobSpec)) {
	b.Helper()
	if _, err := b.LaunchJob(b.Context(), &pb.LaunchJobRequest{JobId: id, Spec: spec(id, change...)}); err != nil {
		b.Fatal(err)
	}
}

// launchMeanwhile submits a job on the side. It returns the wait for that.
func (b *bench) launchMeanwhile(id string) (wait func()) {
	launched := make(chan error, 1)
	go func() {
		_, err := b.LaunchJob(b.Context(), &pb.LaunchJobRequest{JobId: id, Spec: spec(id)})
		launched <- err
	}()
	return func() {
		b.Helper()
		if err := <-launched; err != nil {
			b.Error(err)
		}
	}
}

// spec is a job of one task of a thousandth of a core and one byte.
func spec(name string, change ...func(*pb.JobSpec)) *pb.JobSpec {
	s := &pb.JobSpec{
		Name: name, Resources: &pb.Resources{CpuMillis: 1, MemoryBytes: 1},
		Entrypoint: &pb.Entrypoint{Kind: &pb.Entrypoint_Function{Function: &pb.Function{Name: "f"}}},
	}
	for _, f := range change {
		f(s)
	}
	return s
}

func replicas(n int32) func(*pb.JobSpec) { return func(s *pb.JobSpec) { s.Replicas = &n } }

func onWorker(id string) func(*pb.JobSpec) {
	return func(s *pb.JobSpec) {
		s.Constraints = []*pb.Constraint{{Key: "worker", Op: pb.ConstraintOp_CONSTRAINT_OP_EQ, Value: id}}
	}
}

func (b *bench) job(id string) *pb.JobStatus {
	b.Helper()
	out, err := b.GetJobStatus(b.Context(), &pb.GetJobStatusRequest{JobId: id})
	if err != nil {
		b.Fatal(err)
	}
	return out.Job
}

func (b *bench) task(job string, index int32) *pb.TaskStatus {
	b.Helper()
	out, err := b.GetTaskStatus(b.Context(), &pb.GetTaskStatusRequest{JobId: job, TaskIndex: index})
	if err != nil {
		b.Fatal(err)
	}
	return out.Task
}

// workerState is what the controller believes of a worker.
func (b *bench) workerState(id string) string {
	b.Helper()
	out, err := b.ListWorkers(b.Context(), &pb.ListWorkersRequest{})
	if err != nil {
		b.Fatal(err)
	}
	for _, w := range out.Workers {
		if w.WorkerId == id {
			return w.State.String()[len("WORKER_STATE_"):]
		}
	}
	return "unknown"
}

// puppet is a worker that does nothing by itself. It notes what it is told.
type puppet struct {
	pb.UnimplementedWorkerServiceServer
	b                        *bench
	id, incarnation, address string
	millis                   int64                                                                  // of a core
	run                      func(context.Context, *pb.RunTaskRequest) (*pb.RunTaskResponse, error) // nil: take everything
	logs                     func(*pb.WorkerLogsRequest) (*pb.FetchTaskLogsResponse, error)

	mu      sync.Mutex
	orders  []*pb.RunTaskRequest
	stopped []string
}

// puppet starts a worker's server and registers it, with room for anything.
func (b *bench) puppet(id string) *puppet {
	b.Helper()
	return b.puppetOf(id, 1<<30)
}

// puppetOf is a puppet with so many thousandths of a core.
func (b *bench) puppetOf(id string, millis int64) *puppet {
	b.Helper()
	p := &puppet{b: b, id: id, incarnation: "1", address: "address of " + id, millis: millis}
	l, err := b.network.Listen(p.address)
	if err != nil {
		b.Fatal(err)
	}
	server := network.Server()
	pb.RegisterWorkerServiceServer(server, p)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	b.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			b.Error(err)
		}
	})
	if _, err := p.register(); err != nil {
		b.Fatal(err)
	}
	return p
}

func (p *puppet) register(reports ...*pb.AttemptReport) (*pb.RegisterResponse, error) {
	return p.b.Register(p.b.Context(), &pb.RegisterRequest{
		WorkerId: p.id, Incarnation: p.incarnation, Address: p.address, Attempts: reports,
		Capacity: &pb.Resources{CpuMillis: p.millis, MemoryBytes: 1 << 40},
	})
}

func (p *puppet) beat(reports ...*pb.AttemptReport) *pb.HeartbeatResponse {
	p.b.Helper()
	out, err := p.b.Heartbeat(p.b.Context(), &pb.HeartbeatRequest{WorkerId: p.id, Incarnation: p.incarnation, Attempts: reports})
	if err != nil {
		p.b.Fatal(err)
	}
	return out
}

func (p *puppet) report(reports ...*pb.AttemptReport) (*pb.ReportTaskStateResponse, error) {
	return p.b.ReportTaskState(p.b.Context(),
		&pb.ReportTaskStateRequest{WorkerId: p.id, Incarnation: p.incarnation, Attempts: reports})
}

func (p *puppet) RunTask(ctx context.Context, in *pb.RunTaskRequest) (*pb.RunTaskResponse, error) {
	p.mu.Lock()
	p.orders = append(p.orders, proto.CloneOf(in))
	p.mu.Unlock()
	if p.run != nil {
		return p.run(ctx, in)
	}
	return &pb.RunTaskResponse{}, nil
}

func (p *puppet) StopTask(_ context.Context, in *pb.StopTaskRequest) (*pb.StopTaskResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = append(p.stopped, in.AttemptUids...)
	return &pb.StopTaskResponse{}, nil
}

func (p *puppet) FetchTaskLogs(_ context.Context, in *pb.WorkerLogsRequest) (*pb.FetchTaskLogsResponse, error) {
	return p.logs(in)
}

// told are the RunTask calls so far, once everything has come to rest.
func (p *puppet) told() []*pb.RunTaskRequest {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.orders
}

func (p *puppet) stops() []string {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopped
}

func running(uid string) *pb.AttemptReport {
	return &pb.AttemptReport{AttemptUid: uid, State: pb.TaskState_TASK_STATE_RUNNING}
}

func succeeded(uid string) *pb.AttemptReport {
	return &pb.AttemptReport{AttemptUid: uid, State: pb.TaskState_TASK_STATE_SUCCEEDED}
}

// wantCode wants an error of a code that says something.
func wantCode(t *testing.T, err error, code codes.Code, says string) {
	t.Helper()
	if status.Code(err) != code || status.Convert(err).Message() != says {
		t.Errorf("error is %v, want %v: %s", err, code, says)
	}
}

// hang waits for the end of the call.
func hang(ctx context.Context, _ *pb.RunTaskRequest) (*pb.RunTaskResponse, error) {
	<-ctx.Done()
	return nil, fmt.Errorf("hung until %v: %w", time.Now(), status.FromContextError(ctx.Err()).Err())
}
