package exact

import (
	"time"

	"google.golang.org/grpc/codes"

	"iris/iris/leader"
	"iris/iris/state"
)

// term is the time of one leader.
type term struct {
	sim      *sim
	number   int
	on       *node
	leads    *leader.Leader
	verified int   // commands that were decided when everything was verified last
	wake     int64 // when it steps though nobody asks; planned is for when that is
	planned  int64
	over     bool

	began               int64
	thawed              int64 // when its leader was last frozen
	committed, proposed int
	entries             line[entry] // not committed yet
	turns               line[turn]  // not revealed yet
	couriers            map[string]*courier
	cut                 map[string]bool // creations of slices that are not to be made any more

	asking *inquiry      // the one that is answered by the step that goes on
	asks   [1]leader.Ask // scratch of step
	listen leader.Ask    // has the leader hear what is asked
}

// entry is what the log has of one step.
type entry struct {
	at       time.Time
	commands []state.Command
}

// turn is what others are to see of a step, once its entry is committed.
type turn struct {
	entry   int // how many must be committed
	decided bool
	fleet   bool // workers may have come or gone
	effects []state.Effect
	asked   *inquiry // who waits for it; nil: nobody does
	answer  answer   // that one's
}

func (s *sim) leaderConfig() leader.Config {
	c := s.story.Cluster
	return leader.Config{
		WorkerTimeout: c.WorkerTimeout(),
		Policy: state.Policy{NoWorkerGrace: time.Duration(c.Grace), DispatchRounds: c.Rounds, DispatchPause: 10 * time.Second,
			TimeoutSlack: 15 * time.Second},
		Groups:    s.groups(),
		Retention: state.Retention{Jobs: c.Keep, Age: 7 * 24 * time.Hour, WorkerAge: workerAge}, EvaluationInterval: 10 * time.Second,
	}
}

// workerAge is how long lost workers are remembered here: stories are short.
const workerAge = 20 * time.Minute

// elect begins the term of a controller, on what is committed.
func (s *sim) elect(on *node) {
	cluster := s.mirror
	if cluster == nil {
		cluster = state.New(state.Policy{})
		s.facts.watch(cluster) // what is committed is in no other
	} else if cluster = s.restored(cluster); cluster == nil {
		return
	}
	s.terms++
	t := &term{sim: s, number: s.terms, on: on, began: s.now, leads: leader.New(s.config, cluster), verified: -1,
		couriers: map[string]*courier{}}
	t.listen = func(l *leader.Leader) []state.Command { return t.asking.request.ask(l) }
	s.term = t
	s.log.write("leads", on.name, int64(s.terms), s.now)
	s.facts.leads(on.name, s.time())
	s.judge.begin(s, cluster)
	for _, w := range s.workers {
		w.stir()
	}
	s.meetsChange(cluster)
	effects := t.leads.Begin(s.time())
	t.follow()
	t.greet()
	t.act(effects)
	t.step(nil, nil)
}

// restored is a copy of the state as it comes back from a disk.
func (s *sim) restored(c *state.Cluster) *state.Cluster {
	restored, err := state.Restore(c.Snapshot())
	if err != nil {
		s.violate("what is committed cannot be restored: %w", err)
		return nil
	}
	return restored
}

// step has the leader decide: on what is asked, by somebody who waits for the answer or by nobody, or on what is due.
func (t *term) step(ask leader.Ask, q *inquiry) {
	s := t.sim
	if t.over || s.over {
		if q != nil {
			q.reply(codes.Unavailable)
		}
		return
	}
	now := s.time()
	if t.wake != 0 {
		if s.now-t.wake > 2*second {
			t.thawed = s.now
			s.row(22)
		}
		t.leads.Forgive(epoch.Add(time.Duration(t.wake)), now)
	}
	if q != nil {
		t.asking, ask = q, t.listen
	}
	asks := t.asks[:0]
	if ask != nil {
		asks = append(asks, ask)
	}
	step := t.leads.Step(now, asks)
	s.out.Steps++
	u := turn{effects: step.Effects, decided: len(step.Commands) > 0, fleet: step.Fleet, asked: q}
	if q != nil {
		u.answer = q.request.answer(t, step.Errors[0])
	}
	crash := ""
	if u.decided {
		s.out.Commands += len(step.Commands)
		s.log.step(s.now, &step)
		s.judge.stepped(t, &step)
		if crash = t.propose(entry{now, step.Commands}); crash == "journal.disk" || crash == "journal.before_append" {
			t.entries.all = t.entries.all[:len(t.entries.all)-1]
		}
	}
	u.entry = t.proposed
	t.turns.push(u)
	if crash != "" {
		s.crash(t.on, crash)
		return
	}
	if !s.fragile {
		t.commit(t.proposed)
	}
	t.reveal()
	t.rest()
}

// propose hands an entry to the log. It returns the site at which the controller crashes, if it does.
func (t *term) propose(e entry) (crash string) {
	s := t.sim
	t.proposed++
	t.entries.push(e)
	for _, site := range [...]string{"journal.disk", "journal.before_append", "journal.after_append"} {
		if s.strikes(site, t.on.name) {
			return site
		}
	}
	if s.fragile {
		n := t.proposed
		s.after(s.between(200*time.Microsecond, 5*time.Millisecond), func() { t.commit(n) })
	}
	return ""
}

