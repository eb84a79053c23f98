// Package worker is the part of Iris that runs attempts: it registers with the controller, beats, takes orders, runs
// each attempt through its phases and tells what became of it.
//
// # What it promises
//
// An attempt runs at most once, however often its order arrives. Every finished attempt is reported until the controller
// acknowledges it, so no result is lost (FM-11, FM-14). An attempt that the controller wants stopped is confirmed as
// finished, even if it never ran here. When the controller cannot be reached, attempts go on, except those of exclusive
// jobs, which end before the lease does (design §4). Nothing of an attempt outlives it: no process, port or directory.
//
// Without a keeper, attempts end with the worker's process, however that ends. With one (Config.Keeper), commands survive
// a process that is killed: the next one finds them, running or ended, tells the controller when it registers, and goes on
// as if it had started them: a timeout counts from the true start, a lease from the last answer that any of the processes
// had, and a stop that was under way keeps its reason. What was still being prepared, and functions, are gone; so is what
// ran if the keeper was killed too. The controller learns of it by its absence. No attempt is started twice. A process
// whose keeper was taken over by a newer one says nothing any more and ends (Ended).
package worker
