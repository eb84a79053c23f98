package acceptance

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	"github.com/onsi/gomega"
	"github.com/onsi/gomega/format"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"iris/acceptance/chronos"
	"iris/chaos"
)

// Run runs the suite: the one thing its suite file does. Without a label filter it takes the fast specs. It fails on an
// unknown label, on two specs of one name, on a filter that selects nothing, and, when all the fast chaos specs ran, on
// a chaos site that none of them fired.
func Run(t *testing.T) {
	gomega.RegisterFailHandler(ginkgo.Fail)
	format.RegisterCustomFormatter(func(value any) (string, bool) {
		m, ok := value.(proto.Message)
		if !ok || !m.ProtoReflect().IsValid() {
			return "", false
		}
		return prototext.Format(m), true
	})
	suite, reporter := ginkgo.GinkgoConfiguration()
	if suite.LabelFilter == "" {
		suite.LabelFilter = Fast
	}
	selected := checkTree(t, ginkgo.PreviewSpecs("iris", suite))
	if len(selected) == 0 {
		t.Fatalf("no spec is selected by --label-filter=%q --focus=%q; labels are %s", suite.LabelFilter, suite.FocusStrings,
			strings.Join(knownLabels(), ", "))
	}
	chronos.Use(t) // not before the preview, which forgets all nodes outside of containers
	if slices.ContainsFunc(selected, func(s types.SpecReport) bool { return slices.Contains(s.Labels(), Process.Label) }) {
		buildBinary()
	}
	ginkgo.ReportAfterSuite("what the suite survived", func(report types.Report) { conclude(report) })
	ginkgo.RunSpecs(t, "iris", suite, reporter)
}

// checkTree looks at all specs before any runs, and returns those that will.
func checkTree(t *testing.T, preview types.Report) []types.SpecReport {
	seen, known := map[string]bool{}, knownLabels()
	var selected []types.SpecReport
	for _, spec := range preview.SpecReports {
		if !spec.LeafNodeType.Is(types.NodeTypeIt) {
			continue
		}
		for _, label := range spec.Labels() {
			if !slices.Contains(known, label) {
				t.Errorf("spec %q has the unknown label %q; labels are constants in acceptance/labels.go", spec.FullText(), label)
			}
		}
		if seen[spec.FullText()] {
			t.Errorf("two specs are called %q; reports and --focus could not tell them apart", spec.FullText())
		}
		seen[spec.FullText()] = true
		if !spec.State.Is(types.SpecStateSkipped | types.SpecStatePending) {
			selected = append(selected, spec)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
	return selected
}

// conclude draws the run's conclusions from the reports of its specs.
func conclude(report types.Report) {
	var results, all []result
	fired, skipped := map[string]int{}, 0
	for _, spec := range report.SpecReports {
		if !spec.LeafNodeType.Is(types.NodeTypeIt) {
			continue
		}
		if spec.State.Is(types.SpecStateSkipped | types.SpecStatePending) {
			if labels := spec.Labels(); slices.Contains(labels, Chaos) && slices.Contains(labels, Fast) {
				skipped++
			}
			continue
		}
		r := newResult(spec)
		for site, n := range r.record.Fired {
			fired[site] += n
		}
		all = append(all, r)
		if slices.Contains(spec.Labels(), Chaos) {
			results = append(results, r)
		}
	}
	gomega.Expect(writePage(pageOf(all, report))).To(gomega.Succeed())
	rows := summarize(results)
	fmt.Print(table(rows))
	if complete(rows) {
		path := filepath.Join(root(), "logs", "chaos", "summary.md")
		gomega.Expect(os.MkdirAll(filepath.Dir(path), 0o755)).To(gomega.Succeed())
		gomega.Expect(os.WriteFile(path, []byte(markdown(rows, report)), 0o644)).To(gomega.Succeed())
	}
	if skipped == 0 && report.SuiteSucceeded {
		var silent []string
		for _, site := range chaos.Sites() {
			if fired[site.Name()] == 0 {
				silent = append(silent, site.Name())
			}
		}
		gomega.Expect(silent).To(gomega.BeEmpty(), "every chaos site must be fired by some spec")
	}
}

// result is one spec's outcome.
type result struct {
	name, text string // "smoke", "runs a job to its end in one attempt"
	spec       types.SpecReport
	record     Record
}

func newResult(spec types.SpecReport) result {
	name, text, _ := strings.Cut(spec.LeafNodeText, ": ")
	r := result{name: name, text: text, spec: spec}
	for _, label := range spec.Labels() {
		if m, ok := modeOf(label); ok {
			r.record.Mode = m.Label
		}
	}
	for _, entry := range spec.ReportEntries {
		if entry.Name != recordName {
			continue
		}
		if own, ok := entry.GetRawValue().(Record); ok {
			r.record = own
		} else { // it comes from a parallel process
			if err := json.Unmarshal([]byte(entry.Value.AsJSON), &r.record); err != nil {
				ginkgo.Fail(fmt.Sprintf("read the record of %q: %v", spec.FullText(), err))
			}
		}
	}
	return r
}
