package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Calls measures gRPC calls by method and code, served and made. A call to a method that does not exist is not counted: its
// name is the caller's choice, and there are many.
type Calls struct {
	served, made *side
	unregister   func()
}

// side is one end of calls.
type side struct {
	seconds *prometheus.HistogramVec
	total   *prometheus.CounterVec
	methods sync.Map // by full name: *method
}

// method has what is measured of one method at hand: to look it up anew for each call would cost more than the rest.
type method struct {
	name    string
	seconds prometheus.Observer
	total   [codes.Unauthenticated + 1]atomic.Pointer[prometheus.Counter]
}

// NewCalls registers what is measured. The registerer may be nil: then nothing is, and there are no options.
func NewCalls(r prometheus.Registerer) (*Calls, error) {
	if r == nil {
		return nil, nil
	}
	c := &Calls{
		served: newSide("served", "gRPC calls that this process served, by the code of their answer."),
		made:   newSide("made", "gRPC calls that this process made, by the code of the answer. A stream counts when its end was read."),
	}
	all := Set{c.served.seconds, c.served.total, c.made.seconds, c.made.total}
	if err := r.Register(all); err != nil {
		return nil, fmt.Errorf("measuring calls: %w", err)
	}
	c.unregister = func() { r.Unregister(all) }
	return c, nil
}

// Unregister takes what was measured off the registerer.
func (c *Calls) Unregister() {
	if c != nil {
		c.unregister()
	}
}

func newSide(name, help string) *side {
	return &side{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "iris_rpc_" + name + "_seconds", Help: "How long it took: " + help, Buckets: Latency,
		}, []string{"method"}),
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "iris_rpc_" + name + "_total", Help: help,
		}, []string{"method", "code"}),
	}
}

// ServerOptions measure what a server serves. They go before those that may refuse a call, which is measured too then.
func (c *Calls) ServerOptions() []grpc.ServerOption {
	if c == nil {
		return nil
	}
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(func(ctx context.Context, in any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			began := time.Now()
			out, err := handle(ctx, in)
			c.served.observe(info.FullMethod, began, err)
			return out, err
		}),
		grpc.ChainStreamInterceptor(func(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
			began := time.Now()
			err := handle(service, stream)
			c.served.observe(info.FullMethod, began, err)
			return err
		}),
	}
}

// DialOptions measure the calls made over a connection.
func (c *Calls) DialOptions() []grpc.DialOption {
	if c == nil {
		return nil
	}
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, name string, in, out any, conn *grpc.ClientConn,
			invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
			began := time.Now()
			err := invoke(ctx, name, in, out, conn, options...)
			c.made.observe(name, began, err)
			return err
		}),
		grpc.WithChainStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, name string,
			open grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
			began := time.Now()
			stream, err := open(ctx, desc, conn, name, options...)
			if err != nil {
				c.made.observe(name, began, err)
				return nil, err
			}
			end := func(err error) { c.made.observe(name, began, err) }
			return &measured{ClientStream: stream, single: !desc.ServerStreams, end: end}, nil
		}),
	}
}

// measured is a stream whose end is noticed by whoever reads it.
type measured struct {
	grpc.ClientStream
	single bool // it has one answer
	over   atomic.Bool
	end    func(error)
}

// RecvMsg is where the end of a stream shows.
func (m *measured) RecvMsg(to any) error {
	err := m.ClientStream.RecvMsg(to)
	if (err != nil || m.single) && m.over.CompareAndSwap(false, true) {
		if errors.Is(err, io.EOF) {
			m.end(nil)
		} else {
			m.end(err)
		}
	}
	return err
}

func (s *side) observe(name string, began time.Time, err error) {
	known, ok := s.methods.Load(name)
	if !ok {
		name := strings.TrimPrefix(name, "/")
		known, _ = s.methods.LoadOrStore("/"+name, &method{name: name, seconds: s.seconds.WithLabelValues(name)})
	}
	m := known.(*method)
	m.seconds.Observe(time.Since(began).Seconds())
	code := status.Code(err)
	if int(code) >= len(m.total) {
		code = codes.Unknown // a handler made it up
	}
	total := m.total[code].Load()
	if total == nil {
		counter := s.total.WithLabelValues(m.name, code.String())
		total = &counter
		m.total[code].Store(total)
	}
	(*total).Inc()
}
