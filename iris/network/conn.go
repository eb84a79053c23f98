package network

import (
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// connBuffer is how much one side of an in-memory connection may write ahead of what the other has read, in bytes.
const connBuffer = 256 << 10

// segment is the largest part of a write that arrives at one instant when the way is slow, in bytes: as in TCP on Ethernet.
const segment = 1460

// pair is a connection: two ends, and what is under way between them. Nothing delivers it: a reader takes what is due,
// and sleeps until more is. So a connection has no goroutine.
type pair struct {
	network *Memory
	ends    [2]conn // the dialler's and the listener's

	mu    sync.Mutex
	wake  sync.Cond // something has changed that a reader or a writer may wait for
	reset bool
}

func newPair(m *Memory, from, to string, address memoryAddr) *pair {
	p := &pair{network: m}
	p.wake.L = &p.mu
	there, back := &stream{from: from, to: to}, &stream{from: to, to: from}
	p.ends[0] = conn{pair: p, in: back, out: there, local: memoryAddr(from), remote: address}
	p.ends[1] = conn{pair: p, in: there, out: back, local: address, remote: memoryAddr(from)}
	return p
}

// await waits for a change, or for the earliest of these instants that is not zero. The caller holds p.mu.
func (p *pair) await(instants ...time.Time) {
	var first time.Time
	for _, t := range instants {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	if !first.IsZero() {
		defer time.AfterFunc(time.Until(first), p.changed).Stop()
	}
	p.wake.Wait()
}

func (p *pair) changed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wake.Broadcast()
}

// breakNow resets the connection; false if it was already.
func (p *pair) breakNow() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reset {
		return false
	}
	p.reset = true
	p.wake.Broadcast()
	return true
}

// conn is one end of a connection.
type conn struct {
	pair          *pair
	in, out       *stream
	local, remote memoryAddr

	closed                      bool // guarded by pair.mu, as are the deadlines
	readDeadline, writeDeadline time.Time
}

func (c *conn) Read(b []byte) (int, error) {
	c.pair.mu.Lock()
	defer c.pair.mu.Unlock()
	for {
		now := time.Now()
		if err := c.broken(now, c.readDeadline); err != nil {
			return 0, c.failed("read", err)
		}
		c.in.arrive(now)
		if c.in.ready > 0 || len(b) == 0 {
			n := c.in.take(b)
			c.pair.wake.Broadcast() // there is room
			return n, nil
		}
		if c.in.finished {
			return 0, io.EOF
		}
		c.pair.await(c.readDeadline, c.in.next())
	}
}

func (c *conn) Write(b []byte) (int, error) {
	c.pair.mu.Lock()
	defer c.pair.mu.Unlock()
	for written := 0; ; {
		now := time.Now()
		if err := c.broken(now, c.writeDeadline); err != nil {
			return written, c.failed("write", err)
		}
		if c.in.arrive(now); c.in.finished {
			return written, c.failed("write", syscall.EPIPE)
		}
		if n := min(c.out.room(), len(b)-written); n > 0 {
			c.out.send(now, b[written:written+n])
			written += n
			c.pair.wake.Broadcast()
		}
		if written == len(b) {
			return written, nil
		}
		c.pair.await(c.writeDeadline, c.in.next())
	}
}

