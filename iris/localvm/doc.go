// Package localvm is the platform of one host: a slice is processes of `iris worker` here. With it, an autoscaled cluster
// of real daemons runs real jobs, and loses real workers.
//
//	m, err := localvm.Open(localvm.Config{
//		Group: vm.GroupConfig{Name: "cpu", MaxSlices: 3, Zones: []string{"local"}},
//		Dir:   "/var/lib/iris/local/cpu",
//		Command: func(on localvm.Machine) *exec.Cmd {
//			return exec.Command("iris", "worker", "--id", on.VM.WorkerID, "--attribute", "slice="+on.Slice,
//				"--data-dir", filepath.Join(on.Dir, "data"), "--drain-timeout", "5s")
//		},
//	})
//	if err != nil {
//		return err
//	}
//	defer m.Close() // the workers go on
//	slice, err := m.CreateSlice(ctx, vm.Request{ID: "cpu-0"})
//
// # Guarantees
//
// Beyond those of the contract:
//
//   - Workers outlive the manager, and the process it is in, however that ends: each leads a session of its own. A manager
//     that is opened on the same directory takes over what runs. It knows a process by its number and its start, so that
//     others which are given the number later are left alone.
//   - A creation that was cut short leaves nothing, or a slice of which VMs are FAILED, and no worker that nobody knows of.
//   - A VM is READY while its process runs. One whose process was killed by a signal that Iris did not send is PREEMPTED.
//     One whose process ended by itself is FAILED, and InitError says how, and what it said last; that is also the case if
//     nobody can tell how it ended, since it was started by a process that is gone. The end is seen within a quarter of a
//     second. What the worker leaves behind (its keeper, its tasks) is killed before the VM has its terminal state.
//   - Terminate asks the workers to end, all at once, waits for them and for all that they started up to Grace, kills what
//     is left then, in whatever session it is, and returns nil once nothing runs. A termination that was cut short goes on
//     with the next call, of this manager or the next: the grace counts from the first one, and nobody is asked twice,
//     because a second SIGTERM cuts a drain short.
//   - Several processes may have a manager on one directory, such as controllers of which one leads: what they do to a slice
//     is serialised by a lock on its directory, and so is the count of slices.
//
// # How what a slice started is found
//
// A worker is started with a TMPDIR below the directory of its VM, which it hands on to its keeper, its guards and its tasks;
// whoever has it in its environment belongs to the slice, and so do the children, sessions and groups of those
// (runtime.Family). This too is why nothing of a creation is lost that is cut short between the start of a process and
// the note of it.
//
// # In the directory
//
// It belongs to one scale group, which Open makes sure of, and is for this user alone.
//
//	.group                    the name of the group
//	.lock                     held while slices are counted and one is added
//	.gone/SLICE               an empty file: there was such a slice
//	.new-*, .old-*            a slice before and after its life
//	SLICE/slice.json          what Labels, Zone and CreatedAt say; written before anything of the slice is started
//	SLICE/lock                held while the slice is created or terminated, or the rest of a VM is killed
//	SLICE/terminating         when the termination began
//	SLICE/vm-0/process        the identity of the worker's process
//	SLICE/vm-0/end            the terminal state of a VM, and why
//	SLICE/vm-0/worker.log     what the worker says; worker.log.old is the end of what it said before the file was cut
//	SLICE/vm-0/tmp/           TMPDIR
//
// A slice whose slice.json cannot be read is listed all the same: its VMs are UNSPECIFIED, with an InitError that names the
// file, it counts against MaxSlices, and it can be terminated. Other slices are not affected.
//
// The directory of a slice whose VMs have all ended is kept for Logs until Terminate, or until a manager is opened.
//
// # Limits
//
//   - A process that has both another TMPDIR and no living relative of the slice, such as a task's daemon with a cleaned
//     environment, is not found. Nor is one of another user.
//   - Elsewhere than on Linux only workers, and their groups, are ended: what they run is left to the guard of
//     runtime.Process, and a keeper to its own patience. There, a worker that was started by a process that is gone is known
//     by its number and that it leads a session, which somebody else's could too.
//   - The path of a keeper's socket has at most 107 bytes, of which Dir must leave enough.
//   - Each slice there ever was leaves an empty file.
package localvm
