package chaosgrpc

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc"

	"iris/chaos"
)

// to is whom a call is for, as a label. It has nothing but a pointer, so that an idle site costs no allocation.
type to struct{ conn *grpc.ClientConn }

func (t to) ChaosLabels() chaos.Labels { return chaos.Labels{"server": t.conn.Target()} }

// UnaryClient is a [grpc.UnaryClientInterceptor]. Chain it last, so that what others do about a failure, such as to try
// again, they do about an injected one too.
func (s *Sites) UnaryClient(ctx context.Context, name string, request, answer any, conn *grpc.ClientConn,
	invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	m := s.methods[name]
	if m == nil {
		return invoke(outgoing(ctx), name, request, answer, conn, options...)
	}
	if err := m.clientRequest.Hit(ctx, to{conn}); err != nil {
		return err
	}
	if err := invoke(outgoing(ctx), name, request, answer, conn, options...); err != nil {
		return err
	}
	return m.clientAnswer.Hit(ctx, to{conn})
}

// StreamClient is a [grpc.StreamClientInterceptor]. Chain it last, as UnaryClient.
func (s *Sites) StreamClient(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, name string,
	open grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
	m := s.methods[name]
	if m == nil {
		return open(outgoing(ctx), desc, conn, name, options...)
	}
	if !desc.ClientStreams {
		if err := m.clientRequest.Hit(ctx, to{conn}); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	stream, err := open(outgoing(ctx), desc, conn, name, options...)
	if err != nil {
		cancel()
		return nil, err
	}
	return &clientStream{ClientStream: stream, ctx: ctx, cancel: cancel, desc: desc, sites: m, on: to{conn}}, nil
}

// clientStream is a stream whose messages pass the sites of its method.
type clientStream struct {
	grpc.ClientStream
	ctx    context.Context
	cancel context.CancelFunc
	desc   *grpc.StreamDesc
	sites  *method
	on     to
	lost   atomic.Pointer[error] // what broke the stream
}

// SendMsg implements grpc.ClientStream.
func (s *clientStream) SendMsg(message any) error {
	if s.desc.ClientStreams {
		if err := s.sites.clientRequest.Hit(s.ctx, s.on); err != nil {
			return s.breaks(err)
		}
	}
	return s.ClientStream.SendMsg(message)
}

// RecvMsg implements grpc.ClientStream.
func (s *clientStream) RecvMsg(message any) error {
	err := s.ClientStream.RecvMsg(message)
	if lost := s.lost.Load(); lost != nil {
		return *lost
	}
	if err != nil {
		s.cancel() // the stream is over
		return err
	}
	if err := s.sites.clientAnswer.Hit(s.ctx, s.on); err != nil {
		return s.breaks(err)
	}
	if !s.desc.ServerStreams {
		s.cancel()
	}
	return nil
}

// breaks ends the stream, as a client has to that does not read it to its end.
func (s *clientStream) breaks(err error) error {
	s.lost.CompareAndSwap(nil, &err)
	s.cancel()
	return err
}
