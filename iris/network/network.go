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
type TCP struct {
	// MaxConnections is how many connections a listener holds at once; see Limit. Default: MaxConnections.
	MaxConnections int
}

// Listen opens a TCP address; an empty one is a free port on loopback.
func (t TCP) Listen(address string) (net.Listener, error) {
	if address == "" {
		address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	if t.MaxConnections == 0 {
		t.MaxConnections = MaxConnections
	}
	return Limit(l, t.MaxConnections), nil
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
