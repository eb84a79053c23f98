package state

import (
	"math"
	"slices"
)

// bringable reports whether some scale group could bring workers that run the job, however long that takes.
func (c *Cluster) bringable(j *Job) bool {
	for _, g := range c.fleet.groups {
		if !g.Removed && g.MaxSlices > 0 && g.couldRun(j) {
			return true
		}
	}
	return false
}

// unknown stands for what nobody knows of a slice before it is there: no constraint names it.
const unknown = "\x00"

// couldRun reports whether the group's slices could run the job if they were empty.
func (g *ScaleGroup) couldRun(j *Job) bool {
	return slices.ContainsFunc(g.Zones, func(zone string) bool { return g.couldRunIn(zone, j) })
}

func (g *ScaleGroup) couldRunIn(zone string, j *Job) bool {
	each, matching := min(g.Capacity.Slots(j.Need), math.MaxInt32), int64(0)
	groupBy, grouped := j.Spec.GetCoscheduling().GetGroupBy(), false
	for i := range g.VMs {
		attributes := g.Worker(unknown, zone, i)
		attributes[AttributeWorker] = unknown
		if Matches(j.Spec.Constraints, attributes) {
			matching++
			_, grouped = attributes[groupBy]
		}
	}
	if matching == 0 || groupBy == "" {
		return matching > 0 && each > 0
	}
	room := each * matching * int64(g.MaxSlices) // of workers that share an attribute which all of the group's have
	switch groupBy {
	case AttributeWorker:
		room = each
	case AttributeSlice, AttributeTPUName:
		room = each * matching
	case AttributeTPUWorkerID:
		room = each * int64(g.MaxSlices)
	}
	return grouped && room >= int64(len(j.Tasks))
}
