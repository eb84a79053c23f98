package real

import (
	"testing"
	"time"

	"iris/acceptance/chronos"
	"iris/acceptance/fault"
	"iris/acceptance/swarm/story"
)

// BenchmarkReal is the speed of a quiet cluster: three workers that beat twice a minute, and a job a minute.
func BenchmarkReal(b *testing.B) {
	const length = 8 * time.Hour
	s := story.Story{
		Cluster: story.Cluster{
			Controllers: 1, Workers: []story.Worker{{CPU: 4, Pod: "p"}, {CPU: 4, Pod: "p"}, {CPU: 4, Pod: "q"}},
			Beat: fault.Span(30 * time.Second), Grace: fault.Span(10 * time.Minute), Rounds: 5, Keep: 20,
		},
		Length: fault.Span(length),
	}
	for at := time.Duration(0); at < length; at += time.Minute {
		s.Jobs = append(s.Jobs, story.Job{At: fault.Span(at), Tasks: 1, CPU: 1, Runs: fault.Span(30 * time.Second)})
	}
	var told, spent time.Duration
	for b.Loop() {
		before := chronos.ProcessorTime()
		inTest(b, func(t *testing.T) {
			out := Run(t, s, Options{Patience: time.Minute})
			told += out.Told
			if err := out.Err(); err != nil {
				t.Error(err)
			}
		})
		spent += chronos.ProcessorTime() - before
	}
	b.ReportMetric(told.Hours()/spent.Seconds(), "cluster-hours/CPU-s")
}

// inTest has a benchmark do what only a test can: open a bubble. With -count it does it as often.
func inTest(b *testing.B, test func(*testing.T)) {
	b.Helper()
	all := func(_, _ string) (bool, error) { return true, nil }
	if !testing.RunTests(all, []testing.InternalTest{{Name: b.Name(), F: test}}) {
		b.Fatal("it was told, and did not hold")
	}
}
