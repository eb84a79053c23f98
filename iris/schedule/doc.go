// Package schedule decides which waiting task goes to which worker. It is pure: no clock, no I/O, no goroutine; the
// same view always gives the same plan.
//
//	for _, a := range schedule.Plan(schedule.View{Workers: workers, Requests: requests}) {
//		assign(a.Job, a.Task, a.Worker)
//	}
//	// For a task that still waits, with what is left free:
//	reason := schedule.Explain(workers, request, task)
//	status.PendingReason = &pb.PendingReason{Kind: reason.Kind, Text: reason.String()}
//
// # Guarantees
//
//   - No worker is given more than it has free, a task goes only to workers that satisfy its constraints, and never
//     to one that it avoids.
//   - Requests are served in the order given; independent tasks by first fit over the workers in the order given. A
//     task that does not fit never blocks one that does (design §4).
//   - A gang is placed whole, on workers that share one value of its group attribute, or not at all. Groups are tried
//     by value. Inside the group tasks are spread as evenly as the room allows, and follow the order of the workers
//     (by the number in the attribute tpu-worker-id, then by id): on a slice with as many hosts as tasks, task i runs
//     on host i.
//   - A gang that was sent back and cannot return yet has one group of workers withheld for it from every later
//     request in the pass, so that small tasks cannot starve it (FM-47).
//   - [Explain] says that a task will be placed exactly if [Plan] would place it were it alone.
//
// # Limits
//
// Explain sees one request. A task that has room, but waits because workers are withheld for a gang ahead of it, is
// said to be placed in the next pass.
//
// # Cost
//
// Room only shrinks during a pass. So what once had no room needs no second look: each distinct need remembers where
// to go on, and a tree of upper bounds skips full workers, so a placement costs about the same on 1 000 workers as
// on 10 000 (BenchmarkPlan).
package schedule
