package schedule

import (
	"encoding/binary"
	"slices"

	pb "iris/iris/proto"
	"iris/iris/state"
)

// candidates are the workers that satisfy one set of constraints, with all that a pass has learnt about them.
type candidates struct {
	workers []int32 // indexes into the pass's workers, ascending
	tree    tree
	// start is, for each need, the first candidate that may have room for it; nil while that is the first of all for each.
	start map[state.Resources]int
	// full is the smallest needs that no candidate has room for: nothing at least as large as one of them fits.
	full []state.Resources
	// groups are the candidates by the value of an attribute, for each attribute asked for; nil while none was.
	groups map[string]*grouping

	pass *pass
}

// candidatesFor is the candidates under these constraints. They are worked out once per pass and set of constraints.
func (p *pass) candidatesFor(constraints []*pb.Constraint) *candidates {
	if len(constraints) == 0 {
		return &p.everyone
	}
	p.key = p.key[:0]
	for _, c := range constraints {
		p.key = binary.AppendUvarint(p.key, uint64(c.Op))
		p.key = append(binary.AppendUvarint(p.key, uint64(len(c.Key))), c.Key...)
		p.key = append(binary.AppendUvarint(p.key, uint64(len(c.Value))), c.Value...)
	}
	set, ok := p.sets[string(p.key)]
	if !ok {
		// One equality leaves only that value's workers to look at: jobs pinned to workers cost next to nothing.
		pool := p.everyone.workers
		for _, c := range constraints {
			if c.Op == pb.ConstraintOp_CONSTRAINT_OP_EQ {
				if equal := p.everyone.by(c.Key).workersOf(c.Value); len(equal) < len(pool) {
					pool = equal
				}
			}
		}
		set = &candidates{pass: p, workers: satisfying(p.workers, pool, constraints)}
		if p.sets == nil {
			p.sets = map[string]*candidates{}
		}
		p.sets[string(p.key)] = set
	}
	return set
}

// satisfying is those of the pool that satisfy every constraint.
func satisfying(workers []Worker, pool []int32, constraints []*pb.Constraint) []int32 {
	if len(constraints) == 0 {
		return pool
	}
	var found []int32
	for _, w := range pool {
		if state.Matches(constraints, workers[w].Attributes) {
			found = append(found, w)
		}
	}
	return found
}

// few candidates are looked at one by one: that costs less than a tree of them.
const few = 32

// next is the first candidate at or after from that has room for need; len(c.workers) if none has.
func (c *candidates) next(from int, need state.Resources) int {
	if from >= len(c.workers) || c.pass.free[c.workers[from]].Fits(need) {
		return from // most often the worker of the task before
	}
	if len(c.workers) <= few {
		for from++; from < len(c.workers) && !c.pass.free[c.workers[from]].Fits(need); from++ {
		}
		return from
	}
	if c.tree.most == nil {
		c.tree = newTree(c.pass.free, c.workers)
	}
	return c.tree.first(from+1, need)
}

// startOf is where to begin to look for room for need: before it there is none.
func (c *candidates) startOf(need state.Resources) int {
	start, ok := c.start[need]
	if !ok && slices.ContainsFunc(c.full, need.Fits) {
		return len(c.workers)
	}
	return start
}

// setStart remembers that there is no room for need before start.
func (c *candidates) setStart(need state.Resources, start int) {
	if c.start == nil {
		c.start = map[state.Resources]int{}
	}
	c.start[need] = start
	if start == len(c.workers) {
		c.full = append(slices.DeleteFunc(c.full, func(larger state.Resources) bool { return larger.Fits(need) }), need)
	}
}

// by is the candidates grouped by the value of an attribute.
func (c *candidates) by(attribute string) *grouping {
	g, ok := c.groups[attribute]
	if !ok {
		if c.groups == nil {
			c.groups = map[string]*grouping{}
		}
		g = &grouping{groups: groupsOf(c.pass.workers, c.workers, attribute), cursors: map[gangNeed]*gangCursor{}}
		c.groups[attribute] = g
	}
	return g
}
