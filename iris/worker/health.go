package worker

import (
	"context"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/health/grpc_health_v1"

	"iris/iris/network"
	pb "iris/iris/proto"
)

const (
	healthInterval = 5 * time.Second // between two looks at the loops
	// healthPatience is how long a loop may be at one piece of work: a call to the controller, and as long again.
	healthPatience = 2 * callTimeout
)

// pulse is one loop's sign of life. While it waits for something to do it may take for ever.
type pulse struct {
	name  string
	born  time.Time
	since atomic.Int64 // how long after its birth it began what it is at; 0: it waits
	ended atomic.Bool
}

func newPulse(name string) *pulse { return &pulse{name: name, born: time.Now()} }

// work notes that a piece of work begins; done, that it is over.
func (p *pulse) work() (done func()) {
	p.since.Store(int64(max(time.Since(p.born), 1)))
	return func() { p.since.Store(0) }
}

// stuck reports whether nothing more is to be expected of the loop.
func (p *pulse) stuck() bool {
	since := time.Duration(p.since.Load())
	return p.ended.Load() || since > 0 && time.Since(p.born)-since > healthPatience
}

// watch keeps the health service true. The process as a whole ("") is NOT_SERVING while the loop that beats or the one
// that reports is stuck, or has ended because the controller refused this worker for good; the WorkerService is SERVING
// only while the controller counts on this worker.
func (w *Worker) watch() {
	ticker := time.NewTicker(healthInterval)
	defer ticker.Stop()
	registered, drain, stuck := w.registered, w.drain.asked, false
	for {
		name := ""
		for _, p := range []*pulse{w.beating, w.reporting} {
			if p.stuck() {
				name = p.name
			}
		}
		w.health.SetServingStatus("", network.Serving(name == ""))
		w.health.SetServingStatus(pb.WorkerService_ServiceDesc.ServiceName, network.Serving(name == "" && w.counted()))
		if stuck == (name == "") {
			if stuck = name != ""; stuck {
				w.config.Log.Error("a loop of the worker is stuck; health is NOT_SERVING", "loop", name)
			} else {
				w.config.Log.Info("the worker's loops go on again")
			}
		}
		select {
		case <-ticker.C:
		case <-registered:
			registered = nil // it happens once
		case <-drain:
			drain = nil // as well
		case <-w.ctx.Done():
			return
		}
	}
}

// counted reports whether the controller counts on this worker, as far as the worker can know.
func (w *Worker) counted() bool {
	return w.everRegistered() && time.Now().Before(w.lease.end()) && !w.drain.on()
}

// Healthy reports whether the worker's loops go on: what the health service says of the process as a whole.
func (w *Worker) Healthy() bool {
	out, err := w.health.Check(context.Background(), &grpc_health_v1.HealthCheckRequest{})
	return err == nil && out.Status == grpc_health_v1.HealthCheckResponse_SERVING
}
