package autoscaler

import (
	"fmt"
	"testing"
	"time"

	pb "iris/iris/proto"
	"iris/iris/schedule"
	"iris/iris/state"
	"iris/iris/vm"
)

func demand(requests ...schedule.Request) []schedule.Request { return requests }

func TestDemandAsksForWhatItTakes(t *testing.T) {
	for _, c := range []struct {
		name   string
		groups []*state.ScaleGroup
		slices []*state.Slice
		demand []schedule.Request
		want   map[string]int
	}{
		{"nothing waits", groupsOf(cpuGroup("cpu", 4)), nil, nil, map[string]int{}},
		{"a job of no tasks", groupsOf(cpuGroup("cpu", 4)), nil, demand(job("j", 0, cores(1, 1)), gang("g", "slice", 0, cores(1, 1))),
			map[string]int{}},
		{"tasks share slices", groupsOf(cpuGroup("cpu", 9)), nil, demand(job("j", 7, cores(2, 1))), map[string]int{"cpu": 4}},
		{"jobs share slices", groupsOf(cpuGroup("cpu", 9)), nil, demand(job("a", 1, cores(3, 1)), job("b", 1, cores(1, 15))),
			map[string]int{"cpu": 1}},
		{"a task that needs nothing takes a slice with any number of others", groupsOf(cpuGroup("cpu", 9)), nil,
			demand(job("j", 100, cores(0, 0))), map[string]int{"cpu": 1}},
		{"all VMs of a slice count (FM-67)", groupsOf(tpuGroup("tpu", 9)), nil,
			demand(job("j", 8, cores(4, 1))), map[string]int{"tpu": 2}},
		{"what fits on slices under way needs no more", groupsOf(cpuGroup("cpu", 9)), []*state.Slice{
			slice("cpu-0", "cpu", vm.Requesting), slice("cpu-1", "cpu", vm.Booting), slice("cpu-2", "cpu", vm.Initializing),
		}, demand(job("j", 7, cores(2, 1))), map[string]int{"cpu": 1}},
		{"READY and UNHEALTHY slices hold nothing (FM-68)", groupsOf(cpuGroup("cpu", 9)), []*state.Slice{
			slice("cpu-0", "cpu", vm.Ready), slice("cpu-1", "cpu", vm.Unhealthy), slice("cpu-2", "cpu", vm.Stopping),
		}, demand(job("j", 1, cores(2, 1))), map[string]int{"cpu": 1}},
		{"the lower rank first, then the next", groupsOf(cpuGroup("a", 2), cpuGroup("b", 9)), nil, demand(job("j", 10, cores(2, 1))),
			map[string]int{"a": 2, "b": 3}},
		{"what is being given back counts", groupsOf(cpuGroup("a", 2), cpuGroup("b", 9)),
			[]*state.Slice{slice("a-0", "a", vm.Stopping)}, demand(job("j", 4, cores(2, 1))), map[string]int{"a": 1, "b": 1}},
		{"room on a slice of a lower group is used before another is asked for", groupsOf(cpuGroup("a", 9), tpuGroup("b", 9)), nil,
			demand(job("j", 1, cores(4, 1), equal("device-type", "tpu")), job("k", 3, cores(4, 1))), map[string]int{"b": 1}},
		{"a gang takes a slice", groupsOf(tpuGroup("tpu", 9)), nil,
			demand(gang("a", "tpu-name", 4, cores(4, 1)), gang("b", "slice", 3, cores(4, 1))), map[string]int{"tpu": 2}},
		{"small gangs share a slice", groupsOf(tpuGroup("tpu", 9)), nil,
			demand(gang("a", "slice", 4, cores(2, 1)), gang("b", "slice", 4, cores(2, 1))), map[string]int{"tpu": 1}},
		{"a gang that is larger than a slice has none", groupsOf(tpuGroup("tpu", 9)), nil, demand(gang("a", "slice", 5, cores(4, 1))),
			map[string]int{}},
		{"a gang goes on to a group with larger slices", groupsOf(cpuGroup("cpu", 9), tpuGroup("tpu", 9)), nil,
			demand(gang("a", "slice", 4, cores(4, 1))), map[string]int{"tpu": 1}},
		{"a gang on a worker", groupsOf(tpuGroup("tpu", 9)), nil,
			demand(gang("a", "worker", 4, cores(1, 1)), gang("b", "worker", 2, cores(2, 1))), map[string]int{"tpu": 1}},
		{"a gang across slices of a zone", groupsOf(cpuGroup("cpu", 9)), []*state.Slice{slice("cpu-0", "cpu", vm.Booting)},
			demand(gang("a", "zone", 8, cores(2, 1))), map[string]int{"cpu": 3}},
		{"a gang across slices has all or none", groupsOf(cpuGroup("cpu", 3)), nil, demand(gang("a", "zone", 7, cores(2, 1))),
			map[string]int{}},
		{"by an attribute that no worker has", groupsOf(cpuGroup("cpu", 3)), nil, demand(gang("a", "tpu-name", 1, cores(2, 1))),
			map[string]int{}},
		{"constraints", groupsOf(cpuGroup("cpu", 9), tpuGroup("tpu", 9)), nil,
			demand(job("j", 1, cores(1, 1), equal("device-variant", "v5litepod-16"))), map[string]int{"tpu": 1}},
		{"a VM of each slice", groupsOf(tpuGroup("tpu", 9)), nil, demand(job("j", 2, cores(3, 1), equal("tpu-worker-id", "2"))),
			map[string]int{"tpu": 2}},
		{"pinned to a slice that is not there", groupsOf(cpuGroup("cpu", 9)), nil,
			demand(job("j", 1, cores(1, 1), equal("slice", "cpu-0"))),
			map[string]int{}},
		{"pinned to a slice under way", groupsOf(cpuGroup("cpu", 9)), []*state.Slice{
			slice("cpu-0", "cpu", vm.Booting), slice("cpu-1", "cpu", vm.Booting),
		}, demand(job("j", 2, cores(4, 1), equal("worker", "worker-cpu-1-vm-0")), job("k", 1, cores(4, 1))), map[string]int{}},
		{"a slice that is to be avoided", groupsOf(cpuGroup("cpu", 9)), []*state.Slice{slice("cpu-0", "cpu", vm.Booting)},
			demand(job("j", 1, cores(1, 1), &pb.Constraint{Key: "slice", Op: pb.ConstraintOp_CONSTRAINT_OP_NE, Value: "cpu-0"})),
			map[string]int{"cpu": 1}},
		{"too large for every machine", groupsOf(cpuGroup("cpu", 9)), nil, demand(job("j", 1, cores(5, 1))), map[string]int{}},
		{"no more than 32 at a time", groupsOf(cpuGroup("cpu", 99)), []*state.Slice{slice("cpu-0", "cpu", vm.Requesting)},
			demand(job("j", 100_000, cores(4, 1))), map[string]int{"cpu": 31}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := Decide(epoch, View{Groups: c.groups, Slices: c.slices, Demand: c.demand})
			same(t, "created", c.want, created(d))
			same(t, "stopped", map[string]Why{}, stopped(d))
		})
	}
}

