package acceptance

import (
	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"

	"iris/acceptance/fault"
	"iris/chaos"
	"iris/iris/network"
)

// Inject does a fault to the cluster, in virtual time alone. It lasts until its End, until Heal, or until the end of the spec;
// by then it must have struck, or the spec fails, as it does when the cluster cannot have such a fault.
//
// When the fault would begin and how long it would last by itself is not heeded: the spec's own time is.
func (c *Cluster) Inject(f fault.Fault) *fault.Ongoing {
	ginkgo.GinkgoHelper()
	ongoing, err := f.Begin(faulty{c.system.(*inProcess), c})
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	c.injected = append(c.injected, ongoing)
	return ongoing
}

// SeedNetwork decides all that is random about faults of the network from now on. At first the run's own seed does.
func (c *Cluster) SeedNetwork(seed uint64) { c.network().Seed(seed) }

// mend ends what was injected, each of which must have struck.
func (c *Cluster) mend() {
	ginkgo.GinkgoHelper()
	gomega.Expect(c.network().Verify()).To(gomega.Succeed(), "every fault of the network must have taken effect")
	for _, ongoing := range c.injected {
		gomega.Expect(ongoing.Struck()).To(gomega.BeTrueBecause("%v must have struck", ongoing.Fault))
	}
	c.calm()
}

// calm is mend of a spec of which nobody knows how far it has come.
func (c *Cluster) calm() {
	ginkgo.GinkgoHelper()
	c.network().Heal()
	for _, ongoing := range c.injected {
		gomega.Expect(ongoing.End()).To(gomega.Succeed())
	}
}

// network has the faults of a cluster whose network is in memory; of any other it has none, and can be given none.
func (c *Cluster) network() network.Faults {
	if local, inside := c.system.(*inProcess); inside {
		if n, inMemory := local.options.Network.(*network.Memory); inMemory {
			return n.Faults()
		}
	}
	return network.Faults{}
}

// faulty is a cluster as faults see it.
type faulty struct {
	*inProcess
	cluster *Cluster
}

var _ fault.Cluster = faulty{}

func (f faulty) Faults() network.Faults { return f.cluster.network() }

func (f faulty) Kill(id string) error {
	f.cluster.noteKill(id)
	return f.inProcess.Kill(id)
}

func (f faulty) Revive(id string) error {
	f.cluster.noteStart(id)
	return f.inProcess.Revive(id)
}

func (f faulty) Arm(text string) (fault.Rule, error) {
	rule, err := chaos.In(f.plan.Name).EnableText(text)
	return armed{rule}, err
}

// armed is a rule that a fault has armed.
type armed struct{ *chaos.Rule }

func (a armed) Fired() int { return a.Counts().Fired }
