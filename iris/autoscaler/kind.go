package autoscaler

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"iris/iris/state"
)

// A kind is the slices of a group in one zone. They differ in nothing but their ids.
type kind struct {
	group    *group
	zone     string
	open     bool                // slices may be asked for there
	capacity state.Resources     // of each VM
	workers  []map[string]string // the attributes of each VM's worker on a slice that is not there yet; as far as asked for
	boxes    []*box              // by age
	model    int32
}

// unknown stands for what nobody knows of a slice before it is there: no constraint names it.
const unknown = "\x00"

// lay makes the kinds, and boxes of the slices under way.
func (p *pass) lay() {
	kinds, boxes, vms := int32(0), 0, 0
	for i := range p.groups {
		g := &p.groups[i]
		for _, all := range [][]*state.Slice{g.pending, g.idle} {
			for _, s := range all {
				if !slices.Contains(g.zones, s.Zone) { // adopted
					g.zones = append(slices.Clip(g.zones), s.Zone)
				}
			}
		}
		g.kinds = kinds
		kinds += int32(len(g.zones))
		boxes += len(g.pending)
		vms += len(g.pending) * g.vms()
	}
	p.kinds, p.most = make([]kind, 0, kinds), slices.Repeat([]state.Resources{nothing}, int(kinds))
	made, free := make([]box, boxes), make([]state.Resources, vms) // one piece of memory for all
	for i := range p.groups {
		g := &p.groups[i]
		capacity, n := p.capacity(g), g.vms()
		for j, zone := range g.zones {
			open := j < len(g.Zones) && !g.Blocked[zone].Until.After(p.now)
			p.kinds = append(p.kinds, kind{group: g, zone: zone, open: open, capacity: capacity})
		}
		for _, s := range g.pending {
			if s.Leaving {
				continue
			}
			b := &made[0]
			*b = box{slice: s, free: free[:n:n]}
			made, free = made[1:], free[n:]
			p.reset(b, capacity)
			p.add(g.kinds+int32(slices.Index(g.zones, s.Zone)), b)
		}
	}
}

// capacity is what a VM of the group has: as configured, or as the worker on one of its slices has said if that is less.
// Demand that a machine takes as configured, and not as it is, would have slices asked for again and again.
func (p *pass) capacity(g *group) state.Resources {
	capacity := g.Capacity
	if g.sample != nil {
		if w := p.worker(workerID(g.sample, 0)); w != nil {
			capacity.CPUMillis = min(capacity.CPUMillis, w.Capacity.CPUMillis)
			capacity.MemoryBytes = min(capacity.MemoryBytes, w.Capacity.MemoryBytes)
		}
	}
	return capacity
}

// workerID is the id of the worker on a VM of a slice, also before it is there.
func workerID(s *state.Slice, i int) string {
	if i < len(s.VMs) && s.VMs[i].WorkerID != "" {
		return s.VMs[i].WorkerID
	}
	return fmt.Sprintf("worker-%s-vm-%d", s.ID, i)
}

// worker is the attributes of the worker on a VM of a slice of the kind that is not there yet.
func (k *kind) worker(i int) map[string]string {
	if k.workers == nil {
		k.workers = make([]map[string]string, k.group.vms())
	}
	if k.workers[i] == nil {
		k.workers[i] = k.group.Worker(unknown, k.zone, i)
		k.workers[i][state.AttributeWorker] = unknown
	}
	return k.workers[i]
}

// names is the attributes of the worker on a VM of a slice that name it.
func (g *group) names(s *state.Slice, i int) map[string]string {
	names := map[string]string{state.AttributeSlice: s.ID, state.AttributeWorker: workerID(s, i)}
	if g.differs(state.AttributeTPUName) {
		names[state.AttributeTPUName] = s.ID
	} else if name, configured := g.Attributes[state.AttributeTPUName]; configured {
		names[state.AttributeTPUName] = name
	}
	return names
}

// vms is how many VMs a slice of the group has.
func (g *group) vms() int { return max(g.VMs, 1) }

// A column is the values of an attribute that all VMs of a slice share, numbered, by kind. The number of those that lack
// it is 0.
type column struct {
	numbers map[string]int32
	of      []int32
}

func (p *pass) column(key string) *column {
	c, ok := p.columns[key]
	if !ok {
		c = &column{numbers: map[string]int32{}, of: make([]int32, len(p.kinds))}
		for k := range p.kinds {
			value, has := p.kinds[k].worker(0)[key]
			if !has {
				continue
			}
			number, known := c.numbers[value]
			if !known {
				number = int32(len(c.numbers) + 1)
				c.numbers[value] = number
			}
			c.of[k] = number
		}
		if p.columns == nil {
			p.columns = map[string]*column{}
		}
		p.columns[key] = c
	}
	return c
}

// boxesFor is the boxes of a kind that could be for a class.
func (p *pass) boxesFor(c *class, k int32) []*box {
	if c.set.pin == "" {
		return p.kinds[k].boxes
	}
	if b := p.named(c.set.pin); b != nil && b.kind == k {
		return []*box{b}
	}
	return nil
}

// named is the box of the slice that has this id, or a worker that has; nil if there is none.
func (p *pass) named(id string) *box {
	if p.names == nil {
		p.names = map[string]*box{}
		for _, k := range p.boxed {
			for _, b := range p.kinds[k].boxes {
				if b.slice == nil {
					continue
				}
				p.names[b.slice.ID] = b
				for i := range b.free {
					p.names[workerID(b.slice, i)] = b
				}
			}
		}
	}
	return p.names[id]
}

// tell sorts the kinds by model: those of one model nothing in the demand tells apart. So whether a class has a chance is
// worked out for few models and not for many kinds.
func (p *pass) tell() {
	keys := map[string]bool{}
	for i := range p.view.Demand {
		r := &p.view.Demand[i]
		if fixedScope(r.GroupBy) == nowhere {
			keys[r.GroupBy] = true
		}
		for _, c := range r.Constraints {
			keys[c.Key] = true
		}
	}
	delete(keys, state.AttributeSlice)
	delete(keys, state.AttributeWorker)
	var columns []*column
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		columns = append(columns, p.column(key))
	}
	models := map[string]int32{}
	var name []byte
	for k := range p.kinds {
		of := &p.kinds[k]
		name = binary.AppendVarint(name[:0], of.capacity.CPUMillis)
		name = binary.AppendVarint(name, of.capacity.MemoryBytes)
		name = binary.AppendVarint(name, int64(of.group.vms()))
		for _, c := range columns {
			name = binary.AppendVarint(name, int64(c.of[k]))
		}
		for _, key := range [...]string{state.AttributeTPUName, state.AttributeTPUWorkerID} { // these may differ inside
			name = append(name, 0)
			if of.group.differs(key) {
				name[len(name)-1] = 1
			}
		}
		model, ok := models[string(name)]
		if !ok {
			model = int32(len(p.models))
			models[string(name)] = model
			p.models = append(p.models, int32(k))
		}
		of.model = model
	}
}

// differs reports whether slices of the group have different values of a TPU's attribute, or their VMs.
func (g *group) differs(key string) bool {
	_, configured := g.Attributes[key]
	return !configured && g.AcceleratorVariant != ""
}
