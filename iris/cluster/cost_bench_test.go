//go:build unix

package cluster_test

import (
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"iris/iris/client"
	"iris/iris/cluster"
	"iris/iris/network"
	"iris/iris/telemetry"
)

// BenchmarkCostOfMeasuring runs the same jobs on two clusters in turn, one of which is measured, and compares the processor
// time that they take: other processes disturb it less than the time on the wall.
func BenchmarkCostOfMeasuring(b *testing.B) {
	const jobs, clients = 5_000, 64
	spec := client.Spec{Entrypoint: client.Function("nothing"), CPU: 0.01, Memory: 1 << 20}
	_, bare := booted(b, local(b, "bare"), cluster.Options{Network: &network.Memory{}, Functions: functions()})
	_, measured := booted(b, local(b, "measured"), cluster.Options{
		Network: &network.Memory{}, Functions: functions(), Metrics: telemetry.NewRegistry(),
	})
	var took [2][]time.Duration
	round := 0
	for b.Loop() {
		round++
		for _, which := range [][]int{{0, 1}, {1, 0}}[round%2] {
			c := []*client.Client{bare, measured}[which]
			before := processorTime(b)
			var all sync.WaitGroup
			for g := range clients {
				all.Go(func() {
					for i := g; i < jobs; i += clients {
						own := spec
						own.Name = fmt.Sprintf("%d-%d", round, i)
						if _, err := c.Submit(b.Context(), own); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			awaitSuccess(b, c, fmt.Sprintf("%d-", round), jobs)
			took[which] = append(took[which], processorTime(b)-before)
		}
	}
	without, with := slices.Min(took[0]), slices.Min(took[1]) // the rounds that were disturbed least
	b.ReportMetric(float64(without.Microseconds())/jobs, "µs/job-bare")
	b.ReportMetric(float64(with.Microseconds())/jobs, "µs/job-measured")
	b.ReportMetric(100*(with.Seconds()/without.Seconds()-1), "%cost")
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
