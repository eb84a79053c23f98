// Package client talks to a controller on behalf of a user.
//
//	c, err := client.Connect("127.0.0.1:7070")
//	job, err := c.Submit(ctx, client.Spec{Name: "hello", Entrypoint: client.Command("echo", "hello")})
//	status, err := job.Wait(ctx)
//
// A controller that cannot be reached for a while fails nobody: every call is repeated, with a growing pause, while it is
// UNAVAILABLE (FM-82), or while it answers that the client calls too often, after the pause it asks for. Launching is
// idempotent, so that a repeated launch is harmless (FM-60).
package client

import (
	"context"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/iris/network"
	pb "iris/iris/proto"
)

// Client is a connection to a controller. It is safe for concurrent use.
type Client struct {
	network  network.Network
	patience time.Duration
	dial     []grpc.DialOption
	conn     *network.Controllers
	rpc      pb.ControllerServiceClient
}

// Option changes a Client.
type Option func(*Client)

// Network dials over n. Default: TCP.
func Network(n network.Network) Option { return func(c *Client) { c.network = n } }

// Dial adds options to the connection: credentials, measurements.
func Dial(options ...grpc.DialOption) Option {
	return func(c *Client) { c.dial = append(c.dial, options...) }
}

// Patience is how long a controller may be unreachable before a call gives up, with the last error. Default 10 minutes; 0
// gives up after one try.
func Patience(d time.Duration) Option { return func(c *Client) { c.patience = d } }

// Connect prepares a connection to the controller at an address ("host:port"), or to whichever leads of several that are
// separated by commas. It does not wait for them.
func Connect(addresses string, options ...Option) (*Client, error) {
	c := &Client{network: network.TCP{}, patience: 10 * time.Minute}
	for _, option := range options {
		option(c)
	}
	conn, err := network.ToControllers(c.network, addresses, c.dial...)
	if err != nil {
		return nil, err
	}
	c.conn, c.rpc = conn, pb.NewControllerServiceClient(conn)
	return c, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// Conn is the connection, for services other than the client's own.
func (c *Client) Conn() grpc.ClientConnInterface { return c.conn }

// RPC is the bare service, without retries.
func (c *Client) RPC() pb.ControllerServiceClient { return c.rpc }

// callTimeout bounds one try of a call.
const callTimeout = 10 * time.Second

// call repeats a unary call while the controller cannot be reached. Errors are gRPC statuses; one that came because ctx
// ended is ctx.Err() as well.
func call[In, Out any](ctx context.Context, c *Client,
	method func(context.Context, In, ...grpc.CallOption) (Out, error), in In) (Out, error) {
	return retry(ctx, c, func(ctx context.Context) (Out, error) {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		return method(ctx, in)
	})
}

func retry[Out any](ctx context.Context, c *Client, try func(context.Context) (Out, error)) (Out, error) {
	var last error
	pause := &pauses{ExponentialBackOff: backoff.ExponentialBackOff{
		InitialInterval: 100 * time.Millisecond, Multiplier: 2, MaxInterval: 5 * time.Second, RandomizationFactor: 0.1,
	}}
	out, err := backoff.Retry(ctx, func() (Out, error) {
		out, err := try(ctx)
		last = err
		code, limited := status.Code(err), false
		pause.asked, limited = retryAfter(err)
		passes := code == codes.Unavailable || code == codes.DeadlineExceeded || limited
		if err != nil && (ctx.Err() != nil || !passes) {
			return out, backoff.Permanent(err)
		}
		return out, err
	}, backoff.WithMaxElapsedTime(max(c.patience, 1)), backoff.WithBackOff(pause))
	if err != nil && ctx.Err() != nil {
		return out, fmt.Errorf("%w; the last try: %w", ctx.Err(), last)
	}
	return out, err
}

// pauses grow, and are no shorter than the controller asked for.
type pauses struct {
	backoff.ExponentialBackOff
	asked time.Duration
}

// NextBackOff is the pause before the next try.
func (p *pauses) NextBackOff() time.Duration { return max(p.asked, p.ExponentialBackOff.NextBackOff()) }

// retryAfter is the pause that a server asks for which is called too often. A message that is too large is
// RESOURCE_EXHAUSTED as well, without such a request: trying again would not make it smaller.
func retryAfter(err error) (time.Duration, bool) {
	if status.Code(err) == codes.ResourceExhausted {
		for _, detail := range status.Convert(err).Details() {
			if info, ok := detail.(*errdetails.RetryInfo); ok {
				return info.GetRetryDelay().AsDuration(), true
			}
		}
	}
	return 0, false
}

// Jobs lists all jobs whose name has the prefix, in the order of submission.
func (c *Client) Jobs(ctx context.Context, prefix string) ([]*pb.JobStatus, error) {
	var all []*pb.JobStatus
	for token := ""; ; {
		page, err := call(ctx, c, c.rpc.ListJobs, &pb.ListJobsRequest{NamePrefix: prefix, PageToken: token})
		if err != nil {
			return nil, err
		}
		all = append(all, page.Jobs...)
		if token = page.NextPageToken; token == "" {
			return all, nil
		}
	}
}

// FirstJobs lists the first n jobs that are in one of these states, at most 1 000, in the order of submission. There are more if
// the answer has a token for a next page.
func (c *Client) FirstJobs(ctx context.Context, n int, states ...pb.JobState) (*pb.ListJobsResponse, error) {
	return call(ctx, c, c.rpc.ListJobs, &pb.ListJobsRequest{States: states, PageSize: int32(n)})
}

// Workers lists all workers, by id.
func (c *Client) Workers(ctx context.Context) ([]*pb.WorkerStatus, error) {
	out, err := call(ctx, c, c.rpc.ListWorkers, &pb.ListWorkersRequest{})
	return out.GetWorkers(), err
}
