package exact

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	"iris/acceptance/swarm/story"
	"iris/iris/leader"
	"iris/iris/state"
)

const callTimeout = 5 * time.Second // of one RPC of a worker

// worker is one, over all its lives.
type worker struct {
	*node
	sim         *sim
	id          string
	address     string
	incarnation string
	capacity    state.Resources
	attributes  map[string]string
	gone        bool // its machine is; it never comes back
	crashed     bool // a fault keeps it down

	taken     bool // the controller has taken this life
	calling   bool // a registration or a beat is under way
	draining  bool
	ledger    []*attempt      // in the order in which they came
	done      map[string]bool // acknowledged, or refused before it came
	dirty     bool            // something is to be reported
	beat      int64           // when the next is due; 0: it is quiet
	began     int64           // this life
	served    int64           // when a leader last heard it
	timesLost int             // as of the last registration
	leaseFrom int64           // when the last answered beat was sent
	quiet     int64           // since when each beat but says that it lives; 0: they say more
}

// addWorker starts a new one.
func (s *sim) addWorker(id string, cores int, attributes map[string]string) *worker {
	w := &worker{
		sim: s, id: id, node: s.node(id), attributes: attributes, done: map[string]bool{},
		capacity: state.Resources{CPUMillis: int64(cores) * 1000, MemoryBytes: int64(cores) * story.CoreMemory},
	}
	s.workers = append(s.workers, w)
	w.start()
	return w
}

// worker is the one with this id.
func (s *sim) worker(id string) *worker {
	if i := slices.IndexFunc(s.workers, func(w *worker) bool { return w.id == id }); i >= 0 {
		return s.workers[i]
	}
	return nil
}

// start begins a life. It may get the address of a worker that is down.
func (w *worker) start() {
	s := w.sim
	w.up = true
	w.life++
	w.incarnation = fmt.Sprintf("%06d", w.life)
	w.address = fmt.Sprintf("%s:%d", w.id, w.life)
	if w.life > 1 {
		for _, other := range s.workers {
			if other != w && !other.up && s.at[other.address] == nil && s.coins.IntN(2) == 0 {
				w.address = other.address
				s.row(24)
				break
			}
		}
	}
	s.at[w.address] = w
	w.taken, w.calling, w.draining, w.dirty, w.quiet, w.beat, w.timesLost = false, false, false, false, 0, 0, 0
	w.began = s.now
	s.log.write("starts", w.id, int64(w.life), s.now)
	w.later(0, w.register)
}

// stop ends a life, and what it ran with it.
func (w *worker) stop() {
	s := w.sim
	if !w.up {
		return
	}
	w.stir() // the leader knows of no beats to come
	w.up = false
	delete(s.at, w.address)
	if !s.story.Cluster.Keepers {
		w.halt()
	}
	s.log.write("stops", w.id, int64(w.life), s.now)
	s.restir()
}

// halt ends all that runs.
func (w *worker) halt() {
	for _, a := range w.ledger {
		a.halt()
	}
	w.ledger, w.done = nil, map[string]bool{}
}

// later has something happen in this life, unless it is frozen then: that is later still.
func (w *worker) later(d int64, do func()) { w.sim.inNode(w.node, d, &later{w, w.life, do}) }

type later struct {
	*worker
	life int
	do   func()
}

func (l *later) happen() {
	if w := l.worker; w.up && w.life == l.life {
		l.do()
	}
}

// register tries until the controller takes the worker.
func (w *worker) register() { w.tryRegister(500 * millisecond) }

func (w *worker) tryRegister(pause int64) {
	s := w.sim
	w.calling = true
	if s.strikes("worker.register", w.id) || !w.taken && s.strikes("worker.heartbeat", w.id) {
		w.registerAgain(pause)
		return
	}
	s.ask(w.node, callTimeout, &registration{w.words(w.everything()), pause})
}

func (w *worker) registerAgain(pause int64) {
	w.later(int64(float64(pause)*(0.9+0.2*w.sim.coins.Float64())), func() { w.tryRegister(min(2*pause, 5*second)) })
}

type registration struct {
	words
	pause int64
}

func (r *registration) ask(l *leader.Leader) []state.Command {
	return l.Register(state.RegisterWorker{ID: r.id, Incarnation: r.incarnation, Address: r.address, Capacity: r.capacity,
		Attributes: r.attributes, Reports: r.reports}, r.draining)
}

func (r *registration) answer(t *term, errs []error) (a answer) {
	if a.err = errs[0]; a.err == nil {
		r.heardAt()
		r.promise(t.leads)
		a.timesLost = t.leads.Cluster().Worker(r.id).TimesLost
	}
	a.ack, a.stop, _ = t.leads.Answer(r.id, r.incarnation, r.reports)
	return a
}

func (r *registration) done(code codes.Code, said answer) {
	w, s := r.worker, r.sim
	var refused *state.Error
	switch {
	case code != codes.OK || errors.As(said.err, &refused) && refused.Kind == state.Unavailable:
		w.registerAgain(r.pause)
	case said.err != nil:
		w.stop()
		s.after(s.between(time.Second, 10*time.Second), func() {
			if !w.up && !w.gone && !w.crashed {
				w.start()
			}
		})
	default:
		if !w.taken && s.now-w.began > int64(s.story.Cluster.WorkerTimeout()) {
			s.row(34)
		}
		w.taken, w.leaseFrom, w.timesLost = true, r.sent, said.timesLost
		w.answered(said.ack, said.stop)
		w.nextBeat(int64(s.story.Cluster.Beat))
	}
}
