package autoscaler

import (
	"slices"

	"iris/iris/state"
)

// A span is a kind whose slices share a value that a gang is grouped by.
type span struct {
	kind  int32
	value string
}

// maxLooks is how many workers are looked at for what they have free: gangs that come after count on none of them.
const maxLooks = 1 << 22

// bridge places a gang across slices that share a value, together with the workers of that value which are there. If
// growing, also on slices that are to be asked for.
func (p *pass) bridge(a *ask, growing bool) {
	c := a.class
	if !c.gang() || c.none || c.unheld && !growing || c.hopeless {
		return
	}
	if c.spans == nil {
		p.findSpans(c)
	}
	gang := int64(len(a.Tasks))
	for _, value := range c.values {
		missing := gang - c.elsewhere[value]
		if missing > 0 && !p.spanRoom(c, value, missing, growing) {
			continue
		}
		c.elsewhere[value] -= min(gang, c.elsewhere[value])
		c.bridged = append(c.bridged, value)
		a.left, a.elsewhere = 0, missing <= 0
		p.span(a, value, int(missing))
		return
	}
	c.unheld, c.hopeless = true, growing
}

// findSpans finds where gangs of the class could be across slices, and the room that there is on the workers there are.
func (p *pass) findSpans(c *class) {
	c.spans, c.elsewhere = []span{}, map[string]int64{}
	for k := range p.kinds {
		of := &p.kinds[k]
		if chance := p.chance(c, int32(k)); chance.most == 0 || chance.scope != across {
			continue
		}
		value := of.worker(0)[c.groupBy]
		c.spans = append(c.spans, span{int32(k), value})
		if !slices.Contains(c.values, value) {
			c.values = append(c.values, value)
		}
	}
	if len(c.spans) == 0 || p.looks >= maxLooks {
		return
	}
	p.looks += len(p.view.Workers)
	for i := range p.view.Workers {
		w := &p.view.Workers[i]
		if !w.Free.Fits(c.need) {
			continue
		}
		if value, ok := w.Attributes[c.groupBy]; ok && state.Matches(c.set.all, w.Attributes) {
			c.elsewhere[value] += slots(w.Free, c.need, true)
		}
	}
}

// spanRoom reports whether the boxes of this value have room for so many tasks of the class and, if growing, the slices that
// may yet be asked for.
func (p *pass) spanRoom(c *class, value string, missing int64, growing bool) bool {
	var grows *group // the last one whose headroom has been counted
	for _, s := range c.spans {
		if s.value != value {
			continue
		}
		of := &p.kinds[s.kind]
		if p.most[s.kind].Fits(c.need) {
			for _, b := range of.boxes {
				_, n := p.fit(c, b, c.tasks, true)
				if missing -= int64(n); missing <= 0 {
					return true
				}
			}
		}
		if growing && of.open && of.group.headroom > 0 && grows != of.group {
			if each := p.chance(c, s.kind).fresh; each > 0 {
				if missing -= each * int64(of.group.headroom); missing <= 0 {
					return true
				}
				grows = of.group
			}
		}
	}
	return false
}

// span places n tasks of a gang, which there is room for.
func (p *pass) span(a *ask, value string, n int) {
	for _, s := range a.class.spans {
		if s.value == value && p.most[s.kind].Fits(a.Need) {
			for _, b := range p.kinds[s.kind].boxes {
				if n <= 0 {
					return
				}
				n -= p.put(a, b, n, true)
			}
		}
	}
	for _, s := range a.class.spans {
		of := &p.kinds[s.kind]
		if s.value == value && of.open && p.chance(a.class, s.kind).fresh > 0 {
			for n > 0 && of.group.headroom > 0 {
				n -= p.put(a, p.openBox(s.kind), n, true)
			}
		}
	}
}
