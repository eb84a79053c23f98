package state

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pb "iris/iris/proto"
)

var epoch = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// fromWire is a spec as a request brings it: none of its strings is shared.
func fromWire(tb testing.TB, wire []byte) *pb.JobSpec {
	spec := &pb.JobSpec{}
	if err := proto.Unmarshal(wire, spec); err != nil {
		tb.Fatal(err)
	}
	return spec
}

// BenchmarkPendingTaskMemory measures the heap that one waiting task takes, its share of the job included.
func BenchmarkPendingTaskMemory(b *testing.B) {
	for _, c := range []struct{ jobs, replicas int }{{10, 10_000}, {20_000, 1}} {
		b.Run(fmt.Sprintf("jobs=%d/replicas=%d", c.jobs, c.replicas), func(b *testing.B) {
			wire, err := proto.Marshal(correctSpec(replicated(int32(c.replicas)), running("python", "-m", "train"),
				variable("DATA", "gs://bucket/data"), variable("EPOCHS", "100"), variable("LOG_LEVEL", "info")))
			if err != nil {
				b.Fatal(err)
			}
			var perTask float64
			for b.Loop() {
				before := heapInUse()
				cluster := New(policy)
				for i := range c.jobs {
					spec := fromWire(b, wire)
					spec.Name = fmt.Sprintf("train-%d", i)
					submit := SubmitJob{ID: fmt.Sprintf("train-%d-4c2f9a1be07d", i), Spec: spec}
					if _, err := cluster.Apply(epoch, submit); err != nil {
						b.Fatal(err)
					}
				}
				perTask = float64(heapInUse()-before) / float64(c.jobs*c.replicas)
				runtime.KeepAlive(cluster)
			}
			b.ReportMetric(perTask, "B/task")
		})
	}
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// plainUID is the uid of an attempt while no job has been forgotten.
func plainUID(job string, task int32, attempt int) string {
	return (&Job{ID: job}).newUID(task, attempt)
}

// BenchmarkApply is the whole life of one attempt: assigned, reported as running, reported as ended; with a look at the
// next deadline and at what waits after each command, as the controller takes it. What it costs must not depend on the
// size of the job.
func BenchmarkApply(b *testing.B) {
	for _, replicas := range []int32{100, 10_000} {
		for _, end := range []State{Succeeded, Failed} {
			b.Run(fmt.Sprintf("replicas=%d/%v", replicas, end), func(b *testing.B) {
				spec := correctSpec(replicated(replicas), schedulingTimeout(time.Hour), timeout(time.Hour),
					retries(1<<30))
				c, task := New(policy), replicas
				b.ReportAllocs()
				for b.Loop() {
					if task == replicas {
						c, task = clusterOf(b, 1, spec), 0
					}
					i := c.Queue()[0].Waiting()[0]
					for _, cmd := range life("j-0", i, len(c.Job("j-0").Tasks[i].Attempts), end) {
						if _, err := c.Apply(epoch, cmd); err != nil {
							b.Fatal(err)
						}
						c.Next()
						for _, j := range c.Queue() {
							j.Waiting()
						}
					}
					task++
				}
			})
		}
	}
}

// BenchmarkGangMember is the report of one member's success.
func BenchmarkGangMember(b *testing.B) {
	for _, replicas := range []int32{100, 10_000} {
		b.Run(fmt.Sprintf("replicas=%d", replicas), func(b *testing.B) {
			spec := correctSpec(gang(replicas))
			c, task := New(policy), replicas
			for b.Loop() {
				if task == replicas {
					b.StopTimer()
					c, task = clusterOf(b, 1, spec), 0
					var all Assign
					for i := range replicas {
						all.Placements = append(all.Placements, Placement{"j-0", i, "w-0"})
					}
					c.Apply(epoch, all)
					b.StartTimer()
				}
				report := Report{UID: plainUID("j-0", task, 0), State: Succeeded}
				c.Apply(epoch, Observe{"w-0", "1", []Report{report}})
				task++
			}
			if task == replicas && c.Job("j-0").State != Succeeded {
				b.Fatal("the gang did not succeed")
			}
		})
	}
}

// BenchmarkFleetLoss is what one of a thousand workers costs when all are lost, one by one, and return, with twenty
// running jobs on each.
func BenchmarkFleetLoss(b *testing.B) {
	const workers, each = 1000, 20
	var lost, back time.Duration
	for b.Loop() {
		c := clusterOf(b, workers*each, correctSpec())
		for w := range workers - 1 {
			c.Apply(epoch, fleetWorker(w+1))
		}
		for i := range workers * each {
			job, worker := fmt.Sprintf("j-%d", i), fmt.Sprintf("w-%d", i/each)
			c.Apply(epoch, Assign{[]Placement{{job, 0, worker}}})
			c.Apply(epoch, Observe{worker, "1", []Report{{UID: plainUID(job, 0, 0), State: Running}}})
		}
		start := time.Now()
		for w := range workers {
			c.Apply(epoch, LoseWorker{ID: fmt.Sprintf("w-%d", w), Incarnation: "1", Cause: "no heartbeat for 60s"})
		}
		lost = time.Since(start)
		if n := len(c.Queue()); n != workers*each {
			b.Fatalf("%d jobs wait", n)
		}
		start = time.Now()
		for w := range workers {
			c.Apply(epoch, fleetWorker(w))
		}
		back = time.Since(start)
	}
	b.ReportMetric(float64(lost.Microseconds())/workers, "µs/loss")
	b.ReportMetric(float64(back.Microseconds())/workers, "µs/return")
}

// clusterOf is a cluster of one large worker w-0 and some jobs j-0, j-1 … of one spec.
func clusterOf(tb testing.TB, jobs int, spec *pb.JobSpec) *Cluster {
	c := New(policy)
	if _, err := c.Apply(epoch, fleetWorker(0)); err != nil {
		tb.Fatal(err)
	}
	for i := range jobs {
		own := spec
		if jobs > 1 {
			own = proto.Clone(spec).(*pb.JobSpec)
			own.Name = fmt.Sprintf("job %d", i)
		}
		if _, err := c.Apply(epoch, SubmitJob{ID: fmt.Sprintf("j-%d", i), Spec: own}); err != nil {
			tb.Fatal(err)
		}
	}
	return c
}

func fleetWorker(i int) RegisterWorker {
	w := registration(fmt.Sprintf("w-%d", i), "1")
	w.Capacity = Resources{CPUMillis: 1 << 40, MemoryBytes: 1 << 50}
	return w
}

// life is what happens to one attempt.
func life(job string, task int32, attempt int, end State) []Command {
	uid := plainUID(job, task, attempt)
	return []Command{
		Assign{[]Placement{{job, task, "w-0"}}},
		Observe{"w-0", "1", []Report{{UID: uid, State: Running}}},
		Observe{"w-0", "1", []Report{{UID: uid, State: end, Error: "exit code 1"}}},
	}
}
