package state

// bringable reports whether some scale group could bring workers that run the job, however long that takes: alone or, of a
// gang that slices share a value for, together with the other groups and the workers that are there from the start.
func (c *Cluster) bringable(j *Job) bool {
	groupBy, tasks := j.together()
	room := map[string]int64{}
	for _, g := range c.fleet.groups {
		if g.Removed || g.MaxSlices == 0 {
			continue
		}
		for value, n := range g.room(j, groupBy, tasks) {
			if value != unknown { // it is that of all its slices
				n = room[value] + n*int64(g.MaxSlices)
				room[value] = n
			}
			if n >= tasks {
				return true
			}
		}
	}
	if len(room) == 0 {
		return false
	}
	for _, w := range c.live {
		value, grouped := w.Attributes[groupBy]
		n, brought := room[value]
		if !grouped || !brought || w.slice != nil || !Matches(j.Spec.Constraints, w.Attributes) {
			continue
		}
		if room[value] = n + w.Capacity.Slots(j.Need); room[value] >= tasks {
			return true
		}
	}
	return false
}

// unknown stands for what nobody knows of a slice before it is there: no constraint names it.
const unknown = "\x00"

// room is how many of a job's tasks an empty slice of the group takes on workers that share a value of an attribute, by that
// value; in the zone where it takes most. Values are left out for which it takes none.
func (g *ScaleGroup) room(j *Job, groupBy string, tasks int64) map[string]int64 {
	most, each := map[string]int64{}, min(g.Capacity.Slots(j.Need), tasks)
	if each == 0 {
		return nil
	}
	for _, zone := range g.Zones {
		here := map[string]int64{}
		for i := range g.VMs {
			attributes := g.Worker(unknown, zone, i)
			attributes[AttributeWorker] = unknown
			value, grouped := attributes[groupBy]
			if !grouped || !Matches(j.Spec.Constraints, attributes) {
				continue
			}
			if groupBy != AttributeWorker { // of that there is another one on each VM
				here[value] += each
			} else {
				here[value] = each
			}
			most[value] = max(most[value], here[value])
		}
	}
	return most
}
