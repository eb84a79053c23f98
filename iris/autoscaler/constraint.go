package autoscaler

import (
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

	known map[int32]vms // match, by kind
	fresh map[int32]vms // matchNew, by kind
}

// An equality is the number that a kind has in a column.
type equality struct {
	column *column
	number int32
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

// match is which VMs of slices of the kind satisfy all constraints that do not name slices or workers.
func (s *set) match(p *pass, k int32) vms {
	if s.never {
		return vms{}
	}
	for _, e := range s.same {
		if e.column.of[k] != e.number {
			return vms{}
		}
	}
	if len(s.rest) == 0 {
		return vms{all: true}
	}
	m, ok := s.known[k]
	if !ok {
		of := &p.kinds[k]
		if s.byVM {
			m = vms{all: true}.only(of.group.vms(), func(i int) bool { return state.Matches(s.rest, of.worker(i)) })
		} else {
			m = vms{all: state.Matches(s.rest, of.worker(0))}
		}
		if s.known == nil {
			s.known = map[int32]vms{}
		}
		s.known[k] = m
	}
	return m
}

// matchNew is which VMs satisfy all constraints on a slice that is not there yet.
func (s *set) matchNew(p *pass, k int32) vms {
	if len(s.own) == 0 {
		return s.match(p, k)
	}
	if s.pin != "" {
		return vms{}
	}
	m, ok := s.fresh[k]
	if !ok {
		of := &p.kinds[k]
		m = s.match(p, k).only(of.group.vms(), func(i int) bool { return state.Matches(s.own, of.worker(i)) })
		if s.fresh == nil {
			s.fresh = map[int32]vms{}
		}
		s.fresh[k] = m
	}
	return m
}

// matchBox is which VMs of a box do.
func (s *set) matchBox(p *pass, b *box) vms {
	switch {
	case len(s.own) == 0:
		return s.match(p, b.kind)
	case b.slice == nil:
		return s.matchNew(p, b.kind)
	}
	m := s.match(p, b.kind)
	if m.none() {
		return m
	}
	g := p.kinds[b.kind].group
	return m.only(g.vms(), func(i int) bool { return state.Matches(s.own, g.names(b.slice, i)) })
}
