package autoscaler

import "slices"

// request has the slices asked for that the demand takes, and those that a group is to keep; as far as the group may ask
// now.
func (p *pass) request() {
	for i := range p.groups {
		g := &p.groups[i]
		g.short = p.shortage(g)
		if g.availability != Available {
			continue
		}
		for n := range min(len(g.fresh)+g.short, maxRequesting-g.requesting) {
			create := Create{Group: g.Name}
			if n < len(g.fresh) {
				g.fresh[n].asked = true
				create.Zone, create.Reason = p.kinds[g.fresh[n].kind].zone, boxText(g.fresh[n])
			} else {
				create.Zone, _ = g.Zone(p.now)
				create.Reason = keepText(g)
			}
			p.actions = append(p.actions, create)
			g.created++
		}
	}
	p.wake()
}

// wake has another look taken when a group may be asked again, if there is something to ask it for.
func (p *pass) wake() {
	waits := slices.ContainsFunc(p.asks, func(a ask) bool { return a.left > 0 })
	for i := range p.groups {
		waits = waits || p.groups[i].created < len(p.groups[i].fresh)
	}
	for i := range p.groups {
		g := &p.groups[i]
		if !waits && g.created == len(g.fresh)+g.short || g.Removed {
			continue
		}
		p.at(g.BackoffUntil)
		for _, block := range g.Blocked {
			p.at(block.Until)
		}
		if g.availability == Cooldown {
			p.at(g.LastUp.Add(g.Pace.ScaleUpCooldown))
		}
	}
}

// shortage is how many slices more than the demand takes the group is to have: MinSlices at all, and BufferSlices that are
// not needed now. No more than it may have.
func (p *pass) shortage(g *group) int {
	if g.Removed {
		return 0
	}
	short := max(0, g.MinSlices-g.staying-len(g.fresh))
	if g.BufferSlices > 0 {
		short += max(0, g.BufferSlices-len(g.idle)-p.unclaimed(g)-short)
	}
	return max(0, min(short, g.max()-g.live-len(g.fresh)))
}

// unclaimed is how many slices under way nothing in the demand is to run on.
func (p *pass) unclaimed(g *group) int {
	n := 0
	for _, s := range g.pending {
		if !s.Leaving {
			n++
		}
	}
	return n - p.claimed(g)
}

// claimed is how many slices under way something in the demand is to run on.
func (p *pass) claimed(g *group) int {
	n := 0
	for _, k := range p.kindsOf(g) {
		for _, b := range k.boxes {
			if b.slice != nil && len(b.pieces) > 0 {
				n++
			}
		}
	}
	return n
}

// kindsOf is the kinds of a group; none if there is no demand.
func (p *pass) kindsOf(g *group) []kind {
	if len(p.kinds) == 0 {
		return nil
	}
	return p.kinds[g.kinds : int(g.kinds)+len(g.zones)]
}

// suits reports whether slices of the group could run something of the class.
func (p *pass) suits(c *class, g *group) bool {
	for i := range p.kindsOf(g) {
		if p.chance(c, g.kinds+int32(i)).fresh > 0 {
			return true
		}
	}
	return false
}
