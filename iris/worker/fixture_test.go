package worker_test

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"iris/iris/network"
	pb "iris/iris/proto"
	"iris/iris/runtime"
	"iris/iris/state"
	"iris/iris/worker"
)

// bench is a worker w-0 with a controller that does what a test says.
type bench struct {
	*testing.T
	*worker.Worker
	network   network.Network
	functions *runtime.Func
	boss      *boss
	conn      *grpc.ClientConn
	client    pb.WorkerServiceClient
}

// inBubble runs a test in virtual time. Nothing of the worker may be left at the end.
func inBubble(t *testing.T, change func(*worker.Config), test func(*bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { onBench(t, &network.Memory{}, change, test) })
}

// onBench runs a test.
func onBench(t *testing.T, n network.Network, change func(*worker.Config), test func(*bench)) {
	t.Helper()
	b := &bench{T: t, network: n, functions: runtime.NewFunc(), boss: &boss{}}
	b.functions.Register("sleep", func(ctx context.Context, task runtime.FuncTask) error {
		d, err := time.ParseDuration(task.Args[0])
		if err != nil {
			return err
		}
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	address := b.open("")
	config := worker.Config{
		Cluster: t.Name(), ID: "w-0", Controller: address, Network: n, Functions: b.functions, WorkDir: t.TempDir(),
		Capacity: state.Resources{CPUMillis: 4000, MemoryBytes: 1 << 30},
		Log:      slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if change != nil {
		change(&config)
	}
	var err error
	if b.Worker, err = worker.Start(config); err != nil {
		t.Fatal(err)
	}
	stopped := false
	defer func() {
		if !stopped {
			_ = b.Stop() // the test has failed already
		}
	}()
	<-b.Registered()
	if b.conn, err = network.Client(n, b.Address()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.conn.Close() }()
	b.client = pb.NewWorkerServiceClient(b.conn)
	test(b)
	stopped = true
	if err := b.Stop(); err != nil {
		t.Error(err)
	}
}

// open has the controller listen.
func (b *bench) open(address string) string {
	b.Helper()
	l, err := b.network.Listen(address)
	if err != nil {
		b.Fatal(err)
	}
	b.boss.server = network.Server()
	pb.RegisterRegistryServiceServer(b.boss.server, b.boss)
	server, served := b.boss.server, make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	b.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			b.Error(err)
		}
	})
	return l.Addr().String()
}

// boss is the controller. Without other orders it takes every worker and acknowledges every end.
type boss struct {
	pb.UnimplementedRegistryServiceServer
	server *grpc.Server

	mu        sync.Mutex
	heard     []*pb.AttemptReport // by whatever call
	registers []*pb.RegisterRequest
	beats     []*pb.HeartbeatRequest
	beatsAt   []time.Time
	reports   []*pb.ReportTaskStateRequest
	deaf      bool  // no acknowledgement
	lossy     bool  // reports are lost
	absent    bool  // heartbeats are lost
	again     bool  // the next heartbeat asks for a registration
	refusal   error // of registrations
	stop      []string
	timesLost int32
	lease     time.Duration // default 1 min
	before    func()        // the next registration is answered

	downloads atomic.Int64 // asked for; none is answered
}

func (b *boss) DownloadBundle(_ *pb.DownloadBundleRequest, stream pb.RegistryService_DownloadBundleServer) error {
	b.downloads.Add(1)
	<-stream.Context().Done()
	return stream.Context().Err()
}

func (b *boss) Register(_ context.Context, in *pb.RegisterRequest) (*pb.RegisterResponse, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if before := b.before; before != nil {
		b.before = nil
		b.mu.Unlock()
		before()
		b.mu.Lock()
	}
	b.registers = append(b.registers, proto.CloneOf(in))
	lease := durationpb.New(time.Minute)
	if b.lease > 0 {
		lease = durationpb.New(b.lease)
	}
	return &pb.RegisterResponse{Ack: b.ack(in.Attempts), Stop: b.stop, Lease: lease, TimesLost: b.timesLost}, b.refusal
}

func (b *boss) Heartbeat(_ context.Context, in *pb.HeartbeatRequest) (*pb.HeartbeatResponse, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.absent {
		return nil, status.Error(codes.Unavailable, "absent")
	}
	b.beats, b.beatsAt = append(b.beats, proto.CloneOf(in)), append(b.beatsAt, time.Now())
	again := b.again
	b.again = false
	return &pb.HeartbeatResponse{Ack: b.ack(in.Attempts), Stop: b.stop, RegisterAgain: again}, nil
}

