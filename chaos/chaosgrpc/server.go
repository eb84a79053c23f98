package chaosgrpc

import (
	"context"

	"google.golang.org/grpc"
)

// UnaryServer is a [grpc.UnaryServerInterceptor]. Chain it first, so that the others see what is lost as gRPC would have
// them see it: a request not at all.
func (s *Sites) UnaryServer(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	ctx = incoming(ctx)
	m := s.methods[info.FullMethod]
	if m == nil {
		return handle(ctx, request)
	}
	if err := m.serverRequest.Hit(ctx, nil); err != nil {
		return nil, err
	}
	answer, err := handle(ctx, request)
	if err != nil {
		return nil, err
	}
	if err := m.serverAnswer.Hit(ctx, nil); err != nil {
		return nil, err
	}
	return answer, nil
}

// StreamServer is a [grpc.StreamServerInterceptor]. Chain it first, as UnaryServer.
func (s *Sites) StreamServer(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	return handle(service, &serverStream{ServerStream: stream, ctx: incoming(stream.Context()), sites: s.methods[info.FullMethod]})
}

// serverStream is a stream whose messages pass the sites of its method, if it has any.
type serverStream struct {
	grpc.ServerStream
	ctx   context.Context
	sites *method
}

// Context implements grpc.ServerStream.
func (s *serverStream) Context() context.Context { return s.ctx }

// RecvMsg implements grpc.ServerStream.
func (s *serverStream) RecvMsg(message any) error {
	if err := s.ServerStream.RecvMsg(message); err != nil || s.sites == nil {
		return err
	}
	return s.sites.serverRequest.Hit(s.ctx, nil)
}

// SendMsg implements grpc.ServerStream.
func (s *serverStream) SendMsg(message any) error {
	if s.sites != nil {
		if err := s.sites.serverAnswer.Hit(s.ctx, nil); err != nil {
			return err
		}
	}
	return s.ServerStream.SendMsg(message)
}
