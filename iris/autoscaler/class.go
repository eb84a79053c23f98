package autoscaler

import (
	"encoding/binary"

	pb "iris/iris/proto"
	"iris/iris/state"
)

// A class is the requests that need the same: where one of them has room, another has.
type class struct {
	need    state.Resources
	groupBy string
	tasks   int // of a gang; 0: independent ones
	set     *set
	waits   bool  // there are tasks
	unmet   bool  // not for all of them there is room
	why     *Wait // why not; nil: not written yet

	// Of the search for room:
	roomy []int32 // kinds whose boxes may have room, ascending
	epoch int     // of the pass, when they were found
	grown int     // how many of those that grew since then have been looked at
	next  int     // the first of p.open that may have room

	// Of rearrangements:
	searched int  // the last search that came by
	stuck    bool // none makes room

	// Of gangs across slices:
	spans            []span
	values           []string         // in the order of the spans
	elsewhere        map[string]int64 // how many tasks there is room for on the workers that are there, by value
	bridged          []string         // the values on which there are gangs
	unheld, hopeless bool             // there is no room in boxes; nor with all the slices that may be asked for
}

func (c *class) gang() bool { return c.groupBy != "" }

// A set is constraints, and which VMs satisfy them.
type set struct {
	constraints []*pb.Constraint
	bySlice     bool // slices of one kind differ
	byVM        bool // the VMs of a slice differ
	matches     []vms
}

// vms is some of the VMs of a slice.
type vms struct {
	known, all bool
	some       []bool // by number; nil: all or none
}

func (v vms) none() bool     { return !v.all && v.some == nil }
func (v vms) has(i int) bool { return v.all || v.some != nil && v.some[i] }

// classify finds the class of each request.
func (p *pass) classify() {
	type key struct {
		need    state.Resources
		groupBy string
		tasks   int
		set     *set
	}
	classes, sets := make(map[key]*class), make(map[string]*set)
	p.asks = make([]ask, len(p.view.Demand))
	var name []byte
	for i := range p.view.Demand {
		r := &p.view.Demand[i]
		name = name[:0]
		for _, c := range r.Constraints {
			name = binary.AppendUvarint(name, uint64(c.Op))
			name = append(binary.AppendUvarint(name, uint64(len(c.Key))), c.Key...)
			name = append(binary.AppendUvarint(name, uint64(len(c.Value))), c.Value...)
		}
		s, ok := sets[string(name)]
		if !ok {
			s = newSet(r.Constraints, len(p.kinds))
			sets[string(name)] = s
		}
		k := key{need: r.Need, groupBy: r.GroupBy, set: s}
		if r.GroupBy != "" {
			k.tasks = len(r.Tasks)
		}
		c, ok := classes[k]
		if !ok {
			c = &class{need: k.need, groupBy: k.groupBy, tasks: k.tasks, set: k.set, epoch: -1}
			classes[k] = c
			p.classes = append(p.classes, c)
		}
		c.waits = c.waits || len(r.Tasks) > 0
		p.asks[i] = ask{Request: r, class: c, left: len(r.Tasks)}
	}
}

func newSet(constraints []*pb.Constraint, kinds int) *set {
	s := &set{constraints: constraints, matches: make([]vms, kinds)}
	for _, c := range constraints {
		switch c.Key {
		case state.AttributeWorker:
			s.bySlice, s.byVM = true, true
		case state.AttributeSlice, state.AttributeTPUName:
			s.bySlice = true
		case state.AttributeTPUWorkerID:
			s.byVM = true
		}
	}
	return s
}

// match is which VMs satisfy the constraints on a slice of the kind that is not there yet.
func (s *set) match(p *pass, k int32) vms {
	m := &s.matches[k]
	if !m.known {
		of := &p.kinds[k]
		*m = s.evaluate(of.group.vms(), of.worker)
	}
	return *m
}

// matchBox is which VMs of a box do.
func (s *set) matchBox(p *pass, b *box) vms {
	if b.slice == nil || !s.bySlice {
		return s.match(p, b.kind)
	}
	g := p.kinds[b.kind].group
	return s.evaluate(g.vms(), func(i int) map[string]string {
		attributes := g.Worker(b.slice.ID, b.slice.Zone, i)
		attributes[state.AttributeWorker] = workerID(b.slice, i)
		return attributes
	})
}

func (s *set) evaluate(n int, worker func(i int) map[string]string) vms {
	switch {
	case len(s.constraints) == 0:
		return vms{known: true, all: true}
	case !s.byVM:
		return vms{known: true, all: state.Matches(s.constraints, worker(0))}
	}
	m := vms{known: true, all: true}
	some := make([]bool, n)
	for i := range n {
		if some[i] = state.Matches(s.constraints, worker(i)); some[i] {
			m.some = some
		} else {
			m.all = false
		}
	}
	if m.all {
		m.some = nil
	}
	return m
}

// A scope is what all tasks of a request must be inside of.
type scope uint8

const (
	anywhere scope = iota // independent tasks
	oneVM
	oneSlice
	across  // slices that share a value
	nowhere // the attribute that a gang is grouped by is missing
)

// scope is that of the class on slices of a kind.
func (c *class) scope(k *kind) scope {
	switch c.groupBy {
	case "":
		return anywhere
	case state.AttributeWorker:
		return oneVM
	case state.AttributeSlice:
		return oneSlice
	case state.AttributeTPUName:
		if _, configured := k.group.Attributes[c.groupBy]; !configured && k.group.AcceleratorVariant != "" {
			return oneSlice
		}
	}
	if _, ok := k.worker(0)[c.groupBy]; ok {
		return across
	}
	return nowhere
}

// within leaves out of the VMs of a slice those that do not share the value that a gang across slices has on the first.
func (c *class) within(k *kind, m vms) vms {
	if c.groupBy != state.AttributeTPUWorkerID || k.group.vms() == 1 || !m.has(0) {
		return m
	}
	if _, configured := k.group.Attributes[c.groupBy]; configured {
		return m
	}
	first := make([]bool, k.group.vms())
	first[0] = true
	return vms{known: true, some: first}
}

// takes is how many tasks of the class an empty slice of the kind takes: of a gang that stays on it all or none.
func (p *pass) takes(c *class, k int32) int64 {
	of := &p.kinds[k]
	if !of.capacity.Fits(c.need) {
		return 0
	}
	m := c.set.match(p, k)
	if m.none() {
		return 0
	}
	s := c.scope(of)
	if s == nowhere {
		return 0
	}
	if s == across {
		m = c.within(of, m)
	}
	each, n := slots(of.capacity, c.need, c.gang()), int64(of.group.vms())
	if !m.all {
		n = 0
		for _, matches := range m.some {
			if matches {
				n++
			}
		}
	}
	switch gang := int64(c.tasks); {
	case s == oneVM && each < gang, s == oneSlice && each*n < gang:
		return 0
	}
	return each * n
}
