package journal

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// Streams are how voters reach each other. A stream carries bytes both ways, in order, until one side closes it.
// Deadlines of a stream need not work: a journal keeps its own.
type Streams interface {
	// Dial opens a stream to the voter at this address.
	Dial(ctx context.Context, address string) (net.Conn, error)
	// Accept waits for a stream that another voter opened. It fails once Streams are closed.
	Accept() (net.Conn, error)
	// Close ends Accept. Streams that are open stay so.
	Close() error
}

// streamLayer is Streams as raft wants them. It knows all that are open, so as to cut them at an instant: no voter
// hears of what happens here after the journal is over.
type streamLayer struct {
	streams  Streams
	address  string
	accepted chan net.Conn
	ctx      context.Context // ends when the streams are cut
	cancel   context.CancelFunc
	accepts  sync.WaitGroup // the goroutine that accepts
	serving  sync.WaitGroup // streams that others opened and raft has not closed
	stop     func() error

	// greet is done to a stream that was dialled, greeted to one that was accepted, before raft has it.
	greet, greeted func(net.Conn) error
	log            *slog.Logger

	mu      sync.Mutex
	over    bool
	open    map[*stream]struct{}
	refused string // why the last one was
}

func newStreamLayer(streams Streams, address string, log *slog.Logger) *streamLayer {
	l := &streamLayer{
		streams: streams, address: address, log: log, accepted: make(chan net.Conn), open: map[*stream]struct{}{},
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.stop = sync.OnceValue(func() error {
		l.cut()
		err := l.streams.Close()
		l.accepts.Wait()
		l.serving.Wait()
		return err
	})
	return l
}

// start begins to accept streams.
func (l *streamLayer) start(greet, greeted func(net.Conn) error) {
	l.greet, l.greeted = greet, greeted
	l.accepts.Go(l.accept)
}

// accept takes what others open, until the streams are cut.
func (l *streamLayer) accept() {
	for {
		conn, err := l.streams.Accept()
		switch {
		case err == nil:
			l.accepts.Go(func() { l.admit(conn) }) // others are not kept waiting by one who says nothing
		case !sleep(l.ctx, minPause): // it may pass
			return
		}
	}
}

// greetingTime is how long the other side of a stream has to say who it is.
const greetingTime = 2 * time.Second

// admit hands a stream to raft if the other side is one to talk to.
func (l *streamLayer) admit(conn net.Conn) {
	s, err := l.track(conn, l.serving.Done)
	if err != nil {
		return
	}
	_ = s.SetReadDeadline(time.Now().Add(greetingTime))
	if err := l.greeted(s); err != nil {
		_ = s.Close()
		l.refuse(err)
		return
	}
	_ = s.SetReadDeadline(time.Time{})
	_ = l.offer(s)
}

// refuse tells why a stream is not used, once: whoever opened it tries again and again.
func (l *streamLayer) refuse(err error) {
	l.mu.Lock()
	tell := !l.over && errors.Is(err, errStranger) && l.refused != err.Error()
	if tell {
		l.refused = err.Error()
	}
	l.mu.Unlock()
	if tell {
		l.log.Warn("a stream from another voter is refused", "err", err)
	}
}

// sleep waits, and reports whether it did to the end.
func sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// offer hands a stream to raft, which closes it in the end.
func (l *streamLayer) offer(s *stream) error {
	select {
	case l.accepted <- s:
		return nil
	case <-l.ctx.Done():
		return errors.Join(errCut, s.Close())
	}
}

var errCut = errors.New("this voter is cut off: its journal is over")

// track makes a stream one that is cut with all others. Closed is called once it is closed; nil if nobody waits for
// that.
func (l *streamLayer) track(conn net.Conn, closed func()) (*stream, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return nil, errors.Join(errCut, conn.Close())
	}
	if closed == nil {
		closed = func() {}
	} else {
		l.serving.Add(1)
	}
	s := &stream{Conn: conn, layer: l, closed: sync.OnceFunc(closed)}
	l.open[s] = struct{}{}
	return s, nil
}

// cut closes all streams, and lets no other be opened.
func (l *streamLayer) cut() {
	l.cancel()
	l.mu.Lock()
	l.over = true
	open := l.open
	l.open = nil
	l.mu.Unlock()
	for s := range open {
		_ = s.Conn.Close()
	}
}

// Close cuts all streams and waits until nobody uses one that was accepted.
func (l *streamLayer) Close() error { return l.stop() }

// Accept waits for a stream that another voter opened.
func (l *streamLayer) Accept() (net.Conn, error) {
	select {
	case conn := <-l.accepted:
		return conn, nil
	case <-l.ctx.Done():
		return nil, errCut
	}
}

// Dial opens a stream to a voter; to this one, within the process.
func (l *streamLayer) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	if string(address) == l.address {
		here, there := net.Pipe()
		s, err := l.track(there, l.serving.Done)
		if err == nil {
			err = l.offer(s)
		}
		if err != nil {
			return nil, errors.Join(err, here.Close())
		}
		return l.track(here, nil)
	}
	ctx, cancel := context.WithTimeout(l.ctx, timeout)
	defer cancel()
	conn, err := l.streams.Dial(ctx, string(address))
	if err != nil {
		return nil, err
	}
	s, err := l.track(conn, nil)
	if err != nil {
		return nil, err
	}
	_ = s.SetWriteDeadline(time.Now().Add(timeout))
	if err := l.greet(s); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Addr is where others reach this voter.
func (l *streamLayer) Addr() net.Addr { return streamAddr(l.address) }

type streamAddr string

func (streamAddr) Network() string  { return "iris" }
func (a streamAddr) String() string { return string(a) }

// stream is a stream with deadlines. Past one it is closed: raft does not use a stream again that was too slow.
type stream struct {
	net.Conn
	layer  *streamLayer
	closed func()

	mu          sync.Mutex
	read, write time.Time
}

// LocalAddr is where others reach this voter.
func (s *stream) LocalAddr() net.Addr { return s.layer.Addr() }

// RemoteAddr is unknown: raft wants one to write into its log.
func (s *stream) RemoteAddr() net.Addr { return streamAddr("a voter") }

// Read reads, until the deadline.
func (s *stream) Read(b []byte) (int, error) { return s.limited(&s.read, s.Conn.Read, b) }

// Write writes, until the deadline.
func (s *stream) Write(b []byte) (int, error) { return s.limited(&s.write, s.Conn.Write, b) }

func (s *stream) limited(deadline *time.Time, do func([]byte) (int, error), b []byte) (int, error) {
	s.mu.Lock()
	at := *deadline
	s.mu.Unlock()
	if at.IsZero() {
		return do(b)
	}
	timer := time.AfterFunc(time.Until(at), func() { _ = s.Close() })
	n, err := do(b)
	if !timer.Stop() && err != nil {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

// SetDeadline sets both deadlines, for what begins from now on.
func (s *stream) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

// SetReadDeadline sets the deadline of what is read from now on.
func (s *stream) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read = t
	return nil
}

// SetWriteDeadline sets the deadline of what is written from now on.
func (s *stream) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write = t
	return nil
}

// Close closes the stream.
func (s *stream) Close() error {
	s.layer.mu.Lock()
	delete(s.layer.open, s)
	s.layer.mu.Unlock()
	defer s.closed()
	return s.Conn.Close()
}

var _ raft.StreamLayer = (*streamLayer)(nil)
