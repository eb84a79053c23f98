package autoscaler

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	pb "iris/iris/proto"
	"iris/iris/schedule"
	"iris/iris/state"
	"iris/iris/vm"
)

const gib = 1 << 30

var epoch = time.Date(2030, 1, 2, 9, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return epoch.Add(d) }

func cores(cpu, memory int64) state.Resources {
	return state.Resources{CPUMillis: 1000 * cpu, MemoryBytes: gib * memory}
}

var pace = state.Pace{
	ScaleUpCooldown: time.Minute, ScaleDownCooldown: 5 * time.Minute, ScaleDownRate: 10, IdleThreshold: 5 * time.Minute,
	BackoffInitial: 5 * time.Second, BackoffMax: 5 * time.Minute, QuotaTimeout: 5 * time.Minute,
	RequestingTimeout: 2 * time.Minute, BootTimeout: 5 * time.Minute, InitTimeout: 10 * time.Minute,
	UnhealthyTimeout: 5 * time.Minute, ShortLived: 5 * time.Minute,
}

// cpuGroup is a group of slices of one VM of 4 CPU and 16 GiB in us-1.
func cpuGroup(name string, most int) *state.ScaleGroup {
	return &state.ScaleGroup{
		Group: state.Group{
			GroupConfig: vm.GroupConfig{Name: name, MaxSlices: most, Zones: []string{"us-1"}},
			VMs:         1, Capacity: cores(4, 16), Pace: pace,
		},
		Blocked: map[string]state.Block{},
	}
}

// tpuGroup is a group of slices of four VMs.
func tpuGroup(name string, most int) *state.ScaleGroup {
	g := cpuGroup(name, most)
	g.AcceleratorVariant, g.VMs = "v5litepod-16", 4
	return g
}

// slice is a slice in a state for ten seconds, asked for a minute ago. One that is READY is idle.
func slice(id, group string, in vm.State) *state.Slice {
	s := &state.Slice{ID: id, Group: group, Zone: "us-1", State: in, Since: at(-10 * time.Second), Requested: at(-time.Minute)}
	if in == vm.Ready {
		s.ReadyAt, s.IdleSince = s.Since, s.Since
	}
	return s
}

func since(s *state.Slice, t time.Time) *state.Slice {
	s.Since = t
	if s.State == vm.Ready {
		s.ReadyAt, s.IdleSince = t, t
	}
	return s
}

func busy(s *state.Slice) *state.Slice {
	s.IdleSince = time.Time{}
	return s
}

// vms gives a slice VMs in these states.
func withVMs(s *state.Slice, states ...vm.State) *state.Slice {
	for i, in := range states {
		id := fmt.Sprintf("%s-vm-%d", s.ID, i)
		s.VMs = append(s.VMs, vm.VM{ID: id, State: in, WorkerID: "worker-" + id})
	}
	return s
}

func job(id string, n int, need state.Resources, constraints ...*pb.Constraint) schedule.Request {
	r := schedule.Request{Job: id, Need: need, Constraints: constraints}
	for i := range n {
		r.Tasks = append(r.Tasks, int32(i))
	}
	return r
}

func gang(id, by string, n int, need state.Resources, constraints ...*pb.Constraint) schedule.Request {
	r := job(id, n, need, constraints...)
	r.GroupBy = by
	return r
}

func equal(key, value string) *pb.Constraint {
	return &pb.Constraint{Key: key, Op: pb.ConstraintOp_CONSTRAINT_OP_EQ, Value: value}
}

// worker is the live worker on a VM of a slice of the group.
func worker(g *state.ScaleGroup, slice, zone string, i int, free state.Resources) schedule.Worker {
	w := schedule.Worker{
		ID: "worker-" + slice + "-vm-" + strconv.Itoa(i), Capacity: g.Capacity, Free: free,
		Attributes: g.Worker(slice, zone, i),
	}
	w.Attributes["worker"] = w.ID
	return w
}

// created is how many slices of each group a decision asks for.
func created(d Decision) map[string]int {
	n := map[string]int{}
	for _, a := range d.Actions {
		if c, ok := a.(Create); ok {
			n[c.Group]++
		}
	}
	return n
}

// stopped is the slices that a decision gives back, with the reason.
func stopped(d Decision) map[string]Why {
	all := map[string]Why{}
	for _, a := range d.Actions {
		if s, ok := a.(Stop); ok {
			all[s.Slice] = s.Why
		}
	}
	return all
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func groupsOf(groups ...*state.ScaleGroup) []*state.ScaleGroup { return slices.Clone(groups) }
