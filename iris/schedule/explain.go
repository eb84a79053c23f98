package schedule

import (
	"cmp"
	"math"
	"slices"

	pb "iris/iris/proto"
	"iris/iris/state"
)

// Explain says why a task of r waits, given what the workers have free now. It costs one look at every worker.
func Explain(workers []Worker, r Request, task int32) Reason {
	reason := Reason{Need: r.Need, Workers: len(workers), Constraints: r.Constraints}
	if len(workers) == 0 {
		reason.Kind = pb.PendingReason_KIND_NO_WORKERS
		return reason
	}
	candidates := satisfying(workers, indexes(workers), r.Constraints)
	reason.Candidates = len(candidates)
	switch {
	case len(candidates) == 0:
		reason.explainConstraints(workers)
	case !anyFits(workers, candidates, r.Need, capacity):
		reason.Kind = pb.PendingReason_KIND_TOO_LARGE
		reason.Short = shortages(workers, candidates, r.Need, capacity)
	case r.GroupBy != "":
		reason.explainGang(workers, candidates, &r)
	case !anyFits(workers, candidates, r.Need, free):
		reason.Kind = pb.PendingReason_KIND_NO_CAPACITY
		reason.Short = shortages(workers, candidates, r.Need, free)
	default:
		reason.explainRoom(workers, candidates, &r, task)
	}
	return reason
}

func (reason *Reason) explainConstraints(workers []Worker) {
	reason.Kind = pb.PendingReason_KIND_CONSTRAINTS
	all, everyone := reason.Constraints, indexes(workers)
	reason.Constraints = nil
	for _, c := range all {
		if len(satisfying(workers, everyone, []*pb.Constraint{c})) == 0 {
			reason.Constraints = append(reason.Constraints, c)
		}
	}
	if len(reason.Constraints) == 0 {
		reason.Constraints, reason.Together = all, true
	}
}

// explainRoom is for a task that some candidate has room for.
func (reason *Reason) explainRoom(workers []Worker, candidates []int32, r *Request, task int32) {
	reason.Kind = pb.PendingReason_KIND_NEXT_PASS
	if r.Avoid == nil {
		return
	}
	avoid := r.Avoid(task)
	var roomy []string
	for _, w := range candidates {
		if workers[w].Free.Fits(r.Need) {
			if !slices.Contains(avoid, workers[w].ID) {
				return
			}
			roomy = append(roomy, workers[w].ID)
		}
	}
	reason.Kind = pb.PendingReason_KIND_NO_CAPACITY
	reason.Avoided = roomy
}

func (reason *Reason) explainGang(workers []Worker, candidates []int32, r *Request) {
	reason.Kind = pb.PendingReason_KIND_GANG
	tasks, avoid := int64(len(r.Tasks)), avoided(r)
	groups := groupsOf(workers, candidates, r.GroupBy)
	if len(groups) == 0 {
		reason.Group = GroupRoom{By: r.GroupBy, Tasks: len(r.Tasks)}
		return
	}
	now, whenEmpty := most(workers, groups, r.Need, free, nil), most(workers, groups, r.Need, capacity, nil)
	reason.Group = GroupRoom{
		By: r.GroupBy, Tasks: len(r.Tasks), Groups: len(groups), Roomiest: now.value, Room: now.room,
	}
	switch {
	case now.room >= tasks:
		if allowed := most(workers, groups, r.Need, free, avoid); allowed.room >= tasks {
			reason.Kind, reason.Group = pb.PendingReason_KIND_NEXT_PASS, GroupRoom{}
			return
		}
		for _, w := range candidates {
			_, grouped := workers[w].Attributes[r.GroupBy]
			if grouped && workers[w].Free.Fits(r.Need) && slices.Contains(avoid, workers[w].ID) {
				reason.Avoided = append(reason.Avoided, workers[w].ID)
			}
		}
	case whenEmpty.room < tasks:
		reason.Group.Roomiest, reason.Group.Room, reason.Group.EvenEmpty = whenEmpty.value, whenEmpty.room, true
	}
}

type groupRoom struct {
	value string
	room  int64
}

// most is the group with the most room for tasks of this need, the first by value if several have.
func most(workers []Worker, groups []group, need state.Resources, side measure, avoid []string) groupRoom {
	best := groupRoom{room: -1}
	for _, g := range groups {
		var room int64
		for _, w := range g.workers {
			if !slices.Contains(avoid, workers[w].ID) {
				room += min(slots(side(&workers[w]), need), math.MaxInt32)
			}
		}
		if room > best.room {
			best = groupRoom{g.value, room}
		}
	}
	return best
}

// A measure is the side of a worker that a need is compared with.
type measure func(*Worker) state.Resources

func capacity(w *Worker) state.Resources { return w.Capacity }
func free(w *Worker) state.Resources     { return w.Free }

func anyFits(workers []Worker, candidates []int32, need state.Resources, side measure) bool {
	return slices.ContainsFunc(candidates, func(w int32) bool { return side(&workers[w]).Fits(need) })
}

// shortages is the dimensions of which every candidate has too little. If one worker has the most of each, it is
// named for each.
func shortages(workers []Worker, candidates []int32, need state.Resources, side measure) []Shortage {
	var short []Shortage
	for _, d := range dimensions {
		first := slices.MaxFunc(candidates, func(a, b int32) int {
			return cmp.Compare(d.of(side(&workers[a])), d.of(side(&workers[b])))
		})
		if amount := d.of(side(&workers[first])); amount < d.of(need) {
			short = append(short, Shortage{Dimension: d, Most: amount, Worker: workers[first].ID})
		}
	}
	for _, w := range candidates {
		has := side(&workers[w])
		if !slices.ContainsFunc(short, func(s Shortage) bool { return s.Dimension.of(has) < s.Most }) {
			for i := range short {
				short[i].Worker = workers[w].ID
			}
			break
		}
	}
	return short
}
