// Package vm is the contract between the autoscaler and the platforms that lend it machines.
//
// A scale group ([GroupConfig]) says what kind of machines Iris may have and how many. Its [Manager] creates slices.
// A [Slice] is the atomic unit of scaling: one or more VMs that are created, lost and terminated together.
// Package iris/provision is the one production path by which a slice comes into being and goes:
//
//	slice, err := provision.Create(ctx, manager, chaos.Labels{"group": group.Name}, vm.Request{ID: "cpu-0"})
//	switch {
//	case errors.Is(err, vm.ErrQuotaExceeded): // wait for quota; nothing is broken
//	case errors.Is(err, vm.ErrStockout):      // try another zone
//	case errors.Is(err, vm.ErrMaxSlices):     // the group is full; place the demand elsewhere
//	case err != nil:                          // back off, then try again
//	}
//
// # Guarantees every implementation gives
//
//   - A failed CreateSlice leaves nothing behind: no slice, no VM, no reserved quota. Only of one that was cut short
//     nobody knows.
//   - A VM moves forward only (REQUESTING, BOOTING, INITIALIZING, READY). A terminal state never changes.
//   - The group never has more than MaxSlices live slices. A slice is live until all its VMs are terminal; a
//     preempted one is therefore gone, and only its handle still tells why.
//   - Ids are never used twice.
//
// # Failure modes
//
// A creation can fail for quota or for any other reason (FM-69); a VM can boot and never become READY (FM-73); a
// slice can be taken away at any time (PREEMPTED). None of these is repaired here: the autoscaler decides.
//
// The package starts no goroutine and reads no clock. Package iris/fakevm implements the contract
// for tests and local clusters.
package vm
