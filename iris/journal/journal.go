// Package journal is the controller's log: what was decided, in order, before it takes effect.
//
// A controller works only while it leads. A [Term] is one such time: it begins with the state that every entry
// committed so far leaves, and the controller then proposes entry after entry. What was proposed is revealed to nobody
// (no answer, no effect) before it is committed: until then it may never have been. The same entries in the same order
// give the same state everywhere (design §1).
package journal

import (
	"context"
	"time"

	"iris/iris/state"
)

// Entry is a batch of commands decided at one instant and committed together.
type Entry struct {
	At       time.Time
	Commands []state.Command
}

// Apply applies the entry's commands in order.
func (e Entry) Apply(c *state.Cluster) {
	for _, command := range e.Commands {
		_, _ = c.Apply(e.At, command) // what is refused now is refused everywhere: the log has no other effect
	}
}

// MaxOutstanding is how many entries of a term may be proposed and not yet committed.
const MaxOutstanding = 256

// Journal is one controller's copy of the log.
type Journal interface {
	// Lead waits until this controller leads and has applied all that was committed before. The term before must have
	// ended. An error is the context's, or says why this journal is of no use any more: then the controller must end.
	Lead(ctx context.Context) (Term, error)
	// Leader is the address of the controller that leads, this one included; empty while none is known.
	Leader() string
	// Close ends the term and releases what the journal holds. Nothing of it runs once Close returns.
	Close() error
}

// Term is a time in which this controller leads. One goroutine uses it; Over may be read from anywhere.
type Term interface {
	// State is the cluster as of the beginning of the term. It is the caller's own copy, to change as it proposes.
	State() *state.Cluster
	// Propose adds an entry to the log, in the order of the calls. It never waits; the caller sees to it that no
	// more than MaxOutstanding are outstanding. The entry must not be changed afterwards.
	Propose(Entry)
	// Committed is how many of the term's proposals are committed, the first ones. News is sent to after it grew.
	Committed() uint64
	News() <-chan struct{}
	// Over is closed when the term has ended. What is not committed by then may or may not be in the log: the next
	// term's state tells. Err says why.
	Over() <-chan struct{}
	Err() error
	// End ends the term from this side and waits until nothing of it runs.
	End()
}
