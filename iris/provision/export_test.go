package provision

// Remembered is the number of slices and of orders that are remembered of a group.
func (p *Provisioner) Remembered(name string) (slices, orders int) {
	g := p.group(name)
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.known), len(g.errands)
}
