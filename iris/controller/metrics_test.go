package controller_test

import (
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"iris/chaos"
	"iris/iris/controller"
	"iris/iris/network"
	pb "iris/iris/proto"
)

// samples are the lines of what is measured, but for zeros and buckets.
func samples(t *testing.T, from prometheus.Gatherer) []string {
	t.Helper()
	answer := httptest.NewRecorder()
	promhttp.HandlerFor(from, promhttp.HandlerOpts{}).ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	if answer.Code != 200 {
		t.Fatalf("scraped with %d: %s", answer.Code, answer.Body)
	}
	return slices.DeleteFunc(strings.Split(strings.TrimSpace(answer.Body.String()), "\n"), func(line string) bool {
		return strings.HasPrefix(line, "#") || strings.Contains(line, "_bucket{") || strings.HasSuffix(line, " 0")
	})
}

// wantSamples wants exactly these of the metrics that begin with one of the prefixes.
func wantSamples(t *testing.T, from prometheus.Gatherer, prefixes string, want ...string) {
	t.Helper()
	got := slices.DeleteFunc(samples(t, from), func(line string) bool {
		return !slices.ContainsFunc(strings.Fields(prefixes), func(p string) bool { return strings.HasPrefix(line, p) })
	})
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("what is measured (-want +got):\n%s", diff)
	}
}

