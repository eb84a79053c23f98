package autoscaler

import (
	"encoding/binary"
	"slices"

	"iris/iris/state"
)

// A class is the requests that need the same: where one of them has room, another has.
type class struct {
	need    state.Resources
	groupBy string
	tasks   int // of a gang; 0: independent ones
	set     *set
	fixed   scope // on every kind; nowhere: it depends

	chances []chance // by model
	none    bool     // there is no model that takes it, whatever the ids
	waits   bool     // there are tasks
	why     *Wait    // why there is no room for all of them; nil: not written yet

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
	p.tell()
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
			takes := func(k int32) bool { return p.chance(c, k).most > 0 }
			c.none = !slices.ContainsFunc(p.models, takes)
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

// A chance is what a class can have on slices of a model.
type chance struct {
	known bool
	scope scope
	// most is how many tasks an empty slice takes, if its id is the right one, and fresh how many one that is not there yet
	// takes; of a gang that stays on it all or none.
	most, fresh int64
}

// chance is what the class can have on slices of a kind.
func (p *pass) chance(c *class, k int32) *chance {
	if c.chances == nil {
		c.chances = make([]chance, len(p.models))
	}
	of := &c.chances[p.kinds[k].model]
	if !of.known {
		m := c.set.match(p, k)
		*of = chance{known: true, scope: p.scope(c, k)}
		of.most, of.fresh = p.room(c, k, of.scope, m.most), p.room(c, k, of.scope, m.fresh)
	}
	return of
}

func (p *pass) scope(c *class, k int32) scope {
	switch {
	case c.fixed != nowhere:
		return c.fixed
	case c.groupBy == state.AttributeTPUName && p.kinds[k].group.differs(c.groupBy):
		return oneSlice
	case p.column(c.groupBy).of[k] > 0:
		return across
	}
	return nowhere
}

// within leaves out of the VMs of a slice those that do not share the value that a gang across slices has on the first.
func (c *class) within(g *group, m vms) vms {
	if c.groupBy != state.AttributeTPUWorkerID || !g.differs(c.groupBy) {
		return m
	}
	return m.only(g.vms(), func(i int) bool { return i == 0 })
}

// room is how many tasks of the class an empty slice of the kind takes on these VMs.
func (p *pass) room(c *class, k int32, in scope, m vms) int64 {
	of := &p.kinds[k]
	if m.none() || in == nowhere || !of.capacity.Fits(c.need) {
		return 0
	}
	if in == across {
		m = c.within(of.group, m)
	}
	gang, each, n := int64(c.tasks), slots(of.capacity, c.need, c.gang()), int64(m.count(of.group.vms()))
	if in == oneVM && each < gang || in == oneSlice && each*n < gang {
		return 0
	}
	return each * n
}

// may reports whether boxes of the kind could have room for the class.
func (p *pass) may(c *class, k int32) bool {
	if !p.most[k].Fits(c.need) {
		return false
	}
	chance := p.chance(c, k)
	return chance.most > 0 && chance.scope < across
}
