package schedule

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"iris/iris/mutant"
	"iris/iris/state"
)

// attributeRank numbers the hosts of a slice (design §4).
const attributeRank = "tpu-worker-id"

// A grouping is candidates by the value of one attribute; those without it are in no group.
type grouping struct {
	groups  []group // by value
	cursors map[gangNeed]*gangCursor
}

// A group is the workers that share a value.
type group struct {
	value   string
	workers []int32 // ascending
	ranked  []int32 // in the order in which a gang's tasks are laid out; nil until asked for
}

type gangNeed struct {
	each  state.Resources
	tasks int
}

// A gangCursor is what a pass knows of gangs of one size and need.
type gangCursor struct {
	first    int  // the first group that may have room
	hopeless bool // none would have room even if empty
}

// An opening is a worker with room for some of a gang's tasks, and how many of them it gets.
type opening struct {
	worker      int32
	slots, take int64
}

func groupsOf(workers []Worker, members []int32, attribute string) []group {
	type member struct {
		value  string
		worker int32
	}
	sorted := make([]member, 0, len(members))
	for _, w := range members {
		if value, ok := workers[w].Attributes[attribute]; ok {
			sorted = append(sorted, member{value, w})
		}
	}
	slices.SortFunc(sorted, func(a, b member) int {
		return cmp.Or(strings.Compare(a.value, b.value), cmp.Compare(a.worker, b.worker))
	})
	var groups []group
	all := make([]int32, len(sorted))
	for i, start := 0, 0; i < len(sorted); i++ {
		all[i] = sorted[i].worker
		if last := i+1 == len(sorted); last || sorted[i+1].value != sorted[i].value {
			groups = append(groups, group{value: sorted[i].value, workers: all[start : i+1 : i+1]})
			start = i + 1
		}
	}
	return groups
}

func (g *grouping) workersOf(value string) []int32 {
	at, ok := slices.BinarySearchFunc(g.groups, value, func(g group, value string) int {
		return strings.Compare(g.value, value)
	})
	if !ok {
		return nil
	}
	return g.groups[at].workers
}

func (g *grouping) cursor(need gangNeed) *gangCursor {
	c, ok := g.cursors[need]
	if !ok {
		c = &gangCursor{}
		g.cursors[need] = c
	}
	return c
}

// placeGang places all tasks of r in the first group that has room for all of them.
func (p *pass) placeGang(r *Request) {
	if len(r.Tasks) == 0 {
		return
	}
	by := p.candidatesFor(r.Constraints).by(r.GroupBy)
	cursor := by.cursor(gangNeed{r.Need, len(r.Tasks)})
	avoid := avoided(r)
	for i := cursor.first; i < len(by.groups); i++ {
		if p.roomFor(r, &by.groups[i], avoid) {
			p.fill(r)
			return
		}
		if len(avoid) == 0 { // otherwise the next gang may find room here
			cursor.first = i + 1
		}
	}
	if r.Bounced && !cursor.hopeless && !mutant.On(mutant.BouncedGangStarves) {
		done := p.withhold(r, by.groups, avoid)
		cursor.hopeless = !done && len(avoid) == 0
	}
}

// roomFor reports whether the group has room for the whole gang, and leaves in p.open where.
func (p *pass) roomFor(r *Request, g *group, avoid []string) bool {
	if g.ranked == nil {
		g.ranked = ranked(p.workers, g.workers)
	}
	p.open = p.open[:0]
	tasks, room := int64(len(r.Tasks)), int64(0)
	for _, w := range g.ranked {
		n := min(slots(p.free[w], r.Need), tasks)
		if n == 0 || slices.Contains(avoid, p.workers[w].ID) {
			continue
		}
		room += n
		p.open = append(p.open, opening{worker: w, slots: n})
		if len(p.open) == len(r.Tasks) {
			break // one task for each
		}
	}
	return room >= tasks
}

// fill lays the gang out over p.open: as evenly as the room allows, and in order.
func (p *pass) fill(r *Request) {
	for left := len(r.Tasks); left > 0; {
		for i := range p.open {
			if o := &p.open[i]; left > 0 && o.take < o.slots {
				o.take++
				left--
			}
		}
	}
	tasks := r.Tasks
	for _, o := range p.open {
		for _, task := range tasks[:o.take] {
			p.take(r, task, o.worker)
		}
		tasks = tasks[o.take:]
	}
}

// withhold keeps one group's workers from all later requests: of the groups that could take the gang if they were
// empty, the one with the most room. While it is kept its room can only grow, so the gang gets closer with each pass.
func (p *pass) withhold(r *Request, groups []group, avoid []string) bool {
	best, bestRoom := -1, int64(-1)
	for i := range groups {
		var whenEmpty, now int64
		for _, w := range groups[i].workers {
			if p.free[w] != withheld && !slices.Contains(avoid, p.workers[w].ID) {
				whenEmpty += min(slots(p.workers[w].Capacity, r.Need), math.MaxInt32)
				now += min(slots(p.free[w], r.Need), math.MaxInt32)
			}
		}
		if whenEmpty >= int64(len(r.Tasks)) && now > bestRoom {
			best, bestRoom = i, now
		}
	}
	if best < 0 {
		return false
	}
	for _, w := range groups[best].workers {
		if !slices.Contains(avoid, p.workers[w].ID) {
			p.free[w] = withheld
		}
	}
	return true
}

// avoided is the workers that any task of r avoids.
func avoided(r *Request) []string {
	if r.Avoid == nil {
		return nil
	}
	var all []string
	for _, task := range r.Tasks {
		all = append(all, r.Avoid(task)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// ranked is the workers with a numeric rank by that, then the others, each by id.
func ranked(workers []Worker, members []int32) []int32 {
	rank := make(map[int32]int, len(members))
	for _, w := range members {
		rank[w] = math.MaxInt
		if text, ranked := workers[w].Attributes[attributeRank]; ranked {
			if n, err := strconv.Atoi(text); err == nil {
				rank[w] = n
			}
		}
	}
	sorted := slices.Clone(members)
	slices.SortStableFunc(sorted, func(a, b int32) int { return cmp.Compare(rank[a], rank[b]) })
	return sorted
}
