package journal

import (
	"sync"
	"sync/atomic"

	"iris/iris/state"
)

// raftTerm is a time in which this controller leads. It outlasts raft's leadership by no more than it takes to notice:
// what is proposed in between does not count, see fence.
type raftTerm struct {
	raft      *Raft
	id        uint64 // at random; not raft's
	state     *state.Cluster
	committed atomic.Uint64
	news      chan struct{}
	over      chan struct{}

	mu    sync.Mutex
	err   error   // why it is over
	queue []Entry // proposed, and not handed to raft
	sent  []part  // handed to raft, and not applied
	next  uint64  // number of the next part
}

// part is an entry, or as much of it as goes into one record; last is set for the last one.
type part struct {
	entry Entry
	last  bool
}

func (t *raftTerm) State() *state.Cluster { return t.state }
func (t *raftTerm) Committed() uint64     { return t.committed.Load() }
func (t *raftTerm) News() <-chan struct{} { return t.news }
func (t *raftTerm) Over() <-chan struct{} { return t.over }

// Err is why the term is over; nil while it is not.
func (t *raftTerm) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// Propose hands the entry to the goroutine that feeds raft.
func (t *raftTerm) Propose(e Entry) {
	t.mu.Lock()
	if t.err == nil {
		t.queue = append(t.queue, e)
	}
	t.mu.Unlock()
	wake(t.raft.proposed)
}

// End ends the term. Whatever of its proposals is still on its way concerns nobody any more.
func (t *raftTerm) End() { t.finish(errEnded) }

// finish ends the term, unless it is over. The first cause counts.
func (t *raftTerm) finish(cause error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err, t.queue = cause, nil
		close(t.over)
	}
}

// pull takes at most so many entries that were proposed.
func (t *raftTerm) pull(most int) []Entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := min(most, len(t.queue))
	entries := t.queue[:n:n]
	t.queue = t.queue[n:]
	return entries
}

// send notes parts that are handed to raft, and returns the number of the first.
func (t *raftTerm) send(parts []part) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := t.next
	t.sent, t.next = append(t.sent, parts...), t.next+uint64(len(parts))
	return first
}

// take returns the next parts that are applied.
func (t *raftTerm) take(n int) []part {
	t.mu.Lock()
	defer t.mu.Unlock()
	parts := t.sent[:n:n]
	t.sent = t.sent[n:]
	return parts
}

// advance tells that so many more proposals are committed.
func (t *raftTerm) advance(proposals int) {
	if proposals == 0 || t.Err() != nil {
		return
	}
	t.committed.Add(uint64(proposals))
	wake(t.news)
}

// wake sends to a channel that remembers one message, unless it does already.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
