package autoscaler

import (
	"slices"

	pb "iris/iris/proto"
	"iris/iris/state"
)

// A set is the constraints of a request, sorted by what they tell apart.
type set struct {
	all   []*pb.Constraint
	never bool             // no slice satisfies it
	same  []equality       // of attributes that a kind has one value of
	rest  []*pb.Constraint // the others that slices of one kind do not differ in
	byVM  bool             // their VMs may
	own   []*pb.Constraint // that name slices or workers
	pin   string           // the only slice or worker that satisfies it; empty: it does not name one

	known []matching // by model
}

// An equality is the number that a kind has in a column.
type equality struct {
	column *column
	number int32
}

// A matching is which VMs of a slice satisfy constraints: all that do not name slices or workers, and, on one that is not
// there yet, all.
type matching struct {
	known       bool
	most, fresh vms
}

// vms is some of the VMs of a slice: all, or those whose number is true.
type vms struct {
	all  bool
	some []bool
}

func (v vms) none() bool     { return !v.all && v.some == nil }
func (v vms) has(i int) bool { return v.all || v.some != nil && v.some[i] }

// only is those of n VMs that satisfy a condition too.
func (v vms) only(n int, ok func(i int) bool) vms {
	some, count := make([]bool, n), 0
	for i := range n {
		if some[i] = v.has(i) && ok(i); some[i] {
			count++
		}
	}
	switch count {
	case 0:
		return vms{}
	case n:
		return vms{all: true}
	}
	return vms{some: some}
}

// count is how many of n VMs they are.
func (v vms) count(n int) int {
	if v.all {
		return n
	}
	count := 0
	for _, ok := range v.some {
		if ok {
			count++
		}
	}
	return count
}

func (p *pass) newSet(constraints []*pb.Constraint) *set {
	s := &set{all: constraints}
	for _, c := range constraints {
		equal := c.Op == pb.ConstraintOp_CONSTRAINT_OP_EQ
		switch c.Key {
		case state.AttributeWorker, state.AttributeSlice, state.AttributeTPUName:
			s.own = append(s.own, c)
			if equal && c.Key != state.AttributeTPUName {
				s.pin = c.Value
			}
		case state.AttributeTPUWorkerID:
			s.byVM = true
			s.rest = append(s.rest, c)
		default:
			if !equal {
				s.rest = append(s.rest, c)
				continue
			}
			column := p.column(c.Key)
			number, ok := column.numbers[c.Value]
			s.never = s.never || !ok
			s.same = append(s.same, equality{column, number})
		}
	}
	return s
}

// match is which VMs of slices of the kind satisfy the constraints.
func (s *set) match(p *pass, k int32) *matching {
	if s.known == nil {
		s.known = make([]matching, len(p.models))
	}
	m := &s.known[p.kinds[k].model]
	if !m.known {
		*m = s.evaluate(&p.kinds[k], k)
	}
	return m
}

func (s *set) evaluate(of *kind, k int32) matching {
	m := matching{known: true}
	differs := func(e equality) bool { return e.column.of[k] != e.number }
	if s.never || slices.ContainsFunc(s.same, differs) {
		return m
	}
	n := of.group.vms()
	ok := func(constraints []*pb.Constraint) func(i int) bool {
		return func(i int) bool { return state.Matches(constraints, of.worker(i)) }
	}
	switch {
	case s.byVM:
		m.most = vms{all: true}.only(n, ok(s.rest))
	default:
		m.most.all = state.Matches(s.rest, of.worker(0))
	}
	if m.fresh = m.most; s.pin != "" {
		m.fresh = vms{}
	} else if len(s.own) > 0 {
		m.fresh = m.most.only(n, ok(s.own))
	}
	return m
}

// matchBox is which VMs of a box do.
func (s *set) matchBox(p *pass, b *box) vms {
	m := s.match(p, b.kind)
	switch {
	case b.slice == nil:
		return m.fresh
	case len(s.own) == 0 || m.most.none():
		return m.most
	}
	g := p.kinds[b.kind].group
	return m.most.only(g.vms(), func(i int) bool { return state.Matches(s.own, g.names(b.slice, i)) })
}
