package schedule

import (
	"math"
	"slices"

	"iris/iris/mutant"
	pb "iris/iris/proto"
	"iris/iris/state"
)

// Worker is a live worker as the scheduler sees it.
type Worker struct {
	ID string
	// Capacity is what it has when empty, Free what is left of it now.
	Capacity, Free state.Resources
	// Attributes always include "worker", which is ID.
	Attributes map[string]string
}

// Request is the waiting tasks of one job. All tasks of a job need the same.
type Request struct {
	Job string
	// Need is what each task needs.
	Need state.Resources
	// Constraints must all be satisfied by a task's worker.
	Constraints []*pb.Constraint
	// GroupBy names the attribute whose value the workers of a gang share. Empty: the tasks are independent.
	GroupBy string
	// Tasks are the indexes of the tasks that may be placed now, ascending. Of a gang: all its tasks.
	Tasks []int32
	// Avoid is the ids of workers that a task must not be placed on in this pass; nil: none for any task. A gang
	// avoids whatever one of its tasks avoids.
	Avoid func(task int32) []string
	// Bounced marks a gang that ran before and was sent back: smaller requests behind it must not starve it (FM-47).
	Bounced bool
}

// View is what a pass decides on.
type View struct {
	// Workers are sorted by id, which is the order of first fit.
	Workers []Worker
	// Requests are in the order in which they are served: by band, depth and submission (design §4).
	Requests []Request
}

// Assignment puts one task on one worker.
type Assignment = state.Placement

// Plan places as much of the view as fits, in the order of its requests. It does not modify the view.
func Plan(v View) []Assignment { return new(Planner).Plan(v) }

// Planner makes one plan after the other, each as [Plan] does, in the same memory. The zero value is ready. It is not safe for
// concurrent use.
type Planner struct{ pass pass }

// Plan is [Plan].
func (planner *Planner) Plan(v View) []Assignment {
	p := &planner.pass
	p.begin(v.Workers)
	for i := range v.Requests {
		before := len(p.placed)
		p.last = i == len(v.Requests)-1
		if r := &v.Requests[i]; r.GroupBy == "" {
			p.placeEach(r)
		} else {
			p.placeGang(r)
		}
		if len(p.placed) == before && mutant.On(mutant.HeadOfLineBlocks) {
			break
		}
	}
	return p.placed
}

// A pass is the working state of one Plan.
type pass struct {
	workers  []Worker
	free     []state.Resources // of each worker; it only shrinks
	everyone candidates
	sets     map[string]*candidates // by the constraints that they satisfy, written out; made when there is one
	placed   []Assignment
	last     bool // no request follows, for which it would remember where there is no room

	key  []byte    // scratch of candidatesFor
	open []opening // scratch of roomFor and fill
}

// withheld stands for the free room of a worker that takes nothing more in this pass.
var withheld = state.Resources{CPUMillis: math.MinInt64, MemoryBytes: math.MinInt64}

// begin begins a pass in the memory of the one before.
func (p *pass) begin(workers []Worker) {
	free, everyone := p.free[:0], p.everyone.workers
	for i := range workers {
		if free = append(free, workers[i].Free); i == len(everyone) {
			everyone = append(everyone, int32(i))
		}
	}
	*p = pass{
		workers: workers, free: free, everyone: candidates{pass: p, workers: everyone[:len(workers)]}, key: p.key, open: p.open,
	}
}

// placeEach places independent tasks, each where it fits first.
func (p *pass) placeEach(r *Request) {
	set := p.candidatesFor(r.Constraints)
	start := set.startOf(r.Need)
	first := start
	for _, task := range r.Tasks {
		if first = set.next(first, r.Need); first == len(set.workers) {
			break // whatever the others avoid, there is no room
		}
		at := first
		if r.Avoid != nil {
			avoid := r.Avoid(task)
			for at < len(set.workers) && slices.Contains(avoid, p.workers[set.workers[at]].ID) {
				at = set.next(at+1, r.Need)
			}
			if at == len(set.workers) {
				continue
			}
		}
		p.take(r, task, set.workers[at])
	}
	if first != start && !p.last {
		set.setStart(r.Need, first)
	}
}

func (p *pass) take(r *Request, task, worker int32) {
	p.free[worker] = p.free[worker].Sub(r.Need)
	p.placed = append(p.placed, Assignment{Job: r.Job, Task: task, Worker: p.workers[worker].ID})
}

// slots is how many tasks of this need there is room for. Unlike Resources.Slots it is 0 wherever Fits is false, also
// if only a dimension that the task does not need is overdrawn.
func slots(room, need state.Resources) int64 {
	if !room.Fits(need) {
		return 0
	}
	return room.Slots(need)
}

func indexes(workers []Worker) []int32 {
	all := make([]int32, len(workers))
	for i := range all {
		all[i] = int32(i)
	}
	return all
}
