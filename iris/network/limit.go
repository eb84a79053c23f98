package network

import (
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// MaxConnections is how many connections a TCP listener holds at once, if nothing else is said.
const MaxConnections = 10_000

// Limit holds a listener to n connections at once. One more is accepted and closed at once: its client sees that and
// tries again, where one left in the queue would wait for nobody knows how long. The log gets a warning, at most one a
// minute.
func Limit(l net.Listener, n int) net.Listener {
	return &limited{Listener: l, most: int64(n)}
}

type limited struct {
	net.Listener
	most   int64
	open   atomic.Int64
	warned atomic.Int64 // when, in Unix seconds
}

func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.open.Add(1) <= l.most {
			return &counted{Conn: c, leave: sync.OnceFunc(func() { l.open.Add(-1) })}, nil
		}
		l.open.Add(-1)
		l.warn(c)
		_ = c.Close() // nothing was said on it
	}
}

func (l *limited) warn(c net.Conn) {
	now, last := time.Now().Unix(), l.warned.Load()
	if now-last >= 60 && l.warned.CompareAndSwap(last, now) {
		slog.Warn("connection refused: the listener is full",
			"listener", l.Addr().String(), "peer", c.RemoteAddr().String(), "limit", l.most)
	}
}

// counted is a connection that counts until it is closed.
type counted struct {
	net.Conn
	leave func()
}

func (c *counted) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// CloseWrite ends what this side says, where the connection can do that by halves.
func (c *counted) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
