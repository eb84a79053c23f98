package controller

import (
	"time"

	"iris/iris/state"
)

// retentionInterval is the time between two looks at what may be forgotten.
const retentionInterval = 10 * time.Second

// Retention sets the defaults of what is zero: 10 000 jobs that are over, for 7 days; lost workers for 1 day. What is
// negative is no limit.
func Retention(r state.Retention) state.Retention {
	setDefault(&r.Jobs, 10_000)
	setDefault(&r.Age, 7*24*time.Hour)
	setDefault(&r.WorkerAge, 24*time.Hour)
	return state.Retention{Jobs: max(r.Jobs, 0), Age: max(r.Age, 0), WorkerAge: max(r.WorkerAge, 0)}
}

// retention is when the loop looks for what may be forgotten.
type retention struct {
	keep state.Retention
	due  time.Time // zero: at once
}

// expired are the commands that forget a batch of it. While there is more, the next turn of the loop looks again, so that
// what a burst leaves goes soon, and no turn takes long.
func (r *retention) expired(now time.Time, c *state.Cluster) []state.Command {
	if now.Before(r.due) {
		return nil
	}
	commands := c.Expired(now, r.keep)
	r.due = now
	if len(commands) == 0 {
		r.due = now.Add(retentionInterval)
	}
	return commands
}
