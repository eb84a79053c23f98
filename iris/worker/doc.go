// Package worker is the part of Iris that runs attempts: it registers with the controller, beats, takes orders, runs
// each attempt through its phases and tells what became of it.
//
// # What it promises
//
// An attempt runs at most once, however often its order arrives. Every finished attempt is reported until the controller
// acknowledges it, so no result is lost (FM-11, FM-14). An attempt that the controller wants stopped is confirmed as
// finished, even if it never ran here. When the controller cannot be reached, attempts go on, except those of exclusive
// jobs, which end before the lease does (design §4). Nothing of an attempt outlives it: no process, port or directory.
package worker