func TestWhichGroupsTakeDemand(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*state.ScaleGroup)
		slices int // REQUESTING
		want   Availability
		takes  bool
		asks   bool
		next   time.Time
		text   string
	}{
		{"available", func(*state.ScaleGroup) {}, 0, Available, true, true, time.Time{}, "1 slice asked for: 1 task waits"},
		{"in cooldown", func(g *state.ScaleGroup) { g.LastUp = at(-20 * time.Second) },
			0, Cooldown, true, false, at(40 * time.Second), "1 more slice wanted, the next is asked for at 09:00:40: 1 task waits"},
		{"after the cooldown", func(g *state.ScaleGroup) { g.LastUp = at(-time.Minute) }, 0, Available, true, true, time.Time{},
			"1 slice asked for: 1 task waits"},
		{"32 are being asked for", func(*state.ScaleGroup) {}, 32, Requesting, true, false, at(time.Minute),
			"32 slices are being asked for, more at a time may not be; 1 more slice wanted: 33 tasks wait"},
		{"in backoff", func(g *state.ScaleGroup) {
			g.BackoffUntil, g.Failures, g.Failure = at(13*time.Second), 3, "slice a-7 did not come up"
		}, 0, Backoff, false, false, at(13 * time.Second), "in backoff until 09:00:13 after 3 failures: slice a-7 did not come up"},
		{"after the backoff", func(g *state.ScaleGroup) { g.BackoffUntil = epoch }, 0, Available, true, true, time.Time{},
			"1 slice asked for: 1 task waits"},
		{"no zone is open", func(g *state.ScaleGroup) {
			g.Blocked = map[string]state.Block{"us-1": {Until: at(time.Minute), Cause: "quota exceeded"}}
		}, 0, QuotaExceeded, false, false, at(time.Minute), "quota exceeded in us-1 until 09:01:00"},
		{"at its maximum, and in cooldown", func(g *state.ScaleGroup) { g.MaxSlices, g.LastUp = 2, at(-time.Second) },
			2, AtMax, false, false, time.Time{}, "all 2 of max_slices are in use"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := cpuGroup("a", 100)
			a.Pace.RequestingTimeout = 0
			c.change(a)
			v := View{Groups: groupsOf(a), Demand: demand(job("held", c.slices, cores(4, 1)), job("j", 1, cores(4, 1)))}
			for i := range c.slices {
				v.Slices = append(v.Slices, slice(fmt.Sprintf("a-%d", i), "a", vm.Requesting))
			}
			d := Decide(epoch, v)
			if c.want == Requesting {
				c.next = time.Time{} // what changes it is an answer
			}
			same(t, "asks", c.asks, created(d)["a"] == 1)
			same(t, "availability", c.want, d.Groups[0].Availability)
			same(t, "text", c.text, d.Groups[0].Text)
			same(t, "next look", c.next, d.Next)

			v.Groups = append(v.Groups, cpuGroup("b", 100))
			same(t, "goes on to b", !c.takes, created(Decide(epoch, v))["b"] == 1)
		})
	}
}

