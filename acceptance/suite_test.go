package acceptance

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	"github.com/onsi/gomega"

	"iris/acceptance/chronos"
	"iris/chaos"
)

// fixtureVariable names, in the environment, the fixture that a process runs instead of the tests.
const fixtureVariable = "IRIS_SUITE_FIXTURE"

// fixtures are specs that Run is run with. The smoke test is there too: it belongs to this package.
var fixtures = map[string]func(){
	"unknown label": func() {
		ginkgo.Describe("specs:", func() { it("mislabelled", ginkgo.Label(Fast, "fsat")) })
	},
	"same name": func() {
		ginkgo.Describe("twins:", func() {
			it("one", ginkgo.Label(Fast))
			it("one", ginkgo.Label(Slow))
		})
	},
	"speeds": func() {
		ginkgo.Describe("speeds:", func() {
			it("fast", ginkgo.Label(Fast))
			it("slow", ginkgo.Label(Slow))
			it("unlabelled")
		})
	},
	"every site fired": func() {
		fires("all", func(*chaos.Site) bool { return true })
	},
	"every site fired by some spec": func() {
		for _, area := range areas() {
			fires(area, func(site *chaos.Site) bool { return strings.HasPrefix(site.Name(), area+".") })
		}
	},
	"a site never fired": func() {
		silent := chaos.NewSite("fixture.silent", "no spec knows of it", chaos.CanAll)
		fires("most", func(site *chaos.Site) bool { return site != silent })
	},
	"leak": func() {
		ginkgo.Describe("bubbles:", ginkgo.Label(Fast, Virtual.Label), chronos.Virtual(), func() {
			ginkgo.It("leaks", func() {
				chronos.Sleep(time.Hour)
				go func() { <-make(chan int) }()
			})
			ginkgo.It("begins anew", func() {
				gomega.Expect(chronos.Now().Format(time.RFC3339)).To(gomega.Equal("2000-01-01T00:00:00Z"))
			})
		})
	},
	"modes": func() {
		named := func(name string) func(*Mode) {
			return func(m *Mode) { ginkgo.It(name+" "+m.Label, func() {}) }
		}
		InEachMode("modes:", named("everywhere"))
		InEachMode("modes: but one", Without{Mode: Process, Why: "it is a test"}, named("without"))
		InEachMode("modes: one", Only{Mode: Virtual, Why: "it is a test"}, named("only"))
	},
	"no reason":  func() { InEachMode("modes:", Without{Mode: Process}, func(*Mode) {}) },
	"injections": declareInjections,
	"messages":   func() { ginkgo.Describe("matchers", failMatchers) },
}

func it(text string, labels ...any) {
	ginkgo.It(text, append(labels, func() {})...)
}

// fires declares a spec that fires a fault at the sites of its choice.
func fires(name string, choose func(*chaos.Site) bool) {
	ginkgo.Describe("firing", ginkgo.Label(Chaos, Fast, Virtual.Label), chronos.Virtual(), func() {
		ginkgo.It(name+": is fired", func(ctx ginkgo.SpecContext) {
			labels := chaos.Labels{"cluster": ClusterName()}
			rules := chaos.In(labels["cluster"])
			ginkgo.DeferCleanup(rules.Reset)
			RecordBare(Virtual, rules)
			for _, site := range chaos.Sites() {
				if !choose(site) {
					continue
				}
				_, err := rules.Enable(site.Name())
				gomega.Expect(err).NotTo(gomega.HaveOccurred())
				gomega.Expect(site.Hit(ctx, labels)).To(gomega.MatchError(chaos.ErrInjected))
				time.Sleep(time.Minute)
			}
		})
	})
}

