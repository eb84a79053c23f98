// Package journal is the controller's log: what was decided, in order, before it takes effect.
//
// The controller changes its state only by applying entries it has committed here, so that replaying the log gives the
// same state again (design §1).
package journal

import (
	"time"

	"iris/iris/state"
)

// Entry is a batch of commands decided at one instant and committed together.
type Entry struct {
	At       time.Time
	Commands []state.Command
}

// Journal keeps entries in order. One loop uses it; it need not be safe for concurrent use.
type Journal interface {
	// Commit returns once the entry would survive whatever this journal promises to survive. After an error nothing may be
	// assumed of the entry and the controller must end.
	Commit(Entry) error
	// Replay calls apply for every entry committed before the journal was opened.
	Replay(apply func(Entry)) error
	// Close flushes and releases what the journal holds.
	Close() error
}

// Memory is the journal of an ephemeral cluster: it lives and dies with the controller, so it keeps nothing.
type Memory struct{}

// Commit always succeeds.
func (Memory) Commit(Entry) error { return nil }

// Replay has nothing to replay.
func (Memory) Replay(func(Entry)) error { return nil }

// Close does nothing.
func (Memory) Close() error { return nil }
