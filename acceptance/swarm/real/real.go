package real

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"testing"
	"time"

	"iris/acceptance/chronos"
	"iris/acceptance/fault"
	"iris/acceptance/swarm/story"
	"iris/acceptance/timeline"
)

// Options are how a story is told.
type Options struct {
	// Log is what the participants log to. Nil: they log nothing.
	Log *slog.Logger
	// Facts get what a timeline of the story is drawn from. Nil: nobody wants them.
	Facts *timeline.Facts
	// Patience is how much real time the story may take. Default 30 s.
	Patience time.Duration
}

// Violation is something that must not be.
type Violation struct {
	// By is what found it: an oracle, or an invariant.
	By string `json:"by"`
	// Text is what is wrong.
	Text string `json:"text"`
}

// Error is both.
func (v Violation) Error() string { return v.By + ": " + v.Text }

// What finds violations.
const (
	ByBoot    = "boot"    // the cluster could not be started, or was not ready in time
	ByFault   = "fault"   // a fault could not be done
	ByCheck   = "check"   // an invariant of the state (state.Cluster.Check)
	ByOutcome = "outcome" // a job's end does not follow from its history (oracle.Outcome)
	ByRuns    = "runs"    // workers ran something else (oracle.Runs)
	ByClients = "clients" // clients were told what cannot be (oracle.Linearizable), or refused what they may do
	ByHeal    = "heal"    // the cluster does not become what it was before the faults
	ByReason  = "reason"  // a task waits for what is not so
	ByStop    = "stop"    // the cluster does not end in good order
	ByLeak    = "leak"    // something of it is left
	ByHang    = "hang"    // no end in real time
)

// Outcome is what came of a story.
type Outcome struct {
	// Violations are all that were found. None: all held.
	Violations []Violation
	// Struck are the faults that had an effect, by kind. None: the story proves nothing.
	Struck map[fault.Kind]int
	// Fired counts the firings of chaos sites.
	Fired map[string]int
	// Told is the virtual time from the first instant of the story until the cluster had healed.
	Told time.Duration
	// Ended counts the jobs by their states at the end, as in "SUCCEEDED"; "FORGOTTEN" are those that the cluster keeps no more.
	Ended map[string]int
}

// Err is nil if all held.
func (o Outcome) Err() error {
	var all []error
	for _, v := range o.Violations {
		all = append(all, v)
	}
	return errors.Join(all...)
}

// Run tells a story. T is only what the bubble needs; nothing of the outcome fails it.
//
// The time that the cluster has to heal is the sum of what may pass, after the last fault, before somebody takes the next
// step: connections are made anew (reconnection), a leader is elected, silent workers are lost (6 beats), dispatches are
// tried over in all rounds, tasks give up hope (grace), scheduling timeouts run out, and machines come (see [recovery]). Within
// that time something has to move as long as anything runs; and nothing that fits an empty machine may wait longer while
// nothing runs.
func Run(t *testing.T, s story.Story, o Options) Outcome {
	if err := s.Check(); err != nil {
		return Outcome{Violations: []Violation{{ByBoot, err.Error()}}}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	told := make(chan Outcome, 1)
	err := chronos.Bubble(t, cmp.Or(o.Patience, 30*time.Second), func() { told <- tell(s, o) })
	var out Outcome
	select {
	case out = <-told:
	default:
	}
	switch {
	case errors.Is(err, chronos.ErrHangs):
		out.add(ByHang, "%v", err)
	case err != nil:
		out.add(ByLeak, "%v", err)
	}
	return out
}

// gcPercent lets the garbage of a story grow: what lives is small, and collecting it so often is a third of all work.
const gcPercent = 800

func (o *Outcome) add(by, format string, args ...any) {
	o.Violations = append(o.Violations, Violation{by, fmt.Sprintf(format, args...)})
}
