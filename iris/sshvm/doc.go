// Package sshvm is the platform of those who have machines already: a pool of hosts that are lent as slices. A worker is
// started on a host, and stopped there, by a script over SSH.
//
//	worker := sshvm.Worker{Binary: "/usr/local/bin/iris", Controllers: []string{"10.0.0.1:7070"}}
//	m, err := sshvm.Open(sshvm.Config{
//		Group: vm.GroupConfig{Name: "rack", MaxSlices: 2, Zones: []string{"cellar"}},
//		Hosts: []sshvm.Host{{Address: "10.0.0.11"}, {Address: "10.0.0.12"}},
//		User:  "iris", Key: "/etc/iris/id_ed25519", KnownHosts: "/etc/iris/known_hosts",
//		Bootstrap: worker.Bootstrap, Shutdown: worker.Shutdown,
//	})
//	if err != nil {
//		return err
//	}
//	defer m.Close() // the workers go on
//	slice, err := m.CreateSlice(ctx, vm.Request{ID: "rack-0"})
//
// # Guarantees
//
// Beyond those of the contract:
//
//   - Two slices never have one host, whoever creates them: a host is had by whoever made the one file there that says so,
//     and nothing is started without it. A creation takes all its hosts, or gives back those that it took. Only hosts that
//     did not answer are taken when they do, before anything is started; if somebody else was faster, the VM is FAILED.
//   - What is known of a slice is on its hosts. A manager that is opened later, such as that of another controller, finds
//     all slices with ListSlices, and goes on where the last one stopped: it runs the bootstrap script anew on each VM that has
//     not failed, so the script must do nothing where the worker runs.
//   - A script runs alone on its host. It ends with its time, even if the connection is gone. What arrives of an order when a
//     connection breaks is not carried out unless it is complete.
//   - A host gets its next slice only after the shutdown script has said that the worker is gone.
//   - Hosts are asked all at once, at most 32 of them, and each has ConnectTimeout for its answer (FM-38).
//   - A host whose key is not in KnownHosts is never spoken to.
//
// # Failure modes
//
// A host that does not answer: its VM stays in the state in which it was seen last. CreateSlice prefers hosts that answer;
// on one that does not, a VM is BOOTING until it does, and FAILED after BootTimeout. Terminate is an error as long as one of the
// slice's hosts that may have been reserved does not answer; the other ones are given back. To give up a host, remove it
// from Hosts and open the manager anew.
//
// A host that refuses the key, or has another key than in KnownHosts, is not lent. If none is left besides, CreateSlice is
// ErrCreateFailed and says which hosts refuse; if all are lent, it is ErrStockout.
//
// A worker that has ended is seen when the slices are listed, and its VM is UNHEALTHY from then on; this is known of
// scripts that write worker.pid, as those of [Worker] do. A VM whose reservation has gone is PREEMPTED, or TERMINATED if
// another manager ended it. A slice that has FAILED keeps its hosts, and is listed, until it is terminated.
//
// # On a host
//
// Hosts are Linux with a POSIX shell, GNU coreutils and util-linux (flock, setsid). Everything is in Host.Dir, for this user
// alone; host.sh says what. A slice's own directory holds bootstrap.log and worker.log; it goes with the slice.
//
// # Limits
//
//   - MaxSlices is kept by each manager for what it knows: two that create at the same time may exceed it together.
//   - A host remembers the ids of the last 256 slices it had, a manager those of the last 1024: an older id could be used again.
//   - Where systemd-logind kills what users leave behind, workers need `loginctl enable-linger`.
//   - Each order is a connection of its own.
package sshvm
