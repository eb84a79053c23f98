package acceptance

// The labels specs may have, besides those of the modes. A label that is not known fails the run.
const (
	Chaos = "chaos" // injects faults, or is one of the scenarios
	Crash = "crash" // controllers crash at every point, in many specs
	Kill  = "kill"  // daemons are killed with kill -9
	Fast  = "fast"  // milliseconds: runs in virtual time
	Slow  = "slow"  // as long as its story takes: runs on the wall clock

	Browser     = "browser"     // looks at a page in a real browser
	Screenshots = "screenshots" // remakes the pictures in docs/img

	RPC        = "rpc"
	Worker     = "worker"
	Controller = "controller"
	Lifecycle  = "lifecycle"
	VM         = "vm"
)

// knownLabels are all labels, the modes' too.
func knownLabels() []string {
	known := []string{Chaos, Crash, Kill, Fast, Slow, Browser, Screenshots}
	for _, m := range modes {
		known = append(known, m.Label)
	}
	return append(known, RPC, Worker, Controller, Lifecycle, VM)
}
