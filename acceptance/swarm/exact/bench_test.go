package exact

import (
	"runtime/debug"
	"testing"
	"time"

	"iris/acceptance/chronos"
	"iris/acceptance/fault"
	"iris/acceptance/swarm/story"
)

// steady is a day of a cluster of ten workers and a job a minute, without faults.
func steady(seed uint64) story.Story {
	s := story.Story{Seed: seed, Length: fault.Span(24 * time.Hour), Cluster: story.Cluster{
		Controllers: 1, Beat: fault.Span(10 * time.Second), Grace: fault.Span(20 * time.Second), Rounds: 5, Keep: 20}}
	s.Jobs = make([]story.Job, 0, 24*60)
	for range 10 {
		s.Cluster.Workers = append(s.Cluster.Workers, story.Worker{CPU: 4, Pod: "p"})
	}
	for i := range 24 * 60 {
		s.Jobs = append(s.Jobs, story.Job{At: fault.Span(i) * fault.Span(time.Minute), Tasks: 1, CPU: 1 + i%4,
			Runs: fault.Span(30+i*7%270) * fault.Span(time.Second)})
	}
	return s
}

// BenchmarkSteady says how many hours of a cluster a second of a processor tells, all oracles included.
func BenchmarkSteady(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(GCPercent))
	hours, steps, began := 0.0, 0, chronos.ProcessorTime()
	for i := 0; b.Loop(); i++ {
		out := Run(steady(uint64(i)), Options{})
		if out.Violation != nil {
			b.Fatal(out.Violation)
		}
		hours, steps = hours+out.Told.Hours(), steps+out.Steps
	}
	b.ReportMetric(hours/(chronos.ProcessorTime()-began).Seconds(), "hours/cpu-s")
	b.ReportMetric(float64(steps)/hours, "steps/hour")
}

// BenchmarkSwarm is the same of drawn stories, with their faults.
func BenchmarkSwarm(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(GCPercent))
	hours, began := 0.0, chronos.ProcessorTime()
	for seed := uint64(1); b.Loop(); seed++ {
		hours += Run(story.Draw(seed, limits), Options{}).Told.Hours()
	}
	b.ReportMetric(hours/(chronos.ProcessorTime()-began).Seconds(), "hours/cpu-s")
}
