package exact

import (
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	"iris/acceptance/fault"
	"iris/iris/leader"
	"iris/iris/state"
)

// beatAt plans a beat.
func (w *worker) beatAt(at int64) { w.sim.inNode(w.node, at-w.sim.now, beat{w, at}) }

// beat is when one is due, unless it was put forward since, or that life is over.
type beat struct {
	*worker
	at int64
}

func (b beat) happen() {
	if w := b.worker; w.up && w.beat == b.at {
		w.sendBeat()
	}
}

// beatSoon has a beat within a second: a report was lost.
func (w *worker) beatSoon() {
	w.stir()
	if soon := w.sim.now + second; w.beat > soon {
		w.beat = soon
		w.beatAt(soon)
	}
}

// nextBeat ends a call, and has a beat so much later.
func (w *worker) nextBeat(d int64) {
	w.calling = false
	w.beat = w.sim.now + d
	w.beatAt(w.beat)
}

// sendBeat says all that there is to say, and follows the answer.
func (w *worker) sendBeat() {
	s := w.sim
	if w.calling {
		return
	}
	w.calling = true
	if s.strikes("worker.heartbeat", w.id) {
		w.nextBeat(int64(s.story.Cluster.Beat))
		return
	}
	if late := s.skew(w.id); late > 0 {
		w.later(late, w.tell)
		return
	}
	w.tell()
}

func (w *worker) tell() {
	w.sim.ask(w.node, callTimeout, &heartbeat{w.words(w.everything())})
}

type heartbeat struct{ words }

// words are what a worker says in a call: as things were when it left.
type words struct {
	*worker
	incarnation, address string
	sent                 int64
	reports              []state.Report
	draining             bool
}

func (w *worker) words(reports []state.Report) words {
	return words{w, w.incarnation, w.address, w.sim.now, reports, w.draining}
}

// verified are the commands that the words have led to: none, if the worker was started again since (FM-17).
func (w *words) verified(l *leader.Leader, commands []state.Command) []state.Command {
	if known := l.Cluster().Worker(w.id); len(commands) > 0 && known != nil && known.Incarnation != w.incarnation {
		w.sim.violate("a report of worker %s, incarnation %s, counts after incarnation %s has registered", w.id, w.incarnation, known.Incarnation)
	}
	return commands
}

func (h *heartbeat) ask(l *leader.Leader) []state.Command {
	h.sim.meetsBeat(l.Cluster(), h.worker, h.reports)
	if known := l.Cluster().Worker(h.id); known != nil && !known.Lost && known.Incarnation == h.incarnation {
		h.heardAt()
	}
	defer h.promise(l)
	return h.verified(l, l.Heartbeat(h.sim.time(), h.id, h.incarnation, h.draining, h.reports))
}

func (h *heartbeat) answer(t *term, _ []error) (a answer) {
	a.ack, a.stop, a.known = t.leads.Answer(h.id, h.incarnation, h.reports)
	return a
}

func (h *heartbeat) done(code codes.Code, said answer) {
	w, s := h.worker, h.sim
	interval := int64(s.story.Cluster.Beat)
	switch {
	case code != codes.OK:
		w.nextBeat(min(interval, second+s.coins.Int64N(second)))
	case !said.known:
		w.register()
	default:
		if h.sent-w.leaseFrom > int64(s.story.Cluster.WorkerTimeout()) && len(w.ledger) > 0 {
			s.row(19)
		}
		w.leaseFrom = h.sent
		w.heard(h.reports)
		w.answered(said.ack, said.stop)
		if len(said.ack)+len(said.stop) == 0 && w.nothingNew() {
			w.calling = false
			w.quieten(h.sent)
			return
		}
		w.nextBeat(interval)
	}
}

// nothingNew reports whether the beats to come say but that the worker lives, and nothing keeps them from being heard.
func (w *worker) nothingNew() bool {
	s := w.sim
	if s.term == nil || w.draining || s.disturbs(w) {
		return false
	}
	return !slices.ContainsFunc(w.ledger, func(a *attempt) bool { return a.report.State.Terminal() || a.told != a.report.State })
}

// evermore is later than any story.
const evermore = 1 << 62

// quieten has a worker beat no more: its beats are as good as told.
func (w *worker) quieten(since int64) {
	w.beat, w.quiet = 0, since
	w.promise(w.sim.term.leads)
}

// promise has a leader hear all beats of a quiet worker in advance, and again when it has heard a late one.
func (w *worker) promise(l *leader.Leader) {
	if w != nil && w.quiet > 0 {
		l.Heard(epoch.Add(evermore), w.id, false)
	}
}

// stir has a quiet worker beat again. The leader has heard those beats that were sent by now.
func (w *worker) stir() {
	if w == nil || w.quiet == 0 {
		return
	}
	if w.sim.now-w.quiet > 3600*second {
		w.sim.row(20)
	}
	w.leaseFrom = w.lastBeat()
	w.quiet, w.served = 0, w.leaseFrom
	if t := w.sim.term; t != nil && w.up {
		t.leads.Heard(epoch.Add(time.Duration(w.leaseFrom)), w.id, false)
	}
	w.beat = w.leaseFrom + int64(w.sim.story.Cluster.Beat)
	w.beatAt(w.beat)
}

// lastBeat is when a worker that is quiet, or answered, was last heard of.
func (w *worker) lastBeat() int64 {
	if w.quiet == 0 {
		return w.leaseFrom
	}
	interval := int64(w.sim.story.Cluster.Beat)
	return w.quiet + (w.sim.now-w.quiet)/interval*interval
}

// lease is when the controller may give the worker's exclusive tasks to others.
func (w *worker) lease() int64 { return w.lastBeat() + int64(w.sim.story.Cluster.WorkerTimeout()) }

// restless reports whether the silence of workers means something: not all that count as live are quiet.
func (s *sim) restless(c *state.Cluster) bool {
	if len(s.ongoing) > 0 {
		return true
	}
	quiet := 0
	for _, w := range s.workers {
		if w.quiet > 0 {
			quiet++
		}
	}
	for _, w := range c.Workers() {
		if !w.Lost {
			quiet--
		}
	}
	return quiet != 0
}

// restir has every worker beat: from now on it matters.
func (s *sim) restir() {
	for _, w := range s.workers {
		w.stir()
	}
	if t := s.term; t != nil {
		t.rest()
	}
}

// skew is by how much a worker's beats are late.
func (s *sim) skew(id string) (late int64) {
	for _, h := range s.armed {
		if h.Kind == fault.KindSkew && (h.A == id || h.A == fault.Anybody) {
			h.struck = true
			late += int64(h.Delay)
		}
	}
	return late
}
