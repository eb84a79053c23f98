package controller

import (
	"context"
	"fmt"
	"time"

	"iris/iris/journal"
	"iris/iris/state"
)

// loop owns the cluster's state for one term. It decides, proposes what it decided to the journal and changes its state
// at once; whatever others would see of that (answers, orders to workers) is held back until the journal has committed
// it. So it never waits for a disk. Only run touches the fields below the line.
type loop struct {
	config Config
	seat   *seat
	term   journal.Term
	inbox  chan request
	done   chan struct{} // closed when run has ended
	ended  error         // why; written before done is closed
	ctx    context.Context
	stop   context.CancelFunc

	cluster  *state.Cluster
	liveness liveness
	couriers *couriers
	past     retention
	scaling  scaling
	proposed uint64 // entries
	held     []turn // not committed yet, in order
	replan   bool   // there may be room though no command says so
	crashed  error  // chaos ended this controller
	wake     time.Time
}

// turn is what others are to see of one turn of the loop, once its entry is committed.
type turn struct {
	entry   uint64    // how many of the term's entries must be committed
	decided bool      // the last of them is this turn's own
	at      time.Time // when that was proposed, if it is measured
	fleet   bool      // the set of workers changed
	effects []state.Effect
	answers []func()
}

func newLoop(config Config, s *seat, term journal.Term) *loop {
	ctx, stop := context.WithCancel(context.Background())
	l := &loop{
		config: config, seat: s, term: term, inbox: make(chan request, inboxSize), done: make(chan struct{}), ctx: ctx, stop: stop,
		cluster: term.State(), liveness: newLiveness(config.WorkerTimeout),
		past: retention{keep: config.Retention},
	}
	l.couriers = newCouriers(config, l.tell)
	l.scaling = newScaling(config, l.tell)
	return l
}

// run decides until the term is over, the controller stops, or chaos crashes it.
func (l *loop) run() {
	defer close(l.done)
	defer func() { l.ended = l.why() }()
	defer l.couriers.close()
	defer l.scaling.close()
	defer func() {
		if p := recover(); p != nil {
			l.config.Log.Error("controller loop panicked; ending the process", "panic", p)
			panic(p)
		}
	}()
	l.begin(time.Now())
	timer := time.NewTimer(0)
	defer timer.Stop()
	for l.crashed == nil {
		inbox, due := l.inbox, timer.C
		if l.proposed-l.term.Committed() >= journal.MaxOutstanding-1 {
			inbox, due = nil, nil // the log is behind: what would be decided now has to wait anyway
		}
		var batch []request
		select {
		case <-l.term.News():
			l.reveal()
			continue
		case r := <-inbox:
			batch = l.drain(r)
		case <-due:
			batch = l.drain() // what waits may be the very sign of life that nobody is to be declared lost without
		case <-l.term.Over():
			return
		case <-l.ctx.Done():
			return
		}
		l.turn(time.Now(), batch)
		timer.Reset(time.Until(l.wake))
	}
}

// begin takes over from the term before, whoever led it. Orders that may not have left are given again: a worker that
// has an attempt already starts no second one. The silence of workers counts from here.
func (l *loop) begin(now time.Time) {
	l.liveness.begin(now, l.cluster)
	l.replan = true
	l.scaling.began, l.scaling.stirred = now, true
	l.couriers.greet(l.cluster)
	l.act(l.cluster.Outstanding())
}

// turn is a step, and the making up for what it, or the wait before it, took too long.
func (l *loop) turn(now time.Time, batch []request) {
	l.liveness.forgive(l.wake, now)
	l.step(now, batch)
	l.reveal()
	l.liveness.forgive(now, time.Now()) // what held up the loop held up everybody's heartbeats
	l.wake = l.next()
}

