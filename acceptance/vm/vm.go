// Package vm has the specs about the machines that workers run on.
package vm

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "iris/acceptance"
	"iris/chaos"
	"iris/fakevm"
	"iris/iris/provision"
	"iris/iris/vm"
)

var _ = InEachMode("a scale group's machines", VM, Chaos, Without{Mode: Process, Why: "the cloud is a fake that the specs change while it runs"}, func(m *Mode) {
	var on chaos.Labels
	var rules chaos.Scope

	BeforeEach(func() {
		on = chaos.Labels{"cluster": ClusterName(), "group": "test"}
		rules = chaos.In(on["cluster"])
		DeferCleanup(rules.Reset)
		RecordBare(m, rules)
	})
	cloud := func(config fakevm.Config) *fakevm.Manager {
		GinkgoHelper()
		config.Group = vm.GroupConfig{Name: "test", AcceleratorVariant: "v4-8", MaxSlices: 3, Zones: []string{"us-central1-a"}}
		manager, err := fakevm.New(config)
		Expect(err).NotTo(HaveOccurred())
		return manager
	}

	It("quota_exceeded_retry: creates a slice once the quota allows it", func(ctx SpecContext) {
		manager := cloud(fakevm.Config{Failure: fakevm.QuotaExceeded})
		_, err := provision.Create(ctx, manager, on, vm.Request{})
		Expect(err).To(MatchError(vm.ErrQuotaExceeded))
		Expect(err).To(MatchError(ContainSubstring("quota exceeded for test in us-central1-a")))
		Expect(manager.Slices()).To(BeEmpty(), "a refused creation leaves nothing")

		manager.SetFailureMode(fakevm.None)
		slice, err := provision.Create(ctx, manager, on, vm.Request{})
		Expect(err).NotTo(HaveOccurred())
		manager.Tick(time.Now())
		Expect(slice.Status().AllReady()).To(BeTrueBecause("no delay is left: %+v", slice.Status()))
	})

	It("vm_init_stuck: a machine whose worker never comes up is never ready", func(ctx SpecContext) {
		const never = 999_999_999 * time.Millisecond
		manager := cloud(fakevm.Config{InitDelay: never})
		slice, err := provision.Create(ctx, manager, on, vm.Request{})
		Expect(err).NotTo(HaveOccurred())
		for _, later := range []time.Duration{0, time.Hour, never - 1} {
			manager.Tick(slice.CreatedAt().Add(later))
			Expect(slice.Status().VMs).To(HaveEach(HaveField("State", vm.Initializing)))
			Expect(slice.Status().ReadyCount()).To(BeZero())
		}
	})

	It("vm_preempted: a slice that is terminated is gone for good", func(ctx SpecContext) {
		manager := cloud(fakevm.Config{})
		slice, err := provision.Create(ctx, manager, on, vm.Request{})
		Expect(err).NotTo(HaveOccurred())
		manager.Tick(time.Now())
		Expect(slice.Status().AllReady()).To(BeTrueBecause("no delay is left: %+v", slice.Status()))

		Expect(slice.Terminate(ctx)).To(Succeed())
		manager.Tick(time.Now().Add(time.Hour))
		Expect(slice.Status().VMs).To(HaveEach(HaveField("State", vm.Terminated)))
		Expect(manager.ListSlices(ctx)).To(BeEmpty())
	})

	It("vm_create_fails: a failed creation leaves no slice, and the next one works", func(ctx SpecContext) {
		manager := cloud(fakevm.Config{})
		_, err := rules.Enable("vm.create", chaos.Match("group", "test"), chaos.MaxFailures(1))
		Expect(err).NotTo(HaveOccurred())
		_, err = provision.Create(ctx, manager, on, vm.Request{})
		Expect(err).To(MatchError(chaos.ErrInjected))
		Expect(manager.Slices()).To(BeEmpty())

		_, err = provision.Create(ctx, manager, on, vm.Request{})
		Expect(err).NotTo(HaveOccurred())
		Expect(manager.ListSlices(ctx)).To(HaveLen(1))
		Expect(rules.Verify()).To(Succeed())
	})
})
