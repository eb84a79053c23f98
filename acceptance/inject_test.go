package acceptance

import (
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2"

	"iris/acceptance/fault"
)

// declareInjections declares a spec for each end that a fault may have.
func declareInjections() {
	Scenario("injections:", RPC, Chaos, Only{Mode: Virtual, Why: "it is a test"}, func(c *Cluster) {
		ginkgo.It("strikes", func() {
			c.Inject(fault.Crash("w-0"))
			c.Inject(fault.Partition("w-1", "c-0"))
			c.Inject(fault.AtSite("worker.heartbeat", "w-1", 1, 1))
			time.Sleep(25 * time.Second)
		})
		ginkgo.It("is healed", func(ctx ginkgo.SpecContext) {
			c.Inject(fault.Crash("w-0"))
			c.Works(ctx)
		})
		ginkgo.It("misses the network", func() { c.Inject(fault.Repeat("w-0", "w-1", 1)) })
		ginkgo.It("misses the site", func() { c.Inject(fault.AtSite("vm.create", "none", 1, 0)) })
		ginkgo.It("cannot be", func() { c.Inject(fault.Fault{Kind: "flood", A: "w-0"}) })
		ginkgo.It("fails otherwise", func() {
			c.Inject(fault.Crash("w-0"))
			c.Inject(fault.Freeze("w-1"))
			ginkgo.Fail("the end of this spec is cleaned up")
		})
	})
}

func TestAnInjectedFaultStrikesOrFailsItsSpec(t *testing.T) {
	o := run(t, "injections", "-ginkgo.focus=injections:")
	o.failed(t)
	o.says(t, "2 Passed | 4 Failed", "never took effect: repeat w-0 -> w-1",
		"vm.create[cluster=", "never reached", `there is no fault "flood"`,
		"the end of this spec is cleaned up", "0s fault freeze w-1 begins")
}
