package chronos_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	. "github.com/onsi/gomega"

	"iris/acceptance/chronos"
)

// A fixture is a suite of a bad spec and a good one after it, run in a process of its own: what is looked at is its
// report, as of any other suite.
type fixture struct {
	name  string
	spec  func(SpecContext) // the bad one
	state types.SpecState   // what becomes of it
	says  string            // in the report of the failure
	line  string            // the comment at the line that the report points to, "" if that is in chronos
	trace string            // the comment at a line that the report has a stack trace of, if it is to have any
}

var fixtures = []fixture{{
	name:  "a goroutine that waits for ever",
	spec:  func(SpecContext) { go func() { <-make(chan int) }() }, // waits
	state: types.SpecStateFailed,
	says:  "the spec left something running: ",
	trace: "// waits",
}, {
	name: "a goroutine that ticks for ever",
	spec: func(SpecContext) {
		go func() {
			for {
				time.Sleep(time.Second) // sleeps
			}
		}()
	},
	state: types.SpecStateFailed,
	says:  "the spec left something running: ",
	trace: "// sleeps",
}, {
	name:  "a deadlock",
	spec:  func(SpecContext) { <-make(chan int) }, // blocks
	state: types.SpecStatePanicked,
	says:  "the bubble broke: deadlock: all goroutines in bubble are blocked",
	trace: "// blocks",
}, {
	name: "a failed assertion",
	spec: func(SpecContext) {
		chronos.Sleep(time.Hour)
		DeferOnFailure(func() { AddReportEntry(failedAt, chronos.Now().Format(time.RFC3339)) })
		DeferCleanup(chronos.Sleep, time.Hour)
		Expect(1).To(Equal(2)) // fails
	},
	state: types.SpecStateFailed,
	says:  "Expected\n    <int>: 1\nto equal\n    <int>: 2",
	line:  "// fails",
}, {
	name: "a failed assertion of a goroutine",
	spec: func(SpecContext) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer GinkgoRecover()
			Expect(3).To(BeZero()) // fails elsewhere
		}()
		<-done
	},
	state: types.SpecStateFailed,
	says:  "Expected\n    <int>: 3\nto be zero-valued",
	line:  "// fails elsewhere",
}, {
	name:  "a panic",
	spec:  func(SpecContext) { panic(errors.New("boom")) }, // panics
	state: types.SpecStatePanicked,
	says:  "boom",
	trace: "// panics",
}, {
	name:  "a goroutine's end",
	spec:  func(SpecContext) { runtime.Goexit() },
	state: types.SpecStatePanicked,
	says:  "the node's goroutine was ended (runtime.Goexit)",
}, {
	name: "a goroutine that waits for what is outside",
	spec: func(SpecContext) {
		read, write, err := os.Pipe()
		Expect(err).NotTo(HaveOccurred())
		go func() {
			_, _ = read.Read(make([]byte, 1)) // reads
			runtime.KeepAlive(write)          // collected, it would close and end the wait
		}()
	},
	state: types.SpecStateFailed,
	says:  "the spec left something running: it has not ended after 10s",
	trace: "// reads",
}, {
	name:  "a skip",
	spec:  func(SpecContext) { Skip("not today") }, // skips
	state: types.SpecStateSkipped,
	says:  "not today",
	line:  "// skips",
}, {
	name:  unused,
	spec:  func(SpecContext) {},
	state: types.SpecStatePanicked,
	says:  "chronos: call chronos.Use(t) before RunSpecs",
}}

const (
	fixtureVariable = "IRIS_CHRONOS_FIXTURE" // names, in the environment, the fixture that a process runs
	unused          = "a suite without Use"  // the fixture for which nobody calls Use
	failedAt        = "failed at"            // the report entry of a failed spec
)

// declare declares the specs of a fixture.
func (f fixture) declare() {
	Describe("a suite", chronos.Virtual(), func() {
		It("bad", f.spec)
		It("good", func() { chronos.Tick(time.Hour) })
	})
}

func TestABadSpecFailsAloneAndSaysWhy(t *testing.T) {
	for _, f := range fixtures {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			exit, specs := f.run(t)
			bad, good := specs["bad"], specs["good"]
			text := bad.Failure.Message + "\n" + bad.Failure.ForwardedPanic
			if bad.State != f.state || !strings.Contains(text, f.says) {
				t.Errorf("the bad spec: %v: %s\nwant %v: %s", bad.State, text, f.state, f.says)
			}
			if at := bad.Failure.Location; f.line != "" && !strings.HasSuffix(at.ContentsOfLine(), f.line) {
				t.Errorf("the failure points to %v:%s\nwant the line that ends %s", at, at.ContentsOfLine(), f.line)
			}
			if text += bad.Failure.Location.FullStackTrace; !strings.Contains(text, f.traced(t)) {
				t.Errorf("the stack traces do not name the line %s:\n%s", f.trace, text)
			}
			if want := f.name != unused; good.State.Is(types.SpecStatePassed) != want {
				t.Errorf("the good spec: %v: %s", good.State, good.Failure.Message)
			}
			if want := f.state.Is(types.SpecStateFailureStates); (exit == 1) != want {
				t.Errorf("exit code %d", exit)
			}
		})
	}
}

func TestOnFailureCallbacksRunInTheBubbleBeforeTheCleanup(t *testing.T) {
	i := slices.IndexFunc(fixtures, func(f fixture) bool { return f.name == "a failed assertion" })
	_, specs := fixtures[i].run(t)
	var at []string
	for _, entry := range specs["bad"].ReportEntries {
		at = append(at, entry.Name+" "+entry.Value.String())
	}
	if want := []string{failedAt + " 2000-01-01T01:00:00Z"}; !slices.Equal(at, want) {
		t.Errorf("report entries %q, want %q", at, want)
	}
}

// traced is how a stack trace names the fixture's line.
func (f fixture) traced(t *testing.T) string {
	if f.trace == "" {
		return ""
	}
	source, err := os.ReadFile("fixture_test.go")
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := strings.Cut(string(source), f.trace+"\n")
	return fmt.Sprintf("fixture_test.go:%d", strings.Count(before, "\n")+1)
}

// run runs the fixture in a process of its own and returns its exit code and the reports of its specs.
func (f fixture) run(t *testing.T) (exit int, specs map[string]types.SpecReport) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.json")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChronos$", "-test.timeout=1m",
		"-ginkgo.no-color", "-ginkgo.json-report="+path)
	cmd.Env = append(os.Environ(), fixtureVariable+"="+f.name)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the fixture's output:\n%s", &output)
		}
	})
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("the fixture did not get to its report: %v", err)
	}
	var suites []types.Report
	if err := json.Unmarshal(text, &suites); err != nil {
		t.Fatal(err)
	}
	specs = map[string]types.SpecReport{}
	for _, spec := range suites[0].SpecReports {
		specs[spec.LeafNodeText] = spec
	}
	return cmd.ProcessState.ExitCode(), specs
}
