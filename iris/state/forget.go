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
	// WorkerAge is how long lost workers are kept; those of slices that are gone only for MinAge, since they never come back.
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
	var stays map[*Job]bool // because a child does
	for _, j := range c.over {
		age := now.Sub(j.root().Finished)
		old := keep.Age > 0 && age >= keep.Age
		many := keep.Jobs > 0 && len(c.over)-len(ids) > keep.Jobs
		if len(ids) == maxForgotten || age < MinAge || !old && !many {
			break
		}
		if j.held > 0 || stays[j] {
			if stays == nil {
				stays = map[*Job]bool{}
			}
			stays[j.parent] = true
			continue
		}
		ids = append(ids, j.ID)
	}
	return ids
}

func (c *Cluster) expiredWorkers(now time.Time, keep Retention) []string {
	if len(c.live) == len(c.workers) {
		return nil
	}
	var ids []string
	for _, w := range c.sorted {
		if len(ids) == maxForgotten {
			break
		}
		age := keep.WorkerAge
		if _, gone := c.fleet.gone[w.Attributes[AttributeSlice]]; gone { // it never comes back
			age = MinAge
		}
		if age > 0 && w.forgettable() && now.Sub(w.LostAt) >= age {
			ids = append(ids, w.ID)
		}
	}
	return ids
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
	var few [4]*Job // as a rule they go one by one
	gone := few[:0]
	for _, id := range cmd.IDs {
		if j := c.jobs[id]; j != nil {
			gone = append(gone, j)
		}
	}
	slices.SortFunc(gone, func(a, b *Job) int { return bySeq(b, a) }) // children first
	var parents map[*Job]struct{}
	gone = slices.DeleteFunc(gone, func(j *Job) bool {
		if !j.forgettable() {
			return true
		}
		j.dropped = true
		delete(c.jobs, j.ID)
		c.count(j, -1)
		if j.parent != nil {
			if parents == nil {
				parents = map[*Job]struct{}{}
			}
			parents[j.parent] = struct{}{}
		}
		return false
	})
	c.found = nil // it may be of one of them
	if len(gone) > 0 && c.numberedFrom == 0 {
		c.numberedFrom = c.next
	}
	c.order, c.over = without(c.order, gone, bySeq), without(c.over, gone, retirement)
	c.queue = without(c.queue, gone, order) // it may hold jobs that left
	for parent := range parents {
		parent.children = slices.DeleteFunc(parent.children, func(j *Job) bool { return j.dropped })
	}
}

func bySeq(a, b *Job) int { return cmp.Compare(a.Seq, b.Seq) }

// without is a sorted list without those that are gone. It looks at few of the others: there may be very many. As a rule those
// that are gone were the first.
func without(list, gone []*Job, compare func(a, b *Job) int) []*Job {
	first := 0
	for first < len(list) && list[first].dropped {
		list[first] = nil
		first++
	}
	if list = list[first:]; first == len(gone) {
		return list
	}
	var few [4]int
	holes := few[:0]
	for _, j := range gone {
		if at, found := slices.BinarySearchFunc(list, j, compare); found {
			holes = append(holes, at)
		}
	}
	if len(holes) == 0 {
		return list
	}
	slices.Sort(holes)
	end := holes[0]
	for i, hole := range holes {
		next := len(list)
		if i+1 < len(holes) {
			next = holes[i+1]
		}
		end += copy(list[end:], list[hole+1:next])
	}
	clear(list[end:])
	return list[:end]
}

// forgettable reports whether nobody needs the job any more.
func (j *Job) forgettable() bool {
	return !j.dropped && j.held == 0 && j.root().State.Terminal() &&
		!slices.ContainsFunc(j.children, func(child *Job) bool { return !child.dropped })
}

func (c *Cluster) forgetWorkers(cmd ForgetWorkers) {
	for _, id := range cmd.IDs {
		if w := c.workers[id]; w != nil && w.forgettable() {
			w.slice.drop(w)
			delete(c.workers, id)
		}
	}
	c.sorted = slices.DeleteFunc(c.sorted, func(w *Worker) bool { return c.workers[w.ID] == nil })
}

// forgettable reports whether nobody needs the worker any more.
func (w *Worker) forgettable() bool { return w.Lost && len(w.held) == 0 }
