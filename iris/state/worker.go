package state

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Worker is a worker that has registered at least once.
type Worker struct {
	ID          string
	Incarnation string // ordered: a later start has a greater one
	Address     string
	Capacity    Resources
	// Committed is the sum of its unreleased attempts.
	Committed  Resources
	Attributes map[string]string
	// Lost: no heartbeat for the worker timeout. It returns by registering again.
	Lost bool
	// LostCause says why, and LostAt since when, while it is lost.
	LostCause string
	LostAt    time.Time
	// TimesLost counts how often it was marked lost.
	TimesLost int

	held  []*Attempt // unreleased attempts, by uid
	slice *Slice     // that it belongs to; nil: none that is known
}

// Slice is the slice that it belongs to, or nil.
func (w *Worker) Slice() *Slice { return w.slice }

// Leaving reports whether its slice is about to go: nothing new is placed on it.
func (w *Worker) Leaving() bool { return w.slice != nil && w.slice.Leaving }

// Free is the capacity nothing has taken.
func (w *Worker) Free() Resources { return w.Capacity.Sub(w.Committed) }

// Held are the attempts whose capacity is taken, by uid.
func (w *Worker) Held() []*Attempt { return slices.Clone(w.held) }

// know adds a worker, if it is not known yet.
func (c *Cluster) know(w *Worker) {
	c.workers[w.ID] = w
	if at, found := slices.BinarySearchFunc(c.sorted, w.ID, workerID); !found {
		c.sorted = slices.Insert(c.sorted, at, w)
	}
}

func workerID(w *Worker, id string) int { return strings.Compare(w.ID, id) }

// find is where an attempt is, or would be, among those held.
func (w *Worker) find(uid string) (at int, found bool) {
	return slices.BinarySearchFunc(w.held, uid, func(a *Attempt, uid string) int { return strings.Compare(a.UID, uid) })
}

func (w *Worker) hold(a *Attempt) {
	if at, found := w.find(a.UID); !found {
		w.held = slices.Insert(w.held, at, a)
	}
	a.job.held++
	w.Committed = w.Committed.Add(a.job.Need)
	w.slice.hold(1)
}

func (w *Worker) release(now time.Time, a *Attempt) {
	if a.Released {
		return
	}
	a.Released = true
	if at, found := w.find(a.UID); found {
		w.held = slices.Delete(w.held, at, at+1)
	}
	a.job.held--
	w.Committed = w.Committed.Sub(a.job.Need)
	w.slice.release(now, 1)
}

// feasible reports whether the job could run on the live workers if they were empty, leaving out those to avoid.
func (c *Cluster) feasible(j *Job, avoid []string) bool {
	groupBy, tasks := j.together()
	room := map[string]int64{}
	for _, w := range c.live {
		group, ok := w.Attributes[groupBy]
		if !ok || slices.Contains(avoid, w.ID) || !Matches(j.Spec.Constraints, w.Attributes) {
			continue
		}
		if room[group] += w.Capacity.Slots(j.Need); room[group] >= tasks {
			return true
		}
	}
	return false
}

// together is how many tasks of a job there must be room for on workers that share a value of which attribute.
func (j *Job) together() (attribute string, tasks int64) {
	if by := j.Spec.GetCoscheduling().GetGroupBy(); by != "" {
		return by, int64(len(j.Tasks))
	}
	return AttributeWorker, 1
}

// An ask is all that feasible looks at in a job.
type ask struct {
	need                 Resources
	groupBy, constraints string
	tasks                int // of a gang
}

func (j *Job) ask() ask {
	a := ask{need: j.Need, groupBy: j.Spec.GetCoscheduling().GetGroupBy()}
	if a.groupBy != "" {
		a.tasks = len(j.Tasks)
	}
	for _, c := range j.Spec.Constraints {
		a.constraints += strconv.Quote(c.Key) + c.Op.String() + strconv.Quote(c.Value)
	}
	return a
}