func TestAZoneIsAskedThatSuits(t *testing.T) {
	g := cpuGroup("cpu", 9)
	g.Zones = []string{"us-1", "us-2", "us-3"}
	g.Blocked["us-1"] = state.Block{Until: at(time.Minute), Cause: "no machines in stock"}
	d := Decide(epoch, View{Groups: groupsOf(g), Demand: demand(
		job("any", 1, cores(4, 1)), job("pinned", 1, cores(4, 1), equal("zone", "us-3")),
		job("blocked", 1, cores(4, 1), equal("zone", "us-1")),
	)})
	same(t, "actions", []Action{
		Create{"cpu", "us-2", "1 task of job any waits"}, Create{"cpu", "us-3", "1 task of job pinned waits"},
	}, d.Actions)
	same(t, "waits", []Wait{
		{"any", "cpu", "a slice of cpu is asked for"}, {"pinned", "cpu", "a slice of cpu is asked for"},
		{"blocked", "cpu", "cpu: no machines in stock in us-1 until 09:01:00"},
	}, d.Waits)
	same(t, "next look", at(time.Minute), d.Next)
}

func TestGangsMoveForOneThatHasNoOtherPlace(t *testing.T) {
	a, b, c := tpuGroup("a", 1), tpuGroup("b", 1), tpuGroup("c", 1)
	a.Attributes = map[string]string{"x": "1", "y": "1"}
	b.Attributes = map[string]string{"y": "1", "z": "1"}
	c.Attributes = map[string]string{"z": "1"}
	d := Decide(epoch, View{Groups: groupsOf(a, b, c), Demand: demand(
		gang("y", "slice", 4, cores(4, 1), equal("y", "1")), gang("z", "slice", 4, cores(4, 1), equal("z", "1")),
		gang("x", "slice", 4, cores(4, 1), equal("x", "1")),
	)})
	same(t, "waits", []Wait{
		{"y", "b", "a slice of b is asked for"}, {"z", "c", "a slice of c is asked for"}, {"x", "a", "a slice of a is asked for"},
	}, d.Waits)
}

func TestTasksMoveForOnesThatHaveNoOtherPlace(t *testing.T) {
	a, b := cpuGroup("a", 2), cpuGroup("b", 9)
	d := Decide(epoch, View{Groups: groupsOf(a, b), Demand: demand(
		job("any", 4, cores(2, 1)), job("only-a", 3, cores(2, 1), &pb.Constraint{
			Key: "zone", Op: pb.ConstraintOp_CONSTRAINT_OP_EXISTS,
		}),
	)})
	same(t, "created", map[string]int{"a": 2, "b": 2}, created(d))

	a.Attributes = map[string]string{"pool": "a"}
	d = Decide(epoch, View{Groups: groupsOf(a, b), Demand: demand(
		job("any", 4, cores(2, 1)), job("only-a", 4, cores(2, 1), equal("pool", "a")),
	)})
	same(t, "created", map[string]int{"a": 2, "b": 2}, created(d))
	same(t, "waits", []Wait{
		{"any", "b", "a slice of b is asked for, and 1 more slice"}, {"only-a", "a", "a slice of a is asked for, and 1 more slice"},
	}, d.Waits)
}

