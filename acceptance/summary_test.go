package acceptance

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/onsi/ginkgo/v2/types"

	"iris/acceptance/timeline"
)

var update = flag.Bool("update", false, "write the golden files in testdata anew")

// golden compares a text with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; go test ./acceptance -update writes it anew):\n%s", path, diff)
	}
}

// spec is the report of one spec.
func spec(text string, state types.SpecState, took time.Duration, r Record) types.SpecReport {
	report := types.SpecReport{LeafNodeType: types.NodeTypeIt, LeafNodeText: text, State: state, RunTime: took,
		LeafNodeLabels: []string{Chaos, r.Mode}}
	report.ReportEntries = types.ReportEntries{{Name: recordName, Value: types.WrapEntryValue(r)}}
	return report
}

const passed, failed = types.SpecStatePassed, types.SpecStateFailed

// story is a run in every mode, in no order: seeds, a failed scenario, one that panicked, and specs that are none.
func story() []result {
	var results []result
	for _, s := range []types.SpecReport{
		spec("vm_preempted: a slice that is terminated is gone for good", passed, 400*time.Microsecond, Record{Mode: "virtual"}),
		spec("retry_late: is tried again", passed, time.Millisecond, Record{Mode: "virtual", Elapsed: time.Minute}),
		spec("smoke: runs a job", passed, 1300*time.Millisecond, Record{Mode: "realtime", Elapsed: 949 * time.Millisecond, Attempts: 1}),
		spec("bundle_download_intermittent: costs attempts (seed 2)", passed, 30*time.Millisecond,
			Record{Mode: "virtual", Elapsed: 9949 * time.Millisecond, Attempts: 2, Fired: map[string]int{"worker.bundle_download": 1}}),
		spec("dispatch_delayed: waits", types.SpecStatePanicked, 6*time.Second,
			Record{Mode: "realtime", Elapsed: 6049 * time.Millisecond, Attempts: 1, Fired: map[string]int{"controller.dispatch": 2}}),
		spec("bundle_download_intermittent: costs attempts (seed 1)", failed, 45*time.Millisecond,
			Record{Mode: "virtual", Elapsed: 90 * time.Second, Fired: map[string]int{"worker.bundle_download": 2, "worker.heartbeat": 12}}),
		spec("smoke: runs a job", passed, 43*time.Millisecond, Record{Mode: "virtual", Elapsed: 50 * time.Millisecond, Attempts: 1}),
		spec("smoke: runs a job", passed, 1900*time.Millisecond, Record{Mode: "process", Elapsed: 1349 * time.Millisecond, Attempts: 1}),
		spec("exclusive_lease: ends what is lost", failed, 3*time.Millisecond, Record{Mode: "process", Elapsed: time.Hour}),
		spec("dispatch_delayed: waits", passed, 20*time.Millisecond,
			Record{Mode: "virtual", Elapsed: 6049 * time.Millisecond, Attempts: 1, Fired: map[string]int{"controller.dispatch": 2}}),
	} {
		results = append(results, newResult(s))
	}
	return results
}

func TestSummaryForATerminal(t *testing.T) { golden(t, "summary.txt", table(summarize(story()))) }

func TestSummaryAsAPage(t *testing.T) {
	report := types.Report{
		SuiteConfig: types.SuiteConfig{RandomSeed: 7},
		StartTime:   time.Date(2026, time.March, 1, 13, 30, 0, 0, time.FixedZone("CET", 3600)),
		RunTime:     83*time.Second + 400*time.Millisecond,
	}
	golden(t, "summary.md", markdown(summarize(story()), report))
}

func TestSummaryDoesNotDependOnTheOrderOfTheSpecs(t *testing.T) {
	forwards, backwards := story(), story()
	slices.Reverse(backwards)
	if diff := cmp.Diff(table(summarize(forwards)), table(summarize(backwards))); diff != "" {
		t.Error(diff)
	}
}

func TestSummaryOfNothingIsEmpty(t *testing.T) {
	if got := table(summarize(nil)); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestSummaryIsCompleteWithAllScenariosInAnyMode(t *testing.T) {
	var results []result
	for i, name := range scenarios {
		if rows := summarize(results); complete(rows) {
			t.Fatalf("complete without %s", name)
		}
		state := []types.SpecState{passed, failed}[i%2] // what became of it does not matter
		results = append(results, newResult(spec(name+": holds", state, 0, Record{Mode: modes[i%len(modes)].Label})))
	}
	if !complete(summarize(results)) {
		t.Error("incomplete with all scenarios")
	}
	extra := newResult(spec("retry_late: holds", passed, 0, Record{}))
	if complete(summarize(append(results[1:len(results):len(results)], extra))) {
		t.Errorf("complete without %s, because of another spec", scenarios[0])
	}
}

func TestScenariosAreTwentyOneSpecs(t *testing.T) {
	if n := len(slices.Compact(slices.Sorted(slices.Values(scenarios)))); n != 21 || len(scenarios) != 21 {
		t.Errorf("%d scenarios, %d of them different", len(scenarios), n)
	}
}

func TestRecordIsReadFromThisProcessAndFromAnother(t *testing.T) {
	want := Record{Mode: "virtual", Elapsed: time.Minute, Attempts: 3, Fired: map[string]int{"worker.heartbeat": 12}}
	here := spec("smoke: runs", passed, 0, want)
	text, err := json.Marshal(here)
	if err != nil {
		t.Fatal(err)
	}
	var there types.SpecReport
	if err := json.Unmarshal(text, &there); err != nil {
		t.Fatal(err)
	}
	for process, report := range map[string]types.SpecReport{"this": here, "another": there} {
		if diff := cmp.Diff(want, newResult(report).record); diff != "" {
			t.Errorf("%s process: %s", process, diff)
		}
	}
}

func TestSpecWithoutRecordHasItsModeFromItsLabels(t *testing.T) {
	for _, m := range modes {
		report := types.SpecReport{LeafNodeText: "smoke: runs", LeafNodeLabels: []string{Chaos, m.Label, m.speed}}
		if diff := cmp.Diff(Record{Mode: m.Label}, newResult(report).record); diff != "" {
			t.Errorf("%s: %s", m.Label, diff)
		}
	}
}

func TestDurationsAreShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 400 * time.Microsecond: "0s", 1499 * time.Microsecond: "1ms", 999 * time.Millisecond: "999ms",
		time.Second: "1s", 1049 * time.Millisecond: "1s", 6070 * time.Millisecond: "6.1s",
		10499 * time.Millisecond: "10s", 90*time.Second + 1: "1m30s", time.Hour: "1h0m0s",
	} {
		if got := timeline.Short(d); got != want {
			t.Errorf("%v is shortened to %s, want %s", d, got, want)
		}
	}
}
