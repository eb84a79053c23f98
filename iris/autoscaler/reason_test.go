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

func TestWhatATaskWaitsFor(t *testing.T) {
	full := cpuGroup("full", 1)
	backoff := cpuGroup("backoff", 9)
	backoff.BackoffUntil, backoff.Failures, backoff.Failure = at(13*time.Minute+40*time.Second), 1, "no image"
	blocked := cpuGroup("blocked", 9)
	blocked.Zones = []string{"us-1", "us-2"}
	blocked.Blocked = map[string]state.Block{
		"us-1": {Until: at(3*time.Minute + 4*time.Second), Cause: "quota exceeded"},
		"us-2": {Until: at(time.Hour), Cause: "no machines in stock"},
	}
	cooling := cpuGroup("cooling", 9)
	cooling.LastUp = at(-time.Second)
	both := func(r schedule.Request) []schedule.Request { return demand(r) }
	for _, c := range []struct {
		name   string
		groups []*state.ScaleGroup
		slices []*state.Slice
		demand []schedule.Request
		want   Wait
	}{
		{"a slice under way", groupsOf(cpuGroup("cpu", 9)), []*state.Slice{slice("cpu-3", "cpu", vm.Booting)},
			both(job("j", 2, cores(1, 1))),
			Wait{"j", "cpu", "slice cpu-3 is BOOTING"}},
		{"a slice that is asked for", groupsOf(cpuGroup("cpu", 9)), nil, both(job("j", 2, cores(4, 1))),
			Wait{"j", "cpu", "a slice of cpu is asked for, and 1 more slice"}},
		{"the cooldown", groupsOf(cooling), nil, both(job("j", 1, cores(1, 1))),
			Wait{"j", "cooling", "cooling asks for its next slices at 09:00:59"}},
		{"the backoff", groupsOf(backoff), nil, both(job("j", 1, cores(1, 1))),
			Wait{"j", "backoff", "backoff: in backoff until 09:13:40 after 1 failure: no image"}},
		{"the quota", groupsOf(blocked), nil, both(job("j", 1, cores(1, 1))),
			Wait{"j", "blocked", "blocked: quota exceeded in us-1 until 09:03:04; no machines in stock in us-2 until 10:00:00"}},
		{"whatever comes first", groupsOf(backoff, full), []*state.Slice{slice("full-0", "full", vm.Ready)},
			both(job("j", 1, cores(1, 1))),
			Wait{"j", "backoff", "backoff: in backoff until 09:13:40 after 1 failure: no image; full: all 1 of max_slices are in use"}},
		{"some have a slice", groupsOf(full), []*state.Slice{slice("full-0", "full", vm.Booting)}, both(job("j", 10, cores(1, 1))),
			Wait{"j", "full", "for 4 of 10 tasks: slice full-0 is BOOTING; for the others: full: all 1 of max_slices are in use"}},
		{"others took what there was", groupsOf(full), nil, demand(job("first", 1, cores(4, 1)), job("j", 1, cores(4, 1))),
			Wait{"j", "full", "full: all 1 of max_slices are in use or wanted"}},
		{"machines that nobody has", groupsOf(cpuGroup("cpu", 9), tpuGroup("tpu", 9)), nil,
			both(job("j", 1, cores(2, 64), equal("device-type", "cpu"))),
			Wait{"j", "", "no scale group has machines for it: cpu: needs 64 GiB, has 16 GiB; tpu: needs 64 GiB, has 16 GiB"}},
		{"machines that nobody has here", groupsOf(cpuGroup("cpu", 9), tpuGroup("tpu", 9)), nil,
			both(job("j", 1, cores(8, 64), equal("device-type", "cpu"))),
			Wait{"j", "", "no scale group has machines for it: cpu: needs 8 CPU and 64 GiB, has 4 CPU and 16 GiB; " +
				"tpu: needs 8 CPU and 64 GiB, has 4 CPU and 16 GiB"}},
		{"constraints", groupsOf(tpuGroup("tpu", 9)), nil,
			both(job("j", 1, cores(1, 1), equal("device-type", "cpu"), equal("zone", "us-1"), &pb.Constraint{
				Key: "pool", Op: pb.ConstraintOp_CONSTRAINT_OP_EXISTS,
			})),
			Wait{"j", "", "no scale group has machines for it: tpu: needs device-type == cpu and pool exists"}},
		{"a gang that is too large", groupsOf(tpuGroup("tpu", 9), cpuGroup("cpu", 9)), nil, both(gang("g", "tpu-name", 9, cores(2, 1))),
			Wait{"g", "", "no scale group has machines for it: tpu: needs room for 9 tasks in one slice, has it for 8; " +
				"cpu: its workers have no tpu-name"}},
		{"a gang on one worker that is too large", groupsOf(cpuGroup("cpu", 9)), nil, both(gang("g", "worker", 3, cores(2, 1))),
			Wait{"g", "", "no scale group has machines for it: cpu: needs room for 3 tasks on one worker, has it for 2"}},
		{"a gang across slices that is too large", groupsOf(cpuGroup("cpu", 2)), nil, both(gang("g", "zone", 5, cores(2, 1))),
			Wait{"g", "cpu", "cpu: zone us-1 has no room for a gang of 5 even with all of max_slices"}},
		{"groups without end", func() (all []*state.ScaleGroup) {
			for i := range 9 {
				all = append(all, cpuGroup(fmt.Sprintf("g%d", i), 9))
			}
			return all
		}(), nil, both(job("j", 1, cores(5, 1))),
			Wait{"j", "", "no scale group has machines for it: g0: needs 5 CPU, has 4 CPU; g1: needs 5 CPU, has 4 CPU; " +
				"g2: needs 5 CPU, has 4 CPU; and 6 more"}},
		{"no group at all", nil, nil, both(job("j", 1, cores(5, 1))), Wait{"j", "", "there is no scale group"}},
		{"nothing", groupsOf(full), nil, both(job("j", 0, cores(1, 1))), Wait{Job: "j"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := Decide(epoch, View{Groups: c.groups, Slices: c.slices, Demand: c.demand})
			same(t, "wait", c.want, d.Waits[len(d.Waits)-1])
		})
	}
}

