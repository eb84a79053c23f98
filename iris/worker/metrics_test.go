package worker_test

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"iris/chaos"
	"iris/iris/worker"
)

// wantSamples wants exactly these lines of what is measured, but for zeros and buckets.
func wantSamples(t *testing.T, from prometheus.Gatherer, want ...string) {
	t.Helper()
	answer := httptest.NewRecorder()
	promhttp.HandlerFor(from, promhttp.HandlerOpts{}).ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	got := slices.DeleteFunc(strings.Split(answer.Body.String(), "\n"), func(line string) bool {
		return line == "" || strings.HasPrefix(line, "#") || strings.Contains(line, "_bucket{") || strings.HasSuffix(line, " 0")
	})
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("what is measured (-want +got):\n%s", diff)
	}
}

func TestAWorkerIsMeasured(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	inBubble(t, func(c *worker.Config) { c.Metrics = registry }, func(b *bench) {
		defer chaos.In(b.Name()).Reset()
		inject := func(site string, options ...chaos.Option) {
			if _, err := chaos.In(b.Name()).Enable(site, options...); err != nil {
				b.Fatal(err)
			}
		}
		inject("worker.create_container", chaos.Match("task", "1"), chaos.Delay(5*time.Second))
		b.boss.order(func(boss *boss) { boss.deaf = true })
		b.run(function("sleep", "1h"), "a", "held", "c")
		b.run(function("sleep", "1s"), "d")
		time.Sleep(1500 * time.Millisecond)
		wantSamples(b.T, registry,
			`iris_worker_attempts{phase="ASSIGNED"} 1`, `iris_worker_attempts{phase="ENDED"} 1`, `iris_worker_attempts{phase="RUNNING"} 2`,
			`iris_worker_attempts_ended_total{state="SUCCEEDED"} 1`,
			`iris_worker_registered 1`, `iris_worker_registrations_total 1`,
			`iris_worker_reports_total{result="answered"} 4`, `iris_worker_start_seconds_count 3`)
		b.boss.order(func(boss *boss) { boss.lossy, boss.absent = true, true })
		b.stop("a")
		time.Sleep(1500 * time.Millisecond) // a heartbeat comes soon after a report was lost
		b.boss.order(func(boss *boss) { boss.lossy, boss.absent, boss.deaf = false, false, false })
		inject("worker.heartbeat", chaos.MaxFailures(1))
		inject("worker.report_task_state", chaos.MaxFailures(1))
		b.stop("c")
		time.Sleep(12 * time.Second)
		wantSamples(b.T, registry,
			`iris_worker_attempts{phase="RUNNING"} 1`,
			`iris_worker_attempts_ended_total{state="KILLED"} 2`, `iris_worker_attempts_ended_total{state="SUCCEEDED"} 1`,
			`iris_worker_heartbeats_total{result="answered"} 1`, `iris_worker_heartbeats_total{result="failed"} 1`,
			`iris_worker_heartbeats_total{result="lost"} 1`,
			`iris_worker_registered 1`, `iris_worker_registrations_total 1`,
			`iris_worker_reports_total{result="answered"} 5`, `iris_worker_reports_total{result="failed"} 1`,
			`iris_worker_reports_total{result="lost"} 1`,
			`iris_worker_start_seconds_sum 5`, `iris_worker_start_seconds_count 4`)
		problems, err := testutil.GatherAndLint(registry)
		if len(problems) > 0 || err != nil {
			b.Errorf("names of metrics: %v, %v", problems, err)
		}
	})
	wantSamples(t, registry)
}
