// Package provision carries out what is decided about slices: it has them created, listed and terminated, each behind a
// chaos site, off the loop of who decides.
//
//	p := provision.New(provision.Config{
//		Cluster: "prod", Managers: map[string]vm.Manager{"cpu": manager},
//	}, func(ctx context.Context, news provision.News) {
//		select {
//		case inbox <- news:
//		case <-ctx.Done():
//		}
//	})
//	p.Create(provision.Order{ID: "cpu-0", Group: "cpu", Zone: "a"}) // Created or Refused arrives in the inbox
//	p.Terminate(provision.Order{ID: "cpu-0", Group: "cpu"})         // Terminated arrives there
//	p.Close()
//
// # Guarantees
//
//   - An order returns at once, however slow its platform is. Each Create is answered by one [Created] or [Refused], each
//     Terminate by one [Terminated], unless Close comes first. After Close there is no news.
//   - What is ordered of one slice happens one after the other, and its news arrive in that order. A Terminate cuts short
//     a Create of the same slice that is not answered yet, and begins once nothing of it is under way. An order that is given
//     again before its answer is one order; one that is given from within its answer, or later, is a new one.
//   - In each group at most 32 creations and 32 terminations are with the platform at a time (FM-37, FM-38), and one list.
//     Creations begin in the order in which they were ordered.
//   - Every call of a platform has a deadline. A group whose platform is slow, or whose news nobody takes, holds up no
//     other.
//   - What is remembered is bounded by the slices that there were within a minute and the orders that are not answered.
//
// # Failure modes
//
// A creation that was cut short is [Unknown]: the slice may exist, or come into being later, and then shows up in
// [Listed] (FM-71). It can be ordered again or terminated.
//
// A termination is tried again until it worked. It needs the platform's handle, which comes from a creation or a list. A
// slice that two lists do not show, both begun after the order and ListInterval apart, counts as terminated. If the
// platform makes it even later, a later list shows it, and it is to be terminated again.
//
// A list that failed is no news: nothing is known then (FM-66). The log says when lists begin to fail and when they work
// again.
//
// Of a group without a manager, creations are Refused as Failed, and terminations are neither answered nor given up:
// somebody has to give the group its platform back, or to do away with its slices by hand. The log says so once.
//
// A panic of a platform's code ends the process.
package provision