// comes is a cluster in which a slice of two VMs is INITIALIZING and the first has its worker, with some free.
func comes(t *testing.T, free state.Resources) View {
	t.Helper()
	g := cpuGroup("cpu", 9)
	g.VMs = 2
	c := state.New(state.Policy{})
	for _, command := range []state.Command{
		state.SetGroups{Groups: []state.Group{g.Group}},
		state.RequestSlice{Group: "cpu", Zone: "us-1"},
		state.ObserveSlice{ID: "cpu-0", Group: "cpu", Zone: "us-1", VMs: []vm.VM{
			{ID: "cpu-0-vm-0", State: vm.Initializing, WorkerID: "worker-cpu-0-vm-0"}, {ID: "cpu-0-vm-1", State: vm.Initializing},
		}},
		state.RegisterWorker{
			ID: "worker-cpu-0-vm-0", Incarnation: "1", Address: "a:1", Capacity: g.Capacity,
			Attributes: map[string]string{"slice": "cpu-0"},
		},
	} {
		if _, err := c.Apply(epoch, command); err != nil {
			t.Fatal(err)
		}
	}
	w := worker(g, "cpu-0", "us-1", 0, free)
	c.Groups()[0].LastUp = time.Time{} // it is over
	return View{Groups: c.Groups(), Slices: c.Slices(), Workers: []schedule.Worker{w}}
}

// Tasks have been tried on workers that are there; a gang wants the whole slice.
func TestWorkersOfSlicesUnderWayThatAreThereAlready(t *testing.T) {
	for _, c := range []struct {
		name   string
		free   state.Resources
		demand schedule.Request
		want   map[string]int
	}{
		{"tasks are held on the others only", cores(4, 16), job("j", 2, cores(4, 1)), map[string]int{"cpu": 1}},
		{"a gang on both", cores(4, 16), gang("g", "slice", 2, cores(4, 1)), map[string]int{}},
		{"a gang for which the one has no room", cores(3, 16), gang("g", "slice", 2, cores(4, 1)), map[string]int{"cpu": 1}},
		{"a gang on a worker", cores(4, 16), gang("g", "worker", 1, cores(4, 1)), map[string]int{}},
		{"a gang across slices", cores(4, 16), gang("g", "zone", 2, cores(4, 1)), map[string]int{}},
		{"a gang across slices for which the one has no room", cores(3, 16), gang("g", "zone", 2, cores(4, 1)),
			map[string]int{"cpu": 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := comes(t, c.free)
			v.Demand = demand(c.demand)
			if v.Slices[0].State != vm.Initializing || v.Slices[0].Live() != 1 {
				t.Fatalf("the slice is %v with %d live workers", v.Slices[0].State, v.Slices[0].Live())
			}
			same(t, "created", c.want, created(Decide(epoch, v)))
		})
	}
	v := comes(t, cores(4, 16))
	d := Decide(at(10*time.Minute), v)
	same(t, "actions", []Action{Stop{"cpu-0", state.StopFailed,
		"its workers did not come up within 10m0s of INITIALIZING: 1 of 2 registered; " +
			"cpu-0-vm-0 is INITIALIZING; cpu-0-vm-1 is INITIALIZING"}},
		d.Actions)
}

// A gang across slices counts on the free room of workers that are there: as its slices come up one by one, no more are
// asked for.
func TestAGangAcrossSlicesAsksForNoMoreAsTheyComeUp(t *testing.T) {
	g := cpuGroup("cpu", 9)
	v := View{Groups: groupsOf(g), Demand: demand(gang("a", "zone", 6, cores(2, 1)))}
	same(t, "created", map[string]int{"cpu": 3}, created(Decide(epoch, v)))
	g.LastUp = at(-time.Hour)
	for up := range 3 {
		v.Slices, v.Workers = nil, nil
		for i := range 3 {
			id := fmt.Sprintf("cpu-%d", i)
			if i < up {
				v.Slices = append(v.Slices, since(slice(id, "cpu", vm.Ready), at(-time.Hour)))
				v.Workers = append(v.Workers, worker(g, id, "us-1", 0, g.Capacity))
			} else {
				v.Slices = append(v.Slices, slice(id, "cpu", vm.Booting))
			}
		}
		same(t, fmt.Sprintf("actions when %d are up", up), 0, len(Decide(epoch, v).Actions))
	}
	v.Slices, v.Workers = v.Slices[:2], nil
	for i, s := range v.Slices {
		s.State = vm.Ready
		since(s, at(-time.Hour))
		v.Workers = append(v.Workers, worker(g, fmt.Sprintf("cpu-%d", i), "us-1", 0, cores(1, 1)))
	}
	same(t, "created when those are full", map[string]int{"cpu": 3}, created(Decide(epoch, v)))
}

