package autoscaler

import (
	"encoding/binary"

	"iris/iris/state"
)

// A class is the requests that need the same: where one of them has room, another has.
type class struct {
	need    state.Resources
	groupBy string
	tasks   int // of a gang; 0: independent ones
	set     *set
	fixed   scope // on every kind; nowhere: it depends

	waits bool  // there are tasks
	why   *Wait // why there is no room for all of them; nil: not written yet

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
			s = p.newSet(r.Constraints)
			sets[string(name)] = s
		}
		k := key{need: r.Need, groupBy: r.GroupBy, set: s}
		if r.GroupBy != "" {
			k.tasks = len(r.Tasks)
		}
		c, ok := classes[k]
		if !ok {
			c = &class{need: k.need, groupBy: k.groupBy, tasks: k.tasks, set: k.set, fixed: fixedScope(k.groupBy), epoch: -1}
			classes[k] = c
			p.classes = append(p.classes, c)
		}
		c.waits = c.waits || len(r.Tasks) > 0
		p.asks[i] = ask{Request: r, class: c, left: len(r.Tasks)}
	}
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

func fixedScope(groupBy string) scope {
	switch groupBy {
	case "":
		return anywhere
	case state.AttributeWorker:
		return oneVM
	case state.AttributeSlice:
		return oneSlice
	}
	return nowhere
}

// scope is that of the class on slices of a kind.
func (p *pass) scope(c *class, k int32) scope {
	if c.fixed != nowhere {
		return c.fixed
	}
	of := &p.kinds[k]
	if c.groupBy == state.AttributeTPUName && of.group.AcceleratorVariant != "" {
		if _, configured := of.group.Attributes[c.groupBy]; !configured {
			return oneSlice
		}
	}
	if p.column(c.groupBy).of[k] > 0 {
		return across
	}
	return nowhere
}

// within leaves out of the VMs of a slice those that do not share the value that a gang across slices has on the first.
func (c *class) within(g *group, m vms) vms {
	if _, configured := g.Attributes[c.groupBy]; configured || c.groupBy != state.AttributeTPUWorkerID {
		return m
	}
	return m.only(g.vms(), func(i int) bool { return i == 0 })
}

// takes is how many tasks of the class an empty slice of the kind takes that is not there yet: of a gang that stays on it
// all or none.
func (p *pass) takes(c *class, k int32) int64 { return p.room(c, k, (*set).matchNew) }

// room is how many tasks of the class an empty slice of the kind takes on the VMs that match.
func (p *pass) room(c *class, k int32, match func(*set, *pass, int32) vms) int64 {
	of := &p.kinds[k]
	if !of.capacity.Fits(c.need) {
		return 0
	}
	scope, m := p.scope(c, k), match(c.set, p, k)
	if m.none() || scope == nowhere {
		return 0
	}
	if scope == across {
		m = c.within(of.group, m)
	}
	gang, each, n := int64(c.tasks), slots(of.capacity, c.need, c.gang()), int64(m.count(of.group.vms()))
	if scope == oneVM && each < gang || scope == oneSlice && each*n < gang {
		return 0
	}
	return each * n
}

// may reports whether boxes of the kind could have room for the class.
func (p *pass) may(c *class, k int32) bool {
	return p.kinds[k].most.Fits(c.need) && p.scope(c, k) < across && p.room(c, k, (*set).match) > 0
}
