// Package autoscaler decides which slices to ask for and which to give back. It is pure: no clock, no I/O, no goroutine; the
// same view always gives the same decision.
//
//	decision := autoscaler.Decide(now, autoscaler.View{
//		Groups: cluster.Groups(), Slices: cluster.Slices(), Demand: unplaced, Workers: live,
//	})
//	for _, action := range decision.Actions {
//		apply(action) // Create or Stop
//	}
//	wakeAt(decision.Next)
//
// # Guarantees
//
//   - A group never has more than MaxSlices, those included that are being given back: they still cost. It is brought back
//     to MinSlices as soon as it may ask.
//   - What waits is held against the slices that are under way, and only what fits on none of them asks for more (FM-67).
//     Slices that are READY hold nothing: the scheduler has tried them (FM-68).
//   - A slice comes up in time or goes: each state before READY has an end, and so has UNHEALTHY (FM-65, FM-72, FM-73).
//   - A slice whose workers have an attempt is never given back for being idle (FM-64), nor is one that lacks a worker (FM-74),
//     nor one that something in the demand could run on.
//   - Groups are asked by rank. If that leaves a gang without a slice though another order would not, those before it move to
//     other groups: every gang gets a slice that could have one by any order of creation, if each takes a slice of its own.
//   - [Decision.Next] is later than now. Until then, and unless something changes, the decision is to do nothing more.
//
// # Limits
//
// Independent tasks, and gangs that share a slice, are packed first fit, and rearranged one slice at a time: to pack them
// best is too hard to be done exactly. So more slices than necessary may be asked for; in groups that are full, a task may
// wait that a better packing had room for. A gang that spreads over several slices, because it is grouped by an attribute
// that slices share, is not moved for another and moves no other, and several such gangs that need different things may
// count on the same free room of a worker that is there. The rearrangement of one decision ends after a fixed amount of work
// (repairWork), which only demands of thousands of different jobs come near.
//
// A request that names a slice or a worker is held against that one, but is no reason to ask for another: nobody knows ids
// before slices have them.
//
// The machines of a group count as small as the worker of one that is READY says. That is forgotten with the last slice.
//
// # Cost
//
// Slices are looked at once. Requests that need the same are looked at together, tasks by the slice and not one by one
// (BenchmarkDecide).
package autoscaler
