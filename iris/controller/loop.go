package controller

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/iris/journal"
	"iris/iris/state"
)

const (
	inboxSize = 4096 // requests that may wait for the loop; posting more waits
	batchSize = 1024 // requests that one commit answers at the most
)

// loop owns the cluster's state. Only run touches the fields below the line.
type loop struct {
	config Config
	inbox  chan request
	done   chan struct{} // closed when run has ended
	ctx    context.Context
	stop   context.CancelFunc

	cluster  *state.Cluster
	liveness liveness
	couriers *couriers
	returned bool      // a silent worker was heard of: there may be room
	wake     time.Time // when the timer was to fire
}

// request is one message to the loop. decide (may be nil) turns it into commands before the batch is committed; answer
// gets one error for each of them after they were applied.
type request struct {
	decide func(*state.Cluster) []state.Command
	answer func(*state.Cluster, []error)
}

func newLoop(config Config) *loop {
	ctx, stop := context.WithCancel(context.Background())
	l := &loop{
		config: config, inbox: make(chan request, inboxSize), done: make(chan struct{}), ctx: ctx, stop: stop,
		cluster: state.New(config.Policy), liveness: newLiveness(config.WorkerTimeout),
	}
	l.couriers = newCouriers(config, l.post)
	return l
}

// errStopping is what requests get that the loop can no longer serve.
var errStopping = status.Error(codes.Unavailable, "the controller is stopping; try again")

// ask posts a request and waits for its answer, which is computed inside the loop.
func ask[T any](ctx context.Context, l *loop, decide func(*state.Cluster) []state.Command,
	answer func(*state.Cluster, []error) T) (T, error) {
	answered := make(chan T, 1)
	var zero T
	select {
	case l.inbox <- request{decide, func(c *state.Cluster, errs []error) { answered <- answer(c, errs) }}:
	case <-l.done:
		return zero, errStopping
	case <-ctx.Done():
		return zero, status.FromContextError(ctx.Err()).Err()
	}
	select {
	case answer := <-answered:
		return answer, nil
	case <-l.done:
		return zero, errStopping
	case <-ctx.Done():
		return zero, status.FromContextError(ctx.Err()).Err()
	}
}

// post hands the loop a decision that nobody waits for. It gives up when the context ends.
func (l *loop) post(ctx context.Context, command state.Command) {
	commands := []state.Command{command}
	select {
	case l.inbox <- request{decide: func(*state.Cluster) []state.Command { return commands }}:
	case <-ctx.Done():
	case <-l.done:
	}
}

func (l *loop) replay(e journal.Entry) {
	for _, command := range e.Commands {
		_, _ = l.cluster.Apply(e.At, command) // refused then, refused again: the log has no other effect
	}
}

func (l *loop) run() {
	defer close(l.done)
	defer l.couriers.close()
	defer func() {
		if p := recover(); p != nil {
			l.config.Log.Error("controller loop panicked; ending the process", "panic", p)
			panic(p)
		}
	}()
	l.liveness.check = time.Now() // the silence of workers that the journal knows counts from here
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var batch []request
		select {
		case r := <-l.inbox:
			batch = l.drain(r)
		case <-timer.C:
			batch = l.drain() // what waits may be the very sign of life that nobody is to be declared lost without
		case <-l.ctx.Done():
			return
		}
		l.turn(time.Now(), batch)
		timer.Reset(time.Until(l.wake))
	}
}

// turn is a step, and the making up for what it, or the wait before it, took too long.
func (l *loop) turn(now time.Time, batch []request) {
	l.liveness.forgive(l.wake, now)
	l.step(now, batch)
	l.liveness.forgive(now, time.Now()) // a slow journal holds up everybody's heartbeats
	l.wake = l.next()
}

// drain adds the requests that wait, up to a batch.
func (l *loop) drain(batch ...request) []request {
	for len(batch) < batchSize {
		select {
		case r := <-l.inbox:
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}

// step is: decide, commit, apply, plan, answer.
func (l *loop) step(now time.Time, batch []request) {
	commands, counts := []state.Command{}, make([]int, len(batch))
	for i, r := range batch {
		if r.decide != nil {
			decided := r.decide(l.cluster)
			counts[i] = len(decided)
			commands = append(commands, decided...)
		}
	}
	commands = append(commands, l.liveness.lost(now, l.cluster)...)
	due := l.cluster.Due(now)
	commands = append(commands, l.expirations(now, due)...)

	errs := l.commit(now, commands)
	if len(commands) > 0 || len(due) > 0 || l.returned {
		l.returned = false
		if placements := plan(now, l.cluster, l.silent(now)); len(placements) > 0 {
			l.commit(now, []state.Command{state.Assign{Placements: placements}})
		}
	}
	for i, r := range batch {
		if r.answer != nil {
			r.answer(l.cluster, errs[:counts[i]])
		}
		errs = errs[counts[i]:]
	}
}

// silent tells the workers that get nothing new.
func (l *loop) silent(now time.Time) func(worker string) bool {
	return func(worker string) bool { return l.liveness.silent(worker, now) }
}

// commit makes a batch of commands durable, applies it and acts on its effects. It returns one error for each command.
func (l *loop) commit(now time.Time, commands []state.Command) []error {
	if len(commands) == 0 {
		return nil
	}
	if err := l.config.Journal.Commit(journal.Entry{At: now, Commands: commands}); err != nil {
		panic(err) // what was decided may or may not be in the log: only a restart can tell
	}
	errs := make([]error, len(commands))
	var effects []state.Effect
	fleet := false // it changed
	for i, command := range commands {
		var more []state.Effect
		more, errs[i] = l.cluster.Apply(now, command)
		effects = append(effects, more...)
		switch command.(type) {
		case state.RegisterWorker, state.LoseWorker:
			fleet = true
		}
	}
	if fleet {
		l.couriers.follow(l.cluster) // before the effects: a courier must exist, or be gone
	}
	l.couriers.act(effects)
	return errs
}

// expirations answers the deadlines that are due.
func (l *loop) expirations(now time.Time, due []state.Deadline) []state.Command {
	var commands []state.Command
	for _, d := range due {
		switch d.Kind {
		case state.BackoffDeadline: // planning again is all it asks for
		case state.SchedulingDeadline:
			commands = append(commands, state.Expire{Deadline: d, Reason: neverFitted(now, l, d.Job)})
		default:
			commands = append(commands, state.Expire{Deadline: d})
		}
	}
	return commands
}

// idle is how long the loop sleeps when nothing is due.
const idle = time.Hour

func (l *loop) next() time.Time {
	now := time.Now()
	next := now.Add(idle)
	if at, ok := l.cluster.Next(); ok && at.Before(next) {
		next = at
	}
	if at, ok := l.liveness.next(now); ok && at.Before(next) {
		next = at
	}
	return next
}
