package schedule_test

import (
	"fmt"
	"testing"

	pb "iris/iris/proto"
	"iris/iris/schedule"
	"iris/iris/state"
)

var sizes = []struct {
	name           string
	tasks, workers int
}{
	{"10k_x_1k", 10_000, 1_000},
	{"100k_x_10k", 100_000, 10_000},
}

// BenchmarkPlan places nearly everything. Wanted: 10k_x_1k in 20 ms, 100k_x_10k in 500 ms, and at most twice the
// ns/placement in the second.
func BenchmarkPlan(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			v := schedule.View{Workers: cluster(size.workers), Requests: mix(size.tasks)}
			b.ReportAllocs()
			var placed int
			for b.Loop() {
				placed = len(schedule.Plan(v))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(placed), "ns/placement")
			b.ReportMetric(float64(placed)/float64(size.tasks), "placed")
		})
	}
}

// BenchmarkPlanFull is a pass over a cluster without room: half the workers are out of CPU, the others of memory.
func BenchmarkPlanFull(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			v := schedule.View{Workers: full(size.workers), Requests: mix(size.tasks)}
			for b.Loop() {
				if plan := schedule.Plan(v); len(plan) > 0 {
					b.Fatalf("%d tasks were placed on a full cluster", len(plan))
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size.tasks), "ns/task")
		})
	}
}

// BenchmarkPlanOddNeeds is jobs of one task of which no two need the same, half of them under a constraint.
func BenchmarkPlanOddNeeds(b *testing.B) {
	for _, size := range sizes {
		requests := make([]schedule.Request, size.tasks)
		for i := range requests {
			need := state.Resources{
				CPUMillis: int64(500 + i*7919%4001), MemoryBytes: gib + int64(i)*gib/int64(size.tasks),
			}
			requests[i] = job(fmt.Sprintf("job-%06d", i), 1, need)
			if i%2 == 0 {
				requests[i].Constraints = []*pb.Constraint{exists("zone")}
			}
		}
		for _, cluster := range []struct {
			name    string
			workers []schedule.Worker
		}{{"room", cluster(size.workers)}, {"full", full(size.workers)}} {
			b.Run(size.name+"/"+cluster.name, func(b *testing.B) {
				v := schedule.View{Workers: cluster.workers, Requests: requests}
				for b.Loop() {
					schedule.Plan(v)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size.tasks), "ns/task")
			})
		}
	}
}

// BenchmarkPlanBouncedGangs is a full cluster after a mass loss: every request is a gang that wants back in.
func BenchmarkPlanBouncedGangs(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			v := schedule.View{Workers: full(size.workers)}
			for i := range size.tasks / 10 {
				v.Requests = append(v.Requests, bounced(gang(fmt.Sprintf("gang-%05d", i), 10, cores(1, 1))))
			}
			for b.Loop() {
				schedule.Plan(v)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size.tasks), "ns/task")
		})
	}
}

func BenchmarkExplain(b *testing.B) {
	workers := full(10_000)
	for _, r := range []schedule.Request{job("job", 1, cores(4, 4)), gang("gang", 8, cores(4, 4))} {
		b.Run(r.Job, func(b *testing.B) {
			for b.Loop() {
				_ = schedule.Explain(workers, r, 0).String()
			}
		})
	}
}

// cluster is n workers of 64 CPU and 256 GiB in slices of 8 and three zones, as busy as a cluster is.
func cluster(n int) []schedule.Worker {
	workers := make([]schedule.Worker, n)
	for i := range workers {
		w := worker(fmt.Sprintf("w-%05d", i),
			"slice", fmt.Sprintf("slice-%04d", i/8), "tpu-worker-id", fmt.Sprint(i%8),
			"zone", []string{"eu-1", "us-1", "us-2"}[i/8%3], "region", "r", "device-type", []string{"cpu", "gpu"}[i%2])
		workers[i] = with(w, cores(64, 256), cores(64-int64(i*7%24), 256-int64(i*13%64)))
	}
	return workers
}

// full is a cluster of which each worker has either no CPU or no memory left.
func full(n int) []schedule.Worker {
	workers := cluster(n)
	for i := range workers {
		if i%2 == 0 {
			workers[i].Free.CPUMillis = 100
		} else {
			workers[i].Free.MemoryBytes = 0
		}
	}
	return workers
}

// mix is waiting jobs with n tasks in all and 36 different needs. Of every 40 tasks 20 are jobs of their own, of which
// 4 have constraints, 1 fits nowhere, and 1 is pinned to a worker; 10 are a job; 8 are a gang; 2 are a bounced gang.
func mix(n int) []schedule.Request {
	var requests []schedule.Request
	for i := range n / 40 {
		need := func(k int) state.Resources { return cores(int64(1+(i+k)%6), int64(4*(1+(i/6+k)%6))) }
		id := func(kind string, k int) string { return fmt.Sprintf("%s-%d-%d", kind, i, k) }
		for k := range 20 {
			r := job(id("job", k), 1, need(k))
			switch k {
			case 3, 8:
				r.Constraints = []*pb.Constraint{equal("zone", "us-2"), exists("slice")}
			case 13, 17:
				r.Constraints = []*pb.Constraint{
					{Key: "device-type", Op: pb.ConstraintOp_CONSTRAINT_OP_NE, Value: "gpu"},
				}
			case 18:
				r.Need = cores(9999, 1)
			case 19:
				r.Constraints = []*pb.Constraint{equal("worker", fmt.Sprintf("w-%05d", i%(n/10)))}
			}
			requests = append(requests, r)
		}
		requests = append(requests, job(id("wide", 0), 10, need(0)), gang(id("gang", 0), 8, need(1)),
			bounced(gang(id("bounced", 0), 2, need(2))))
	}
	return requests
}
