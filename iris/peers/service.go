package peers

import (
	"errors"
	"io"
	"net"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/iris/bundle"
	"iris/iris/network"
	pb "iris/iris/proto"
)

// service is what other controllers call.
type service struct {
	pb.UnimplementedPeerServiceServer
	peers *Peers
}

// Connect hands one end of a pipe to whoever accepts, and carries bytes between the other end and the caller.
func (s *service) Connect(stream pb.PeerService_ConnectServer) error {
	near, far := net.Pipe()
	sent, ok := s.peers.carry(stream, far, func() {})
	if !ok {
		return status.Error(codes.Unavailable, "this controller is stopping")
	}
	select {
	case s.peers.accepted <- near:
	case <-sent:
	}
	<-sent // nothing may be sent on a stream whose handler has returned
	return nil
}

// PutBundle stores a copy here.
func (s *service) PutBundle(in pb.PeerService_PutBundleServer) error {
	if err := Receive(in, func(hash bundle.Hash, from io.Reader) error {
		return s.peers.store.Put(in.Context(), hash, from)
	}); err != nil {
		return err
	}
	return in.SendAndClose(&pb.UploadBundleResponse{})
}

// GetBundle sends what is stored here.
func (s *service) GetBundle(in *pb.DownloadBundleRequest, out pb.PeerService_GetBundleServer) error {
	return Send(in.Sha256, out, func(hash bundle.Hash) (io.ReadCloser, int64, error) { return s.peers.store.Open(hash) })
}

// Receive takes an uploaded bundle from a call's stream and has it stored. Errors are gRPC statuses.
func Receive(in interface {
	Recv() (*pb.UploadBundleRequest, error)
}, store func(bundle.Hash, io.Reader) error) error {
	first, err := in.Recv()
	if err != nil {
		return err
	}
	hash, err := bundle.ParseHash(first.Sha256)
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	err = store(hash, &parts{rest: first.Data, next: func() ([]byte, error) {
		part, err := in.Recv()
		return part.GetData(), err
	}})
	switch {
	case errors.Is(err, bundle.ErrHashMismatch), errors.Is(err, bundle.ErrLimit):
		return status.Error(codes.InvalidArgument, err.Error())
	case status.Code(err) == codes.Unknown:
		return status.Errorf(codes.Internal, "store bundle %s: %v", hash, err)
	}
	return err
}

// Send sends a bundle over a call's stream. Errors are gRPC statuses.
func Send(sum string, out interface {
	Send(*pb.DownloadBundleResponse) error
}, open func(bundle.Hash) (io.ReadCloser, int64, error)) error {
	hash, err := bundle.ParseHash(sum)
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	file, _, err := open(hash)
	switch {
	case errors.Is(err, bundle.ErrNotFound):
		return status.Error(codes.NotFound, err.Error())
	case err != nil:
		return status.Errorf(codes.Internal, "open bundle %s: %v", hash, err)
	}
	defer func() { _ = file.Close() }() // it was only read
	for buffer := make([]byte, network.Chunk); ; {
		n, err := file.Read(buffer)
		if n > 0 {
			if err := out.Send(&pb.DownloadBundleResponse{Data: buffer[:n]}); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return status.Errorf(codes.Internal, "read bundle %s: %v", hash, err)
		}
	}
}

// parts reads what arrives in messages.
type parts struct {
	rest []byte
	next func() ([]byte, error)
}

func (p *parts) Read(to []byte) (int, error) {
	for len(p.rest) == 0 {
		next, err := p.next()
		if err != nil {
			return 0, err
		}
		p.rest = next
	}
	n := copy(to, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}
