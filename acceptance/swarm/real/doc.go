// Package real tells a story on the production code: the cluster of iris/cluster, in a bubble of virtual time, over a network
// in memory, with real clients.
//
// While the story goes on, the invariants of the leader's state are checked a few times a minute, and after each fault that
// begins or ends. Once it is over, so are all faults, and the cluster has to heal within a bound that follows from the
// story (see [Run]). What the clients were told, what the workers really ran, and what became of the jobs is then judged.
package real
