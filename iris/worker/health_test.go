package worker_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	pb "iris/iris/proto"
	"iris/iris/worker"
)

const (
	isServing  = grpc_health_v1.HealthCheckResponse_SERVING
	notServing = grpc_health_v1.HealthCheckResponse_NOT_SERVING
)

// wantHealth wants the process as a whole, and the service that takes tasks, to be in these states.
func (b *bench) wantHealth(when string, process, service grpc_health_v1.HealthCheckResponse_ServingStatus) {
	b.Helper()
	synctest.Wait()
	for name, want := range map[string]grpc_health_v1.HealthCheckResponse_ServingStatus{
		"": process, pb.WorkerService_ServiceDesc.ServiceName: service,
	} {
		got, err := grpc_health_v1.NewHealthClient(b.conn).Check(b.Context(), &grpc_health_v1.HealthCheckRequest{Service: name})
		if err != nil || got.Status != want {
			b.Errorf("%s %q is %v (%v), want %v", when, name, got.GetStatus(), err, want)
		}
	}
	if b.Healthy() != (process == isServing) {
		b.Errorf("%s Healthy is %v", when, b.Healthy())
	}
}

// pipe is where a log goes that nobody reads: to write one message blocks for a minute, once.
type pipe struct {
	slog.Handler
	message string
	blocked atomic.Bool
}

func (p *pipe) Enabled(context.Context, slog.Level) bool { return true }
func (p *pipe) WithAttrs([]slog.Attr) slog.Handler       { return p }
func (p *pipe) Handle(_ context.Context, r slog.Record) error {
	if r.Message == p.message && p.blocked.CompareAndSwap(false, true) {
		time.Sleep(time.Minute)
	}
	return nil
}

// A loop that is stuck shows (FM-31): whoever watches over the process can restart it.
func TestHealthFollowsTheLoops(t *testing.T) {
	for name, message := range map[string]string{
		"heartbeat": "heartbeat failed; what runs here goes on",
		"report":    "report lost; the next heartbeat repeats it",
	} {
		t.Run(name, func(t *testing.T) {
			log := &pipe{Handler: slog.DiscardHandler, message: message}
			inBubble(t, func(c *worker.Config) { c.Log = slog.New(log) }, func(b *bench) {
				b.wantHealth("at first", isServing, isServing)
				b.boss.order(func(boss *boss) { boss.lossy, boss.absent = true, name == "heartbeat" })
				b.run(function("sleep", "0s"), "a")
				time.Sleep(11 * time.Second) // for a heartbeat, and the end of a report
				if !log.blocked.Load() {
					b.Fatal("the loop is not blocked")
				}
				b.boss.order(func(boss *boss) { boss.lossy, boss.absent = false, false })
				b.wantHealth("while it may be at a slow call", isServing, isServing)
				time.Sleep(15 * time.Second)
				b.wantHealth("while it is stuck", notServing, notServing)
				time.Sleep(time.Minute)
				b.wantHealth("afterwards", isServing, isServing)
			})
		})
	}
}

func TestAWorkerRefusedForGoodIsNotHealthy(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.boss.order(func(boss *boss) {
			boss.again, boss.refusal = true, status.Error(codes.FailedPrecondition, "started again")
		})
		time.Sleep(16 * time.Second)
		b.wantHealth("after it was refused", notServing, notServing)
	})
}

// A worker that its controller cannot count on is not broken: to start it again would only end what it runs.
func TestAWorkerWithoutAControllerIsHealthyAndTakesNoTasks(t *testing.T) {
	inBubble(t, nil, func(b *bench) {
		b.boss.order(func(boss *boss) { boss.absent = true })
		time.Sleep(59 * time.Second)
		b.wantHealth("while the lease lasts", isServing, isServing)
		time.Sleep(10 * time.Second)
		b.wantHealth("after the lease", isServing, notServing)
		b.boss.order(func(boss *boss) { boss.absent = false })
		time.Sleep(20 * time.Second)
		b.wantHealth("when it is back", isServing, isServing)
	})
}
