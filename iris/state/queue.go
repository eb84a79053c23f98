package state

import (
	"cmp"
	"slices"

	pb "iris/iris/proto"
)

// Queue are the jobs with waiting tasks in the order in which they are placed: priority band, then children before
// unrelated roots, then submission (design §4, FM-47). The caller must not keep or change it.
func (c *Cluster) Queue() []*Job {
	c.queue = slices.DeleteFunc(c.queue, func(j *Job) bool {
		j.queued = !j.State.Terminal() && j.Count(Pending) > 0
		return !j.queued
	})
	return c.queue
}

// wait puts a task into the queue.
func (c *Cluster) wait(j *Job, task int32) {
	if at, found := slices.BinarySearch(j.waiting, task); !found {
		j.waiting = slices.Insert(j.waiting, at, task)
	}
	if j.queued {
		return
	}
	if len(c.queue) >= c.sweepAt.queue { // who only follows the log never looks at the queue
		c.sweepAt.queue = 2*len(c.Queue()) + 1024
	}
	j.queued = true
	// A job that left the queue may still stand in it until the next Queue: then it is where it belongs.
	if at, found := slices.BinarySearchFunc(c.queue, j, order); !found {
		c.queue = slices.Insert(c.queue, at, j)
	}
}

func order(a, b *Job) int {
	return cmp.Or(cmp.Compare(band(a), band(b)), cmp.Compare(b.depth, a.depth), cmp.Compare(a.Seq, b.Seq))
}

func band(j *Job) pb.PriorityBand {
	if j.Spec.Priority == pb.PriorityBand_PRIORITY_BAND_UNSPECIFIED {
		return pb.PriorityBand_PRIORITY_BAND_INTERACTIVE
	}
	return j.Spec.Priority
}
