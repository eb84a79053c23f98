package leader

import (
	"time"

	"iris/iris/state"
)

// retentionInterval is the time between two looks at what may be forgotten.
const retentionInterval = 10 * time.Second

// retention is when a leader looks for what may be forgotten.
type retention struct {
	keep state.Retention
	due  time.Time // zero: at once
}

// expired are the commands that forget a batch of it. While there is more, the next step looks again, so that
// what a burst leaves goes soon, and no step takes long.
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
