package config

import (
	"cmp"
	"slices"
	"strings"
)

// defaultPriority is that of a group which says nothing.
const defaultPriority = 100

// ranks are the groups that scale, as indices, in the order in which they are asked: by priority, then by name, but none
// before those that it is after. Groups that are after each other are cycles, each from its first group in the file; of such
// groups the order is any.
func ranks(groups []Group) (order []int, cycles [][]int) {
	var waiting []int
	for i, g := range groups {
		if g.Scales() {
			waiting = append(waiting, i)
		}
	}
	slices.SortStableFunc(waiting, func(i, j int) int {
		a, b := groups[i], groups[j]
		return cmp.Or(cmp.Compare(priority(a), priority(b)), strings.Compare(a.Name, b.Name))
	})
	for len(waiting) > 0 {
		next := slices.IndexFunc(waiting, func(i int) bool { return before(groups, waiting, i) < 0 })
		if next < 0 {
			cycle := cycleIn(groups, waiting)
			cycles = append(cycles, cycle)
			next = slices.Index(waiting, cycle[0])
		}
		order = append(order, waiting[next])
		waiting = slices.Delete(waiting, next, next+1)
	}
	return order, cycles
}

func priority(g Group) int { return cmp.Or(g.Priority, defaultPriority) }

// before is one of the waiting groups that group i is after; negative if there is none. A group that is after itself is
// another mistake.
func before(groups []Group, waiting []int, i int) int {
	for _, j := range waiting {
		if groups[j].Name != groups[i].Name && slices.Contains(groups[i].After, groups[j].Name) {
			return j
		}
	}
	return -1
}

// cycleIn is one among groups each of which is after another of them.
func cycleIn(groups []Group, waiting []int) []int {
	path := []int{waiting[0]}
	for {
		next := before(groups, waiting, path[len(path)-1])
		if begin := slices.Index(path, next); begin >= 0 {
			path = path[begin:]
			break
		}
		path = append(path, next)
	}
	first := slices.Index(path, slices.Min(path))
	return slices.Concat(path[first:], path[:first])
}

// checkCycles finds groups that would wait for each other.
func (r *review) checkCycles(groups []Group) {
	_, cycles := ranks(groups)
	for _, cycle := range cycles {
		var names []string
		for _, i := range append(cycle, cycle[0]) {
			names = append(names, groups[i].Name)
		}
		r.group(cycle[0], groups[cycle[0]])
		r.fail("after", "makes a cycle, %s; remove one of them", strings.Join(names, " after "))
	}
}
