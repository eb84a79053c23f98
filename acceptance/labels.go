package acceptance

// The labels specs may have. A label that is not here fails the run.
const (
	Chaos    = "chaos"    // injects faults, or is one of the scenarios
	Fast     = "fast"     // milliseconds
	Slow     = "slow"     // seconds and more
	Virtual  = "virtual"  // runs in virtual time
	Realtime = "realtime" // runs on the wall clock, over TCP, with real processes

	RPC       = "rpc"
	Worker    = "worker"
	Lifecycle = "lifecycle"
	VM        = "vm"
)

var knownLabels = []string{Chaos, Fast, Slow, Virtual, Realtime, RPC, Worker, Lifecycle, VM}
