// Package peers connects the controllers of a cluster with each other, over their gRPC ports: one port and one set of
// credentials serve users, workers and the other controllers.
//
//	others := peers.New(network.TCP{}, store, dialOptions...)
//	log, err := journal.OpenRaft(journal.RaftConfig{Streams: others, …})
//	c, err := controller.Start(controller.Config{
//		Journal: log, Bundles: others.Bundles(addresses), Services: []func(grpc.ServiceRegistrar){others.Register}, …,
//	})
package peers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"google.golang.org/grpc"

	"iris/iris/bundle"
	"iris/iris/network"
	pb "iris/iris/proto"
)

// Peers are the other controllers, as one of them sees them. They connect by streams in both directions, over which the
// log is replicated, and hold copies of each other's bundles.
type Peers struct {
	store    *bundle.Store
	network  network.Network
	options  []grpc.DialOption
	accepted chan net.Conn
	closed   chan struct{}
	running  sync.WaitGroup

	mu     sync.Mutex
	over   bool
	conns  map[string]*grpc.ClientConn // by address
	unused Unused                      // nil: nobody can tell yet
}

// New dials over n, with options as in [network.Client]. The store is this controller's own.
func New(n network.Network, store *bundle.Store, options ...grpc.DialOption) *Peers {
	return &Peers{store: store, network: n, options: options, accepted: make(chan net.Conn), closed: make(chan struct{}),
		conns: map[string]*grpc.ClientConn{}}
}

// Accept waits for a connection from another controller. It fails after Close.
func (p *Peers) Accept() (net.Conn, error) {
	select {
	case conn := <-p.accepted:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Dial connects to the controller at an address. The context bounds the dialling alone.
func (p *Peers) Dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := p.conn(address)
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
	if _, ok := p.carry(stream, far, end); !ok {
		end()
		return nil, net.ErrClosed
	}
	return near, nil
}

func (p *Peers) conn(address string) (*grpc.ClientConn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return nil, net.ErrClosed
	}
	if conn := p.conns[address]; conn != nil {
		return conn, nil
	}
	conn, err := network.Client(p.network, address, p.options...)
	if err != nil {
		return nil, fmt.Errorf("controller at %q: %w", address, err)
	}
	p.conns[address] = conn
	return conn, nil
}

// Close ends all connections, and waits until nothing of them runs.
func (p *Peers) Close() error {
	p.mu.Lock()
	if p.over {
		p.mu.Unlock()
		return nil
	}
	p.over = true
	close(p.closed)
	var errs []error
	for _, conn := range p.conns {
		errs = append(errs, conn.Close())
	}
	p.mu.Unlock()
	p.running.Wait()
	return errors.Join(errs...)
}

// Register offers this controller to the others.
func (p *Peers) Register(server grpc.ServiceRegistrar) {
	pb.RegisterPeerServiceServer(server, &service{peers: p})
}

// stream is either end of a Connect call.
type stream interface {
	Send(*pb.Bytes) error
	Recv() (*pb.Bytes, error)
}

// carry moves bytes between a stream and a pipe on the side until either ends, or Close is called. Then it closes
// the pipe and calls end. Nothing is sent any more once sent is closed. It returns false after Close.
func (p *Peers) carry(stream stream, pipe net.Conn, end func()) (sent chan struct{}, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return nil, false
	}
	over, finish := context.WithCancel(context.Background())
	sent = make(chan struct{})
	p.running.Go(func() {
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
	p.running.Go(func() {
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
	p.running.Go(func() {
		select {
		case <-p.closed:
		case <-over.Done():
		}
		finish()
		_ = pipe.Close() // a pipe's cannot fail
		end()
	})
	return sent, true
}
