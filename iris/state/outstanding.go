package state

// Outstanding are the effects of the past that may still have to be carried out: a Run for each attempt of which its
// worker has not been heard, a Stop for each that ended and is not confirmed stopped. Who takes over from another
// controller begins with them. They are ordered by worker and uid.
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
	return effects
}
