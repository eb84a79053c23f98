package acceptance

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"github.com/onsi/gomega/gcustom"
	"github.com/onsi/gomega/types"

	"iris/fakevm"
	"iris/iris/cluster"
	"iris/iris/config"
	pb "iris/iris/proto"
	"iris/iris/vm"
)

// ScaleGroups wishes for these scale groups instead of machines that are there from the start. What a group does not say
// of its pace is that of a local cluster.
func ScaleGroups(groups ...config.Group) Wish {
	return func(p *plan) {
		p.Groups = groups
		p.Cluster = cluster.MakeLocalConfig(p.Cluster)
	}
}

// Cloud is the pretended platform of a scale group of a cluster that lives in the process of the specs.
func (c *Cluster) Cloud(group string) *fakevm.Manager { return c.system.(*inProcess).Cloud(group) }

// MachineRuns reports whether the process of a worker runs that a controller started. Only with real daemons.
func (c *Cluster) MachineRuns(worker string) bool {
	_, runs := c.system.(*daemons).fleet.Machine(worker)
	return runs
}

// KillMachine ends such a process as kill -9 does.
func (c *Cluster) KillMachine(worker string) {
	ginkgo.GinkgoHelper()
	machine, runs := c.system.(*daemons).fleet.Machine(worker)
	gomega.Expect(runs).To(gomega.BeTrue(), "%s must run", worker)
	c.noteKill(worker)
	gomega.Expect(machine.Kill()).To(gomega.Succeed())
}

// Groups are the scale groups by name, as the controller sees them.
func (c *Cluster) Groups(ctx context.Context) (map[string]*pb.ScaleGroupStatus, error) {
	fleet, err := c.Fleet(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]*pb.ScaleGroupStatus{}
	for _, g := range fleet.Groups {
		all[g.Name] = g
	}
	return all, nil
}

// Slices are the slices of a group, in the order in which they were asked for.
func (c *Cluster) Slices(group string) func(context.Context) ([]*pb.SliceStatus, error) {
	return func(ctx context.Context) ([]*pb.SliceStatus, error) {
		fleet, err := c.Fleet(ctx)
		if err != nil {
			return nil, err
		}
		return slices.DeleteFunc(fleet.Slices, func(s *pb.SliceStatus) bool { return s.Group != group }), nil
	}
}

// Events are what happened to the slices of a group, as "cpu-0 REQUESTED: 1 task waits".
func (c *Cluster) Events(group string) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		fleet, err := c.Fleet(ctx)
		if err != nil {
			return nil, err
		}
		var all []string
		for _, e := range fleet.Events {
			if e.Group == group {
				kind := e.Kind.String()[len("SLICE_EVENT_KIND_"):]
				all = append(all, fmt.Sprintf("%s %s: %s", e.SliceId, kind, e.Text))
			}
		}
		return all, nil
	}
}

// BeSlices matches slices by their states, in order and complete.
func BeSlices(want ...vm.State) types.GomegaMatcher {
	return gcustom.MakeMatcher(func(got []*pb.SliceStatus) (bool, error) {
		return slices.EqualFunc(got, want, func(s *pb.SliceStatus, w vm.State) bool { return vm.State(s.State) == w }), nil
	}).WithTemplate("Expected slices\n{{.FormattedActual}}\n{{.To}} be\n{{format .Data 1}}", want)
}

// unaccounted are the slices that a cloud bills for and the controller does not know, or the reverse.
func (c *Cluster) unaccounted(ctx context.Context) ([]string, error) {
	s, pretended := c.system.(*inProcess)
	if !pretended {
		return nil, nil // nothing but what runs says what real platforms have, and that is looked for anyway
	}
	fleet, err := c.Fleet(ctx)
	if err != nil {
		return nil, err
	}
	tracked, billed := map[string]bool{}, map[string]bool{}
	for _, slice := range fleet.Slices {
		tracked[slice.SliceId] = true
	}
	for _, g := range fleet.Groups {
		for _, slice := range s.Cloud(g.Name).Live() {
			billed[slice.ID()] = true
		}
	}
	var wrong []string
	for id := range billed {
		if !tracked[id] {
			wrong = append(wrong, id+" is billed and unknown")
		}
	}
	for id := range tracked {
		if !billed[id] {
			wrong = append(wrong, id+" is known and not billed")
		}
	}
	return wrong, nil
}

// accounted asserts that what the clouds bill is what the controller knows (invariant i), and that no group has more than
// it may.
func (c *Cluster) accounted(ctx context.Context) {
	ginkgo.GinkgoHelper()
	gomega.Eventually(ctx, c.unaccounted).Should(gomega.BeEmpty(), "what is billed must be what is known")
	fleet, err := c.Fleet(ctx)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	counts := map[string]int32{}
	for _, slice := range fleet.Slices {
		counts[slice.Group]++
	}
	for _, g := range fleet.Groups {
		gomega.Expect(counts[g.Name]).To(gomega.BeNumerically("<=", g.MaxSlices), "slices of group %s", g.Name)
	}
}

// SlowPolls wishes for workers that look at their attempts so seldom: for stories of many hours.
func SlowPolls(interval time.Duration) Wish {
	return func(p *plan) { p.Worker.PollInterval = interval }
}
