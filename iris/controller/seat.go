package controller

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/iris/journal"
	"iris/iris/network"
)

// electionPatience is how long a request waits for somebody to lead before it is refused.
const electionPatience = time.Second

// seat is where whoever decides here sits: the loop of the current term, or nobody.
type seat struct {
	journal journal.Journal
	address string // this controller's, as others reach it

	mu      sync.Mutex
	loop    *loop         // nil: this controller does not lead
	changed chan struct{} // closed when a loop takes the seat
	why     error         // the last one left
	closed  bool
}

func newSeat(j journal.Journal, address string) *seat {
	return &seat{journal: j, address: address, changed: make(chan struct{})}
}

// take seats the loop of a new term.
func (s *seat) take(l *loop) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loop, s.why = l, nil
	close(s.changed)
}

// leave empties the seat when a term ends and says why, for good if the controller ends.
func (s *seat) leave(why error, forGood bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loop != nil {
		s.loop, s.why, s.changed = nil, why, make(chan struct{})
	}
	s.closed = s.closed || forGood
}

// left is why the last loop left; nil if there was none.
func (s *seat) left() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.why
}

func (s *seat) look() (l *loop, changed <-chan struct{}, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loop, s.changed, s.closed
}

// current is the loop that decides. It waits for a moment while nobody leads, and refuses with the leader's address when
// somebody else does.
func (s *seat) current(ctx context.Context) (*loop, error) {
	timer := time.NewTimer(electionPatience)
	defer timer.Stop()
	for {
		l, changed, closed := s.look()
		leader := s.journal.Leader()
		switch {
		case closed:
			return nil, errStopping
		case l != nil:
			return l, nil
		case leader != "" && leader != s.address: // its own: it is about to take the seat
			return nil, network.NotLeader(leader, nil)
		}
		select {
		case <-changed:
		case <-timer.C:
			return nil, s.refusal(s.left())
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}
}

// refusal is what a request gets that nobody can serve now: one whose loop ended before it was answered may have taken
// effect.
func (s *seat) refusal(why error) error {
	if _, _, closed := s.look(); closed {
		return errStopping
	}
	leader := s.journal.Leader()
	if leader == s.address {
		leader = ""
	}
	return network.NotLeader(leader, why)
}

// errStopping is what requests get that the loop can no longer serve.
var errStopping = status.Error(codes.Unavailable, "the controller is stopping; try again")
