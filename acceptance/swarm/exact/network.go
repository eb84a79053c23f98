package exact

import (
	"time"

	"google.golang.org/grpc/codes"

	"iris/acceptance/fault"
)

// node is a participant.
type node struct {
	name   string
	up     bool
	life   int         // grows with each start
	frozen int         // faults that freeze it
	thawed []happening // what waits until none does
}

func (s *sim) node(name string) *node {
	n := &node{name: name}
	s.named[name] = n
	return n
}

// harm is a fault that goes on.
type harm struct {
	fault.Fault
	began  time.Time
	struck bool
	fired  int // of a site
	end    func()
}

// held is a message that waits for the end of a fault.
type held struct {
	from, to *node
	arrives  happening
}

// on reports whether the fault is on the way from one node to another.
func (h *harm) on(from, to *node) bool {
	is := func(name string, n *node) bool { return name == fault.Anybody || name == n.name }
	if is(h.A, from) && is(h.B, to) {
		return true
	}
	return (h.Kind == fault.KindCut || h.Kind == fault.KindReset) && is(h.A, to) && is(h.B, from)
}

// latency is what a message takes when nothing is wrong.
func (s *sim) latency() int64 {
	if s.quick {
		return millisecond
	}
	return 100_000 + s.coins.Int64N(20*millisecond)
}

// calm reports whether nothing is wrong with the network.
func (s *sim) calm() bool { return len(s.disturbed) == 0 }

// cut reports whether nothing gets from one node to another now.
func (s *sim) cut(from, to *node) bool {
	if from.frozen+to.frozen > 0 {
		return true
	}
	cut := false
	for _, h := range s.disturbed {
		if (h.Kind == fault.KindPartition || h.Kind == fault.KindCut) && h.on(from, to) {
			h.struck, cut = true, true
		}
	}
	return cut
}

// transit takes a message from one node to another, as late as the faults on its way make it.
func (s *sim) transit(from, to *node, arrives happening) {
	if s.cut(from, to) {
		s.held = append(s.held, held{from, to, arrives})
		return
	}
	late := s.latency()
	for _, h := range s.disturbed {
		if !h.on(from, to) {
			continue
		}
		switch h.Kind {
		case fault.KindDelay:
			late += int64(h.Delay) + s.coins.Int64N(int64(h.Jitter)+1)
		case fault.KindLossy:
			for again := 200 * millisecond; again <= 3200*millisecond && s.coins.Float64() < h.Share; again *= 2 {
				late += again
			}
		case fault.KindSlow:
			late += messageBytes * second / int64(h.Rate)
			s.row(28)
		default:
			continue
		}
		h.struck = true
	}
	s.in(late, arrives)
}

const messageBytes = 400

// release sends on its way what was held, as far as it may go.
func (s *sim) release() {
	waiting := s.held
	s.held = nil
	for _, m := range waiting {
		s.transit(m.from, m.to, m.arrives)
	}
}

// share reports whether some fault of the kind strikes a call of one node to another, and its delay.
func (s *sim) share(kind fault.Kind, from, to *node) (delay int64, strikes bool) {
	for _, h := range s.disturbed {
		if h.Kind == kind && h.on(from, to) && s.coins.Float64() < h.Share {
			h.struck, strikes = true, true
			delay = max(delay, int64(h.Delay))
		}
	}
	return delay, strikes
}

// refused reports whether nobody answers at a node.
func (s *sim) refused(from, to *node) bool {
	refused := false
	for _, h := range s.disturbed {
		if h.Kind == fault.KindRefuse && h.on(from, to) {
			h.struck, refused = true, true
		}
	}
	return refused
}

// call is an RPC under way.
type call struct {
	sim            *sim
	from, to       *node
	caller, callee int // their lives
	what           procedure
	quick          bool // nothing is wrong: its answer takes no time
	reset          int  // how often the connection was when it began
	settled        bool
}

// procedure is what a call is about.
type procedure interface {
	// serve is what the callee does: it replies to the call, at once or later.
	serve()
	// done is what the caller does with the answer, or with the failure to get one in time. It happens once, if the caller lives.
	done(codes.Code)
}

// begin makes the call.
func (c *call) begin(s *sim, from, to *node, limit time.Duration, what procedure) {
	*c = call{sim: s, from: from, to: to, caller: from.life, callee: to.life, what: what}
	if c.quick = s.calm() && from.frozen+to.frozen == 0 && s.quick; c.quick {
		s.in(millisecond, arrival{c})
		return
	}
	if !c.lives() || s.refused(from, to) {
		s.after(s.latency(), func() { c.settle(codes.Unavailable) })
		return
	}
	s.in(int64(limit), expiry{c})
	c.reset = s.resets[[2]*node{from, to}]
	send := c.send
	if _, twice := s.share(fault.KindRepeat, from, to); twice {
		send = func() {
			c.send()
			s.after(s.between(0, time.Second), c.send)
		}
	}
	if most, late := s.share(fault.KindReorder, from, to); late {
		s.after(s.coins.Int64N(most+1), send)
		return
	}
	send()
}

func (c *call) send() { c.sim.transit(c.from, c.to, arrival{c}) }

// lives reports whether the callee is who it was.
func (c *call) lives() bool { return c.to.up && c.to.life == c.callee }

// broken reports whether the connection was reset.
func (c *call) broken() bool { return c.sim.resets[[2]*node{c.from, c.to}] != c.reset }

// arrival is that of a call at its callee.
type arrival struct{ *call }

func (a arrival) happen() {
	if !a.lives() || a.quick && a.to.frozen > 0 || !a.quick && a.broken() {
		a.settle(codes.Unavailable)
		return
	}
	a.what.serve()
}

// expiry is the end of the time that the caller waits.
type expiry struct{ *call }

func (e expiry) happen() { e.settle(codes.DeadlineExceeded) }

// reply is the callee's answer. It may be given more than once: the first that comes counts.
func (c *call) reply(code codes.Code) {
	if c.quick {
		c.settle(code)
		return
	}
	c.sim.transit(c.to, c.from, whatever(func() {
		if c.broken() {
			c.settle(codes.Unavailable)
		} else {
			c.settle(code)
		}
	}))
}

// settle ends the call for its caller.
func (c *call) settle(code codes.Code) {
	if !c.settled && c.from.up && c.from.life == c.caller {
		c.settled = true
		c.what.done(code)
	}
}

// reset breaks all connections between two: what is under way on them is lost.
func (s *sim) reset(h *harm) {
	for _, a := range s.named {
		for _, b := range s.named {
			if a != b && h.on(a, b) {
				s.resets[[2]*node{a, b}]++
			}
		}
	}
	h.struck = true
	s.row(29)
}
