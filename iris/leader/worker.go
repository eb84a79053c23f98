package leader

import (
	"time"

	"iris/iris/state"
)

// Standing is what a live worker is good for. All but those that take tasks keep what they run and get nothing new.
type Standing uint8

// The standings of live workers.
const (
	Takes    Standing = iota // it takes tasks
	Silent                   // it misses its heartbeats
	Draining                 // it, or its machine, is about to end
)

// Standing is what a worker is good for now. Of one that is lost it says nothing.
func (l *Leader) Standing(now time.Time, worker string) Standing {
	if w := l.cluster.Worker(worker); w != nil {
		return l.standingOf(now, w)
	}
	return l.liveness.standing(worker, now)
}

func (l *Leader) standingOf(now time.Time, w *state.Worker) Standing {
	if w.Leaving() {
		return Draining
	}
	return l.liveness.standing(w.ID, now)
}

// standing is the same for many workers.
func (l *Leader) standing(now time.Time) func(worker string) Standing {
	return func(worker string) Standing { return l.Standing(now, worker) }
}

// LastHeard is when a worker was last heard of in this term; of those that the log knew, when it began. Zero: never.
func (l *Leader) LastHeard(worker string) time.Time { return l.liveness.at(worker) }

// Heard notes a sign of life, such as an answer of the worker to a call that was meant for it and none other. The last one
// noted counts, even if it is older than the one before: of an instant to come it is a promise, which may be taken back.
func (l *Leader) Heard(now time.Time, worker string, draining bool) {
	l.replan = l.liveness.hear(worker, now, draining) || l.replan
}

// Register is the [Ask] of a registration. One that is accepted is a sign of life, before anybody is lost or placed in that
// step. The slice is good until the next one is asked for.
func (l *Leader) Register(command state.RegisterWorker, draining bool) []state.Command {
	l.registering = append(l.registering, registration{command.ID, command.Incarnation, draining})
	l.one[0] = command
	return l.one[:]
}

// registration is what may turn out to be a sign of life.
type registration struct {
	worker, incarnation string
	draining            bool
}

// registered hears those whose registrations were accepted.
func (l *Leader) registered(now time.Time) {
	for _, r := range l.registering {
		if l.knows(r.worker, r.incarnation) {
			l.Heard(now, r.worker, r.draining)
		}
	}
	l.registering = l.registering[:0]
}

// Heartbeat is the [Ask] of a heartbeat. Only that of a worker that is live, and the same incarnation, is a sign of life.
func (l *Leader) Heartbeat(now time.Time, worker, incarnation string, draining bool, reports []state.Report) []state.Command {
	if l.knows(worker, incarnation) {
		l.Heard(now, worker, draining)
	}
	return l.Observe(worker, incarnation, reports)
}

// Observe is the [Ask] of reports, which are no sign of life by themselves. It wants nothing when they are no news, which is
// most of the time. The slice is good until the next one is asked for.
func (l *Leader) Observe(worker, incarnation string, reports []state.Report) []state.Command {
	if news := l.cluster.News(worker, incarnation, reports); len(news) > 0 {
		l.one[0] = state.Observe{Worker: worker, Incarnation: incarnation, Reports: news}
		return l.one[:]
	}
	return nil
}

// Answer is what a worker is told after the step with its reports; see [state.Cluster.Answer]. If it is not known, it is to
// register again.
func (l *Leader) Answer(worker, incarnation string, reports []state.Report) (ack, stop []string, known bool) {
	if !l.knows(worker, incarnation) {
		return nil, nil, false
	}
	ack, stop = l.cluster.Answer(worker, incarnation, reports)
	return ack, stop, true
}

// knows reports whether the worker is live, and this incarnation the present one.
func (l *Leader) knows(worker, incarnation string) bool {
	w := l.cluster.Worker(worker)
	return w != nil && !w.Lost && w.Incarnation == incarnation
}

// Forgive makes up for a delay of the leader's own: it was to step at wake, and it is now. Workers get the time back that
// nobody listened to them, and half the timeout in any case. A delay of up to 2 s, or since a zero wake, is none.
func (l *Leader) Forgive(wake, now time.Time) { l.liveness.forgive(wake, now) }
