package controller

import (
	"context"
	"fmt"
	"time"

	"iris/iris/journal"
	"iris/iris/leader"
	"iris/iris/mutant"
	pb "iris/iris/proto"
	"iris/iris/state"
)

// loop is one term of this controller's. It has the leader decide, which changes the cluster at once, and proposes what was
// decided to the journal; whatever others would see of it (answers, orders to workers) is held back until the journal has
// committed it. So it never waits for a disk. Only run touches the fields below the line.
type loop struct {
	config Config
	seat   *seat
	term   journal.Term
	inbox  chan request
	done   chan struct{} // closed when run has ended
	ended  error         // why; written before done is closed
	ctx    context.Context
	stop   context.CancelFunc

	leader    *leader.Leader
	history   *history
	happened  []state.Event // in this step
	couriers  *couriers
	platforms platforms
	proposed  uint64 // entries
	held      []turn // not committed yet, in order
	crashed   error  // chaos ended this controller
	wake      time.Time
}

// turn is what others are to see of one turn of the loop, once its entry is committed.
type turn struct {
	entry   uint64    // how many of the term's entries must be committed
	decided bool      // the last of them is this turn's own
	at      time.Time // when that was proposed, if it is measured
	fleet   bool      // the set of workers changed
	effects []state.Effect
	events  []state.Event
	answers []func()
}

func newLoop(config Config, s *seat, term journal.Term) *loop {
	ctx, stop := context.WithCancel(context.Background())
	l := &loop{
		config: config, seat: s, term: term, inbox: make(chan request, inboxSize), done: make(chan struct{}), ctx: ctx, stop: stop,
		leader: leader.New(leader.Config{
			WorkerTimeout: config.WorkerTimeout, Policy: config.Policy, Retention: config.Retention, Groups: config.Scaling.Groups,
			EvaluationInterval: config.Scaling.EvaluationInterval, Planning: config.metrics.plan,
		}, term.State()),
	}
	cluster, now := l.leader.Cluster(), time.Now()
	l.history = newHistory(fmt.Sprintf("%s.%d", config.ID, now.UnixNano()), cluster.Past(historySize/2))
	l.history.add(state.Event{At: now, Kind: pb.EventKind_EVENT_KIND_LEADS, Task: -1, Attempt: -1, Text: config.ID})
	cluster.Watch(func(e state.Event) { l.happened = append(l.happened, e) })
	l.couriers, l.platforms = newCouriers(config, l.history, l.tell), newPlatforms(config, l.tell)
	return l
}

// run decides until the term is over, the controller stops, or chaos crashes it.
func (l *loop) run() {
	defer close(l.done)
	defer func() { l.ended = l.why() }()
	defer l.couriers.close()
	defer l.platforms.close()
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

// begin takes over from the term before, whoever led it.
func (l *loop) begin(now time.Time) {
	l.couriers.greet(l.leader.Cluster())
	l.act(l.leader.Begin(now))
}

// turn is a step, and the making up for what it, or the wait before it, took too long.
func (l *loop) turn(now time.Time, batch []request) {
	l.leader.Forgive(l.wake, now)
	l.step(now, batch)
	l.reveal()
	l.leader.Forgive(now, time.Now()) // what held up the loop held up everybody's heartbeats
	l.wake = l.leader.Next(time.Now())
}

// step is: decide, answer, propose. All that is decided at one instant is one entry of the log.
func (l *loop) step(now time.Time, batch []request) {
	asks := make([]leader.Ask, len(batch))
	for i, r := range batch {
		asks[i] = r.decide
	}
	s := l.leader.Step(now, asks)
	l.config.metrics.ended(l.leader.Change())
	l.config.metrics.assigned(now, s.Effects)
	t := turn{decided: len(s.Commands) > 0, fleet: s.Fleet, effects: s.Effects, events: l.happened}
	l.happened = nil
	for i, r := range batch {
		if r.answer != nil {
			t.answers = append(t.answers, r.answer(l, s.Errors[i]))
		}
	}
	if t.decided {
		l.proposed++
		t.at = l.config.metrics.propose(len(s.Commands))
		l.term.Propose(journal.Entry{At: now, Commands: s.Commands})
	}
	t.entry = l.proposed // an answer without a command may have seen what is not committed yet
	l.held = append(l.held, t)
}

// reveal lets the world see all turns whose entries are committed.
func (l *loop) reveal() {
	committed := l.term.Committed()
	if mutant.On(mutant.AnswerBeforeCommit) {
		committed = l.proposed
	}
	for len(l.held) > 0 && l.held[0].entry <= committed {
		t := l.held[0]
		l.held = l.held[1:]
		if t.decided {
			l.config.metrics.committed(t.at)
		}
		l.history.add(t.events...)
		if t.fleet {
			l.couriers.follow(l.leader.Cluster()) // before the effects: a courier must exist, or be gone
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
	l.platforms.act(effects)
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
