package chaos

// Fired is how often rules have fired at the site since the program began, whatever their scope. Reset does not change it.
func (s *Site) Fired() uint64 { return s.fired.Load() }