// Every task is followed from its submission to its end. In virtual time all durations are exact.
func TestTheWayOfATaskIsMeasured(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	inBubble(t, controller.Config{Metrics: registry, Cluster: t.Name()}, func(b *bench) {
		defer chaos.In(b.Name()).Reset()
		if _, err := chaos.In(b.Name()).Enable("controller.dispatch", chaos.MaxFailures(1)); err != nil {
			b.Fatal(err)
		}
		b.launch("j", replicas(3))
		time.Sleep(2 * time.Second) // nobody is there
		wantSamples(t, registry, "iris_queue iris_jobs iris_tasks iris_workers iris_scheduling",
			`iris_jobs{state="PENDING"} 1`, `iris_queue_tasks 3`, `iris_tasks{state="PENDING"} 3`)
		w := b.puppetOf("w-0", 2)
		time.Sleep(time.Second) // the second try comes after half a second and a jitter
		if _, err := w.report(running("j/0/0"), succeeded("j/1/0")); err != nil {
			b.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if _, err := w.report(&pb.AttemptReport{AttemptUid: "j/0/0", State: pb.TaskState_TASK_STATE_FAILED}); err != nil {
			b.Fatal(err)
		}
		synctest.Wait()
		wantSamples(t, registry, "iris_jobs iris_tasks iris_workers iris_attempts iris_scheduling iris_cpu iris_terms iris_leads",
			`iris_attempts_ended_total{state="FAILED"} 1`, `iris_attempts_ended_total{state="KILLED"} 1`, `iris_attempts_ended_total{state="SUCCEEDED"} 1`,
			`iris_cpu_cores{kind="capacity"} 0.002`, `iris_cpu_cores{kind="committed"} 0.001`,
			`iris_jobs{state="FAILED"} 1`, `iris_jobs_ended_total{state="FAILED"} 1`, `iris_leads 1`,
			`iris_scheduling_seconds_sum 7`, `iris_scheduling_seconds_count 3`, // 2 s, 2 s, and 3 s until the second task ended
			`iris_tasks{state="FAILED"} 1`, `iris_tasks{state="KILLED"} 1`, `iris_tasks{state="SUCCEEDED"} 1`,
			`iris_terms_total 1`, `iris_workers{state="live"} 1`)
		wantSamples(t, registry, "iris_dispatch_tries iris_dispatch_given iris_dispatch_seconds_count",
			`iris_dispatch_seconds_count 3`, `iris_dispatch_tries_total{result="delivered"} 3`, `iris_dispatch_tries_total{result="failed"} 1`)
	})
	if left := samples(t, registry); len(left) != 1 || left[0] != "" {
		t.Errorf("a stopped controller is still measured: %v", left)
	}
}

// A task that is retried waits from the end of the attempt before.
func TestTheWaitForARetryCountsFromTheLastEnd(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	inBubble(t, controller.Config{Metrics: registry}, func(b *bench) {
		w := b.puppetOf("w-0", 1)
		two := int32(2)
		b.launch("j", func(s *pb.JobSpec) { s.MaxRetriesFailure = &two })
		time.Sleep(10 * time.Second)
		failed := &pb.AttemptReport{AttemptUid: "j/0/0", State: pb.TaskState_TASK_STATE_FAILED}
		b.launch("k")
		if _, err := w.report(failed); err != nil {
			b.Fatal(err)
		}
		synctest.Wait()
		time.Sleep(5 * time.Second)
		if _, err := w.report(succeeded("j/0/1")); err != nil {
			b.Fatal(err)
		}
		synctest.Wait()
		wantSamples(t, registry, "iris_scheduling", `iris_scheduling_seconds_sum 5`, `iris_scheduling_seconds_count 3`)
	})
}

func TestTheLogIsMeasured(t *testing.T) {
	registry, slow := prometheus.NewPedanticRegistry(), newSlowJournal()
	inBubble(t, controller.Config{Metrics: registry, Journal: slow}, func(b *bench) {
		slow.pause = 3 * time.Second
		b.launch("a")
		b.launch("b")
		wantSamples(t, registry, "iris_log", `iris_log_commit_seconds_sum 3`, `iris_log_commit_seconds_count 2`,
			`iris_log_entry_commands_sum 2`, `iris_log_entry_commands_count 2`)
	})
}

func TestWorkersAreMeasuredAsTheyAreCountedOn(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	inBubble(t, controller.Config{Metrics: registry}, func(b *bench) {
		b.puppet("w-0")
		other := b.puppet("w-1")
		time.Sleep(20 * time.Second)
		other.beat()
		wantSamples(t, registry, "iris_workers", `iris_workers{state="live"} 2`)
		time.Sleep(20 * time.Second)
		wantSamples(t, registry, "iris_workers", `iris_workers{state="live"} 1`, `iris_workers{state="silent"} 1`)
		time.Sleep(21 * time.Second)
		wantSamples(t, registry, "iris_workers", `iris_workers{state="lost"} 1`, `iris_workers{state="silent"} 1`)
	})
}

// A scrape must not hang with the loop: what it cannot tell is left out.
func TestAStuckLoopIsScrapedWithoutItsGauges(t *testing.T) {
	registry, slow := prometheus.NewPedanticRegistry(), newSlowJournal()
	inBubble(t, controller.Config{Metrics: registry, Journal: slow}, func(b *bench) {
		slow.pause = time.Minute
		defer b.launchMeanwhile("j")()
		synctest.Wait()
		began := time.Now()
		wantSamples(t, registry, "iris_leads iris_jobs iris_inbox", `iris_leads 1`)
		if took := time.Since(began); took != 2*time.Second {
			b.Errorf("it took %v", took)
		}
		wantSamples(t, registry, "iris_inbox", `iris_inbox_requests 1`) // the question that was given up
	})
}

func TestAFollowerShowsThatItDoesNotLead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewPedanticRegistry()
		config := controller.Config{Network: &network.Memory{}, Journal: follower{"other"}, Metrics: registry, Log: slog.New(slog.DiscardHandler)}
		c, err := controller.Start(config)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := c.Stop(); err != nil {
				t.Error(err)
			}
		}()
		if n, err := testutil.GatherAndCount(registry, "iris_leads"); err != nil || n != 1 {
			t.Errorf("iris_leads is there %d times, %v", n, err)
		}
		wantSamples(t, registry, "iris_leads iris_jobs iris_terms")
		if c, err := controller.Start(config); err == nil {
			t.Error("a second controller is measured in the same place", c.Stop())
		}
	})
}

func TestNamesOfMetricsAreAsTheyShouldBe(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	inBubble(t, controller.Config{Metrics: registry}, func(b *bench) {
		b.puppet("w-0")
		b.launch("j")
		problems, err := testutil.GatherAndLint(registry)
		if err != nil {
			b.Fatal(err)
		}
		for _, p := range problems {
			b.Errorf("%s: %s", p.Metric, p.Text)
		}
	})
}
