package sshvm

// ReserveOrder is what a host's shell reads to reserve the host.
func ReserveOrder(dir, line string) string {
	h := &host{Host: Host{Dir: dir}}
	return h.script("reserve", []string{line})
}
