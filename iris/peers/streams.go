// Package peers connects the controllers of a cluster with each other, over their gRPC ports: one port and one set of
// credentials serve users, workers and the other controllers.
//
//	streams := peers.NewStreams(network.TCP{}, dialOptions...)
//	log, err := journal.OpenRaft(journal.RaftConfig{Streams: streams, …})
//	c, err := controller.Start(controller.Config{Journal: log, Services: []func(grpc.ServiceRegistrar){streams.Register}, …})
package peers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"google.golang.org/grpc"

	"iris/iris/network"
	pb "iris/iris/proto"
)

// Streams are connections in both directions between controllers, each of them a gRPC stream.
type Streams struct {
	network  network.Network
	options  []grpc.DialOption
	accepted chan net.Conn
	closed   chan struct{}
	running  sync.WaitGroup

	mu    sync.Mutex
	over  bool
	conns map[string]*grpc.ClientConn // by address
}

// NewStreams dials over n, with options as in [network.Client].
func NewStreams(n network.Network, options ...grpc.DialOption) *Streams {
	return &Streams{network: n, options: options, accepted: make(chan net.Conn), closed: make(chan struct{}),
		conns: map[string]*grpc.ClientConn{}}
}

// Accept waits for a connection from another controller. It fails once the streams are closed.
func (s *Streams) Accept() (net.Conn, error) {
	select {
	case conn := <-s.accepted:
		return conn, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

// Dial connects to the controller at an address. The context bounds the dialling alone.
func (s *Streams) Dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := s.conn(address)
	if err != nil {
		return nil, err
	}
	life, end := context.WithCancel(context.Background())
	stop := context.AfterFunc(ctx, end) // a stream's context is that of its whole life
	stream, err := pb.NewPeerServiceClient(conn).Connect(life)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		end()
		return nil, fmt.Errorf("controller at %s: %w", address, err)
	}
	near, far := net.Pipe()
	if _, ok := s.carry(stream, far, end); !ok {
		end()
		return nil, net.ErrClosed
	}
	return near, nil
}

func (s *Streams) conn(address string) (*grpc.ClientConn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil, net.ErrClosed
	}
	if conn := s.conns[address]; conn != nil {
		return conn, nil
	}
	conn, err := network.Client(s.network, address, s.options...)
	if err != nil {
		return nil, fmt.Errorf("controller at %q: %w", address, err)
	}
	s.conns[address] = conn
	return conn, nil
}

// Close ends all connections, and waits until nothing of them runs.
func (s *Streams) Close() error {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return nil
	}
	s.over = true
	close(s.closed)
	var errs []error
	for _, conn := range s.conns {
		errs = append(errs, conn.Close())
	}
	s.mu.Unlock()
	s.running.Wait()
	return errors.Join(errs...)
}

// Register offers the streams to other controllers.
func (s *Streams) Register(server grpc.ServiceRegistrar) {
	pb.RegisterPeerServiceServer(server, &service{streams: s})
}

// stream is either end of a Connect call.
type stream interface {
	Send(*pb.Bytes) error
	Recv() (*pb.Bytes, error)
}

// carry moves bytes between a stream and a pipe on the side until either ends, or the streams are closed. Then it closes
// the pipe and calls end. Nothing is sent any more once sent is closed. It returns false if the streams are closed already.
func (s *Streams) carry(stream stream, pipe net.Conn, end func()) (sent chan struct{}, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil, false
	}
	over, finish := context.WithCancel(context.Background())
	sent = make(chan struct{})
	s.running.Go(func() {
		defer finish()
		for {
			in, err := stream.Recv()
			if err != nil {
				return
			}
			if _, err := pipe.Write(in.Data); err != nil {
				return
			}
		}
	})
	s.running.Go(func() {
		defer close(sent)
		defer finish()
		for buffer := make([]byte, network.Chunk); ; {
			n, err := pipe.Read(buffer)
			if err != nil {
				return
			}
			if err := stream.Send(&pb.Bytes{Data: buffer[:n]}); err != nil {
				return
			}
		}
	})
	s.running.Go(func() {
		select {
		case <-s.closed:
		case <-over.Done():
		}
		finish()
		_ = pipe.Close() // a pipe's cannot fail
		end()
	})
	return sent, true
}