// A machine that is smaller than configured is what its group has: demand that it does not take is not asked for again and
// again.
func TestMachinesThatAreSmallerThanConfigured(t *testing.T) {
	g := cpuGroup("cpu", 9)
	v := View{Groups: groupsOf(g), Demand: demand(job("j", 1, cores(1, 16)))}
	same(t, "created when nobody knows", map[string]int{"cpu": 1}, created(Decide(epoch, v)))
	v.Slices = []*state.Slice{since(slice("cpu-0", "cpu", vm.Ready), at(-time.Hour))}
	w := worker(g, "cpu-0", "us-1", 0, g.Capacity)
	w.Capacity.MemoryBytes -= gib / 2
	w.Free = w.Capacity
	v.Workers = []schedule.Worker{w}
	d := Decide(epoch, v)
	same(t, "created", map[string]int{}, created(d))
	same(t, "stopped", map[string]Why{"cpu-0": state.StopIdle}, stopped(d))
	same(t, "waits", []Wait{{"j", "", "no scale group has machines for it: cpu: needs 16 GiB, has 15.5 GiB"}}, d.Waits)
}

func TestMinAndBufferAreKept(t *testing.T) {
	for _, c := range []struct {
		name              string
		low, buffer, most int
		slices            []vm.State
		busy              int // of the READY ones
		demand            []schedule.Request
		want              int
		reason            string // of the last
	}{
		{"min", 2, 0, 9, nil, 0, nil, 2, "min_slices is 2"},
		{"min counts what is under way or unhealthy", 4, 0, 9, []vm.State{vm.Requesting, vm.Ready, vm.Unhealthy}, 0, nil, 1,
			"min_slices is 4"},
		{"min does not count what goes", 2, 0, 9, []vm.State{vm.Stopping, vm.Stopping}, 0, nil, 2, "min_slices is 2"},
		{"min counts what the demand asks for", 2, 0, 9, nil, 0, demand(job("j", 1, cores(4, 1))), 2, "min_slices is 2"},
		{"min stays within max", 3, 0, 3, []vm.State{vm.Stopping, vm.Ready}, 0, nil, 1, "min_slices is 3"},
		{"buffer", 0, 2, 9, []vm.State{vm.Ready, vm.Ready}, 2, nil, 2, "buffer_slices is 2"},
		{"buffer counts idle ones and ones under way", 0, 3, 9, []vm.State{vm.Ready, vm.Ready, vm.Booting}, 1, nil, 1,
			"buffer_slices is 3"},
		{"buffer does not count what the demand takes", 0, 1, 9, []vm.State{vm.Booting}, 0, demand(job("j", 1, cores(4, 1))), 1,
			"buffer_slices is 1"},
		{"buffer does not count unhealthy ones", 0, 1, 9, []vm.State{vm.Unhealthy}, 0, nil, 1, "buffer_slices is 1"},
		{"buffer counts what min asks for", 2, 2, 9, nil, 0, nil, 2, "min_slices is 2"},
		{"buffer stays within max", 0, 5, 3, []vm.State{vm.Ready}, 1, nil, 2, "buffer_slices is 5"},
		{"buffer beside the demand", 0, 1, 9, nil, 0, demand(job("j", 1, cores(4, 1))), 2, "buffer_slices is 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := cpuGroup("cpu", c.most)
			g.MinSlices, g.BufferSlices = c.low, c.buffer
			v := View{Groups: groupsOf(g), Demand: c.demand}
			for i, in := range c.slices {
				s := slice(fmt.Sprintf("cpu-%d", i), "cpu", in)
				if in == vm.Ready && c.busy > 0 {
					c.busy--
					busy(s)
				}
				v.Slices = append(v.Slices, s)
			}
			d := Decide(epoch, v)
			same(t, "created", c.want, created(d)["cpu"])
			same(t, "reason", c.reason, d.Actions[len(d.Actions)-1].(Create).Reason)

			g.LastUp = at(-time.Second)
			d = Decide(epoch, v)
			same(t, "created in cooldown", 0, created(d)["cpu"])
			same(t, "next look", at(59*time.Second), d.Next)
			g.Removed = true
			same(t, "created when removed", 0, created(Decide(epoch, v))["cpu"])
		})
	}
}
