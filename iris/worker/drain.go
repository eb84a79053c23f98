package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// deliverTimeout is how long a worker that has nothing left to run waits for its last results to be acknowledged.
const deliverTimeout = 30 * time.Second

// drain is how a worker comes to an orderly end.
type drain struct {
	once  sync.Once
	asked chan struct{} // closed when it begins
	told  chan struct{} // closed when the controller knows of it
}

func newDrain() *drain { return &drain{asked: make(chan struct{}), told: make(chan struct{})} }

func (d *drain) begin() { d.once.Do(func() { close(d.asked) }) }

func (d *drain) on() bool {
	select {
	case <-d.asked:
		return true
	default:
		return false
	}
}

// tell notes that the controller answered a call that said, or did not say, that the worker drains. Only the loop that
// keeps in touch calls it.
func (d *drain) tell(draining bool) {
	if !draining {
		return
	}
	select {
	case <-d.told:
	default:
		close(d.told)
	}
}

// Drain ends the worker in good order. It tells the controller, which gives it nothing new from then on, waits for what
// runs here up to DrainTimeout, then stops what is left (KILLED, "worker w-0 was drained"), waits until every result is
// acknowledged, and lets those who follow a log read it to its end. When ctx ends it waits for nothing more. In any case the worker has ended when Drain returns, as after
// Stop; an error says what was cut short.
func (w *Worker) Drain(ctx context.Context) error { return w.DrainWithin(ctx, w.config.DrainTimeout) }

// DrainWithin is Drain with another time than DrainTimeout: when the machine is about to be taken away.
func (w *Worker) DrainWithin(ctx context.Context, timeout time.Duration) error {
	err := w.drainUntil(ctx, timeout)
	if stopped := w.Stop(); err == nil {
		err = stopped
	}
	return err
}

func (w *Worker) drainUntil(ctx context.Context, timeout time.Duration) error {
	over := time.NewTimer(timeout)
	defer over.Stop()
	w.drain.begin()
	if w.everRegistered() { // until the controller knows it may give orders, and to refuse one costs its task a try
		select {
		case <-w.drain.told:
		case <-time.After(callTimeout):
		case <-ctx.Done():
		}
	}
	w.ledger.close()
	running, _, _ := w.ledger.left()
	w.config.Log.Info("worker drains", "attempts", running, "timeout", timeout)

	if err := w.await(ctx, over.C, w.ledger.drain, func(running, _ int) int { return running }); err != nil {
		return fmt.Errorf("worker %s: attempts are killed that it was to wait for: %w", w.config.ID, err)
	}
	delivery, cancel := context.WithTimeout(ctx, deliverTimeout)
	defer cancel()
	if err := w.await(delivery, nil, nil, func(_, unacknowledged int) int { return unacknowledged }); err != nil {
		return fmt.Errorf("worker %s: the controller has not acknowledged every result: %w", w.config.ID, err)
	}
	w.linger(ctx)
	return nil
}

// await waits until nothing is left of what counts; late is called once when over comes first.
func (w *Worker) await(ctx context.Context, over <-chan time.Time, late func(), counts func(running, unacknowledged int) int) error {
	for {
		running, unacknowledged, changed := w.ledger.left()
		if counts(running, unacknowledged) == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-over:
			late()
		case <-ctx.Done():
			return ctx.Err()
		case <-w.ctx.Done():
			return errors.New("it ended meanwhile")
		}
	}
}

// close has nothing new entered from now on.
func (l *ledger) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shut = true
}

// left counts the attempts that run, and those that have ended and are not acknowledged. changed is closed when either
// may have changed.
func (l *ledger) left() (running, unacknowledged int, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.attempts {
		if finished(a.phase.state) {
			unacknowledged++
		} else {
			running++
		}
	}
	if l.stirred == nil {
		l.stirred = make(chan struct{})
	}
	return running, unacknowledged, l.stirred
}

// stir wakes whoever waits for a change. The caller holds mu.
func (l *ledger) stir() {
	if l.stirred != nil {
		close(l.stirred)
		l.stirred = nil
	}
}

// drain ends everything that runs, for the worker's sake.
func (l *ledger) drain() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.attempts {
		if a.cancel != nil && !finished(a.phase.state) {
			a.drained.Store(true)
			a.cancel()
		}
	}
}