func (b *boss) ReportTaskState(_ context.Context, in *pb.ReportTaskStateRequest) (*pb.ReportTaskStateResponse, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lossy {
		return nil, status.Error(codes.Unavailable, "lost")
	}
	b.reports = append(b.reports, proto.CloneOf(in))
	return &pb.ReportTaskStateResponse{Ack: b.ack(in.Attempts), Stop: b.stop}, nil
}

func (b *boss) ack(reports []*pb.AttemptReport) []string {
	var ack []string
	for _, r := range reports {
		b.heard = append(b.heard, proto.CloneOf(r))
		if over(r) && !b.deaf {
			ack = append(ack, r.AttemptUid)
		}
	}
	return ack
}

func over(r *pb.AttemptReport) bool {
	return r.State != pb.TaskState_TASK_STATE_ASSIGNED && r.State != pb.TaskState_TASK_STATE_BUILDING && r.State != isRunning
}

// order changes what the controller does.
func (b *boss) order(change func(*boss)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(b)
}

// told are all reports of one attempt so far, by whatever call, without repetitions.
func (b *boss) told(uid string) []*pb.AttemptReport {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []*pb.AttemptReport
	for _, r := range b.heard {
		if r.AttemptUid == uid && (len(all) == 0 || !proto.Equal(all[len(all)-1], r)) {
			all = append(all, r)
		}
	}
	return all
}

// run orders attempts of a job each of whose tasks sleeps for d. The uids are those of its tasks' first attempts.
func (b *bench) run(entrypoint *pb.Entrypoint, uids ...string) *pb.RunTaskResponse {
	b.Helper()
	return b.runSpec(&pb.JobSpec{Name: "job", Entrypoint: entrypoint}, uids...)
}

func (b *bench) runSpec(spec *pb.JobSpec, uids ...string) *pb.RunTaskResponse {
	b.Helper()
	in := &pb.RunTaskRequest{WorkerId: "w-0", Incarnation: b.incarnation(), Specs: map[string]*pb.JobSpec{"j": spec}}
	for i, uid := range uids {
		in.Tasks = append(in.Tasks, &pb.TaskRun{
			AttemptUid: uid, JobId: "j", TaskId: "j/" + uid, TaskIndex: int32(i), NumTasks: int32(len(uids)),
		})
	}
	out, err := b.client.RunTask(b.Context(), in)
	if err != nil {
		b.Fatal(err)
	}
	return out
}

func (b *bench) stop(uids ...string) {
	b.Helper()
	in := &pb.StopTaskRequest{WorkerId: "w-0", Incarnation: b.incarnation(), AttemptUids: uids}
	if _, err := b.client.StopTask(b.Context(), in); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) logs(uid string) *pb.FetchTaskLogsResponse {
	b.Helper()
	in := &pb.WorkerLogsRequest{WorkerId: "w-0", Incarnation: b.incarnation(), AttemptUid: uid}
	out, err := b.client.FetchTaskLogs(b.Context(), in)
	if err != nil {
		b.Fatal(err)
	}
	return out
}

func (b *bench) incarnation() string {
	b.boss.mu.Lock()
	defer b.boss.mu.Unlock()
	return b.boss.registers[0].Incarnation
}

// end is how an attempt ended, once it has.
func (b *bench) end(uid string) *pb.AttemptReport {
	b.Helper()
	for range 10_000 {
		told := b.boss.told(uid)
		if len(told) > 0 && over(told[len(told)-1]) {
			return told[len(told)-1]
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.Fatalf("attempt %s has not ended: %v", uid, b.boss.told(uid))
	return nil
}

// wantEnd wants an attempt to have ended in a state with an error.
func (b *bench) wantEnd(uid string, want pb.TaskState, text string) {
	b.Helper()
	if got := b.end(uid); got.State != want || got.Error != text {
		b.Errorf("attempt %s ended %v, want %v %q", uid, got, want, text)
	}
}

func function(name string, args ...string) *pb.Entrypoint {
	return &pb.Entrypoint{Kind: &pb.Entrypoint_Function{Function: &pb.Function{Name: name, Args: args}}}
}

func command(argv ...string) *pb.Entrypoint {
	return &pb.Entrypoint{Kind: &pb.Entrypoint_Command{Command: &pb.Command{Argv: argv}}}
}

const (
	succeeded = pb.TaskState_TASK_STATE_SUCCEEDED
	failed    = pb.TaskState_TASK_STATE_FAILED
	killed    = pb.TaskState_TASK_STATE_KILLED
	isRunning = pb.TaskState_TASK_STATE_RUNNING
)
