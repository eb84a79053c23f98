// Package fakevm is a cloud without machines: it implements [vm.Manager] for tests and local clusters, and fails in every
// way that is known of clouds.
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
// # Time
//
// There is no goroutine. Time moves by [Manager.Tick], or, as long as somebody is in [Manager.Run], by itself: it is
// then time.Now, in a bubble of testing/synctest its virtual time. It never goes backwards; so the same calls always
// give the same states. How often Tick is called makes no difference to the end: what is due happens at its instant, in
// the order of the instants, and a late tick finds it happened then, not at the instant of the tick. A delay of 0 is
// over at the next tick, and at once while Run runs.
//
// All methods are safe for concurrent use.
//
// # Machines
//
// If something shall really run on the VMs, [Config.Machines] is told when a VM comes up, is about to leave, and is gone.
//
// # Failure modes
//
//	what goes wrong                                how
//	no quota in a zone, or in any (FM-69)          Config.Quota, SetQuota; mode QuotaExceeded
//	no machines in a zone, or in any (FM-69)       SetStock; mode Stockout
//	creations fail for another reason (FM-69)      mode CreateFails
//	a creation hangs; its slice comes late (FM-71) mode CreateHangs, Config.LateBy
//	one VM of a new slice is broken (FM-72)        mode CreatePartial
//	VMs never boot, never come up (FM-73)          modes BootStuck, InitStuck
//	one VM fails, at any time (FM-65, FM-72)       FailVM
//	a slice is taken away, with notice or without  Notice, Preempt
//	a termination fails                            FailTerminations
//	a list is out of date                          SetListLag
//	a list lacks a slice that lives (FM-66)        Hide
//	a new VM has the address of a lost one (FM-24) Config.Addresses
//
// What really lives and what it costs, whatever lists say and whoever has forgotten it, is [Manager.Live] and
// [Manager.Bill].
package fakevm
