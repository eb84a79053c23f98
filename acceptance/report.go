package acceptance

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"

	"iris/acceptance/timeline"
	"iris/chaos"
)

// pageOf is the run as its page tells it: what failed first, then in the order of the summary.
func pageOf(results []result, report types.Report) timeline.Run {
	run := timeline.Run{
		Title: "Specs: " + cmp.Or(report.SuiteConfig.LabelFilter, "all"), Repeat: rerun(report.SuiteConfig),
		Began: report.StartTime.UTC().Format("2006-01-02 15:04 MST"), Took: timeline.Span(report.RunTime),
	}
	rows := summarize(results)
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(min(b.failed, 1), min(a.failed, 1)) })
	run.Sites = map[string]string{}
	for _, site := range chaos.Sites() {
		run.Sites[site.Name()] = site.Doc()
	}
	taken := map[string]int{}
	for _, s := range rows {
		out := timeline.Scenario{
			ID: slug(s.name), Name: s.name, Text: s.text, Mode: s.mode, Specs: s.specs, Failed: s.failed, Faults: s.faultCount(),
			Sites: s.faults(), Attempts: s.attempts, Lasted: timeline.Span(s.elapsed), Took: timeline.Span(s.real),
		}
		if s.number >= 0 {
			out.Number = s.id()
		}
		if s.mode != Virtual.Label && s.mode != "" {
			out.ID += "-" + s.mode
		}
		if taken[out.ID]++; taken[out.ID] > 1 {
			out.ID += fmt.Sprintf("-%d", taken[out.ID])
		}
		for _, r := range results {
			if r.name == s.name && r.record.Mode == s.mode {
				out.Timelines = append(out.Timelines, storyOf(r))
			}
		}
		run.Scenarios = append(run.Scenarios, out)
	}
	return run
}

// storyOf is the timeline of a spec, with what its report knows.
func storyOf(r result) timeline.Timeline {
	t := timeline.Timeline{Lasts: timeline.Span(r.record.Elapsed), Notes: []string{"This spec has no cluster: there is nothing to draw."}}
	if r.record.Story != "" {
		var err error
		if t, err = fetch(r.record.Story); err != nil {
			t.Notes = append(t.Notes, err.Error())
		}
	}
	t.Title, t.Repeat = r.spec.LeafNodeText, repeat(cmp.Or(r.record.Mode, Fast), r.spec.LeafNodeText)
	if r.spec.State != types.SpecStatePassed {
		t.Failure = fmt.Sprintf("%v: %s\n%s", r.spec.State, r.spec.FailureMessage(), r.spec.FailureLocation())
	}
	return t
}

// rerun is the command that repeats a run.
func rerun(c types.SuiteConfig) string {
	text := fmt.Sprintf("go tool ginkgo --seed=%d --label-filter='%s'", c.RandomSeed, c.LabelFilter)
	for _, focus := range c.FocusStrings {
		text += fmt.Sprintf(" --focus='%s'", focus)
	}
	return text
}

var notInSlugs = regexp.MustCompile(`[^a-z0-9_]+`)

// slug is a name as the end of a link.
func slug(name string) string {
	return strings.Trim(notInSlugs.ReplaceAllString(strings.ToLower(name), "-"), "-")
}

// reportsVariable names another directory for the page than reports in the repository.
const reportsVariable = "IRIS_REPORTS"

// writePage writes the page into reports: as the latest, and under the name of the run's JUnit report if it has one.
// A run without a story, such as one of pages alone, has none.
func writePage(run timeline.Run) error {
	told := func(s timeline.Scenario) bool {
		return slices.ContainsFunc(s.Timelines, func(t timeline.Timeline) bool { return len(t.Lanes) > 0 })
	}
	if !slices.ContainsFunc(run.Scenarios, told) {
		return nil
	}
	dir := cmp.Or(os.Getenv(reportsVariable), filepath.Join(root(), "reports"))
	_, reporter := ginkgo.GinkgoConfiguration()
	names := []string{"index"}
	if reporter.JUnitReport != "" { // it begins with the suite's folder
		name := strings.TrimSuffix(filepath.Base(reporter.JUnitReport), ".xml")
		names = append(names, strings.TrimPrefix(name, filepath.Base(root())+"_"))
	}
	return timeline.Write(dir, run, names...)
}
