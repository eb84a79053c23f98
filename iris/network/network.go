// Package network is how the participants of a cluster reach each other: over TCP, or inside one process.
//
// The in-memory network is what makes virtual time possible: its connections block on channels only, so a
// testing/synctest bubble can tell that everybody waits. Both carry the same gRPC stack.
package network

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
)

// Network listens on and dials addresses.
type Network interface {
	// Listen opens an address; an empty one, or a TCP port 0, picks a free one. The listener's Addr is what others dial.
	Listen(address string) (net.Listener, error)
	// Dial connects to an address that somebody listens on.
	Dial(ctx context.Context, address string) (net.Conn, error)
}

// TCP is the real network.
type TCP struct{}

// Listen opens a TCP address; an empty one is a free port on loopback.
func (TCP) Listen(address string) (net.Listener, error) {
	if address == "" {
		address = "127.0.0.1:0"
	}
	return net.Listen("tcp", address)
}

// Dial connects over TCP.
func (TCP) Dial(ctx context.Context, address string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "tcp", address)
}

// Memory is a network inside one process. The zero value is empty and ready.
type Memory struct {
	mu        sync.Mutex
	listeners map[string]*listener
	opened    int
}

// connBuffer is how much one side of an in-memory connection may write ahead of the other.
const connBuffer = 256 << 10

// Listen opens an address of any form. It fails when the address is in use.
func (m *Memory) Listen(address string) (net.Listener, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for address == "" {
		m.opened++
		if free := fmt.Sprintf("memory-%d", m.opened); m.listeners[free] == nil {
			address = free
		}
	}
	if m.listeners[address] != nil {
		return nil, fmt.Errorf("listen on %s: address in use", address)
	}
	l := &listener{Listener: bufconn.Listen(connBuffer), network: m, address: memoryAddr(address)}
	if m.listeners == nil {
		m.listeners = map[string]*listener{}
	}
	m.listeners[address] = l
	return l, nil
}

// Dial connects to an open address.
func (m *Memory) Dial(ctx context.Context, address string) (net.Conn, error) {
	m.mu.Lock()
	l := m.listeners[address]
	m.mu.Unlock()
	if l == nil {
		return nil, fmt.Errorf("dial %s: nobody listens there", address)
	}
	return l.DialContext(ctx)
}

type listener struct {
	*bufconn.Listener
	network *Memory
	address memoryAddr
}

func (l *listener) Addr() net.Addr { return l.address }

func (l *listener) Close() error {
	l.network.mu.Lock()
	if l.network.listeners[string(l.address)] == l {
		delete(l.network.listeners, string(l.address))
	}
	l.network.mu.Unlock()
	return l.Listener.Close()
}

type memoryAddr string

func (memoryAddr) Network() string  { return "memory" }
func (a memoryAddr) String() string { return string(a) }

// Client is a gRPC connection to an address. It connects when first used and reconnects by itself, pausing 0.1 s to 5 s
// between tries; calls on it fail with UNAVAILABLE meanwhile. Options come on top, credentials for example; without any
// the connection is in the clear.
func Client(n Network, address string, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+address, append([]grpc.DialOption{
		grpc.WithContextDialer(n.Dial),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxMessage), grpc.MaxCallSendMsgSize(MaxMessage)),
	}, options...)...)
}

// MaxMessage is the largest message either side takes, in bytes; a larger one is RESOURCE_EXHAUSTED.
const MaxMessage = 16 << 20

// Chunk is how much of a stream of bytes, such as a bundle, one message carries.
const Chunk = 256 << 10

// Server is a gRPC server with the limits that Client expects; options come on top. Its Stop waits for the handlers.
func Server(options ...grpc.ServerOption) *grpc.Server {
	return grpc.NewServer(append([]grpc.ServerOption{
		grpc.MaxRecvMsgSize(MaxMessage), grpc.MaxSendMsgSize(MaxMessage), grpc.WaitForHandlers(true),
	}, options...)...)
}
