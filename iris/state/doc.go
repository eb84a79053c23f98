// Package state is the pure model of an Iris cluster: jobs, tasks, attempts, workers, and every rule about them.
//
// A [Cluster] changes only by [Cluster.Apply], which takes the instant and one [Command] and returns what must now be
// done as [Effect] values. It imports no clock, does no I/O and starts no goroutine: the same commands at the same
// instants always give the same cluster (design §1). Exported fields are for reading; only Apply writes them.
//
// # Duties of the caller
//
//  1. Commit a command (with its instant) before applying it, and apply in the order of the log.
//  2. Carry out effects after applying. They are hints: losing one costs time, never correctness, because
//     [Cluster.Answer] repeats to each worker at every heartbeat what must stop.
//  3. When [Cluster.Next] is reached, turn each of [Cluster.Due] into an [Expire] command and look for placements again.
//     Due takes them out, so it is for a copy of the cluster that will see these commands.
//  4. Taking over from another controller, begin with [Cluster.Outstanding].
//  5. Apply what [Cluster.Expired] proposes, now and then, or the past grows for ever.
//
// # As bytes
//
// [EncodeEntry] and [DecodeEntry] give commands the form in which a log keeps them, [Cluster.Snapshot] and [Restore]
// give one to a whole cluster: iris/proto/journal.proto. A cluster restored from a snapshot, or fed with the commands
// of a log read back, equals the one it was made of, down to the bytes of its own snapshot. What is damaged, or from a
// newer version, is refused: no copy of the log may understand it in another way than the rest.
//
// # What it promises
//
// A terminal state never changes. A task has at most one live attempt. A worker's committed resources are the sum of
// its unconfirmed attempts and never more than its capacity. A gang runs whole or not at all. Budgets are exact.
// [Cluster.Check] verifies all of it.
package state
