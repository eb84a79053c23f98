package cluster_test

import (
	"fmt"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iris/iris/client"
	"iris/iris/cluster"
	"iris/iris/config"
	"iris/iris/network"
	"iris/iris/runtime"
)

// BenchmarkFailover is the time from the death of the leader of three until a job that was submitted at that instant is
// acknowledged by the next.
func BenchmarkFailover(b *testing.B) {
	m, c := booted(b, local(b, "bench"), cluster.Options{Network: network.TCP{}, Functions: functions(), Controllers: 3})
	round := 0
	var longest time.Duration
	for b.Loop() {
		round++
		old := m.Leader()
		began := time.Now()
		if err := m.Kill(old); err != nil {
			b.Fatal(err)
		}
		spec := client.Spec{Name: fmt.Sprintf("after-%d", round), Entrypoint: client.Function("nothing"), CPU: 0.01, Memory: 1}
		if _, err := c.Submit(b.Context(), spec); err != nil {
			b.Fatal(err)
		}
		longest = max(longest, time.Since(began))
		b.StopTimer()
		if err := m.Revive(old); err != nil {
			b.Fatal(err)
		}
		for m.Leader() == "" {
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(2 * time.Second) // for the old one to follow again
		b.StartTimer()
	}
	b.ReportMetric(float64(longest.Milliseconds()), "ms-longest")
}

// BenchmarkColdStart is the time from the start of a controller until it answers, with so many finished jobs in its log.
func BenchmarkColdStart(b *testing.B) {
	const jobs = 100_000
	description := local(b, "bench")
	description.Controller.Retention = config.Retention{Jobs: -1, Age: -1, WorkerAge: -1}
	m, c := booted(b, description, cluster.Options{Network: network.TCP{}, Functions: functions(), Durable: true})
	var all sync.WaitGroup
	for g := range 64 {
		all.Go(func() {
			for i := g; i < jobs; i += 64 {
				spec := client.Spec{Name: fmt.Sprint(i), Entrypoint: client.Function("nothing"), CPU: 0.01, Memory: 1}
				if _, err := c.Submit(b.Context(), spec); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	awaitSuccess(b, c, "", jobs)
	for b.Loop() {
		b.StopTimer()
		if err := m.Kill("c-0"); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := m.Revive("c-0"); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Workers(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkProcesses compares tasks that are real processes with what the machine can do at all: /bin/true, started and
// waited for by a bare program and as the tasks of a job on the local cluster, log on disk, in turns, since machines are
// noisy. The ratio is what counts.
func BenchmarkProcesses(b *testing.B) {
	const tasks = 2000
	_, c := booted(b, local(b, "bench"), cluster.Options{Network: network.TCP{}, Functions: runtime.NewFunc(), Durable: true})
	spec := client.Spec{Entrypoint: client.Command("/bin/true"), CPU: 0.5, Memory: 1 << 20, Replicas: tasks}
	var bare, iris time.Duration
	round := 0
	for b.Loop() {
		round++
		bare += forkExecWait(b, tasks)
		began := time.Now()
		spec.Name = fmt.Sprintf("%d-", round)
		if _, err := c.Submit(b.Context(), spec); err != nil {
			b.Fatal(err)
		}
		awaitSuccess(b, c, spec.Name, 1)
		iris += time.Since(began)
	}
	n := float64(tasks * b.N)
	b.ReportMetric(n/bare.Seconds(), "bare/s")
	b.ReportMetric(n/iris.Seconds(), "tasks/s")
	b.ReportMetric(100*bare.Seconds()/iris.Seconds(), "%of-bare")
}

// forkExecWait runs /bin/true so often, as many at once as the cluster does.
func forkExecWait(b *testing.B, times int) time.Duration {
	b.Helper()
	began := time.Now()
	var all sync.WaitGroup
	var next atomic.Int64
	for range 16 {
		all.Go(func() {
			for next.Add(1) <= int64(times) {
				if err := exec.Command("/bin/true").Run(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	return time.Since(began)
}
