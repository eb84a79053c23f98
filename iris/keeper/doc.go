// Package keeper lets a worker's commands survive the worker: it runs them in a keeper, a small process beside the worker
// that goes on when the worker is killed, and hands them to the worker's next process.
//
//	k, err := keeper.Open(ctx, keeper.Options{Dir: "/var/lib/iris/w-0/keeper"})
//	if err != nil {
//		return err
//	}
//	for _, h := range k.Held() { // after a restart
//		go watch(h.Task, h.Note, h.Began)
//	}
//	task, err := k.Run(ctx, runtime.Spec{UID: "j/0/0", Argv: []string{"train"}}, note, nil)
//	…
//	<-task.Done()
//	report(task.Exit())
//	k.Forget("j/0/0") // once somebody else has noted it
//
// The keeper is the same program, started as `PROGRAM keeper --dir DIR` with the first command. Its main calls Main.
//
// # Guarantees
//
//   - An attempt is started at most once, whatever is lost, repeated or restarted.
//   - What was started is there when the keeper is opened again, running or ended, until it is forgotten: with its exit,
//     the worker's note, when it began, the verdict of the first Stop, and its log. If the keeper died meanwhile, ends
//     are still there, on disk, and what ran is lost (ErrLost).
//   - Nothing runs without its keeper: a keeper runs commands with runtime.Process, which takes them along. Its successor
//     makes sure that nothing is left, before anybody hears that they are lost. Processes are known by their number and
//     start, so that others which are given the same numbers later are left alone.
//   - One keeper for one folder, and one worker process for one keeper: the last one that opened it. Orders of others are
//     refused; what they hear is ErrReplaced.
//   - Attempts with a lapse (exclusive jobs) are killed when the lease that their worker renews runs out, whether the
//     worker is there or not.
//   - A keeper ends: with its worker's Shutdown, when it holds nothing and no worker has been attached for a minute, or
//     when it holds something and none has come for a quarter of an hour. Then nobody waits for it any more.
//
// # In the folder
//
// All of it is for this user alone (0700, and 0600 for files).
//
//	socket      where the worker attaches; gRPC, see iris/proto/keeper.proto
//	lock        held by the keeper
//	record      what runs, and ends that nobody has noted: one JSON object a line
//	logs/       what attempts write; see logfile.go
//	keeper.log  what the keeper itself has to say
//
// Neither the environment of an attempt nor a note is written anywhere (FM-86).
//
// # Limits
//
//   - The record is there for a process that dies, not for a machine that does: it is not synced to the disk. It is some
//     milliseconds late: an end of that moment, which no worker had heard of either, dies with a keeper that is killed.
//   - A disk that is full stops nothing. Lines that cannot be written are counted and the count is logged; the record is
//     written anew when there is room.
//   - The path of the socket has at most 107 bytes: the folder's must be shorter.
//   - Who kills the worker's whole session, control group or PID namespace kills the keeper as well; systemd needs
//     KillMode=process (mixed too kills what is left once the main process has ended).
//   - Elsewhere than on Linux a successor cannot tell what is left of a keeper's attempts; the guard of runtime.Process is
//     what ends them.
package keeper
