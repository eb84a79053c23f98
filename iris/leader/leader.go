package leader

import (
	"slices"
	"time"

	"iris/iris/schedule"
	"iris/iris/state"
)

// Config is what a leader is told. It is taken as it is: package controller has the defaults.
type Config struct {
	// WorkerTimeout is how long a worker may be silent before it is lost (design §3).
	WorkerTimeout time.Duration
	// Policy and Groups are what the cluster is made to follow, whatever it followed in the term before.
	Policy state.Policy
	Groups []state.Group
	// Retention is what is kept of the past.
	Retention state.Retention
	// EvaluationInterval is the least time between two decisions about slices.
	EvaluationInterval time.Duration
	// Planning, if not nil, is called when a pass over the waiting tasks begins, and what it returns when it ends: for a
	// measurement.
	Planning func() (done func())
}

// Leader decides about one cluster for one term. It is not safe for concurrent use.
type Leader struct {
	config   Config
	cluster  *state.Cluster
	liveness liveness
	past     retention
	scaling  scaling
	replan   bool // there may be room though no command says so

	counted     counted          // of the last step
	one         [1]state.Command // what an Ask wants
	registering []registration   // whose were asked for in this step
	wanted      []state.Command  // scratch of Step, as are the three after it
	counts      []int
	errors      [][]error
	errs        []error
	view        schedule.View // scratch of plan
	planner     schedule.Planner
}

// counted is what the cluster counted in the course of a step: when it began, and around what it forgot.
type counted struct {
	began, kept, left state.Counts
	forgot            bool // kept and left are of this step
}

// New is the leader of a term that begins with this cluster, which is the leader's from now on.
func New(config Config, c *state.Cluster) *Leader {
	return &Leader{
		config: config, cluster: c, liveness: newLiveness(config.WorkerTimeout), past: retention{keep: config.Retention},
		scaling: newScaling(config.Groups, config.EvaluationInterval),
	}
}

// Cluster is the cluster, to be looked at.
func (l *Leader) Cluster() *state.Cluster { return l.cluster }

// Begin takes over from the term before, whoever led it. It returns the orders that may not have left: they are given
// again, and a worker that has an attempt already starts no second one. The silence of workers counts from now.
func (l *Leader) Begin(now time.Time) []state.Effect {
	l.liveness.begin(now, l.cluster)
	l.scaling.begin(now)
	l.replan = true
	return l.cluster.Outstanding()
}

// Ask is what somebody asks for: the commands are decided on the cluster as it is before the step, and carried out in it. Their
// slice is not kept.
type Ask func(l *Leader) []state.Command

// Step is all that is decided at one instant.
type Step struct {
	// Commands are one entry of the log; none: there is nothing to log. They are carried out already.
	Commands []state.Command
	// Errors has, for each ask, one error or nil for each command it wanted. They are there until the next step.
	Errors [][]error
	// Effects are what is to be done once the commands are committed.
	Effects []state.Effect
	// Fleet says that the set of workers may have changed.
	Fleet bool
}

// Step decides and applies: what is asked, what is due, what is forgotten, then what can be placed, then which slices come
// and go. A nil ask asks for nothing.
func (l *Leader) Step(now time.Time, asks []Ask) Step {
	var s Step
	l.counted.began, l.counted.forgot = l.cluster.Counts(), false
	l.apply(now, &s, l.configure()...) // what others say is about things as they are configured
	wanted := l.wanted[:0]
	l.counts = l.counts[:0]
	for _, ask := range asks {
		var commands []state.Command
		if ask != nil {
			commands = ask(l)
		}
		wanted, l.counts = append(wanted, commands...), append(l.counts, len(commands))
	}
	l.errs, l.errors = l.errs[:0], l.errors[:0]
	l.apply(now, &s, wanted...)
	clear(wanted)
	l.wanted = wanted
	errs := l.errs
	for _, n := range l.counts {
		l.errors, errs = append(l.errors, errs[:n:n]), errs[n:]
	}
	s.Errors = l.errors
	l.registered(now)
	due := l.cluster.Due(now)
	l.apply(now, &s, l.liveness.lost(now, l.cluster)...)
	l.apply(now, &s, l.expirations(now, due)...)
	if forgets := l.past.expired(now, l.cluster); len(forgets) > 0 {
		l.counted.kept, l.counted.forgot = l.cluster.Counts(), true
		l.apply(now, &s, forgets...)
		l.counted.left = l.cluster.Counts()
	}
	if len(s.Commands) > 0 || len(due) > 0 || l.replan {
		l.replan = false
		if placements := l.plan(now); len(placements) > 0 {
			l.apply(now, &s, state.Assign{Placements: placements})
		}
	}
	l.scaling.stirred = l.scaling.stirred || len(s.Commands) > 0 || len(due) > 0 // a pause that is over says so by no command
	l.apply(now, &s, l.scale(now)...)
	return s
}

// Change is by how much what the cluster counts has changed in the last step. What was forgotten is left out.
func (l *Leader) Change() state.Counts {
	change := l.cluster.Counts().Sub(l.counted.began)
	if l.counted.forgot {
		change = change.Sub(l.counted.left.Sub(l.counted.kept)) // as if it had never been
	}
	return change
}

// apply changes the cluster and adds to the step, and to errs one error or nil for each command.
func (l *Leader) apply(now time.Time, s *Step, commands ...state.Command) {
	for _, command := range commands {
		effects, err := l.cluster.Apply(now, command)
		s.Effects, l.errs = joined(s.Effects, effects), append(l.errs, err)
		switch command.(type) {
		case state.RegisterWorker, state.LoseWorker, state.ObserveSlice, state.RefuseSlice, state.EndSlice:
			s.Fleet = true
		}
	}
	s.Commands = append(s.Commands, commands...)
}

// joined is a and then b: one of them as it is if the other is empty, as most are.
func joined[T any](a, b []T) []T {
	if len(a) == 0 {
		return slices.Clip(b)
	}
	return append(a, b...)
}

// configure has the cluster follow this leader's configuration: it may have been another's.
func (l *Leader) configure() []state.Command {
	var commands []state.Command
	if l.cluster.Policy() != l.config.Policy {
		commands = append(commands, state.SetPolicy{Policy: l.config.Policy})
	}
	return append(commands, l.scaling.configure(l.cluster)...)
}

// expirations answers the deadlines that are due.
func (l *Leader) expirations(now time.Time, due []state.Deadline) []state.Command {
	var commands []state.Command
	for _, d := range due {
		switch d.Kind {
		case state.BackoffDeadline: // planning again is all it asks for
		case state.SchedulingDeadline:
			commands = append(commands, state.Expire{Deadline: d, Reason: l.neverFitted(now, d.Job)})
		default:
			commands = append(commands, state.Expire{Deadline: d})
		}
	}
	return commands
}

// Next is when there is something to do if nobody asks for anything: now, or later.
func (l *Leader) Next(now time.Time) time.Time {
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
		return now // it became due during the step, whose length is made up for already
	}
	return next
}
