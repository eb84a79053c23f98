package leader

import (
	"math"
	"slices"
	"time"

	"iris/iris/schedule"
	"iris/iris/state"
)

// plan looks for placements of everything that may be placed now, on the workers that take tasks.
func (l *Leader) plan(now time.Time) []state.Placement {
	if l.config.Planning != nil {
		defer l.config.Planning()()
	}
	queue := l.cluster.Queue()
	if len(queue) == 0 {
		return nil
	}
	view := schedule.View{Workers: l.taking(now, l.view.Workers[:0]), Requests: l.view.Requests[:0]}
	if len(view.Workers) == 0 {
		return nil
	}
	var free state.Resources // of all workers together
	for i := range view.Workers {
		free.CPUMillis += max(0, view.Workers[i].Free.CPUMillis)
		free.MemoryBytes += max(0, view.Workers[i].Free.MemoryBytes)
	}
	for _, j := range queue {
		if !j.Gang() && !free.Fits(j.Need) {
			continue // most of a long queue
		}
		tasks, avoiding := ready(now, j, free)
		if len(tasks) == 0 {
			continue
		}
		r := requestOf(j, avoiding)
		r.Tasks = tasks
		view.Requests = append(view.Requests, r)
	}
	placements := l.planner.Plan(view)
	clear(view.Requests) // they may be of jobs that are soon forgotten
	l.view = view
	return placements
}

// workers are the live ones as the scheduler sees them.
func workers(c *state.Cluster) []schedule.Worker {
	var live []schedule.Worker
	for _, w := range c.Workers() {
		if !w.Lost {
			live = append(live, toSchedule(w))
		}
	}
	return live
}

// taking adds those that take tasks.
func (l *Leader) taking(now time.Time, to []schedule.Worker) []schedule.Worker {
	all := l.liveness.allTake(now)
	for _, w := range l.cluster.Workers() {
		if !w.Lost && (all && !w.Leaving() || l.standingOf(now, w) == Takes) {
			to = append(to, toSchedule(w))
		}
	}
	return to
}

func toSchedule(w *state.Worker) schedule.Worker {
	return schedule.Worker{ID: w.ID, Capacity: w.Capacity, Free: w.Free(), Attributes: w.Attributes}
}

// requestOf is a job's request; of the tasks only a gang's, since they matter to where there is room. Unless some of them avoid
// workers, nobody needs to ask.
func requestOf(j *state.Job, avoiding bool) schedule.Request {
	r := schedule.Request{
		Job: j.ID, Need: j.Need, Constraints: j.Spec.Constraints, GroupBy: j.Spec.GetCoscheduling().GetGroupBy(), Bounced: j.Bounced,
	}
	if avoiding {
		r.Avoid = j.Avoided
	}
	if j.Gang() {
		r.Tasks = j.Waiting()
	}
	return r
}

// ready are the tasks of a job that may be placed now: without those that pause or wait for a stop, and of the many that
// may wait no more than there can be room for if all workers together have this much free. A gang's are all or none.
func ready(now time.Time, j *state.Job, free state.Resources) (tasks []int32, avoiding bool) {
	held := func(i int32) bool { return j.NotBefore(i).After(now) || j.Stopping(i) }
	waiting := j.Waiting()
	if j.Gang() {
		if slices.ContainsFunc(waiting, held) {
			return nil, false
		}
		return waiting, len(j.Avoided(0)) > 0
	}
	for room := free.Slots(j.Need); room > 0 && len(waiting) > 0; waiting = waiting[1:] {
		i := waiting[0]
		if held(i) {
			continue
		}
		tasks = append(tasks, i)
		if len(j.Avoided(i)) > 0 {
			avoiding = true // it may have to leave the room to another
		} else {
			room--
		}
	}
	return tasks, avoiding
}

// demand is what was not placed although nothing but the workers keeps it from being placed.
func demand(now time.Time, c *state.Cluster) []schedule.Request {
	endless := state.Resources{CPUMillis: math.MaxInt64, MemoryBytes: math.MaxInt64}
	var all []schedule.Request
	for _, j := range c.Queue() {
		if tasks, avoiding := ready(now, j, endless); len(tasks) > 0 {
			r := requestOf(j, avoiding)
			r.Tasks = tasks
			all = append(all, r)
		}
	}
	return all
}
