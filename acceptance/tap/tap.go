// Package tap sees the calls between the participants of a cluster in one process, at both ends, and tells a timeline of them.
//
// It changes nothing: a call gets a number in its metadata, by which its two ends are found to be the same call. Only the calls by
// which a cluster works are kept, and of those only the last [Kept]; heartbeats that arrive are counted in trains, however many.
package tap

import (
	"context"
	"path"
	"slices"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"iris/acceptance/timeline"
	pb "iris/iris/proto"
)

// Kept is how many calls are kept, and trains of heartbeats.
const Kept = 20_000

// Tap sees the calls of one cluster. It is safe for concurrent use.
type Tap struct {
	most   int // calls, and trains
	mu     sync.Mutex
	calls  []*call // a ring, once there are so many
	seen   int     // that were worth keeping
	under  map[uint64]*call
	last   uint64
	owners map[string]string // who listens at an address, as far as a call has shown
	beats  []*timeline.Train // a ring too
	trains int
	latest map[string]*timeline.Train // of each worker
}

// call is one under way, or over.
type call struct {
	timeline.Call
	address string
}

// New sees nothing yet.
func New() *Tap {
	return &Tap{most: Kept, under: map[uint64]*call{}, owners: map[string]string{}, latest: map[string]*timeline.Train{}}
}

const header = "spec-call"

// DialOptions are for the connections of a participant.
func (t *Tap) DialOptions(participant string) []grpc.DialOption {
	return []grpc.DialOption{grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, in, out any, conn *grpc.ClientConn,
		invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
		about, watched := subject(in)
		if !watched {
			return invoke(ctx, method, in, out, conn, options...)
		}
		id, c := t.send(path.Base(method), participant, conn.Target(), about)
		err := invoke(metadata.AppendToOutgoingContext(ctx, header, strconv.FormatUint(id, 10)), method, in, out, conn, options...)
		t.end(id, c, err)
		return err
	})}
}

// ServerOptions are for its server.
func (t *Tap) ServerOptions(participant string) []grpc.ServerOption {
	return []grpc.ServerOption{grpc.ChainUnaryInterceptor(func(ctx context.Context, in any, _ *grpc.UnaryServerInfo,
		handle grpc.UnaryHandler) (any, error) {
		numbers := metadata.ValueFromIncomingContext(ctx, header)
		if len(numbers) == 0 {
			return handle(ctx, in)
		}
		id, _ := strconv.ParseUint(numbers[len(numbers)-1], 10, 64)
		t.arrive(id, participant)
		out, err := handle(ctx, in)
		t.give(id, err)
		return out, err
	})}
}

// subject is what a call is about; false: it is none of those by which a cluster works.
func subject(in any) ([]timeline.Attempt, bool) {
	var about []timeline.Attempt
	switch in := in.(type) {
	case *pb.LaunchJobRequest, *pb.TerminateJobRequest, *pb.RegisterRequest, *pb.HeartbeatRequest, *pb.StopTaskRequest,
		*pb.ReportTaskStateRequest:
	case *pb.RunTaskRequest:
		for _, r := range in.Tasks {
			about = append(about, timeline.Attempt{Job: r.JobId, Task: r.TaskIndex, Attempt: r.AttemptId})
		}
	default:
		return nil, false
	}
	return about, true
}

func (t *Tap) send(method, from, address string, about []timeline.Attempt) (uint64, *call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	c := &call{Call: timeline.Call{Method: method, From: from, To: t.owners[address], About: about, Sent: time.Now()}, address: address}
	t.under[t.last] = c
	return t.last, c
}

// arrive notes that a call's handler begins. One that arrives twice arrived the first time.
func (t *Tap) arrive(id uint64, at string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.under[id]
	if c == nil {
		return // its caller has given it up
	}
	t.owners[c.address], c.To = at, at
	if c.Arrived.IsZero() {
		c.Arrived = time.Now()
	}
}

func (t *Tap) give(id uint64, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.under[id]; c != nil {
		c.Given = status.Code(err).String()
	}
}

// end notes what the caller of a call got.
func (t *Tap) end(id uint64, c *call, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.under, id)
	c.Ended, c.Got = time.Now(), status.Code(err).String()
	if err != nil {
		c.Err = c.Got + ": " + status.Convert(err).Message()
	}
	if c.Method == "Heartbeat" && status.Code(err) == codes.OK {
		t.beat(c.From, c.Sent)
		if c.Ended.Sub(c.Sent) < time.Second {
			return
		}
	}
	if t.seen < t.most {
		t.calls = append(t.calls, c)
	} else {
		t.calls[t.seen%t.most] = c
	}
	t.seen++
}

// beat adds a heartbeat to the worker's train, or begins a new one if it does not fit.
func (t *Tap) beat(worker string, at time.Time) {
	if b := t.latest[worker]; b != nil {
		pause := at.Sub(b.First) - time.Duration(b.Count-1)*b.Every // since its last beat
		if b.Count == 1 {
			b.Every, b.Count = pause, 2
			return
		}
		if off := pause - b.Every; off.Abs() <= b.Every/20 {
			b.Count++
			return
		}
	}
	b := &timeline.Train{Worker: worker, First: at, Count: 1}
	if t.trains < t.most {
		t.beats = append(t.beats, b)
	} else {
		t.beats[t.trains%t.most] = b
	}
	t.latest[worker] = b
	t.trains++
}

// Seen are the calls and the heartbeats so far, and how many calls are no longer known.
func (t *Tap) Seen() (calls []timeline.Call, beats []timeline.Train, forgotten int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.calls {
		calls = append(calls, c.Call)
	}
	for _, c := range t.under {
		if c.Method != "Heartbeat" {
			calls = append(calls, c.Call)
		}
	}
	for _, b := range t.beats {
		beats = append(beats, *b)
	}
	slices.SortStableFunc(calls, func(a, b timeline.Call) int { return a.Sent.Compare(b.Sent) })
	return calls, beats, t.seen - len(t.calls)
}