// commit notes that so many entries of the term are in the log of a majority, if one can be reached.
func (t *term) commit(n int) {
	s := t.sim
	if t.over || n <= t.committed {
		return
	}
	if s.fragile && !s.quorum(t.on) {
		s.after(100*millisecond, func() { t.commit(n) }) // once it can be, or never
		return
	}
	for ; t.committed < n; t.committed++ {
		s.follow(t.entries.pop())
	}
	if s.strikes("journal.after_commit", t.on.name) {
		s.crash(t.on, "journal.after_commit")
		return
	}
	t.reveal()
}

// follow has the mirror apply what is committed.
func (s *sim) follow(e entry) {
	if s.mirror == nil {
		return
	}
	for _, command := range e.commands {
		s.out.Met.note(s.mirror, command)
		s.meets(s.mirror, command)
		effects, _ := s.mirror.Apply(e.at, command) // what is refused here was refused to who asked
		s.came(s.mirror, command, effects)
		s.holds(s.mirror, command)
	}
}

// reveal lets the world see the turns whose entries are committed.
func (t *term) reveal() {
	s := t.sim
	for !t.over && len(t.turns.waiting()) > 0 && t.turns.waiting()[0].entry <= t.committed {
		u := t.turns.pop()
		if u.fleet {
			t.follow()
		}
		if len(u.effects) > 0 {
			if s.strikes("journal.before_effect", t.on.name) {
				t.turns.putBack(u)
				s.crash(t.on, "journal.before_effect")
				return
			}
			t.act(u.effects)
		}
		if u.asked == nil {
			continue
		}
		if u.decided && s.strikes("journal.before_answer", t.on.name) {
			t.turns.putBack(u)
			s.crash(t.on, "journal.before_answer")
			return
		}
		u.asked.said = u.answer
		u.asked.reply(codes.OK)
	}
}

// rest plans the next step that nobody asks for.
func (t *term) rest() {
	s := t.sim
	if t.over {
		return
	}
	next, ok := t.leads.Cluster().Next()
	if s.restless(t.leads.Cluster()) {
		next, ok = t.leads.Next(s.time()), true
	} else if at, scales := t.leads.NextScaling(); scales && (!ok || at.Before(next)) {
		next, ok = at, true
	}
	if !ok {
		t.wake = 0
		return
	}
	t.wake = max(int64(next.Sub(epoch)), s.now)
	if t.planned > s.now && t.planned <= t.wake {
		return // that one looks again
	}
	at := t.wake
	t.planned = at
	s.inNode(t.on, at-s.now, whatever(func() { t.due(at) }))
}

// due is the end of a rest.
func (t *term) due(at int64) {
	if t.planned == at {
		t.planned = 0
	}
	switch {
	case t.over:
	case t.wake != 0 && t.wake <= t.sim.now:
		t.step(nil, nil)
	default:
		t.rest()
	}
}

// end ends a term. What is in the log of nobody who can be reached is lost; what others have may be kept.
func (t *term) end(why string) {
	s := t.sim
	if t.over {
		return
	}
	t.over = true
	s.term = nil
	s.log.write("leads no more: "+why, t.on.name, int64(t.number), s.now)
	keep := 0
	entries := t.entries.waiting()
	if n := len(entries); n > 0 {
		keep = s.coins.IntN(n + 1)
		if why == "journal.after_append" && len(s.controllers) == 1 {
			keep = n // its own log is all there is
		}
	}
	for _, e := range entries {
		for _, command := range e.commands {
			if _, reports := command.(state.Observe); reports {
				s.row(14)
			}
		}
	}
	for _, e := range entries[:keep] {
		s.follow(e)
	}
	for _, u := range t.turns.waiting() {
		if u.asked != nil {
			u.asked.reply(codes.Unavailable)
		}
	}
	s.await()
}

// await has somebody elected, as soon as somebody can be.
func (s *sim) await() {
	s.after(s.between(time.Second, 3*time.Second), func() {
		if s.term != nil {
			return
		}
		var able []*node
		for _, c := range s.controllers {
			if c.up && s.quorum(c) {
				able = append(able, c)
			}
		}
		if len(able) == 0 {
			s.await()
			return
		}
		s.elect(able[s.coins.IntN(len(able))])
	})
}

// quorum reports whether a controller and those that it can speak with are a majority. One that is frozen speaks with nobody.
func (s *sim) quorum(of *node) bool {
	n := 0
	for _, c := range s.controllers {
		if c == of || c.up && !s.cut(of, c) && !s.cut(c, of) {
			n++
		}
	}
	return 2*n > len(s.controllers) && of.frozen == 0
}

// hold has a leader step down that speaks with no majority any more.
func (s *sim) hold() {
	t := s.term
	if t == nil || len(s.controllers) == 1 || s.quorum(t.on) {
		return
	}
	s.after(s.between(500*time.Millisecond, time.Second), func() {
		if !t.over && !s.quorum(t.on) {
			t.end("no majority")
		}
	})
}

// crash ends a controller at a site, and starts it again a second later, as an init system does.
func (s *sim) crash(c *node, site string) {
	s.stopController(c, site)
	s.after(second, func() { s.startController(c) })
}

func (s *sim) stopController(c *node, why string) {
	if !c.up {
		return
	}
	c.up = false
	if t := s.term; t != nil && t.on == c {
		t.end(why)
	}
	s.hold()
}

func (s *sim) startController(c *node) {
	if !c.up {
		c.up = true
		c.life++
	}
}
