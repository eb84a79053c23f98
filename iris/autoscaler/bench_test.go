package autoscaler

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	pb "iris/iris/proto"
	"iris/iris/schedule"
	"iris/iris/state"
	"iris/iris/vm"
)

// BenchmarkDecide is 1 000 groups of 100 slices of four VMs each, of which one in twenty is under way and one in ten idle,
// and 10 000 tasks in 1 000 jobs that wait. Wanted: 50 ms.
func BenchmarkDecide(b *testing.B) {
	groups, all := fleet(1_000, 100)
	live := workers(groups, all)
	for _, demand := range []struct {
		name     string
		requests []schedule.Request
	}{
		{"nothing_waits", nil},
		{"like_needs", waiting(func(int) state.Resources { return cores(2, 4) })},
		{"36_needs", waiting(func(i int) state.Resources { return cores(int64(1+i%6), int64(1+i/6%6)) })},
		{"odd_needs", waiting(func(i int) state.Resources {
			return state.Resources{CPUMillis: int64(500 + i*7919%3500), MemoryBytes: gib + int64(i)<<20}
		})},
		{"nowhere", waiting(func(i int) state.Resources { return cores(int64(5+i), 1) })},
	} {
		for _, full := range []bool{false, true} {
			name := demand.name + "/room"
			v := View{Groups: groups, Slices: all, Demand: demand.requests, Workers: live}
			if full {
				name = demand.name + "/full"
				v.Groups = nil
				for _, g := range groups {
					g := *g
					g.MaxSlices = 100
					v.Groups = append(v.Groups, &g)
				}
			}
			b.Run(name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					Decide(epoch, v)
				}
			})
		}
	}
}

// BenchmarkDecideManyTasks is 100 000 tasks of one job.
func BenchmarkDecideManyTasks(b *testing.B) {
	groups, all := fleet(10, 100)
	v := View{Groups: groups, Slices: all, Demand: []schedule.Request{job("wide", 100_000, cores(1, 1))}}
	b.ReportAllocs()
	for b.Loop() {
		Decide(epoch, v)
	}
}

func fleet(n, each int) ([]*state.ScaleGroup, []*state.Slice) {
	var groups []*state.ScaleGroup
	var all []*state.Slice
	for i := range n {
		g := tpuGroup(fmt.Sprintf("group-%04d", i), each+20)
		g.Zones = []string{"us-1", "us-2"}
		g.Attributes = map[string]string{"pool": fmt.Sprint(i % 10)}
		groups = append(groups, g)
	}
	for k := range each {
		for _, g := range groups {
			id := fmt.Sprintf("%s-%d", g.Name, k)
			switch {
			case k%20 == 0:
				all = append(all, withVMs(slice(id, g.Name, vm.Initializing), vm.Initializing, vm.Initializing, vm.Ready, vm.Ready))
			case k%10 == 1:
				all = append(all, since(slice(id, g.Name, vm.Ready), at(-time.Hour)))
			default:
				all = append(all, busy(slice(id, g.Name, vm.Ready)))
			}
		}
	}
	return groups, all
}

// waiting is 1 000 jobs of 10 tasks, of which every fifth is a gang and every fourth wants a pool.
func waiting(need func(i int) state.Resources) []schedule.Request {
	var all []schedule.Request
	for i := range 1_000 {
		var constraints []*pb.Constraint
		if i%4 == 0 {
			constraints = append(constraints, equal("pool", fmt.Sprint(i%10)))
		}
		if r := job(fmt.Sprintf("job-%d", i), 10, need(i), constraints...); i%5 == 0 {
			r.GroupBy = state.AttributeTPUName
			all = append(all, r)
		} else {
			all = append(all, r)
		}
	}
	return all
}

// workers is those of the READY slices, without room.
func workers(groups []*state.ScaleGroup, all []*state.Slice) []schedule.Worker {
	byName := map[string]*state.ScaleGroup{}
	for _, g := range groups {
		byName[g.Name] = g
	}
	var live []schedule.Worker
	for _, s := range all {
		g := byName[s.Group]
		for i := range g.VMs {
			if s.State == vm.Ready {
				live = append(live, schedule.Worker{ID: workerID(s, i), Capacity: g.Capacity})
			}
		}
	}
	slices.SortFunc(live, func(a, b schedule.Worker) int { return strings.Compare(a.ID, b.ID) })
	return live
}

// BenchmarkDecideOdd is demands that have to be looked at one by one.
func BenchmarkDecideOdd(b *testing.B) {
	groups, all := fleet(1_000, 100)
	for _, g := range groups {
		g.MaxSlices = 101
	}
	live := workers(groups, all)
	each := func(n int, change func(i int, r *schedule.Request)) []schedule.Request {
		requests := make([]schedule.Request, n)
		for i := range requests {
			requests[i] = job(fmt.Sprintf("job-%d", i), 4, state.Resources{CPUMillis: int64(2100 + i*7919%1900), MemoryBytes: gib})
			change(i, &requests[i])
		}
		return requests
	}
	for _, demand := range []struct {
		name     string
		requests []schedule.Request
	}{
		{"pinned_to_slices", each(1_000, func(i int, r *schedule.Request) {
			r.Constraints = []*pb.Constraint{equal("slice", fmt.Sprintf("group-%04d-%d", i, i%100))}
		})},
		{"pinned_to_workers", each(1_000, func(i int, r *schedule.Request) {
			r.Constraints = []*pb.Constraint{equal("worker", fmt.Sprintf("worker-group-%04d-%d-vm-%d", i, i%100, i%4))}
		})},
		{"avoid_slices", each(1_000, func(i int, r *schedule.Request) {
			r.Constraints = []*pb.Constraint{{
				Key: "slice", Op: pb.ConstraintOp_CONSTRAINT_OP_NE, Value: fmt.Sprintf("group-%04d-%d", i, i%100),
			}}
		})},
		{"across_zones", each(1_000, func(_ int, r *schedule.Request) { r.GroupBy = "zone" })},
		{"more_gangs_than_slices", each(9_000, func(i int, r *schedule.Request) {
			r.GroupBy = "slice"
			r.Constraints = []*pb.Constraint{equal("pool", fmt.Sprint(i%10))}
		})},
		{"more_tasks_than_slices", each(9_000, func(i int, r *schedule.Request) {
			r.Constraints = []*pb.Constraint{equal("pool", fmt.Sprint(i%10))}
		})},
	} {
		b.Run(demand.name, func(b *testing.B) {
			v := View{Groups: groups, Slices: all, Demand: demand.requests, Workers: live}
			b.ReportAllocs()
			for b.Loop() {
				Decide(epoch, v)
			}
		})
	}
}
