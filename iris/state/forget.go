package state

import (
	"cmp"
	"slices"
	"time"
)

// Retention says what of the past is kept. A zero field is no limit.
type Retention struct {
	// Jobs is how many jobs are kept of those that are over with all their family; the oldest go first.
	Jobs int
	// Age is how long after the end of their family jobs are kept.
	Age time.Duration
	// WorkerAge is how long lost workers are kept.
	WorkerAge time.Duration
}

// MinAge is how long a job is kept after the end of its family, whatever else the limits say: so that its client hears
// how it ended, and so that a launch that is repeated for want of an answer is still known as one (FM-60).
const MinAge = time.Minute

// maxForgotten bounds what one command forgets.
const maxForgotten = 1000

// Expired are the commands that forget what need not be kept any more, at most a batch: ask again until there are none.
// It costs next to nothing while there is nothing to forget.
func (c *Cluster) Expired(now time.Time, keep Retention) []Command {
	var commands []Command
	if ids := c.expiredJobs(now, keep); len(ids) > 0 {
		commands = append(commands, ForgetJobs{ids})
	}
	if ids := c.expiredWorkers(now, keep); len(ids) > 0 {
		commands = append(commands, ForgetWorkers{ids})
	}
	return commands
}

func (c *Cluster) expiredJobs(now time.Time, keep Retention) []string {
	var ids []string
	stays := map[*Job]bool{} // because a child does
	for _, j := range c.over {
		age := now.Sub(j.root().Finished)
		old := keep.Age > 0 && age >= keep.Age
		many := keep.Jobs > 0 && len(c.over)-len(ids) > keep.Jobs
		if len(ids) == maxForgotten || age < MinAge || !old && !many {
			break
		}
		if j.held > 0 || stays[j] {
			stays[j.parent] = true
			continue
		}
		ids = append(ids, j.ID)
	}
	return ids
}

func (c *Cluster) expiredWorkers(now time.Time, keep Retention) []string {
	if keep.WorkerAge <= 0 || len(c.live) == len(c.workers) {
		return nil
	}
	var ids []string
	for _, w := range c.workers {
		if w.forgettable() && now.Sub(w.LostAt) >= keep.WorkerAge {
			ids = append(ids, w.ID)
		}
	}
	slices.Sort(ids)
	return ids[:min(len(ids), maxForgotten)]
}

// retire notes that a family is over, given its root.
func (c *Cluster) retire(root *Job) {
	family := []*Job{root}
	for i := 0; i < len(family); i++ {
		family = append(family, family[i].children...)
	}
	slices.SortFunc(family, retirement)
	at, _ := slices.BinarySearchFunc(c.over, family[0], retirement)
	c.over = slices.Insert(c.over, at, family...)
}

// retirement is the order in which jobs may be forgotten: families as they ended, and in each the children before their
// parents.
func retirement(a, b *Job) int {
	x, y := a.root(), b.root()
	return cmp.Or(x.Finished.Compare(y.Finished), cmp.Compare(x.Seq, y.Seq), cmp.Compare(b.Seq, a.Seq))
}

func (c *Cluster) forgetJobs(cmd ForgetJobs) {
	var asked []*Job
	for _, id := range cmd.IDs {
		if j := c.jobs[id]; j != nil {
			asked = append(asked, j)
		}
	}
	slices.SortFunc(asked, func(a, b *Job) int { return cmp.Compare(b.Seq, a.Seq) }) // children first
	parents, any := map[*Job]struct{}{}, false
	for _, j := range asked {
		if !j.forgettable() {
			continue
		}
		j.dropped, any = true, true
		delete(c.jobs, j.ID)
		c.count(j, -1)
		if j.parent != nil {
			parents[j.parent] = struct{}{}
		}
	}
	if !any {
		return
	}
	dropped := func(j *Job) bool { return j.dropped }
	for parent := range parents {
		parent.children = slices.DeleteFunc(parent.children, dropped)
	}
	c.order, c.over = slices.DeleteFunc(c.order, dropped), slices.DeleteFunc(c.over, dropped)
	c.queue = slices.DeleteFunc(c.queue, dropped) // it may hold jobs that left
}

// forgettable reports whether nobody needs the job any more.
func (j *Job) forgettable() bool {
	return !j.dropped && j.held == 0 && j.root().State.Terminal() &&
		!slices.ContainsFunc(j.children, func(child *Job) bool { return !child.dropped })
}

func (c *Cluster) forgetWorkers(cmd ForgetWorkers) {
	for _, id := range cmd.IDs {
		if w := c.workers[id]; w != nil && w.forgettable() {
			delete(c.workers, id)
		}
	}
}

// forgettable reports whether nobody needs the worker any more.
func (w *Worker) forgettable() bool { return w.Lost && len(w.held) == 0 }
