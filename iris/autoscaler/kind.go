package autoscaler

import (
	"fmt"
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
	most     state.Resources     // no VM of the boxes has more room

	judged, useful bool // something in the demand would fit on a slice, whatever its id
}

// unknown stands for what nobody knows of a slice before it is there: no constraint names it.
const unknown = "\x00"

// sort makes the kinds, and boxes of the slices under way.
func (p *pass) sort() {
	n := int32(0)
	for i := range p.groups {
		g := &p.groups[i]
		for _, all := range [][]*state.Slice{g.pending, g.idle} {
			for _, s := range all {
				if !slices.Contains(g.zones, s.Zone) {
					g.zones = append(slices.Clip(g.zones), s.Zone)
				}
			}
		}
		g.kinds = n
		n += int32(len(g.zones))
	}
	p.kinds = make([]kind, 0, n)
	for i := range p.groups {
		g := &p.groups[i]
		capacity := p.capacity(g)
		for j, zone := range g.zones {
			open := j < len(g.Zones) && !g.Blocked[zone].Until.After(p.now)
			p.kinds = append(p.kinds, kind{group: g, zone: zone, open: open, capacity: capacity, most: nothing})
		}
		for _, s := range g.pending {
			if !s.Leaving {
				p.add(g.kinds+int32(slices.Index(g.zones, s.Zone)), p.newBox(g, capacity, s))
			}
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

// vms is how many VMs a slice of the group has.
func (g *group) vms() int { return max(g.VMs, 1) }
