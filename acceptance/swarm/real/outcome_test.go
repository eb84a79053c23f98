package real

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"iris/acceptance/chronos"
	"iris/acceptance/fault"
	"iris/acceptance/swarm/story"
)

// small is a cluster of two workers, of which the larger has 4 cores, for stories of half an hour.
func small(jobs []story.Job, faults ...fault.Fault) story.Story {
	return story.Story{
		Cluster: story.Cluster{
			Controllers: 1, Workers: []story.Worker{{CPU: 4, Pod: "p"}, {CPU: 2, Pod: "q"}},
			Beat: span(10 * time.Second), Grace: span(10 * time.Minute), Rounds: 2,
		},
		Jobs: jobs, Faults: faults, Length: span(30 * time.Minute),
	}
}

func span(d time.Duration) fault.Span { return fault.Span(d) }

func TestAnOutcomeSaysWhatCameOfAStory(t *testing.T) {
	minute := span(time.Minute)
	out := Run(t, small(
		[]story.Job{
			{At: minute, Tasks: 3, CPU: 1, Runs: minute, Builds: true, Ports: true, Twice: true},
			{At: minute, Tasks: 1, CPU: 1, Pod: "p", Runs: minute, Fails: 1},
			{At: minute, Tasks: 1, CPU: 2, Runs: 20 * minute, Stopped: 2 * minute, Stubborn: true},
			{At: 6 * minute, Parent: 1, Tasks: 1, CPU: 1, Runs: minute},
			{At: 4 * minute, Tasks: 1, CPU: 5, Runs: minute},
			{At: 4 * minute, Tasks: 1, CPU: 5, Runs: minute, Scheduling: 10 * minute},
			{At: 5 * minute, Tasks: 1, CPU: 4, Runs: 2 * minute, Exclusive: true},
		},
		fault.Crash("w-1").At(90*time.Second).For(3*time.Minute),
		fault.Cut("w-0", "c-0").At(5*time.Minute+10*time.Second).For(4*time.Minute),
		fault.AtSite("worker.register", "w-1", 1, 2),
		fault.Partition("w-0", "w-1"),
		fault.Restart("c-0").At(12*time.Minute),
	), Options{})
	if err := out.Err(); err != nil {
		t.Error(err)
	}
	want := map[string]int{"SUCCEEDED": 2, "FAILED": 1, "KILLED": 1, "REFUSED": 1, "PENDING": 1, "UNSCHEDULABLE": 1}
	if !maps.Equal(out.Ended, want) {
		t.Errorf("the jobs ended %v, want %v", out.Ended, want)
	}
	if want := map[fault.Kind]int{"crash": 1, "cut": 1, "site": 1, "restart": 1}; !maps.Equal(out.Struck, want) {
		t.Errorf("%v struck, want %v", out.Struck, want)
	}
	if want := map[string]int{"worker.register": 2}; !maps.Equal(out.Fired, want) {
		t.Errorf("%v fired, want %v", out.Fired, want)
	}
	if out.Told < 30*time.Minute || out.Told > 40*time.Minute {
		t.Errorf("it took %v", out.Told)
	}
}

func TestWhatCannotBeToldIsAViolation(t *testing.T) {
	noCores := small(nil)
	noCores.Cluster.Workers[0].CPU = 0
	for _, c := range []struct {
		by, says string
		story    story.Story
		patience time.Duration
	}{
		{ByFault, `there is no "w-7"; there are [c-0 w-0 w-1]`, small(nil, fault.Crash("w-7")), 0},
		{ByFault, `no site "worker.dance"`, small(nil, fault.AtSite("worker.dance", "w-0", 1, 0)), 0},
		{ByBoot, "a story needs controllers (0)", story.Story{}, 0},
		{ByBoot, "cpu is 0", noCores, 0},
		{ByHang, "it has not ended after 1ms", small(nil), time.Millisecond},
	} {
		out := Run(t, c.story, Options{Patience: c.patience})
		if c.by == ByHang { // it goes on, and ends soon
			for left := names.Load(); running(t, left); time.Sleep(time.Millisecond) {
			}
		}
		if len(out.Violations) != 1 || out.Violations[0].By != c.by || !strings.Contains(out.Violations[0].Text, c.says) {
			t.Errorf("%v, want %s: … %s", out.Violations, c.by, c.says)
		}
	}
}

// running reports whether the nth cluster of this process has not removed its directory yet.
func running(t *testing.T, nth int64) bool {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(disk(), fmt.Sprintf("iris-%d-story-%d-*", os.Getpid(), nth)))
	if err != nil {
		t.Fatal(err)
	}
	return len(left) > 0
}

func TestAWorkerThatIsLiveAndDoesNotWorkIsAViolation(t *testing.T) {
	var out Outcome
	err := chronos.Bubble(t, 30*time.Second, func() {
		teller := newTeller(small(nil), Options{Log: slog.New(slog.DiscardHandler)})
		defer teller.chaos.Reset()
		if err := teller.boot(); err != nil {
			t.Error(err)
			return
		}
		if _, err := teller.cluster.Arm("worker.submit_task[worker=w-1]"); err != nil {
			t.Error(err)
		}
		teller.probe()
		out = teller.out
		if err := teller.stop(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Error(err)
	}
	const says = "w-1 is live, and does not work: a job for it is JOB_STATE_FAILED"
	if v := out.Violations; len(v) != 1 || v[0].By != ByHeal || !strings.Contains(v[0].Text, says) {
		t.Errorf("it finds %v", v)
	}
}
