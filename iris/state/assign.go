package state

import (
	"slices"
	"time"

	"iris/iris/mutant"
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
		if j != nil && c.placeable(now, j, rest[:n]) {
			for _, p := range rest[:n] {
				c.place(now, j, p)
			}
		}
		rest = rest[n:]
	}
}

// placeable reports whether all these placements of one job hold at once.
func (c *Cluster) placeable(now time.Time, j *Job, placements []Placement) bool {
	if j.State.Terminal() || j.Gang() && len(placements) != len(j.Tasks) {
		return false
	}
	if !j.Gang() {
		return c.takes(now, j, placements[0], j.Need)
	}
	taken, placed := map[string]Resources{}, map[int32]bool{}
	for _, p := range placements {
		taken[p.Worker] = taken[p.Worker].Add(j.Need)
		if placed[p.Task] || !c.takes(now, j, p, taken[p.Worker]) {
			return false
		}
		placed[p.Task] = true
	}
	return c.together(j, placements)
}

// takes reports whether a worker can take a task, and has room for this much.
func (c *Cluster) takes(now time.Time, j *Job, p Placement, room Resources) bool {
	w := c.workers[p.Worker]
	return w != nil && !w.Lost && !w.Leaving() && j.startable(now, p.Task) &&
		!slices.Contains(j.Avoided(p.Task), p.Worker) && Matches(j.Spec.Constraints, w.Attributes) &&
		(w.Free().Fits(room) || mutant.On(mutant.CommitNotValidated))
}

// startable reports whether nothing but room keeps a task from starting.
func (j *Job) startable(now time.Time, task int32) bool {
	return task >= 0 && int(task) < len(j.Tasks) && j.Tasks[task].State == Pending &&
		!j.Stopping(task) && !now.Before(j.NotBefore(task))
}

// together reports whether the workers of a gang's placements share the attribute that groups it.
func (c *Cluster) together(j *Job, placements []Placement) bool {
	by := j.Spec.Coscheduling.GroupBy
	group, ok := c.workers[placements[0].Worker].Attributes[by]
	return ok && !slices.ContainsFunc(placements, func(p Placement) bool {
		value, ok := c.workers[p.Worker].Attributes[by]
		return !ok || value != group
	})
}

func (c *Cluster) place(now time.Time, j *Job, p Placement) {
	t, w := &j.Tasks[p.Task], c.workers[p.Worker]
	a := &Attempt{
		UID: j.newUID(p.Task, len(t.Attempts)), Worker: w.ID, Incarnation: w.Incarnation,
		State: Assigned, Assigned: now, job: j, task: p.Task,
	}
	if len(t.Attempts) == 0 {
		j.untried--
	}
	t.Attempts = append(t.Attempts, a)
	c.counts.Attempts[Assigned]++
	w.hold(a)
	c.moveTask(now, j, p.Task, Assigned)
	c.tellAttempt(now, a)
	c.effects = append(c.effects, Run{a})
}
