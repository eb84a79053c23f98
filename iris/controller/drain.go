package controller

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"iris/iris/journal"
	"iris/iris/network"
	pb "iris/iris/proto"
)

const (
	answerTimeout   = 10 * time.Second // for the calls that are under way when a controller drains
	transferTimeout = 10 * time.Second // for another controller to lead
	flushTimeout    = time.Second      // for answers to leave
)

// Drain ends the controller in good order: its health is NOT_SERVING first, then it takes no new calls, answers those that
// are under way, has another controller lead if it leads and one can, and stops. When ctx ends it waits for nothing more.
// In any case the controller has ended when Drain returns, as after Stop; an error says that calls were cut off.
func (c *Controller) Drain(ctx context.Context) error {
	c.health.Shutdown()
	c.config.Log.Info("controller drains", "controller", c.config.ID)
	err := c.gate.close(ctx)
	c.handOver(ctx)
	c.flush(ctx)
	return errors.Join(err, c.Stop())
}

// flush lets the server send what it has answered. It does not wait for the streams of other controllers, which go on.
func (c *Controller) flush(ctx context.Context) {
	flushed := make(chan struct{})
	c.running.Go(func() {
		c.server.GracefulStop() // until Stop
		close(flushed)
	})
	select {
	case <-flushed:
	case <-time.After(flushTimeout):
	case <-ctx.Done():
	}
}

// handOver has another controller lead, if one can. Otherwise the others elect one when this one has gone.
func (c *Controller) handOver(ctx context.Context) {
	v, shared := c.config.Journal.(voters)
	if !shared || !c.Leads() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, transferTimeout)
	defer cancel()
	var elsewhere *journal.NotLeaderError
	if err := v.Transfer(ctx, ""); err != nil && !errors.Is(err, journal.ErrOnlyVoter) && !errors.As(err, &elsewhere) {
		c.config.Log.Warn("controller leads to its end; no other one could take over", "controller", c.config.ID, "error", err)
	}
}

// gate is what calls of clients, workers and operators pass. Those of other controllers do not: they go on to the end.
type gate struct {
	journal journal.Journal
	address string // this controller's
	closing atomic.Bool
	inside  atomic.Int64
	left    chan struct{} // somebody left a gate that is closing
}

func newGate(j journal.Journal, address string) *gate {
	return &gate{journal: j, address: address, left: make(chan struct{}, 1)}
}

// options put the gate before the handlers.
func (g *gate) options() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(func(ctx context.Context, in any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			if !gated[info.FullMethod] {
				return handle(ctx, in)
			}
			if err := g.enter(); err != nil {
				return nil, err
			}
			defer g.leave()
			return handle(ctx, in)
		}),
		grpc.ChainStreamInterceptor(func(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
			if !gated[info.FullMethod] {
				return handle(service, stream)
			}
			if err := g.enter(); err != nil {
				return err
			}
			defer g.leave()
			return handle(service, stream)
		}),
	}
}

// gated are the methods that a controller answers before it ends. To follow a log is not one: it may take long, and is
// repeated elsewhere.
var gated = func() map[string]bool {
	methods := map[string]bool{}
	for _, service := range []grpc.ServiceDesc{
		pb.ControllerService_ServiceDesc, pb.RegistryService_ServiceDesc, pb.ClusterService_ServiceDesc,
	} {
		for _, m := range service.Methods {
			methods["/"+service.ServiceName+"/"+m.MethodName] = true
		}
		for _, s := range service.Streams {
			methods["/"+service.ServiceName+"/"+s.StreamName] = true
		}
	}
	delete(methods, pb.ControllerService_FetchTaskLogs_FullMethodName)
	return methods
}()

func (g *gate) enter() error {
	g.inside.Add(1)
	if !g.closing.Load() {
		return nil
	}
	g.leave()
	if leader := g.journal.Leader(); leader != g.address && leader != "" {
		return network.NotLeader(leader, nil)
	}
	return errStopping
}

func (g *gate) leave() {
	if g.inside.Add(-1) == 0 && g.closing.Load() {
		select {
		case g.left <- struct{}{}:
		default:
		}
	}
}

// close lets nobody in any more, and waits until everybody has left.
func (g *gate) close(ctx context.Context) error {
	g.closing.Store(true)
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	for {
		inside := g.inside.Load()
		if inside == 0 {
			return nil
		}
		select {
		case <-g.left:
		case <-ctx.Done():
			return fmt.Errorf("calls are cut off that were under way (%d): %w", inside, ctx.Err())
		}
	}
}
