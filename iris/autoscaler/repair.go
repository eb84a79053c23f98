package autoscaler

import "slices"

// repairWork is how many kinds, boxes and what is in them the rearrangements look at: twice in a decision, each time a few
// milliseconds at most.
const repairWork = 1 << 15

// A repair makes room for what has none by moving what has to where it has room as well.
//
// It looks for an augmenting path: what waits takes a box, what was in it takes another, and so on until the last finds
// free room, or a group that may have one more slice. For gangs of which each takes a slice, that is bipartite matching:
// a path is found exactly if some order of creation would have given each of them, and what waits, a slice.
type repair struct {
	on      bool
	growing bool // slices may be asked for
	search  int
	work    int
	changes []change
}

// A change is what a search did, so that it can be undone.
type change struct {
	box     *box
	opened  bool
	removed *piece
	index   int // where the piece was; if none was removed, one was put last
}

// note remembers a change while a search is on.
func (p *pass) note(c change) {
	if p.repair.on {
		p.repair.changes = append(p.repair.changes, c)
	}
}

// undo takes back all changes from the one at mark on.
func (p *pass) undo(mark int) {
	on := p.repair.on
	p.repair.on = false
	for i := len(p.repair.changes) - 1; i >= mark; i-- {
		switch c := p.repair.changes[i]; {
		case c.opened:
			p.closeBox(c.box)
		case c.removed != nil:
			c.box.insert(*c.removed, c.index)
		default:
			p.remove(c.box, len(c.box.pieces)-1)
		}
	}
	p.repair.changes = p.repair.changes[:mark]
	p.repair.on = on
}

// begin has the rearrangements begin anew. If growing, slices may be asked for.
func (p *pass) begin(growing bool) {
	p.repair.growing, p.repair.work = growing, 0
	for _, c := range p.classes {
		c.stuck = false
	}
}

// rearrange makes room for as much as it can of what has none. A class for which there was no way has none later either:
// of what it reached nothing moves any more.
func (p *pass) rearrange(a *ask) {
	for a.left > 0 && !a.class.none && !a.class.stuck && p.repair.work < repairWork {
		n := 1
		if a.class.gang() {
			n = a.left
		}
		p.repair.on = true
		p.repair.search++
		found := p.displace(a, n)
		p.repair.on = false
		p.repair.changes = p.repair.changes[:0]
		if !found {
			a.class.stuck = true
			return
		}
		if a.left -= n; a.left > 0 {
			a.left -= p.fill(a, a.left)
		}
	}
}

// displace places n tasks in a box out of which others can go elsewhere. A class is looked at once in a search: what it
// could reach then, it has reached.
func (p *pass) displace(a *ask, n int) bool {
	c := a.class
	if c.searched == p.repair.search || c.stuck {
		return false
	}
	c.searched = p.repair.search
	for _, k := range p.boxed {
		p.repair.work++
		if chance := p.chance(c, k); chance.most == 0 || chance.scope == across {
			continue
		}
		for _, b := range p.boxesFor(c, k) {
			if p.repair.work++; p.repair.work >= repairWork {
				return false
			}
			if b.visited == p.repair.search {
				continue
			}
			mark := len(p.repair.changes)
			if out, ok := p.evict(a, b, n); ok {
				b.visited = p.repair.search
				if p.rehouse(out) {
					return true
				}
			}
			p.undo(mark)
		}
	}
	return false
}

// evict places n tasks in a box by taking out as little as possible, the last first, and returns that.
func (p *pass) evict(a *ask, b *box, n int) ([]piece, bool) {
	var out []piece
	fits := func() bool { _, placed := p.fit(a.class, b, n, false); return placed == n }
	for i := len(b.pieces) - 1; i >= 0 && !fits(); i-- {
		if c := b.pieces[i].ask.class; !b.pieces[i].fixed && !c.stuck && c != a.class {
			out = append(out, p.remove(b, i))
			p.repair.work += 4 // it costs more than a look
		}
	}
	if len(out) == 0 || !fits() {
		return nil, false
	}
	if len(out) > 1 { // the first to go may have gone in vain
		for i := 0; i < len(out); i++ {
			back := out[i]
			placed := p.put(back.ask, b, back.tasks, false)
			if placed == back.tasks && fits() {
				out = slices.Delete(out, i, i+1)
				i--
			} else if placed > 0 {
				p.remove(b, len(b.pieces)-1)
			}
		}
	}
	p.put(a, b, n, false)
	return out, true
}

// rehouse finds another place for what was taken out of a box.
func (p *pass) rehouse(out []piece) bool {
	for _, piece := range out {
		left := piece.tasks - p.fill(piece.ask, piece.tasks)
		if left > 0 && p.repair.growing {
			left -= p.grow(piece.ask, left)
		}
		if left > 0 && !p.displace(piece.ask, left) {
			return false
		}
	}
	return true
}

// insert undoes a removal.
func (b *box) insert(back piece, i int) {
	b.pieces = append(b.pieces, piece{})
	copy(b.pieces[i+1:], b.pieces[i:])
	b.pieces[i] = back
	for _, o := range back.at {
		b.free[o.vm] = b.free[o.vm].Sub(times(back.ask.Need, o.tasks))
	}
	b.measure()
}
