package exact

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	"iris/iris/leader"
	"iris/iris/state"
)

// What a courier does, as package controller has it (design §3).
const (
	dispatchTries   = 4
	dispatchTimeout = 5 * time.Second
)

// courier delivers a term's orders to one incarnation of one worker.
type courier struct {
	term                         *term
	worker, incarnation, address string
	timesLost                    int
	gone                         bool
	pending                      []*parcel // not delivered yet
}

// follow has a courier for each live worker, and none for any other.
func (t *term) follow() {
	for _, w := range t.leads.Cluster().Workers() {
		c := t.couriers[w.ID]
		if c != nil && (w.Lost || c.incarnation != w.Incarnation || c.address != w.Address || c.timesLost != w.TimesLost) {
			c.gone = true
			if len(c.pending) > 0 {
				t.sim.row(7)
			}
			delete(t.couriers, w.ID)
			c = nil
		}
		if c == nil && !w.Lost {
			t.couriers[w.ID] = &courier{term: t, worker: w.ID, incarnation: w.Incarnation, address: w.Address,
				timesLost: w.TimesLost}
		}
	}
}

// greet asks every worker for a sign of life.
func (t *term) greet() {
	for _, w := range t.leads.Cluster().Workers() {
		if c := t.couriers[w.ID]; c != nil {
			c.send(greeting{c})
		}
	}
}

type greeting struct{ *courier }

func (g greeting) serve(to *worker) codes.Code {
	to.beatSoon()
	return codes.OK
}

func (g greeting) done(code codes.Code) {
	t := g.term
	if code == codes.OK {
		t.step(func(l *leader.Leader) []state.Command {
			l.Heard(t.sim.time(), g.worker, false)
			t.sim.worker(g.worker).promise(l)
			return nil
		}, nil)
	}
}

// act carries out effects.
func (t *term) act(effects []state.Effect) {
	for _, effect := range effects {
		switch e := effect.(type) {
		case state.Run:
			if c := t.couriers[e.Attempt.Worker]; c != nil && !e.Attempt.State.Terminal() {
				c.deliver(e.Attempt)
			}
		case state.Stop:
			if c := t.couriers[e.Worker]; c != nil {
				c.stop(e.UID)
			}
		case state.CreateSlice:
			t.create(e)
		case state.TerminateSlice:
			t.terminate(e)
		}
	}
}

// errand is what a courier wants of a worker.
type errand interface {
	serve(*worker) codes.Code
	done(codes.Code)
}

// delivery is a call to whoever is at a courier's address.
type delivery struct {
	call
	*courier
	to     *worker
	errand errand
}

func (c *courier) send(e errand) {
	s := c.term.sim
	to := s.at[c.address]
	if to == nil {
		s.after(s.latency(), func() { e.done(codes.Unavailable) })
		return
	}
	d := s.deliveries.next()
	*d = delivery{courier: c, to: to, errand: e}
	d.begin(s, c.term.on, to.node, dispatchTimeout, d)
}

func (d *delivery) serve() {
	if d.to.id != d.worker || d.to.incarnation != d.incarnation {
		d.reply(codes.FailedPrecondition)
		return
	}
	d.reply(d.errand.serve(d.to))
}

func (d *delivery) done(code codes.Code) {
	if !d.term.over {
		d.errand.done(code)
	}
	if d.quick { // it came once, and was answered once
		d.call.sim.deliveries.put(d)
	}
}

// parcel is an attempt on its way.
type parcel struct {
	*courier
	attempt order
	tries   int
	pause   int64
	stopped bool // it is not to be delivered any more
}

// order is what a worker is told of an attempt.
type order struct {
	uid          string
	job          string
	task, number int
}

func (c *courier) deliver(a *state.Attempt) {
	p := c.term.sim.parcels.next()
	*p = parcel{courier: c, pause: 500 * millisecond}
	p.attempt = order{uid: a.UID, job: a.Job().ID, task: a.Task(), number: a.Number()}
	c.pending = append(c.pending, p)
	p.try()
}

// forget is for a parcel that was delivered or given up.
func (p *parcel) forget() {
	p.pending = slices.DeleteFunc(p.pending, func(other *parcel) bool { return other == p })
}

func (p *parcel) try() {
	s := p.term.sim
	if p.gone || p.term.over || p.stopped {
		p.forget()
		return
	}
	began := s.now
	if s.strikes("controller.dispatch", p.worker) {
		p.failed(began, codes.Unavailable)
		return
	}
	t := s.tries.next()
	*t = try{parcel: p, began: began}
	p.send(t)
}

// try is one to deliver a parcel.
type try struct {
	*parcel
	began   int64
	refused codes.Code // why the worker does not take it
}

func (t *try) serve(to *worker) codes.Code {
	t.refused = codes.FailedPrecondition
	if t.timesLost >= to.timesLost {
		t.refused = to.order(t.attempt)
	}
	if to.sim.strikes("worker.accept_task", to.id) {
		return codes.Unavailable
	}
	return codes.OK
}

func (t *try) done(code codes.Code) {
	if code == codes.OK {
		code = t.refused
	}
	if code != codes.OK {
		t.failed(t.began, code)
		return
	}
	t.forget()
}

// failed counts a try: it is repeated, or the attempt given up.
func (p *parcel) failed(began int64, code codes.Code) {
	s := p.term.sim
	if p.gone || p.term.over {
		return
	}
	p.tries++
	s.row(10)
	if (code == codes.Unavailable || code == codes.DeadlineExceeded) && p.tries < dispatchTries {
		jitter := 0.9 + 0.2*s.coins.Float64()
		s.plan(began+int64(float64(p.pause)*jitter), p.try)
		p.pause = min(2*p.pause, 4*second)
		return
	}
	p.forget()
	p.term.step(func(*leader.Leader) []state.Command {
		return []state.Command{state.FailDispatch{UID: p.attempt.uid,
			Cause: fmt.Sprintf("dispatch to %s failed %d times: %v", p.worker, p.tries, code)}}
	}, nil)
}

// stop is the fast path of a stop; the answer to a heartbeat repeats it.
func (c *courier) stop(uid string) {
	s := c.term.sim
	for _, p := range c.pending {
		p.stopped = p.stopped || p.attempt.uid == uid
	}
	w := s.worker(c.worker)
	if s.strikes("controller.stop", c.worker) {
		s.row(8)
		w.stir()
		return
	}
	c.send(halt{w, uid})
}

// halt has a worker stop an attempt.
type halt struct {
	of  *worker // as it is known; nil: it is gone
	uid string
}

func (h halt) serve(to *worker) codes.Code {
	to.answered(nil, []string{h.uid})
	return codes.OK
}

func (h halt) done(code codes.Code) {
	if code != codes.OK {
		h.of.stir()
	}
}
