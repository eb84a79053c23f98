package controller

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"iris/chaos"
	pb "iris/iris/proto"
	"iris/iris/state"
)

const (
	dispatchTries   = 4               // of one attempt, before it goes elsewhere (design §3)
	dispatchTimeout = 5 * time.Second // of one RunTask or StopTask call
	dispatchBatch   = 1000            // attempts in one call at the most
	dispatchBytes   = 8 << 20         // of their jobs' specs in one call, half of what a message may hold
	idle            = time.Hour       // between two looks at a queue when nothing is due
)

// courier delivers orders to one incarnation of one worker. Everything that is due goes in one call; each attempt has
// its own tries and backoff. Its queue is bounded by what the worker's capacity holds.
type courier struct {
	owner                        *couriers
	worker, incarnation, address string
	conn                         *grpc.ClientConn
	ctx                          context.Context
	stop                         context.CancelFunc
	news                         chan struct{} // something was queued
	gates                        sync.WaitGroup

	mu     sync.Mutex
	queue  []*parcel          // attempts to deliver, now or later
	parcel map[string]*parcel // every attempt not delivered yet, those that are under way included
	stops  []string
}

// parcel is one attempt on its way.
type parcel struct {
	task     *pb.TaskRun
	spec     *pb.JobSpec
	assigned time.Time
	trace    string     // of its job
	span     trace.Span // of the try under way; nil if it has none
	tries    int
	due      time.Time // of the next try
	began    time.Time // the try under way; its backoff counts from here, as in gRPC's own connection backoff
	backoff  *backoff.ExponentialBackOff
	passed   bool // this try has passed the chaos site
	stopped  bool // it is not to run any more; the courier's mu guards it
}

func newCourier(owner *couriers, w *state.Worker, conn *grpc.ClientConn) *courier {
	ctx, stop := context.WithCancel(owner.ctx)
	return &courier{owner: owner, worker: w.ID, incarnation: w.Incarnation, address: w.Address, conn: conn,
		ctx: ctx, stop: stop, news: make(chan struct{}, 1), parcel: map[string]*parcel{}}
}

