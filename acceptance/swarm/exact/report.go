package exact

import (
	"slices"

	"google.golang.org/grpc/codes"

	"iris/iris/leader"
	"iris/iris/state"
)

// everything is what a beat carries.
func (w *worker) everything() []state.Report {
	var all []state.Report
	for _, a := range w.ledger {
		if a.report.State != state.Assigned {
			all = append(all, a.report)
		}
	}
	return all
}

// changed has what changed reported soon.
func (w *worker) changed() {
	if w.dirty {
		return
	}
	w.dirty = true
	w.sim.inNode(w.node, 0, report{w})
}

// report is when a worker says what has changed. One that has begun a new life since has nothing to say yet.
type report struct{ *worker }

func (r report) happen() {
	if w := r.worker; w.up && w.dirty {
		w.report()
	}
}

// report is the fast path. What it loses, a beat brings.
func (w *worker) report() {
	s := w.sim
	w.dirty = false
	n := s.news.next()
	n.words = w.words(n.reports[:0])
	for _, a := range w.ledger {
		if !a.dirty {
			continue
		}
		a.dirty = false
		if s.strikes("worker.report_task_state", w.id) {
			w.beatSoon()
			continue
		}
		n.reports = append(n.reports, a.report)
	}
	if len(n.reports) == 0 {
		s.news.put(n)
		return
	}
	s.ask(w.node, callTimeout, n)
}

// news are reports on the fast path.
type news struct{ words }

func (n *news) ask(l *leader.Leader) []state.Command {
	n.sim.meetsReports(l.Cluster(), n.reports)
	return n.verified(l, l.Observe(n.id, n.incarnation, n.reports))
}

func (n *news) answer(t *term, _ []error) (a answer) {
	a.ack, a.stop, a.known = t.leads.Answer(n.id, n.incarnation, n.reports)
	return a
}

func (n *news) done(code codes.Code, said answer) {
	w := n.worker
	if code != codes.OK || !said.known {
		w.beatSoon()
		return
	}
	w.heard(n.reports)
	w.answered(said.ack, said.stop)
}

// heardAt notes that a leader hears the worker now. What its machine has sent may come when that is gone.
func (w *worker) heardAt() {
	w.served = w.sim.now
	if w.gone {
		w.sim.halted[w.id] = w.sim.now
	}
}

// heard notes what the controller has been told.
func (w *worker) heard(reports []state.Report) {
	for _, r := range reports {
		if a := w.find(r.UID); a != nil {
			a.told = r.State
		}
	}
}

// find is an attempt of this life, or nil.
func (w *worker) find(uid string) *attempt {
	for _, a := range w.ledger {
		if a.order.uid == uid {
			return a
		}
	}
	return nil
}

// answered follows what the controller said: forget what it noted, stop what it no longer wants.
func (w *worker) answered(ack, stop []string) {
	for _, uid := range ack {
		if a := w.find(uid); a != nil && a.report.State.Terminal() {
			w.done[uid] = true
			w.ledger = slices.DeleteFunc(w.ledger, func(other *attempt) bool { return other == a })
		}
	}
	for _, uid := range stop {
		a := w.find(uid)
		if a == nil { // it never came, or is long over: confirm it, and refuse it should it still come
			w.done[uid] = true
			a = &attempt{worker: w, order: order{uid: uid}, over: true, dirty: true}
			a.report = state.Report{UID: uid, State: state.Killed, Error: "stopped before it began"}
			w.ledger = append(w.ledger, a)
			w.changed()
			continue
		}
		a.interrupt(state.Killed, "stopped on request", killGrace)
	}
}
