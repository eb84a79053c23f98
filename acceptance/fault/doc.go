// Package fault is one vocabulary of what may go wrong in a cluster: between two participants, with one of them, at a chaos
// site of the production code, and with the machines of a scale group.
//
// A fault is a value. A spec does one to its cluster; a random run draws many of them, each with the instant at which it
// begins and how long it lasts, and writes those that proved something down:
//
//	c.Inject(fault.Partition("w-0", "c-0"))
//	fault.Crash("w-1").At(20 * time.Second).For(90 * time.Second)
//
// Participants have the names that they have in the network: c-0 and so on are controllers, w-0 and so on workers, "client"
// is whoever speaks with the cluster, and Anybody is each of them.
package fault
