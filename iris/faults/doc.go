// Package faults lets chaos in from outside: rules of package chaos are listed, armed, watched and ended in the running
// processes of a cluster, over gRPC (design §5).
//
// A daemon that was started with --chaos serves it, and one that was not says so:
//
//	rules, err := faults.FromEnvironment(cluster, chaosOn) // IRIS_CHAOS; before anything else starts
//	register := func(s grpc.ServiceRegistrar) { faults.Disabled(s, "worker") }
//	if chaosOn {
//		register = func(s grpc.ServiceRegistrar) { faults.Register(s, faults.Config{Cluster: cluster, Names: []string{id}}) }
//	}
//	… worker.Start(worker.Config{Services: …register…})
//
// A controller gives its service the other processes as well (Config.Peers), and so serves the whole cluster:
//
//	client := faults.Connect(conn)
//	reports, err := client.Enable(ctx, "worker.heartbeat[worker=w-0] max 3")
//	stream, err := client.Watch(ctx) // what fires, as it happens
//	reports, err = client.Reset(ctx)
//
// # Guarantees
//
//   - A service sees and arms the rules of its own cluster alone, as chaos.In does.
//   - A bad text or an unknown target changes nothing in any process.
//   - An unreachable process is an error in its report. It delays a call by at most twice Config.Timeout, and fails none.
//   - Participants that share a process share its rules. A call reaches them once, and they answer as one.
//   - Enabling again under the same id changes nothing, so that a lost answer is repaired by asking again.
//   - Whatever a rule holds, in a delay or a pause, goes on after Release, Disarm or Reset from outside.
//   - A watch costs nothing while there is none, and never holds up the program that it watches: a slow reader is told how
//     many firings it missed.
//
// # What to mind
//
//   - A rule lives in one process, counts there, and ends with it: "max 3" in a controller and two workers fires up to nine
//     times, and a worker that is restarted has no rules but those of its IRIS_CHAOS.
//   - A target is a process. Which worker of a process is meant is said by the labels of the rule.
//   - Disarmed rules stay listed, with all that they did, until Reset; 256 are the most there can be.
//   - A worker that is lost because of a rule is healed by a Reset that reaches it: the peers of a controller include those
//     that it counts as lost, or an administrator asks the worker itself.
package faults
