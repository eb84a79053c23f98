package autoscaler

import (
	"math"
	"slices"

	"iris/iris/schedule"
	"iris/iris/state"
)

// An ask is one request of the demand, and how many of its tasks are nowhere yet.
type ask struct {
	*schedule.Request
	class       *class
	left        int
	elsewhere   bool // it has room on workers that are there
	boxes       int  // how many slices it has tasks on
	first, last *box
}

// A box is a slice that is under way, or one to be asked for, and what is to run on it.
type box struct {
	kind    int32
	slice   *state.Slice      // nil: to be asked for
	asked   bool              // in this decision
	free    []state.Resources // of each VM
	live    []bool            // the VMs whose workers are there; nil: none
	most    state.Resources   // no VM has more free
	all     state.Resources   // what all have free
	pieces  []piece
	visited int // the last search for a rearrangement that came by
}

// A piece is tasks of one request on one slice: of a gang that stays on it, all.
type piece struct {
	ask   *ask
	tasks int
	at    []opening
	fixed bool // part of a gang across slices
}

// An opening is a VM and a number of tasks.
type opening struct {
	vm    int32
	tasks int32
}

// nothing stands for the room where there is none, not even for what needs none.
var nothing = state.Resources{CPUMillis: math.MinInt64, MemoryBytes: math.MinInt64}

func larger(a, b state.Resources) state.Resources {
	return state.Resources{CPUMillis: max(a.CPUMillis, b.CPUMillis), MemoryBytes: max(a.MemoryBytes, b.MemoryBytes)}
}

func times(need state.Resources, n int32) state.Resources {
	return state.Resources{CPUMillis: need.CPUMillis * int64(n), MemoryBytes: need.MemoryBytes * int64(n)}
}

// reset empties a box. Of workers that are there already only what they have free counts.
func (p *pass) reset(b *box, capacity state.Resources) {
	for i := range b.free {
		b.free[i] = capacity
	}
	if s := b.slice; s != nil && s.Live() > 0 {
		for i := range min(len(s.VMs), len(b.free)) {
			if w := p.worker(workerID(s, i)); w != nil {
				if b.live == nil {
					b.live = make([]bool, len(b.free))
				}
				b.free[i], b.live[i] = w.Free, true
			}
		}
	}
	b.measure()
}

func (b *box) measure() {
	b.most, b.all = nothing, state.Resources{}
	for _, free := range b.free {
		b.most = larger(b.most, free)
		b.all = b.all.Add(larger(free, state.Resources{}))
	}
}

// add puts a box behind those of its kind.
func (p *pass) add(k int32, b *box) {
	of := &p.kinds[k]
	b.kind = k
	of.boxes = append(of.boxes, b)
	p.most[k] = larger(p.most[k], b.most)
	if at, found := slices.BinarySearch(p.boxed, k); !found {
		p.boxed = slices.Insert(p.boxed, at, k)
	}
	p.grown = append(p.grown, k)
}

// open adds a slice that is to be asked for.
func (p *pass) openBox(k int32) *box {
	of := &p.kinds[k]
	b := &box{free: make([]state.Resources, of.group.vms())}
	p.reset(b, of.capacity)
	p.add(k, b)
	of.group.fresh = append(of.group.fresh, b)
	of.group.headroom--
	p.headroom--
	p.note(change{box: b, opened: true})
	return b
}

// closeBox takes back what openBox did last.
func (p *pass) closeBox(b *box) {
	of := &p.kinds[b.kind]
	of.boxes = of.boxes[:len(of.boxes)-1]
	of.group.fresh = of.group.fresh[:len(of.group.fresh)-1]
	of.group.headroom++
	p.headroom++
	p.widen(b.kind)
}

// widen says that there is more room than before.
func (p *pass) widen(k int32) {
	p.most[k] = p.kinds[k].capacity
	p.epoch++
	p.grown = p.grown[:0]
}

// put places up to n tasks in a box, of a gang that stays in it all or none, and returns how many it has placed.
// A gang across slices is only placed if bridging, and then as much of it as there is room for.
func (p *pass) put(a *ask, b *box, n int, bridging bool) int {
	at, placed := p.fit(a.class, b, n, bridging)
	if placed == 0 {
		return 0
	}
	for _, o := range at {
		b.free[o.vm] = b.free[o.vm].Sub(times(a.Need, o.tasks))
	}
	b.pieces = append(b.pieces, piece{ask: a, tasks: placed, at: slices.Clone(at), fixed: bridging})
	b.measure()
	p.note(change{box: b})
	return placed
}

// fit is where put places them. The caller must not keep the slice.
func (p *pass) fit(c *class, b *box, n int, bridging bool) ([]opening, int) {
	if !b.most.Fits(c.need) {
		return nil, 0
	}
	scope := p.chance(c, b.kind).scope
	if scope == oneSlice && !b.all.Fits(times(c.need, int32(n))) {
		return nil, 0
	}
	m := c.set.matchBox(p, b)
	if m.none() || scope == nowhere || (scope == across) != bridging {
		return nil, 0
	}
	if bridging {
		m = c.within(p.kinds[b.kind].group, m)
	}
	p.openings = p.openings[:0]
	room := 0
	for i, free := range b.free {
		// The scheduler has tried the workers that are there, for all that does not want the whole slice.
		if !m.has(i) || scope != oneSlice && b.live != nil && b.live[i] {
			continue
		}
		each := int(min(slots(free, c.need, c.gang()), int64(n)))
		if each == 0 || scope == oneVM && each < n {
			continue
		}
		p.openings = append(p.openings, opening{vm: int32(i), tasks: int32(each)})
		room += each
		if room >= n && scope != oneSlice || len(p.openings) == n {
			break
		}
	}
	switch {
	case room < n && (scope == oneVM || scope == oneSlice):
		return nil, 0
	case scope == oneSlice:
		even(p.openings, n)
	case room > n:
		p.openings[len(p.openings)-1].tasks -= int32(room - n)
	}
	return p.openings, min(room, n)
}

// even lays n tasks out over openings as the scheduler does: as evenly as the room allows.
func even(openings []opening, n int) {
	for low := int32(0); ; low++ {
		// All have low tasks, or as many as they have room for.
		more, most := 0, 0
		for _, o := range openings {
			most += int(min(o.tasks, low))
			if o.tasks > low {
				more++
			}
		}
		if left := n - most; left <= more {
			for i := range openings {
				o := &openings[i]
				if o.tasks > low {
					if o.tasks = low; left > 0 {
						o.tasks++
						left--
					}
				}
			}
			return
		}
	}
}

// remove takes the piece at i out of a box.
func (p *pass) remove(b *box, i int) piece {
	out := b.pieces[i]
	b.pieces = slices.Delete(b.pieces, i, i+1)
	for _, o := range out.at {
		b.free[o.vm] = b.free[o.vm].Add(times(out.ask.Need, o.tasks))
	}
	b.measure()
	p.widen(b.kind)
	p.note(change{box: b, removed: &out, index: i})
	return out
}
