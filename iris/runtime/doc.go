// Package runtime runs one attempt of a task: as a Go function inside the worker (Func), or as a command
// in a process group of its own (Process).
//
//	rt := runtime.NewProcess()
//	defer rt.Close()
//	task, err := rt.Start(ctx, runtime.Spec{
//		UID:  "demo/0:1",
//		Argv: []string{"sh", "-c", "echo hello; exit 3"},
//		Dir:  workspace,
//		Log:  func(stream, line string) { fmt.Println(stream, line) },
//	})
//	if err != nil {
//		return err // nothing runs
//	}
//	<-task.Done()
//	fmt.Println(task.Exit().Text()) // exit code 3
//
// # Guarantees
//
//   - Start either returns an error and nothing runs, or a Task whose Done is closed in the end.
//   - Done means gone: the command, what is left of its process group, and every line it wrote has been
//     given to Log. Capacity can be given back (FM-9) and no last line is missing (FM-81).
//   - Stop never blocks, may be called any number of times from anywhere, and can only bring the end nearer.
//   - A process group does not outlive its worker, even one that is killed with SIGKILL (see Process).
//   - A panic in a function ends its attempt, not the worker.
//
// # Limits
//
//   - Go cannot kill a goroutine: a function that ignores its context keeps Done open until it returns.
//   - SIGKILL waits for a process in an uninterruptible system call (a dead NFS mount, a stuck device). Done
//     stays open for as long, because what the process holds is held.
//   - A child that leaves its process group (setsid; coreutils' timeout without --foreground) is out of reach.
//     It cannot keep Done open either: what it writes after the group has ended is not read.
//
// Func works inside a testing/synctest bubble. Process is of the real world: the kernel ends its waits, so no
// bubble can know when it is idle. It builds on Linux and other unixes; only on Linux is everything above
// exact (see Process).
package runtime
