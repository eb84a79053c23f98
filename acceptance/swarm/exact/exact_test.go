package exact

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"iris/acceptance/fault"
	"iris/acceptance/swarm/story"
	"iris/iris/state"
)

var limits = story.Limits{Workers: 50, Controllers: 5, Groups: 2, Length: 4 * time.Hour, Jobs: 60}

func TestTheSameSeedIsTheSameHistory(t *testing.T) {
	for seed := range uint64(20) {
		s := story.Draw(seed, limits)
		a, b := &bytes.Buffer{}, &bytes.Buffer{}
		first, second := Run(s, Options{Trace: a}), Run(s, Options{Trace: b})
		if first.Digest == second.Digest && bytes.Equal(a.Bytes(), b.Bytes()) {
			continue
		}
		one, other := strings.Split(a.String(), "\n"), strings.Split(b.String(), "\n")
		for i := range one {
			if one[i] != other[i] {
				t.Fatalf("seed %d has two histories:\n%s\nand\n%s", seed, one[i], other[i])
			}
		}
		t.Fatalf("seed %d has two digests", seed)
	}
}

// A mirror sees, and changes nothing.
func TestAMirrorLeavesTheHistoryAsItIs(t *testing.T) {
	for seed := range uint64(20) {
		s := story.Draw(seed, limits)
		if with, without := Run(s, Options{Mirror: true}), Run(s, Options{}); with.Digest != without.Digest || with.Violation != nil {
			t.Errorf("seed %d has another history with a mirror; %v", seed, with.Violation)
		}
	}
}

// small is a cluster of two workers, with three jobs of a minute in one.
func small(faults ...fault.Fault) story.Story {
	const second = fault.Span(time.Second)
	s := story.Story{Seed: 1, Length: 600 * second, Faults: faults, Cluster: story.Cluster{
		Controllers: 3, Workers: []story.Worker{{CPU: 4, Pod: "p"}, {CPU: 4, Pod: "p"}}, Beat: 10 * second, Grace: 60 * second, Rounds: 5,
		Groups: []story.Group{{Name: "g-0", CPU: 4, VMs: 2, Min: 1, Max: 2, Boot: 5 * second}},
	}}
	for i := range 3 {
		s.Jobs = append(s.Jobs, story.Job{At: fault.Span(1+20*i) * second, Tasks: 2, CPU: 1, Runs: 60 * second, Builds: true})
	}
	return s
}

func TestWithoutFaultsEachJobSucceeds(t *testing.T) {
	out := Run(small(), Options{Mirror: true})
	if out.Violation != nil || out.Ends[state.Succeeded] != 3 || len(out.Ends) != 1 {
		t.Errorf("the jobs ended %v, %v", out.Ends, out.Violation)
	}
	if n := out.Met[Pair{"Observe SUCCEEDED", "RUNNING"}]; n != 6 {
		t.Errorf("%d attempts were reported to have succeeded, not 6", n)
	}
}

// A fault that does nothing would find nothing.
func TestEveryFaultStrikes(t *testing.T) {
	const everybody = fault.Anybody
	sites := []string{
		"controller.dispatch", "controller.stop", "worker.register", "worker.heartbeat", "worker.report_task_state", "worker.submit_task",
		"worker.accept_task", "worker.bundle_download", "worker.create_container", "worker.task_monitor", "journal.disk",
		"journal.before_append", "journal.after_append", "journal.after_commit", "journal.before_effect", "journal.before_answer",
		"vm.create", "vm.list", "vm.terminate",
	}
	faults := []fault.Fault{
		fault.Partition("w-0", "c-0"), fault.Cut("c-0", everybody), fault.Delay(everybody, everybody, time.Second, time.Second),
		fault.Lossy(everybody, everybody, 0.3), fault.Slow(everybody, everybody, 200), fault.Refuse(everybody, everybody),
		fault.Reset(everybody, everybody), fault.Repeat(everybody, everybody, 0.5), fault.Reorder(everybody, everybody, 0.5, 2*time.Second),
		fault.Crash("w-0"), fault.Restart("c-0"), fault.Freeze("w-1"), fault.Skew("w-0", 20*time.Second), fault.Creation("g-0", "quota"),
		fault.Taken("g-0", 0), fault.Notice("g-0", 0, 20*time.Second), fault.Broken("g-0", 0), fault.ListLag("g-0", 30*time.Second),
	}
	for _, site := range sites {
		x := everybody
		if strings.HasPrefix(site, "vm.") {
			x = "g-0"
		}
		faults = append(faults, fault.AtSite(site, x, 1, 3))
	}
	for _, f := range faults {
		t.Run(f.String(), func(t *testing.T) {
			s := small(f.At(20 * time.Second).For(4 * time.Minute))
			s.Jobs[2].Stopped = fault.Span(80 * time.Second)
			s.Faults = append(s.Faults, fault.Crash("w-0").At(100*time.Second).For(90*time.Second), // registers, and takes what ran
				fault.Taken("g-0", 0).At(150*time.Second)) // has another asked for
			out := Run(s, Options{Mirror: true})
			if out.Violation != nil {
				t.Fatal(out.Violation)
			}
			if f.Kind == fault.KindSite && out.Sites[f.Site] == 0 || out.Struck[f.Kind] == 0 {
				t.Errorf("it had no effect: %v %v", out.Struck, out.Sites)
			}
		})
	}
}
