package exact

import (
	"time"

	"google.golang.org/grpc/codes"

	"iris/iris/leader"
	"iris/iris/state"
)

// inquiry is an RPC to whoever leads.
type inquiry struct {
	call
	term    *term
	request request
	said    answer // what was revealed last
}

// request is what one asks a leader for.
type request interface {
	ask(*leader.Leader) []state.Command
	// answer is what the leader says after the step, given the errors of what was asked. Nobody sees it before it is revealed.
	answer(t *term, errs []error) answer
	// done is what the one who asked does, if it lives.
	done(codes.Code, answer)
}

// answer is what a leader says: to whom it is about a job, or a worker.
type answer struct {
	err       error
	ack, stop []string
	timesLost int
	known     bool
	is        state.State
}

// ask asks whoever leads.
func (s *sim) ask(from *node, limit time.Duration, what request) {
	t := s.term
	if t == nil {
		s.after(second, func() {
			if from.up {
				what.done(codes.Unavailable, answer{})
			}
		})
		return
	}
	q := s.inquiries.next()
	*q = inquiry{term: t, request: what}
	q.begin(s, from, t.on, limit, q)
}

func (q *inquiry) serve() {
	if q.sim.term != q.term {
		q.reply(codes.Unavailable)
		return
	}
	q.term.step(nil, q)
}

func (q *inquiry) done(code codes.Code) {
	q.request.done(code, q.said)
	if q.quick { // it came once, and was answered once
		if n, is := q.request.(*news); is {
			q.sim.news.put(n)
		}
		q.sim.inquiries.put(q)
	}
}

// stock is where small things come from of which there are many: one that is back is the next one's again.
type stock[T any] struct {
	fresh []T
	back  []*T
}

// next is one that may hold anything.
func (s *stock[T]) next() *T {
	if n := len(s.back); n > 0 {
		last := s.back[n-1]
		s.back = s.back[:n-1]
		return last
	}
	if len(s.fresh) == 0 {
		s.fresh = make([]T, 64)
	}
	first := &s.fresh[0]
	s.fresh = s.fresh[1:]
	return first
}

// put takes one back that nobody has any more.
func (s *stock[T]) put(it *T) { s.back = append(s.back, it) }
