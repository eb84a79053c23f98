package autoscaler

import "slices"

// hold places what waits on the slices under way, and gangs across slices on the workers that are there too. Nothing new is
// needed for what fits there (FM-67).
func (p *pass) hold() {
	if len(p.view.Demand) == 0 {
		return
	}
	p.lay()
	p.classify()
	p.begin(false)
	for i := range p.asks {
		a := &p.asks[i]
		if a.left -= p.fill(a, a.left); a.left > 0 {
			p.bridge(a, false)
			p.rearrange(a)
		}
	}
}

// spread places what is left on slices that are to be asked for: in the first group by rank that may have one more.
func (p *pass) spread() {
	for i := range p.groups {
		g := &p.groups[i]
		g.availability = p.availabilityOf(g)
		if g.availability <= Requesting {
			g.headroom = g.max() - g.live
			p.headroom += g.headroom
		}
	}
	for k := range p.kinds {
		if p.kinds[k].open && p.kinds[k].group.headroom > 0 {
			p.open = append(p.open, int32(k))
		}
	}
	if p.headroom > 0 {
		p.begin(true)
		for i := range p.asks {
			a := &p.asks[i]
			if a.left > 0 {
				a.left -= p.fill(a, a.left)
			}
			if a.left > 0 {
				a.left -= p.grow(a, a.left)
			}
			if a.left > 0 {
				p.bridge(a, true)
				p.rearrange(a)
			}
		}
	}
}

// availabilityOf is whether the group takes demand.
func (p *pass) availabilityOf(g *group) Availability {
	_, zone := g.Zone(p.now)
	switch {
	case g.Removed:
		return AtMax
	case !zone:
		return QuotaExceeded
	case g.BackoffUntil.After(p.now) || g.fails != "":
		return Backoff
	case g.live >= g.max():
		return AtMax
	case g.requesting >= maxRequesting:
		return Requesting
	case !g.LastUp.IsZero() && g.LastUp.Add(g.Pace.ScaleUpCooldown).After(p.now):
		return Cooldown
	}
	return Available
}

// fill places up to n tasks in the boxes there are, and returns how many it has placed.
func (p *pass) fill(a *ask, n int) int {
	c, placed := a.class, 0
	if c.none {
		return 0
	}
	p.refresh(c)
	exhausted := func(k int32) bool {
		if placed == n {
			return false
		}
		if !p.most[k].Fits(c.need) {
			return true
		}
		most := nothing
		for _, b := range p.boxesFor(c, k) {
			placed += p.put(a, b, n-placed, false)
			if placed == n {
				return false
			}
			most = larger(most, b.most)
		}
		if c.set.pin == "" {
			p.most[k] = most
		}
		return true
	}
	c.roomy = slices.DeleteFunc(c.roomy, exhausted)
	return placed
}

// refresh finds the kinds that may have room for a class.
func (p *pass) refresh(c *class) {
	if c.epoch != p.epoch {
		c.epoch, c.roomy, c.next = p.epoch, c.roomy[:0], 0
		if c.set.pin != "" {
			if b := p.named(c.set.pin); b != nil && p.may(c, b.kind) {
				c.roomy = append(c.roomy, b.kind)
			}
			return
		}
		for _, k := range p.boxed {
			if p.may(c, k) {
				c.roomy = append(c.roomy, k)
			}
		}
	} else if c.set.pin == "" {
		for _, k := range p.grown[c.grown:] {
			if at, found := slices.BinarySearch(c.roomy, k); !found && p.may(c, k) {
				c.roomy = slices.Insert(c.roomy, at, k)
			}
		}
	}
	c.grown = len(p.grown)
}

// grow places up to n tasks on slices that are to be asked for, and returns how many it has placed.
func (p *pass) grow(a *ask, n int) int {
	c, placed := a.class, 0
	if c.none {
		return 0
	}
	p.refresh(c)
	for placed < n && p.headroom > 0 && c.next < len(p.open) {
		k := p.open[c.next]
		chance := p.chance(c, k)
		if p.kinds[k].group.headroom == 0 || chance.fresh == 0 || chance.scope == across {
			c.next++
			continue
		}
		placed += p.put(a, p.openBox(k), n-placed, false)
	}
	return placed
}