// runTask queues an attempt; notify must follow. It never blocks.
func (c *courier) runTask(a *state.Attempt) {
	j := a.Job()
	p := &parcel{
		task: &pb.TaskRun{
			AttemptUid: a.UID, JobId: j.ID, TaskId: j.TaskID(a.Task()), TaskIndex: int32(a.Task()),
			NumTasks: int32(len(j.Tasks)), AttemptId: int32(a.Number()),
		},
		spec: j.Spec,
		due:  a.Assigned, assigned: a.Assigned, trace: j.Trace,
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.parcel[a.UID] = p
	c.queue = append(c.queue, p)
}

// stopTask queues a stop, and takes back what was not delivered yet; notify must follow. It never blocks.
func (c *courier) stopTask(uid string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.parcel[uid]; p != nil {
		p.stopped = true
	}
	c.stops = append(c.stops, uid)
}

// again queues parcels that were under way.
func (c *courier) again(parcels ...*parcel) {
	c.mu.Lock()
	c.queue = append(c.queue, parcels...)
	c.mu.Unlock()
	c.notify()
}

// done forgets parcels that were delivered or given up.
func (c *courier) done(parcels ...*parcel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range parcels {
		delete(c.parcel, p.task.AttemptUid)
	}
}

// notify wakes the courier: something was queued.
func (c *courier) notify() {
	select {
	case c.news <- struct{}{}:
	default:
	}
}

func (c *courier) run() {
	defer func() { _ = c.conn.Close() }() // nothing is under way any more
	defer c.gates.Wait()
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for {
		due, stops, next := c.take(time.Now())
		if len(stops) > 0 {
			c.sendStops(stops)
		}
		if due = c.gate(due); len(due) > 0 {
			c.send(due)
		}
		if len(due)+len(stops) > 0 {
			continue
		}
		timer.Reset(time.Until(next))
		select {
		case <-c.news:
		case <-timer.C:
		case <-c.ctx.Done():
			return
		}
	}
}

// take removes what is due now and says when the next is.
func (c *courier) take(now time.Time) (due []*parcel, stops []string, next time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next = now.Add(idle)
	c.queue = slices.DeleteFunc(c.queue, func(p *parcel) bool {
		if p.stopped {
			delete(c.parcel, p.task.AttemptUid)
			return true
		}
		if p.due.After(now) || len(due) == dispatchBatch {
			if p.due.Before(next) {
				next = p.due
			}
			return false
		}
		due = append(due, p)
		return true
	})
	stops, c.stops = c.stops, nil
	return due, stops, next
}

// gate lets each try pass the chaos site. While a rule is armed, every try passes on its own goroutine, so that a delay
// of one holds up no other.
func (c *courier) gate(due []*parcel) []*parcel {
	if !dispatchSite.Armed() {
		return due
	}
	var ready []*parcel
	for _, p := range due {
		if p.passed {
			ready = append(ready, p)
			continue
		}
		p.began = time.Now()
		c.gates.Go(func() {
			if err := dispatchSite.Hit(c.ctx, c.labelled(p)); err != nil {
				c.failed(p, err)
				return
			}
			p.passed = true
			c.again(p)
		})
	}
	return ready
}

func (c *courier) labelled(p *parcel) chaos.Labels {
	return chaos.Labels{
		"cluster": c.owner.config.Cluster, "worker": c.worker, "job": p.spec.Name,
		"task": strconv.Itoa(int(p.task.TaskIndex)), "attempt": strconv.Itoa(int(p.task.AttemptId)),
	}
}

// send is one RunTask call.
func (c *courier) send(due []*parcel) {
	request := &pb.RunTaskRequest{WorkerId: c.worker, Incarnation: c.incarnation, Specs: map[string]*pb.JobSpec{}}
	now, size := time.Now(), 0
	for i, p := range due {
		if request.Specs[p.task.JobId] == nil {
			if size += proto.Size(p.spec); size > dispatchBytes && i > 0 {
				c.again(due[i:]...)
				due = due[:i]
				break
			}
			request.Specs[p.task.JobId] = p.spec
		}
		if !p.passed {
			p.began = now
		}
		p.passed = false
		c.owner.config.traces.try(p, c.worker)
		request.Tasks = append(request.Tasks, p.task)
	}
	ctx, cancel := context.WithTimeout(c.ctx, dispatchTimeout)
	defer cancel()
	response, err := pb.NewWorkerServiceClient(c.conn).RunTask(ctx, request)
	if err != nil {
		for _, p := range due {
			c.failed(p, err)
		}
		return
	}
	refused := map[string]*pb.Refusal{}
	for _, r := range response.Refused {
		refused[r.AttemptUid] = r
	}
	delivered := slices.DeleteFunc(due, func(p *parcel) bool {
		r := refused[p.task.AttemptUid]
		if r != nil {
			c.failed(p, status.Error(codes.Code(r.Code), r.Message))
		}
		return r != nil
	})
	c.owner.config.metrics.tried(len(delivered), 0)
	for _, p := range delivered {
		c.owner.config.metrics.arrived(p.assigned)
		c.owner.config.traces.tried(p, c.worker, nil)
	}
	c.done(delivered...)
}

// failed counts a try that did not get through: it is repeated, or the attempt given up.
func (c *courier) failed(p *parcel, err error) {
	c.owner.config.traces.tried(p, c.worker, err)
	if c.ctx.Err() != nil {
		return // the worker is gone or the controller stops: the attempt's fate is decided elsewhere
	}
	p.tries++
	c.owner.config.metrics.tried(0, 1)
	code := status.Code(err)
	c.owner.history.add(state.Event{
		At: time.Now(), Kind: pb.EventKind_EVENT_KIND_DISPATCH_FAILED, Job: p.task.JobId, Task: p.task.TaskIndex, Attempt: p.task.AttemptId,
		Worker: c.worker, State: state.Assigned, Text: fmt.Sprintf("try %d: %v: %s", p.tries, code, status.Convert(err).Message()),
	})
	retry := code == codes.Unavailable || code == codes.DeadlineExceeded
	if retry && p.tries < dispatchTries {
		if p.backoff == nil {
			p.backoff = &backoff.ExponentialBackOff{
				InitialInterval: 500 * time.Millisecond, Multiplier: 2, MaxInterval: 4 * time.Second, RandomizationFactor: 0.1,
			}
		}
		p.due = p.began.Add(p.backoff.NextBackOff())
		c.again(p)
		return
	}
	c.done(p)
	c.owner.config.metrics.gaveUp()
	times := "times"
	if p.tries == 1 {
		times = "time"
	}
	c.owner.tell(c.ctx, decided(state.FailDispatch{UID: p.task.AttemptUid, Cause: fmt.Sprintf("dispatch to %s failed %d %s: %v: %s",
		c.worker, p.tries, times, code, status.Convert(err).Message())}))
}

// greet asks the worker for a sign of life: an order to stop nothing, which no other worker or incarnation takes.
func (c *courier) greet() {
	ctx, cancel := context.WithTimeout(c.ctx, dispatchTimeout)
	defer cancel()
	out, err := pb.NewWorkerServiceClient(c.conn).StopTask(ctx, &pb.StopTaskRequest{WorkerId: c.worker, Incarnation: c.incarnation})
	if err == nil {
		c.owner.tell(c.ctx, heard(c.worker, out.Draining))
	} else if c.ctx.Err() == nil {
		c.owner.config.Log.Warn("worker does not answer the new leader; it gets nothing new before its next heartbeat",
			"worker", c.worker, "error", err)
	}
}

// sendStops is the fast path of a stop. Losing it is harmless: the next heartbeat's answer repeats it (FM-8).
func (c *courier) sendStops(uids []string) {
	ctx, cancel := context.WithTimeout(c.ctx, dispatchTimeout)
	defer cancel()
	err := stopSite.Hit(ctx, chaos.Labels{"cluster": c.owner.config.Cluster, "worker": c.worker})
	if err == nil {
		_, err = pb.NewWorkerServiceClient(c.conn).StopTask(ctx,
			&pb.StopTaskRequest{WorkerId: c.worker, Incarnation: c.incarnation, AttemptUids: uids})
	}
	if err != nil && c.ctx.Err() == nil {
		c.owner.config.Log.Warn("stop not delivered; the next heartbeat repeats it", "worker", c.worker, "attempts", len(uids), "error", err)
	}
}
