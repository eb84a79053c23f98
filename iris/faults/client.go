package faults

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/chaos"
	pb "iris/iris/proto"
)

// callTimeout bounds a call: a controller may take twice five seconds for processes that do not answer.
const callTimeout = 20 * time.Second

// Client speaks to the ChaosService of a controller or worker. Each call may name targets, as chaos.proto says: none is
// every process of the cluster. An error is a gRPC status; a process that did not answer has it in its Report.
type Client struct{ rpc pb.ChaosServiceClient }

// Connect makes a client of a connection, which stays the caller's.
func Connect(conn grpc.ClientConnInterface) *Client { return &Client{pb.NewChaosServiceClient(conn)} }

// Sites lists the places where chaos may strike.
func (c *Client) Sites(ctx context.Context, targets ...string) ([]Report, error) {
	return call(ctx, c.rpc.ListSites, &pb.ListChaosSitesRequest{Targets: targets})
}

// Rules lists every rule since the last Reset, disarmed ones included.
func (c *Client) Rules(ctx context.Context, targets ...string) ([]Report, error) {
	return call(ctx, c.rpc.ListRules, &pb.ListChaosRulesRequest{Targets: targets})
}

// Enable arms the rules of a text under a new id.
func (c *Client) Enable(ctx context.Context, text string, targets ...string) ([]Report, error) {
	return c.EnableAs(ctx, chaos.NewID(), text, targets...)
}

// EnableAs arms the rules of a text under an id of the caller's: 1 to 64 letters, digits, dots, dashes or underscores.
// Doing it again changes nothing.
func (c *Client) EnableAs(ctx context.Context, id, text string, targets ...string) ([]Report, error) {
	return call(ctx, c.rpc.Enable, &pb.EnableChaosRequest{Id: id, Text: text, Targets: targets})
}

// Disarm ends a rule; it stays listed, with what it did.
func (c *Client) Disarm(ctx context.Context, id string, targets ...string) ([]Report, error) {
	return call(ctx, c.rpc.Disarm, &pb.DisarmChaosRequest{Id: id, Targets: targets})
}

// Release lets up to n hits go on that a rule holds in a pause, in each process; 0: all.
func (c *Client) Release(ctx context.Context, id string, n int, targets ...string) ([]Report, error) {
	return call(ctx, c.rpc.Release, &pb.ReleaseChaosRequest{Id: id, Hits: uint32(max(n, 0)), Targets: targets})
}

// Reset disarms and forgets every rule, and returns what they were.
func (c *Client) Reset(ctx context.Context, targets ...string) ([]Report, error) {
	return call(ctx, c.rpc.Reset, &pb.ResetChaosRequest{Targets: targets})
}

// call makes a unary call.
func call[In any](ctx context.Context,
	method func(context.Context, In, ...grpc.CallOption) (*pb.ChaosResponse, error), in In) ([]Report, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := method(ctx, in)
	if err != nil {
		return nil, err
	}
	reports := make([]Report, len(answer.Reports))
	for i, r := range answer.Reports {
		reports[i] = fromReport(r)
	}
	return reports, nil
}

// Stream is what a Watch brings. It is for one goroutine at a time.
type Stream struct {
	stream grpc.ServerStreamingClient[pb.WatchChaosResponse]
}

// Watch brings what fires from now on, until ctx ends.
func (c *Client) Watch(ctx context.Context, targets ...string) (*Stream, error) {
	return c.watch(ctx, &pb.WatchChaosRequest{Targets: targets})
}

// WatchAll is Watch with what the processes still know of the past: the last 1024 firings of each rule since Reset.
func (c *Client) WatchAll(ctx context.Context, targets ...string) (*Stream, error) {
	return c.watch(ctx, &pb.WatchChaosRequest{Targets: targets, Past: true})
}

func (c *Client) watch(ctx context.Context, r *pb.WatchChaosRequest) (*Stream, error) {
	stream, err := c.rpc.Watch(ctx, r)
	if err != nil {
		return nil, err
	}
	return &Stream{stream}, nil
}

// Next waits for news. It returns an error when the watch is over: the context's, as a gRPC status, or the server's.
func (s *Stream) Next() (News, error) {
	r, err := s.stream.Recv()
	if err != nil {
		return News{}, err
	}
	news := News{Process: fromProcess(r.Process)}
	switch r := r.News.(type) {
	case *pb.WatchChaosResponse_Began:
		news.Began = true
	case *pb.WatchChaosResponse_Fired:
		news.Fired = fromFiring(r.Fired)
	case *pb.WatchChaosResponse_Lost:
		news.Lost = fromError(r.Lost)
	default:
		return News{}, status.Error(codes.Internal, "news of a kind that this program does not know; it is too old")
	}
	return news, nil
}
