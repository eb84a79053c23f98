// Package exact tells stories on the pure core: the leader that decides, the state, the scheduler and the autoscaler are those
// of production, driven by a discrete-event simulation of all that is around them: clients, couriers, workers, machines, the
// network between them, the log and its voters.
//
// It has one goroutine and no clock but its own, so that a story is one history, byte for byte, and hours of a cluster take a
// fraction of a millisecond. What it leaves to the production code in virtual time (package real) is how the shells are
// written: their goroutines, locks, deadlines, and the journal itself.
//
// After each step of the leader it verifies what the step touched, and every so often, and after each fault, everything.
package exact
