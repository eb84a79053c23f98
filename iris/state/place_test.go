package state

import (
	"maps"
	"slices"
	"time"
)

// place is the simplest scheduler: each task, or gang, where it fits first.
func place(c *Cluster, now time.Time) []Placement {
	free := map[string]Resources{}
	for _, w := range c.Workers() {
		if !w.Lost && !w.Leaving() {
			free[w.ID] = w.Free()
		}
	}
	fits := func(j *Job, task int32, by, group string) string {
		for _, w := range c.Workers() {
			value, ok := w.Attributes[by]
			if room, live := free[w.ID]; live && ok && (group == "" || value == group) && room.Fits(j.Need) &&
				Matches(j.Spec.Constraints, w.Attributes) && !slices.Contains(j.Avoided(task), w.ID) {
				return w.ID
			}
		}
		return ""
	}
	var plan []Placement
	for _, j := range c.Queue() {
		ready := slices.DeleteFunc(slices.Clone(j.Waiting()), func(i int32) bool {
			return j.Stopping(i) || now.Before(j.NotBefore(i))
		})
		if !j.Gang() {
			for _, i := range ready {
				if id := fits(j, i, AttributeWorker, ""); id != "" {
					free[id] = free[id].Sub(j.Need)
					plan = append(plan, Placement{j.ID, i, id})
				}
			}
			continue
		}
		by := j.Spec.Coscheduling.GroupBy
		for _, w := range c.Workers() {
			if w.Attributes[by] == "" || len(ready) < len(j.Tasks) {
				continue
			}
			saved, members := maps.Clone(free), []Placement(nil)
			for _, i := range ready {
				if id := fits(j, i, by, w.Attributes[by]); id != "" {
					free[id] = free[id].Sub(j.Need)
					members = append(members, Placement{j.ID, i, id})
				}
			}
			if len(members) == len(j.Tasks) {
				plan = append(plan, members...)
				break
			}
			free = saved
		}
	}
	return plan
}
