package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	pb "iris/iris/proto"
	"iris/iris/state"
)

// policy is that of the clusters of these tests.
var policy = state.Policy{
	NoWorkerGrace: time.Minute, DispatchRounds: 2, DispatchPause: time.Second, TimeoutSlack: time.Second,
}

// submission is the n-th entry of a test: it launches the n-th job.
func submission(n int) Entry {
	return Entry{At: time.Unix(int64(1_900_000_000+n), 0), Commands: []state.Command{
		state.SubmitJob{ID: jobID(n), Spec: &pb.JobSpec{Name: jobID(n), Replicas: proto.Int32(1)}},
	}}
}

func jobID(n int) string { return fmt.Sprintf("j-%06d", n) }

// jobsOf is how many jobs a cluster has, which must be the first ones, in order, and the state that they leave.
func jobsOf(t testing.TB, c *state.Cluster) int {
	t.Helper()
	want := state.New(state.Policy{})
	Entry{Commands: []state.Command{state.SetPolicy{Policy: policy}}}.Apply(want)
	for n, j := range c.Jobs() {
		if j.ID != jobID(n) {
			t.Fatalf("job %d is %s", n, j.ID)
		}
		submission(n).Apply(want)
	}
	if len(c.Jobs()) > 0 && !proto.Equal(c.Snapshot(), want.Snapshot()) {
		t.Fatalf("%d jobs leave another state than they should", len(c.Jobs()))
	}
	return len(c.Jobs())
}

// quiet is a log that nobody reads.
func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// testLog is the log of a test, which shows it if it fails.
func testLog(t testing.TB, id string) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})).With("voter", id)
}

// quickDir is a directory for what many tries need, in memory if the system has such a place: what they try is not
// whether an fsync reaches the disk.
func quickDir(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "journal")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// settings are what a test changes of the configuration.
type settings func(*RaftConfig)

func configure(t testing.TB, dir, id string, streams Streams, edits ...settings) RaftConfig {
	config := RaftConfig{
		Dir: dir, ID: id, Address: id, Policy: policy, Streams: streams, Cluster: t.Name(), Log: testLog(t, id),
		SegmentBytes: 1 << 20,
	}
	for _, edit := range edits {
		edit(&config)
	}
	return config
}

func bootstrapped(c *RaftConfig) { c.Bootstrap = true }

// alone opens the journal of a voter who is alone.
func alone(t testing.TB, dir string, edits ...settings) *Raft {
	t.Helper()
	r, err := OpenRaft(configure(t, dir, "c-0", (&mesh{}).join("c-0"), append(edits, bootstrapped)...))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func contextFor(t testing.TB, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}

// lead begins a term.
func lead(t testing.TB, r *Raft) Term {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	term, err := r.Lead(ctx)
	if err != nil {
		t.Fatalf("lead: %v", err)
	}
	return term
}

// propose proposes the submissions from..to-1 and applies them to the term's state, as a controller does.
func propose(term Term, from, to int) {
	for n := from; n < to; n++ {
		e := submission(n)
		e.Apply(term.State())
		term.Propose(e)
	}
}

// committed waits until so many proposals of the term are committed.
func committed(t testing.TB, term Term, n int) {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for term.Committed() < uint64(n) {
		select {
		case <-term.News():
		case <-term.Over():
			t.Fatalf("the term is over after %d of %d: %v", term.Committed(), n, term.Err())
		case <-deadline.C:
			t.Fatalf("only %d of %d are committed", term.Committed(), n)
		}
	}
}

// submitAll proposes and commits, no more outstanding than may be. Nothing else may be outstanding.
func submitAll(t testing.TB, term Term, from, to int) {
	t.Helper()
	before := int(term.Committed())
	for n := from; n < to; n++ {
		propose(term, n, n+1)
		if done := n + 1 - from; done > MaxOutstanding {
			committed(t, term, before+done-MaxOutstanding)
		}
	}
	committed(t, term, before+to-from)
}

// over waits until the term is over and says why.
func over(t testing.TB, term Term) error {
	t.Helper()
	select {
	case <-term.Over():
		return term.Err()
	case <-time.After(30 * time.Second):
		t.Fatal("the term does not end")
		return nil
	}
}

func closeAll(t testing.TB, all ...*Raft) {
	t.Helper()
	for _, r := range all {
		if err := r.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

// inBubble runs a test in virtual time. Nothing may be left running at its end.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// A mesh is the streams between the voters of a test. The zero value is ready.
type mesh struct {
	mu    sync.Mutex
	ends  map[string]*meshEnd
	apart map[[2]string]bool
}

// join gives a voter its streams. One that had this address before must have left.
func (m *mesh) join(address string) *meshEnd {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ends == nil {
		m.ends, m.apart = map[string]*meshEnd{}, map[[2]string]bool{}
	}
	e := &meshEnd{mesh: m, address: address, accept: make(chan net.Conn), done: make(chan struct{})}
	m.ends[address] = e
	return e
}

// part loses all that two voters say to each other, without telling them, until they are joined again.
func (m *mesh) part(a, b string) { m.set(a, b, true) }
func (m *mesh) heal(a, b string) { m.set(a, b, false) }

func (m *mesh) set(a, b string, apart bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.apart[[2]string{a, b}], m.apart[[2]string{b, a}] = apart, apart
}

func (m *mesh) parted(a, b string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.apart[[2]string{a, b}]
}

// meshEnd is one voter's streams.
type meshEnd struct {
	mesh    *mesh
	address string
	accept  chan net.Conn
	once    sync.Once
	done    chan struct{}
}

func (e *meshEnd) Dial(ctx context.Context, address string) (net.Conn, error) {
	if e.mesh.parted(e.address, address) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	e.mesh.mu.Lock()
	to := e.mesh.ends[address]
	e.mesh.mu.Unlock()
	if to == nil {
		return nil, errors.New("nobody is there")
	}
	here, there := net.Pipe()
	select {
	case to.accept <- &meshConn{Conn: there, mesh: e.mesh, from: address, to: e.address}:
		return &meshConn{Conn: here, mesh: e.mesh, from: e.address, to: address}, nil
	case <-to.done:
		return nil, errors.New("nobody is there any more")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (e *meshEnd) Accept() (net.Conn, error) {
	select {
	case conn := <-e.accept:
		return conn, nil
	case <-e.done:
		return nil, net.ErrClosed
	}
}

func (e *meshEnd) Close() error {
	e.once.Do(func() { close(e.done) })
	return nil
}

// meshConn is one side of a stream.
type meshConn struct {
	net.Conn
	mesh     *mesh
	from, to string
	mu       sync.Mutex
	lost     bool // bytes were lost, so that what follows can never arrive
}

func (c *meshConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	c.lost = c.lost || c.mesh.parted(c.from, c.to)
	lost := c.lost
	c.mu.Unlock()
	if lost {
		return len(b), nil
	}
	return c.Conn.Write(b)
}