// step is: decide, apply, plan, answer, propose. All that is decided at one instant is one entry of the log.
func (l *loop) step(now time.Time, batch []request) {
	t, before, counts := turn{}, l.cluster.Counts(), make([]int, len(batch))
	commands := l.configure()
	t.apply(now, l.cluster, commands) // what others say is about things as they are configured
	own := len(commands)
	for i, r := range batch {
		if r.decide != nil {
			wanted := r.decide(l)
			counts[i] = len(wanted)
			commands = append(commands, wanted...)
		}
	}
	commands = append(commands, l.liveness.lost(now, l.cluster)...)
	due := l.cluster.Due(now)
	commands = append(commands, l.expirations(now, due)...)

	errs := t.apply(now, l.cluster, commands[own:])
	l.config.metrics.ended(before, l.cluster.Counts())
	if past := l.past.expired(now, l.cluster); len(past) > 0 {
		t.apply(now, l.cluster, past)
		commands = append(commands, past...)
	}
	if len(commands) > 0 || len(due) > 0 || l.replan {
		l.replan = false
		began := l.config.metrics.plan()
		placements := plan(now, l.cluster, l.standing(now))
		l.config.metrics.planned(began)
		if len(placements) > 0 {
			assign, done := state.Assign{Placements: placements}, len(t.effects)
			t.apply(now, l.cluster, []state.Command{assign})
			l.config.metrics.assigned(now, t.effects[done:])
			commands = append(commands, assign)
		}
	}
	l.scaling.stirred = l.scaling.stirred || len(commands) > 0
	if scaled := l.scale(now); len(scaled) > 0 {
		t.apply(now, l.cluster, scaled)
		commands = append(commands, scaled...)
	}
	for i, r := range batch {
		if r.answer != nil {
			t.answers = append(t.answers, r.answer(l, errs[:counts[i]]))
		}
		errs = errs[counts[i]:]
	}
	if t.decided = len(commands) > 0; t.decided {
		l.proposed++
		t.at = l.config.metrics.propose(len(commands))
		l.term.Propose(journal.Entry{At: now, Commands: commands})
	}
	t.entry = l.proposed // an answer without a command may have seen what is not committed yet
	l.held = append(l.held, t)
}

// configure has the cluster follow this controller's configuration: it may have been another's.
func (l *loop) configure() []state.Command {
	var commands []state.Command
	if l.cluster.Policy() != l.config.Policy {
		commands = append(commands, state.SetPolicy{Policy: l.config.Policy})
	}
	return append(commands, l.scaling.configure(l.cluster)...)
}

// apply changes the cluster and notes what is to be done about it. It returns one error for each command.
func (t *turn) apply(now time.Time, c *state.Cluster, commands []state.Command) []error {
	errs := make([]error, len(commands))
	for i, command := range commands {
		effects, err := c.Apply(now, command)
		t.effects, errs[i] = append(t.effects, effects...), err
		switch command.(type) {
		case state.RegisterWorker, state.LoseWorker, state.ObserveSlice, state.RefuseSlice, state.EndSlice:
			t.fleet = true
		}
	}
	return errs
}

// reveal lets the world see all turns whose entries are committed.
func (l *loop) reveal() {
	committed := l.term.Committed()
	for len(l.held) > 0 && l.held[0].entry <= committed {
		t := l.held[0]
		l.held = l.held[1:]
		if t.decided {
			l.config.metrics.committed(t.at)
		}
		if t.fleet {
			l.couriers.follow(l.cluster) // before the effects: a courier must exist, or be gone
		}
		if len(t.effects) > 0 {
			if l.crashed = l.crash(effectSite); l.crashed != nil {
				return
			}
			l.config.traces.assigned(t.effects)
			l.act(t.effects)
		}
		if t.decided && len(t.answers) > 0 {
			if l.crashed = l.crash(answerSite); l.crashed != nil {
				return
			}
		}
		for _, answer := range t.answers {
			answer()
		}
	}
}

// act has effects carried out.
func (l *loop) act(effects []state.Effect) {
	l.couriers.act(effects)
	l.scaling.act(effects)
}

// standing tells what each worker is good for.
func (l *loop) standing(now time.Time) func(worker string) standing {
	return func(worker string) standing {
		if w := l.cluster.Worker(worker); w != nil && w.Leaving() {
			return draining
		}
		return l.liveness.standing(worker, now)
	}
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

// next is when the loop has something to do if nobody asks for anything.
func (l *loop) next() time.Time {
	now := time.Now()
	if l.replan {
		return now
	}
	next := l.past.due
	if at, ok := l.cluster.Next(); ok && at.Before(next) {
		next = at
	}
	if at, ok := l.liveness.next(now); ok && at.Before(next) {
		next = at
	}
	if at, ok := l.scaling.next(); ok && at.Before(next) {
		next = at
	}
	if next.Before(now) {
		return now // it became due during this turn, whose length is made up for already
	}
	return next
}

// why says why the loop ended.
func (l *loop) why() error {
	switch {
	case l.crashed != nil:
		return l.crashed
	case l.ctx.Err() != nil:
		return fmt.Errorf("stopped: %w", l.ctx.Err())
	}
	return l.term.Err()
}