// broken is why an end is of no use now.
func (c *conn) broken(now, deadline time.Time) error {
	switch {
	case c.closed:
		return net.ErrClosed
	case c.pair.reset:
		return syscall.ECONNRESET
	case !deadline.IsZero() && !now.Before(deadline):
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (c *conn) failed(what string, err error) error {
	return &net.OpError{Op: what, Net: "memory", Source: c.local, Addr: c.remote, Err: err}
}

// Close ends both directions. The other side reads what was written before, and then the end of it.
func (c *conn) Close() error {
	c.pair.mu.Lock()
	first := !c.closed
	c.closed = true
	if first {
		c.out.end(time.Now())
		c.pair.wake.Broadcast()
	}
	both := c.pair.ends[0].closed && c.pair.ends[1].closed
	c.pair.mu.Unlock()
	if first && both {
		c.pair.network.forget(c.pair)
	}
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetDeadline(t time.Time) error {
	return c.setDeadlines(t, &c.readDeadline, &c.writeDeadline)
}

func (c *conn) SetReadDeadline(t time.Time) error { return c.setDeadlines(t, &c.readDeadline) }

func (c *conn) SetWriteDeadline(t time.Time) error { return c.setDeadlines(t, &c.writeDeadline) }

func (c *conn) setDeadlines(t time.Time, which ...*time.Time) error {
	c.pair.mu.Lock()
	defer c.pair.mu.Unlock()
	if c.closed {
		return c.failed("set", net.ErrClosed)
	}
	for _, deadline := range which {
		*deadline = t
	}
	c.pair.wake.Broadcast()
	return nil
}

// stream is one direction of a connection. It is guarded by its pair.
type stream struct {
	from, to string
	faults   []*Fault // that take effect on it now
	data     []byte   // sent, and not read before data[read]
	read     int
	ready    int      // bytes of it that have arrived, from data[read]
	flights  []flight // of the others, in order
	finished bool     // the writer has closed it, and the reader can know
}

// flight is what arrives at one instant: some bytes, or the end.
type flight struct {
	bytes int
	end   bool
	due   time.Time
}

func (s *stream) room() int { return connBuffer - (len(s.data) - s.read) }

// send puts bytes on their way. There must be room.
func (s *stream) send(now time.Time, b []byte) {
	if s.read > 0 && len(s.data)+len(b) > cap(s.data) {
		s.data, s.read = s.data[:copy(s.data, s.data[s.read:])], 0
	}
	s.data = append(s.data, b...)
	if len(s.faults) == 0 && len(s.flights) == 0 {
		s.ready += len(b)
		return
	}
	for part := range (len(b) + segment - 1) / segment {
		s.launch(now, flight{bytes: min(segment, len(b)-part*segment)})
	}
}

func (s *stream) end(now time.Time) { s.launch(now, flight{end: true}) }

// launch gives a flight its instant: as late as the faults want.
func (s *stream) launch(now time.Time, f flight) {
	f.due = now
	for _, fault := range s.faults {
		late := fault.late(f.due, s.from, s.to, f.bytes)
		if late.After(f.due) || fault.kind == partition {
			fault.bytes.Add(int64(f.bytes))
		}
		f.due = late
	}
	s.flights = append(s.flights, f)
}

// held reports whether nothing arrives at all.
func (s *stream) held() bool {
	return len(partitions(s.faults)) > 0
}

// arrive makes ready what is due, and is not behind something that is not.
func (s *stream) arrive(now time.Time) {
	if s.held() {
		return
	}
	n := 0
	for ; n < len(s.flights) && !s.flights[n].due.After(now); n++ {
		s.ready += s.flights[n].bytes
		s.finished = s.finished || s.flights[n].end
	}
	if s.flights = s.flights[n:]; len(s.flights) == 0 {
		s.flights = nil
	}
}

// next is when more arrives; zero if nothing does.
func (s *stream) next() time.Time {
	if len(s.flights) == 0 || s.held() {
		return time.Time{}
	}
	return s.flights[0].due
}

// take is a read of what is ready.
func (s *stream) take(b []byte) int {
	n := copy(b, s.data[s.read:s.read+s.ready])
	s.read, s.ready = s.read+n, s.ready-n
	if s.read == len(s.data) {
		s.data, s.read = s.data[:0], 0
	}
	return n
}

// suffer puts the faults that hold now in the place of those that held. What had arrived by then stays so; what is under
// way when the way is cut waits, and when the last fault is healed it arrives.
func (s *stream) suffer(now time.Time, faults []*Fault, healed bool) {
	s.arrive(now)
	for _, f := range faults {
		if !slices.Contains(s.faults, f) && f.kind == partition {
			for _, flight := range s.flights {
				f.bytes.Add(int64(flight.bytes))
			}
		}
	}
	s.faults = faults
	if healed {
		for i := range s.flights {
			s.flights[i].due = now
		}
	}
	s.arrive(now)
}