func TestWhatAGroupWaitsFor(t *testing.T) {
	v := View{
		Groups: groupsOf(cpuGroup("cpu", 9), tpuGroup("tpu", 9), cpuGroup("late", 9)), Slices: []*state.Slice{slice("tpu-0", "tpu", vm.Booting)},
		Demand: demand(
			job("big", 3, cores(1, 12), equal("device-type", "cpu")), gang("g", "tpu-name", 4, cores(4, 4)),
			job("rest", 1, cores(3, 1)),
		),
	}
	d := Decide(epoch, v)
	same(t, "groups", []Standing{
		{"cpu", Available, 3, "3 slices asked for: 4 tasks wait"},
		{"tpu", Available, 1, "1 slice under way: 1 gang waits"},
		{"late", Available, 0, "what waits needs no more of it"},
	}, d.Groups)
	same(t, "actions", []Action{
		Create{"cpu", "us-1", "1 task of job big and 1 more job wait"}, Create{"cpu", "us-1", "1 task of job big waits"},
		Create{"cpu", "us-1", "1 task of job big waits"},
	}, d.Actions)

	v.Demand = demand(job("huge", 1, cores(1, 64)))
	same(t, "a job too large for it",
		"its machines are too small for job huge: needs 64 GiB, has 16 GiB", Decide(epoch, v).Groups[0].Text)
	v.Demand = demand(job("gpu", 1, cores(1, 1), equal("device-type", "gpu")))
	same(t, "a job for others", "its machines are not for job gpu: needs device-type == gpu", Decide(epoch, v).Groups[0].Text)
	v.Demand = demand(gang("a", "slice", 1, cores(4, 1)), gang("b", "slice", 1, cores(4, 1)), job("c", 1, cores(4, 1)))
	v.Slices = nil
	same(t, "gangs and tasks", "3 slices asked for: 2 gangs and 1 task wait", Decide(epoch, v).Groups[0].Text)
	v.Demand = nil
	same(t, "nothing", "nothing waits for it", Decide(epoch, v).Groups[0].Text)
}
