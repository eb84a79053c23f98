package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "iris/iris/proto"
)

const (
	callTimeout = 5 * time.Second // of one RPC to the controller
	hurryDelay  = time.Second     // from a lost report to the heartbeat that repairs it; after a failed beat it doubles
)

// keepInTouch registers, then beats; a controller that does not know the worker any more is registered with again.
func (w *Worker) keepInTouch() {
	defer w.beating.ended.Store(true)
	if !w.register() {
		return
	}
	timer := time.NewTimer(w.config.HeartbeatInterval)
	defer timer.Stop()
	pause := &backoff.ExponentialBackOff{ // while the controller does not answer
		InitialInterval: hurryDelay, Multiplier: 2, MaxInterval: w.config.HeartbeatInterval, RandomizationFactor: 0.1,
	}
	drain := w.drain.asked
	for next := time.Now().Add(w.config.HeartbeatInterval); ; {
		select {
		case <-w.ctx.Done():
			return
		case <-drain:
			drain = nil // it happens once
			timer.Reset(0)
			continue
		case <-w.hurry:
			if soon := time.Now().Add(hurryDelay); soon.Before(next) {
				next = soon
				timer.Reset(hurryDelay)
			}
			continue
		case <-timer.C:
		}
		again, answered := w.beat()
		if again && !w.register() {
			return
		}
		delay := w.config.HeartbeatInterval
		if answered {
			pause.Reset()
		} else {
			delay = min(delay, pause.NextBackOff())
		}
		next = time.Now().Add(delay)
		timer.Reset(delay)
	}
}

// register tries until the controller takes the worker. It returns false when the worker has to end.
func (w *Worker) register() bool {
	pause := &backoff.ExponentialBackOff{
		InitialInterval: 500 * time.Millisecond, Multiplier: 2, MaxInterval: 5 * time.Second, RandomizationFactor: 0.1,
	}
	for {
		sent, draining := time.Now(), w.drain.on()
		answer, err := w.tryRegister(draining)
		switch {
		case err == nil:
			if !w.everRegistered() {
				close(w.registered)
			}
			w.metrics.registered()
			w.timesLost.Store(answer.TimesLost)
			w.drain.tell(draining)
			w.renew(sent, answer.Lease.AsDuration())
			w.follow(answer.Ack, answer.Stop)
			return true
		case status.Code(err) == codes.FailedPrecondition:
			w.config.Log.Error("the controller refused this worker for good; it stops what it runs", "error", err)
			w.ledger.stopAll()
			w.cannotGoOn(fmt.Errorf("worker %s: the controller refuses it: %w", w.config.ID, err))
			return false
		}
		delay := pause.NextBackOff()
		w.config.Log.Warn("not registered; trying again", "in", delay.Round(time.Millisecond), "error", err)
		select {
		case <-time.After(delay):
		case <-w.ctx.Done():
			return false
		}
	}
}

func (w *Worker) tryRegister(draining bool) (*pb.RegisterResponse, error) {
	defer w.beating.work()()
	if err := registerSite.Hit(w.ctx, w); err != nil {
		return nil, err
	}
	if !w.everRegistered() { // whoever loses a worker's heartbeats means its first sign of life as well
		if err := heartbeatSite.Hit(w.ctx, w); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(w.ctx, callTimeout)
	defer cancel()
	return w.registry.Register(ctx, &pb.RegisterRequest{
		WorkerId: w.config.ID, Incarnation: w.incarnation, Address: w.Address(),
		Capacity: w.config.Capacity.Proto(), Attributes: w.config.Attributes, Attempts: w.ledger.everything(),
		Draining: draining,
	})
}

// beat sends everything the worker runs and has finished. It returns whether the worker must register again, and whether
// the controller answered, which it counts as having done to a beat that chaos has lost: the next one comes in its time.
func (w *Worker) beat() (registerAgain, answered bool) {
	defer w.beating.work()()
	if err := heartbeatSite.Hit(w.ctx, w); err != nil {
		w.config.Log.Debug("heartbeat lost", "error", err)
		w.metrics.beat(wasLost)
		return false, true
	}
	ctx, cancel := context.WithTimeout(w.ctx, callTimeout)
	defer cancel()
	sent, draining := time.Now(), w.drain.on()
	answer, err := w.registry.Heartbeat(ctx, &pb.HeartbeatRequest{
		WorkerId: w.config.ID, Incarnation: w.incarnation, Attempts: w.ledger.everything(), Draining: draining,
	})
	w.metrics.beat(outcome(err))
	switch {
	case err != nil && w.ctx.Err() == nil:
		w.config.Log.Warn("heartbeat failed; what runs here goes on", "error", err)
		return false, false
	case err != nil || answer.RegisterAgain:
		return err == nil, err == nil
	}
	w.drain.tell(draining)
	w.renew(sent, 0)
	w.follow(answer.Ack, answer.Stop)
	w.ledger.age(sent)
	return false, true
}

// report is the fast path: it tells the controller what changed as soon as it has. Whatever it loses, a heartbeat brings.
func (w *Worker) report() {
	defer w.reporting.ended.Store(true)
	for {
		select {
		case <-w.ctx.Done():
			return
		case <-w.ledger.news:
		}
		for changed := w.ledger.changed(); len(changed) > 0; changed = w.ledger.changed() {
			if !reportSite.Armed() {
				done := w.reporting.work()
				w.send(changed)
				done()
				continue
			}
			for _, a := range changed { // each on its own, so that a delay of one holds up no other
				w.running.Go(func() {
					if err := reportSite.Hit(w.ctx, a); err != nil {
						w.metrics.report(wasLost, 1)
						w.lost(err)
						return
					}
					w.send([]*attempt{a})
				})
			}
		}
	}
}

func (w *Worker) send(changed []*attempt) {
	ctx, cancel := context.WithTimeout(w.ctx, callTimeout)
	defer cancel()
	answer, err := w.registry.ReportTaskState(ctx, &pb.ReportTaskStateRequest{
		WorkerId: w.config.ID, Incarnation: w.incarnation, Attempts: w.ledger.reports(changed),
	})
	w.metrics.report(outcome(err), len(changed))
	if err != nil {
		w.lost(err)
		return
	}
	w.follow(answer.Ack, answer.Stop)
}

// lost asks for a heartbeat soon, since a report did not get through.
func (w *Worker) lost(err error) {
	w.config.Log.Debug("report lost; the next heartbeat repeats it", "error", err)
	w.beatSoon()
}

// greeted follows a new leader: what finished while nobody led need not wait for the next beat.
func (w *Worker) greeted() {
	w.conn.Reconnect()
	w.beatSoon()
}

func (w *Worker) beatSoon() {
	select {
	case w.hurry <- struct{}{}:
	default:
	}
}
