package autoscaler

import (
	"slices"
	"time"

	"iris/iris/state"
)

// shrink gives idle slices back: those that have been READY and idle for long, and nothing in the demand could use; the
// longest idle first, no faster than the group may, and none that it is to keep. What lacks a worker, or is under way, is
// nothing to spare (FM-74).
func (p *pass) shrink() {
	for i := range p.groups {
		g := &p.groups[i]
		spare := min(g.ready-g.MinSlices, len(g.idle)-g.BufferSlices)
		if spare <= 0 || g.created > 0 { // after a round of creations it pauses
			continue
		}
		due, next := p.due(g), g.NextDown
		switch quiet := g.LastUp.Add(g.Pace.ScaleDownCooldown); {
		case len(due) == 0:
			continue
		case !g.LastUp.IsZero() && quiet.After(p.now):
			p.at(quiet)
			continue
		case next.After(p.now):
			p.at(next)
			continue
		}
		slices.SortStableFunc(due, func(a, b *state.Slice) int { return idleSince(a).Compare(idleSince(b)) })
		for _, s := range due {
			if spare == 0 {
				break
			}
			if p.useful(g, s) {
				continue
			}
			if next.After(p.now) {
				p.at(next)
				break
			}
			p.actions = append(p.actions, Stop{Slice: s.ID, Why: state.StopIdle, Cause: idleText(p.now.Sub(idleSince(s)))})
			next = g.Pace.NextDown(p.now, next)
			g.returned++
			spare--
		}
	}
}

// due is the slices that have been idle for long. Another look is taken when the next one has.
func (p *pass) due(g *group) []*state.Slice {
	var due []*state.Slice
	for _, s := range g.idle {
		if end := idleSince(s).Add(g.Pace.IdleThreshold); end.After(p.now) {
			p.at(end)
		} else {
			due = append(due, s)
		}
	}
	return due
}

// idleSince is since when a slice could have run something, and has not.
func idleSince(s *state.Slice) time.Time {
	if s.ReadyAt.After(s.IdleSince) {
		return s.ReadyAt
	}
	return s.IdleSince
}

// useful reports whether something in the demand would fit on a READY slice if it were alone.
func (p *pass) useful(g *group, s *state.Slice) bool {
	if len(p.classes) == 0 {
		return false
	}
	k := g.kinds + int32(slices.Index(g.zones, s.Zone))
	if p.useless == nil {
		p.useless = make([]bool, len(p.models))
		for model, k := range p.models {
			uses := func(c *class) bool { return c.waits && p.uses(c, k) }
			p.useless[model] = !slices.ContainsFunc(p.classes, uses)
		}
	}
	return !p.useless[p.kinds[k].model] || p.pinned(k, s)
}

// uses reports whether an empty slice of the kind takes something of the class. A gang across slices uses those of the
// value that it waits for.
func (p *pass) uses(c *class, k int32) bool {
	chance := p.chance(c, k)
	return chance.fresh > 0 && (chance.scope != across || slices.Contains(c.bridged, p.kinds[k].worker(0)[c.groupBy]))
}

// pinned reports whether something in the demand would fit on a slice which names it, or one of its workers.
func (p *pass) pinned(k int32, s *state.Slice) bool {
	if p.pins == nil {
		p.pins = map[string][]*class{}
		for _, c := range p.classes {
			if pin := c.set.pin; pin != "" && c.waits {
				p.pins[pin] = append(p.pins[pin], c)
			}
		}
	}
	if len(p.pins) == 0 {
		return false
	}
	of := &p.kinds[k]
	empty := &box{kind: k, slice: s, free: make([]state.Resources, of.group.vms())}
	for i := range empty.free {
		empty.free[i] = of.capacity
	}
	empty.measure()
	fits := func(c *class) bool {
		_, n := p.fit(c, empty, max(c.tasks, 1), false)
		return n > 0
	}
	for i := range empty.free {
		if slices.ContainsFunc(p.pins[workerID(s, i)], fits) {
			return true
		}
	}
	return slices.ContainsFunc(p.pins[s.ID], fits)
}
