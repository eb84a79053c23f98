package state

import "iris/iris/vm"

// Outstanding are the effects of the past that may still have to be carried out: a Run for each attempt of which its
// worker has not been heard, a Stop for each that ended and is not confirmed stopped. Who takes over from another
// controller begins with them. They are ordered by worker and uid. Then come the slices that are asked for or given back.
func (c *Cluster) Outstanding() []Effect {
	var effects []Effect
	for _, w := range c.Workers() {
		if w.Lost {
			continue
		}
		for _, a := range w.Held() {
			switch {
			case a.State == Assigned:
				effects = append(effects, Run{a})
			case a.State.Terminal():
				effects = append(effects, Stop{a.Worker, a.UID})
			}
		}
	}
	for _, s := range c.fleet.slices {
		switch s.State {
		case vm.Requesting:
			effects = append(effects, CreateSlice{s.ID, s.Group, s.Zone})
		case vm.Stopping:
			effects = append(effects, TerminateSlice{s.ID, s.Group, s.Zone})
		}
	}
	return effects
}
