package exact

import (
	"time"

	"google.golang.org/grpc/codes"

	"iris/iris/state"
)

// What a worker does, as package worker has it.
const (
	killGrace   = 5 * second
	leaseMargin = 10 * second // before the end of its lease, exclusive attempts end
)

// attempt is one on a worker.
type attempt struct {
	worker  *worker
	order   order
	job     *launch
	report  state.Report
	told    state.State // what the controller was told last
	dirty   bool
	over    bool
	stopped bool // it was asked to end
	run     int  // its number in the judge's books, once it runs
}

// order follows an order, unless it was followed before.
func (w *worker) order(o order) codes.Code {
	s := w.sim
	if w.find(o.uid) != nil {
		s.row(3)
		return codes.OK
	}
	if w.draining || w.done[o.uid] {
		return codes.FailedPrecondition
	}
	if s.strikes("worker.submit_task", w.id) {
		return codes.Unavailable
	}
	a := s.attempts.next()
	*a = attempt{worker: w, order: o, job: s.launched(o.job), report: state.Report{UID: o.uid, State: state.Assigned}, told: state.Assigned}
	w.ledger = append(w.ledger, a)
	if a.job.Builds {
		a.advance(state.Building)
		a.later(s.between(time.Second, 20*time.Second), a.built)
		return codes.OK
	}
	a.built()
	return codes.OK
}

// advance notes a phase.
func (a *attempt) advance(to state.State) {
	a.report.State, a.dirty = to, true
	a.worker.changed()
}

// built begins to run, if nothing fails.
func (a *attempt) built() {
	w, s := a.worker, a.worker.sim
	switch {
	case a.stopped:
		a.end(state.Killed, "stopped on request", nil)
		return
	case a.job.Builds && s.strikes("worker.bundle_download", w.id):
		s.row(26)
		a.end(state.Failed, "chaos: worker.bundle_download", nil)
		return
	case s.strikes("worker.create_container", w.id):
		a.end(state.Failed, "chaos: worker.create_container", nil)
		return
	case a.job.Exclusive && w.lease()-s.now <= leaseMargin:
		a.end(state.Killed, "its lease ran out: the controller has not answered", nil)
		return
	}
	if a.job.Ports {
		a.report.Ports = map[string]int32{"http": 8080}
	}
	a.run = s.judge.runs(s, a)
	a.advance(state.Running)
	s.inNode(w.node, int64(a.job.Runs), exit{a})
	if limit := int64(a.job.Timeout); limit > 0 && limit < int64(a.job.Runs) {
		a.later(limit, func() { a.interrupt(state.Failed, state.TimeoutText(time.Duration(limit)), killGrace) })
	}
	if a.job.Exclusive {
		a.watch()
	}
	if s.siteArmed("worker.task_monitor") {
		a.monitor()
	}
}

// later has something happen to an attempt, unless it is over by then, as it is with its worker if that has no keeper.
func (a *attempt) later(d int64, do func()) {
	a.worker.sim.inNode(a.worker.node, d, whatever(func() {
		if !a.over {
			do()
		}
	}))
}

// watch ends an exclusive attempt when the lease has run out.
func (a *attempt) watch() {
	w := a.worker
	left := w.lease() - leaseMargin - w.sim.now
	if left <= 0 {
		a.interrupt(state.Killed, "its lease ran out: the controller has not answered", 0)
		return
	}
	a.later(left, a.watch)
}

// monitor passes the site of the monitor at each of its polls.
func (a *attempt) monitor() {
	w := a.worker
	switch {
	case !w.sim.siteArmed("worker.task_monitor"):
	case w.sim.strikes("worker.task_monitor", w.id):
		a.interrupt(state.Failed, "chaos: monitor crashed", 0)
	default:
		a.later(5*second, a.monitor)
	}
}

// exit is the end of an attempt by itself. What ends with its worker is over already.
type exit struct{ *attempt }

func (a exit) happen() {
	if a.stopped && !a.over {
		a.worker.sim.row(54)
	}
	switch {
	case a.over || a.stopped && !a.job.Stubborn:
	case a.order.number < a.job.Fails:
		a.end(state.Failed, "exit code 1", &exitOne)
	default:
		a.end(state.Succeeded, "", &exitZero)
	}
}

// The codes with which processes end. Nobody changes them.
var exitZero, exitOne, exitKilled int32 = 0, 1, -1

// interrupt asks an attempt to end, and kills it after the grace. A stubborn one goes on until then.
func (a *attempt) interrupt(as state.State, why string, grace int64) {
	if a.over || a.stopped {
		return
	}
	a.stopped = true
	if a.run == 0 { // it is being built, which looks for itself
		a.end(as, why, nil)
		return
	}
	if !a.job.Stubborn {
		grace = 0
	}
	a.later(grace, func() { a.end(as, why, &exitKilled) })
}

// end is the end of an attempt, whose process is gone.
func (a *attempt) end(as state.State, why string, code *int32) {
	if a.over {
		return
	}
	a.over = true
	a.report.Error, a.report.ExitCode, a.report.Ports = why, code, nil
	a.worker.sim.judge.ended(a, as)
	a.advance(as)
}

// halt is the end of an attempt with its worker.
func (a *attempt) halt() {
	if !a.over {
		a.over = true
		a.worker.sim.judge.ended(a, state.WorkerFailed)
	}
}
