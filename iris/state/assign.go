package state

import (
	"slices"
	"time"
)

func (c *Cluster) assign(now time.Time, cmd Assign) {
	for rest := cmd.Placements; len(rest) > 0; {
		j := c.jobs[rest[0].Job]
		n := 1
		if j != nil && j.Gang() {
			for n < len(rest) && rest[n].Job == rest[0].Job {
				n++
			}
		}
		if j != nil && c.placeable(j, rest[:n]) {
			for _, p := range rest[:n] {
				c.place(now, j, p)
			}
		}
		rest = rest[n:]
	}
}

// placeable reports whether all these placements of one job hold at once.
func (c *Cluster) placeable(j *Job, placements []Placement) bool {
	if j.State.Terminal() || j.Gang() && len(placements) != len(j.Tasks) {
		return false
	}
	taken := map[string]Resources{}
	for _, p := range placements {
		w := c.workers[p.Worker]
		if w == nil || w.Lost || int(p.Task) >= len(j.Tasks) || j.Tasks[p.Task].State != Pending || j.Stopping(p.Task) ||
			slices.Contains(j.Avoided(p.Task), p.Worker) || !Matches(j.Spec.Constraints, w.Attributes) {
			return false
		}
		taken[p.Worker] = taken[p.Worker].Add(j.Need)
		if !w.Free().Fits(taken[p.Worker]) {
			return false
		}
	}
	return true
}

func (c *Cluster) place(now time.Time, j *Job, p Placement) {
	t, w := &j.Tasks[p.Task], c.workers[p.Worker]
	a := &Attempt{
		UID: newUID(j.ID, p.Task, len(t.Attempts)), Worker: w.ID, Incarnation: w.Incarnation,
		State: Assigned, Assigned: now, job: j, task: p.Task,
	}
	t.Attempts = append(t.Attempts, a)
	w.hold(a)
	c.moveTask(now, j, p.Task, Assigned)
	c.effects = append(c.effects, Run{a})
}
