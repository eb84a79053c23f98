// Package fakevm is a platform without machines: it implements [vm.Manager] for tests and local clusters.
//
//	m, err := fakevm.New(fakevm.Config{
//		Group: vm.GroupConfig{
//			Name: "test", AcceleratorVariant: "v4-8", MaxSlices: 3, Zones: []string{"us-central1-a"},
//		},
//		BootDelay: 30 * time.Second,
//		InitDelay: time.Minute,
//	})
//	slice, err := m.CreateSlice(ctx, vm.Request{}) // BOOTING
//	m.Tick(slice.CreatedAt().Add(90 * time.Second))
//	slice.Status().AllReady()             // true
//
// # Guarantees
//
// There is no goroutine and no timer. Time moves only by [Manager.Tick], and never backwards; so the same calls
// always give the same states. How often Tick is called makes no difference to the end: a VM changes at the instant
// its delay is over, and a late tick finds it changed at that instant, not at the instant of the tick.
//
// All methods are safe for concurrent use.
//
// # Failure modes
//
// [Manager.SetFailureMode] makes creations fail until it is set back. An InitDelay longer than the test makes a VM
// that boots and never becomes READY (FM-73). [Manager.Preempt] takes a slice away.
package fakevm
