package state

import "iris/iris/vm"

// checkSlices is about slices: each is of a group that is there, in the state that follows from its machines and workers,
// and knows what its workers hold.
func (c *Cluster) checkSlices(fail func(string, ...any)) {
	held, counts := map[*Slice]int{}, map[*ScaleGroup]int{}
	for _, w := range c.workers {
		if w.slice != nil {
			held[w.slice] += len(w.held)
		}
		if s := c.fleet.byID[w.Attributes[AttributeSlice]]; w.slice != s || s != nil && s.workers[w.ID] != w {
			fail("worker %s and its slice %q do not know each other", w.ID, w.Attributes[AttributeSlice])
		}
	}
	for i, s := range c.fleet.slices {
		g := c.fleet.groups[s.Group]
		counts[g]++
		switch {
		case g == nil:
			fail("slice %s is of group %q, which is not there", s.ID, s.Group)
		case s.State != vm.Stopping && s.State != s.follows():
			fail("slice %s is %v, and %v follows", s.ID, s.State, s.follows())
		case s.held != held[s]:
			fail("slice %s counts %d attempts, its workers hold %d", s.ID, s.held, held[s])
		case !s.ReadyAt.IsZero() && s.IdleSince.IsZero() != (s.held > 0):
			fail("slice %s holds %d attempts and is idle since %v", s.ID, s.held, s.IdleSince)
		case c.fleet.byID[s.ID] != s || i > 0 && sliceOrder(c.fleet.slices[i-1], s) >= 0:
			fail("slice %s is out of order, or not known", s.ID)
		}
		if _, gone := c.fleet.gone[s.ID]; gone {
			fail("slice %s is there and gone", s.ID)
		}
	}
	for _, g := range c.fleet.groups {
		if counts[g] != g.slices {
			fail("group %s counts %d slices, there are %d", g.Name, g.slices, counts[g])
		}
	}
	if len(c.fleet.byID) != len(c.fleet.slices) || len(c.fleet.events) > maxEvents {
		fail("%d slices are known, %d are there; %d events are kept", len(c.fleet.byID), len(c.fleet.slices), len(c.fleet.events))
	}
}
