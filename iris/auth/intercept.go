package auth

import (
	"context"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "iris/iris/proto"
)

func (g *guard) unary(ctx context.Context, in any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	ctx, err := g.enter(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	if err := passOf(ctx).speaksFor(in); err != nil {
		g.audit.note(ctx, info.FullMethod, passOf(ctx), err)
		return nil, err
	}
	return handler(ctx, in)
}

func (g *guard) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo,
	handler grpc.StreamHandler) error {
	ctx, err := g.enter(stream.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	return handler(srv, &guardedStream{ServerStream: stream, ctx: ctx, guard: g, method: info.FullMethod})
}

// guardedStream ends when the caller's credential does: a stream may outlive it.
type guardedStream struct {
	grpc.ServerStream
	ctx    context.Context
	guard  *guard
	method string
}

// Context has the caller's identity.
func (s *guardedStream) Context() context.Context { return s.ctx }

// RecvMsg takes the next message if its sender may still send it.
func (s *guardedStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	if err := s.check(); err != nil {
		return err
	}
	err := passOf(s.ctx).speaksFor(m)
	if err != nil {
		s.guard.audit.note(s.ctx, s.method, passOf(s.ctx), err)
	}
	return err
}

// SendMsg sends a message if the caller may still have it.
func (s *guardedStream) SendMsg(m any) error {
	if err := s.check(); err != nil {
		return err
	}
	return s.ServerStream.SendMsg(m)
}

func (s *guardedStream) check() error {
	err := passOf(s.ctx).valid()
	if err == nil {
		return nil
	}
	err = status.Error(codes.Unauthenticated, err.Error())
	s.guard.audit.note(s.ctx, s.method, passOf(s.ctx), err)
	return err
}

// speaksFor refuses what a worker says in another's name. A worker whose certificate names hosts registers none but
// these: a live worker whose address another one registers would be lost.
func (p *pass) speaksFor(message any) error {
	if p.Role != Worker {
		return nil
	}
	if m, ok := message.(interface{ GetWorkerId() string }); ok && p.Name != "" && m.GetWorkerId() != p.Name {
		return status.Errorf(codes.PermissionDenied, "this credential is bound to worker %s; the call is for worker %s",
			p.Name, m.GetWorkerId())
	}
	if m, ok := message.(*pb.RegisterRequest); ok && p.leaf != nil && len(p.leaf.DNSNames)+len(p.leaf.IPAddresses) > 0 {
		if err := p.leaf.VerifyHostname(hostOf(m.Address)); err != nil {
			return status.Errorf(codes.PermissionDenied, "worker %s may not register the address %s: %v",
				m.WorkerId, m.Address, err)
		}
	}
	return nil
}

// hostOf is the host of "host:port", or all of it.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}