// areas are the first words of the names of Iris's sites.
func areas() []string {
	var all []string
	for _, site := range chaos.Sites() {
		area, _, _ := strings.Cut(site.Name(), ".")
		all = append(all, area)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestMain(m *testing.M) {
	name := os.Getenv(fixtureVariable)
	if name == "" {
		os.Exit(m.Run())
	}
	fixtures[name]()
	all := func(string, string) (bool, error) { return true, nil }
	testing.Main(all, []testing.InternalTest{{Name: "Run", F: Run}}, nil, nil)
}

func TestUnknownLabelFailsTheRunBeforeAnySpec(t *testing.T) {
	o := run(t, "unknown label")
	o.failed(t)
	o.says(t, `spec "specs: mislabelled" has the unknown label "fsat"; labels are constants in acceptance/labels.go`)
	o.ran(t)
}

func TestTwoSpecsOfOneNameFailTheRunBeforeAnySpec(t *testing.T) {
	o := run(t, "same name")
	o.failed(t)
	o.says(t, `two specs are called "twins: one"; reports and --focus could not tell them apart`)
	o.ran(t)
}

func TestFilterThatSelectsNothingFailsTheRun(t *testing.T) {
	for _, c := range []struct{ flag, says string }{
		{"-ginkgo.label-filter=fast && slow", `no spec is selected by --label-filter="fast && slow" --focus=[]`},
		{"-ginkgo.focus=nowhere", `no spec is selected by --label-filter="fast" --focus=["nowhere"]`},
	} {
		o := run(t, "speeds", c.flag)
		o.failed(t)
		o.says(t, c.says+"; labels are chaos, crash, kill, fast, slow, browser, screenshots, virtual, realtime, process, rpc, worker, controller, lifecycle, vm")
		o.ran(t)
	}
}

func TestWithoutLabelFilterOnlyFastSpecsRun(t *testing.T) {
	for _, c := range []struct {
		flags []string
		ran   []string
	}{
		{nil, []string{"fast"}},
		{[]string{"-ginkgo.label-filter=slow"}, []string{"slow"}},
		{[]string{"-ginkgo.label-filter=!slow"}, []string{"fast", "unlabelled"}},
	} {
		o := run(t, "speeds", append(c.flags, "-ginkgo.focus=speeds:")...)
		o.succeeded(t)
		o.ran(t, c.ran...)
	}
}

func TestSpecsAreDeclaredInEachModeButThoseLeftOut(t *testing.T) {
	o := run(t, "modes", "-ginkgo.focus=modes:", "-ginkgo.label-filter=fast || slow", "-ginkgo.dry-run")
	o.succeeded(t)
	o.ran(t, "everywhere process", "everywhere realtime", "everywhere virtual", "only virtual", "without realtime", "without virtual")
}

func TestModeIsLeftOutForAReason(t *testing.T) {
	run(t, "no reason").says(t, `panic: "modes:" is not for every mode and does not say why`)
}

func TestEachSpecInVirtualTimeHasABubbleOfItsOwn(t *testing.T) {
	o := run(t, "leak", "-ginkgo.focus=bubbles:")
	o.failed(t)
	o.says(t, "the spec left something running", "1 Passed | 1 Failed")
	o.ran(t, "begins anew", "leaks")
}

func TestChaosSiteThatNoSpecFiredFailsACompleteRun(t *testing.T) {
	o := run(t, "a site never fired")
	o.failed(t)
	o.says(t, "every chaos site must be fired by some spec", `>: ["fixture.silent"] to be empty`)
	o.ran(t, "most: is fired", "smoke: runs a job to its end in one attempt")

	run(t, "every site fired").succeeded(t)
	run(t, "a site never fired", "-ginkgo.focus=most").succeeded(t) // it is not complete
}

func TestRecordsOfParallelProcessesArriveInTheSummary(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "tool", "ginkgo", "-p", "--procs=2", "--no-color", os.Args[0])
	o := execute(t, cmd, "every site fired by some spec")
	o.succeeded(t)
	o.says(t, "Running in parallel across 2 processes")
	for _, area := range areas() {
		sites := 0
		for _, site := range chaos.Sites() {
			if strings.HasPrefix(site.Name(), area+".") {
				sites++
			}
		}
		o.says(t, fmt.Sprintf("+ %s virtual 1 %d 0 %v ", area, sites, time.Duration(sites)*time.Minute))
	}
}

// outcome is what became of a run.
type outcome struct {
	exit   int
	output string
	report types.Report
}

// run runs a fixture in a process of its own.
func run(t *testing.T, fixture string, flags ...string) outcome {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.json")
	flags = append(flags, "-test.timeout=1m", "-ginkgo.no-color", "-ginkgo.json-report="+path)
	o := execute(t, exec.CommandContext(t.Context(), os.Args[0], flags...), fixture)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) { // it ended before any spec
		return o
	}
	if err != nil {
		t.Fatal(err)
	}
	var reports []types.Report
	if err := json.Unmarshal(text, &reports); err != nil {
		t.Fatal(err)
	}
	o.report = reports[0]
	return o
}

func execute(t *testing.T, cmd *exec.Cmd, fixture string) outcome {
	t.Helper()
	cmd.Env = append(os.Environ(), fixtureVariable+"="+fixture, reportsVariable+"="+t.TempDir())
	output, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("fixture %q, %s:\n%s", fixture, cmd.Args[1:], output)
		}
	})
	return outcome{exit: cmd.ProcessState.ExitCode(), output: string(output)}
}

func (o outcome) failed(t *testing.T) {
	t.Helper()
	if o.exit != 1 {
		t.Errorf("exit code %d, want 1", o.exit)
	}
}

func (o outcome) succeeded(t *testing.T) {
	t.Helper()
	if o.exit != 0 {
		t.Errorf("exit code %d, want 0", o.exit)
	}
}

// says checks that the output has all the texts, however it is indented.
func (o outcome) says(t *testing.T, texts ...string) {
	t.Helper()
	space := regexp.MustCompile(`\s+`)
	for _, text := range texts {
		if !strings.Contains(space.ReplaceAllString(o.output, " "), text) {
			t.Errorf("the output has no %q", text)
		}
	}
}

// ran checks which specs ran, whatever became of them.
func (o outcome) ran(t *testing.T, want ...string) {
	t.Helper()
	var ran []string
	for _, spec := range o.report.SpecReports {
		if spec.LeafNodeType.Is(types.NodeTypeIt) && !spec.State.Is(types.SpecStateSkipped) {
			ran = append(ran, spec.LeafNodeText)
		}
	}
	slices.Sort(ran)
	if !slices.Equal(ran, want) {
		t.Errorf("%q ran, want %q", ran, want)
	}
}
