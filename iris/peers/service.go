package peers

import (
	"net"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "iris/iris/proto"
)

// service is what other controllers call.
type service struct {
	pb.UnimplementedPeerServiceServer
	streams *Streams
}

// Connect hands one end of a pipe to whoever accepts, and carries bytes between the other end and the caller.
func (s *service) Connect(stream pb.PeerService_ConnectServer) error {
	near, far := net.Pipe()
	sent, ok := s.streams.carry(stream, far, func() {})
	if !ok {
		return status.Error(codes.Unavailable, "this controller is stopping")
	}
	select {
	case s.streams.accepted <- near:
	case <-sent:
	}
	<-sent // nothing may be sent on a stream whose handler has returned
	return nil
}
