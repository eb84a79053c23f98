// Package network is how the participants of a cluster reach each other: over TCP, or inside one process.
//
// The in-memory network is what makes virtual time possible: its connections block on channels only, so a
// testing/synctest bubble can tell that everybody waits. Both carry the same gRPC stack.
package network

import (
	"context"
	"net"
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
