package acceptance

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/onsi/ginkgo/v2/types"

	"iris/acceptance/timeline"
)

// scenarios are the twenty-one that Iris is measured by, in their order. Each is the name of a spec in every mode.
var scenarios = []string{
	"smoke",
	"dispatch_intermittent_failure", "dispatch_permanent_failure", "heartbeat_temporary_failure",
	"heartbeat_permanent_failure", "report_task_state_failure",
	"worker_crash_mid_task", "worker_delayed_registration", "worker_sequential_jobs", "all_workers_fail",
	"task_fails_once_then_succeeds",
	"bundle_download_intermittent", "task_timeout", "coscheduled_sibling_failure", "retry_budget_exact", "capacity_wait",
	"scheduling_timeout", "dispatch_delayed",
	"quota_exceeded_retry", "vm_init_stuck", "vm_preempted",
}

// row is one scenario in one mode: all specs of that name (one for each seed).
type row struct {
	number   int // in scenarios; -1: not one of them
	name     string
	text     string
	mode     string // its label
	specs    int
	failed   int
	fired    map[string]int
	attempts int
	elapsed  time.Duration // longest, by the spec's own clock
	real     time.Duration // sum
}

// summarize gathers results into rows: the scenarios in order, each in the order of the modes, then the other specs by name.
func summarize(results []result) []row {
	type key struct {
		name, mode string
	}
	rows := map[key]*row{}
	for _, r := range results {
		k := key{r.name, r.record.Mode}
		if rows[k] == nil {
			text, _, _ := strings.Cut(r.text, " (") // one of several of that name
			rows[k] = &row{number: slices.Index(scenarios, r.name), name: r.name, text: text, mode: r.record.Mode,
				fired: map[string]int{}}
		}
		s := rows[k]
		s.specs++
		if r.spec.State != types.SpecStatePassed {
			s.failed++
		}
		for site, n := range r.record.Fired {
			s.fired[site] += n
		}
		s.attempts += r.record.Attempts
		s.elapsed = max(s.elapsed, r.record.Elapsed)
		s.real += r.spec.RunTime
	}
	var all []row
	for _, s := range rows {
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b row) int {
		return cmp.Or(cmp.Compare(uint(a.number), uint(b.number)), cmp.Compare(a.name, b.name),
			cmp.Compare(modeNumber(a.mode), modeNumber(b.mode)))
	})
	return all
}

func modeNumber(label string) int {
	return slices.IndexFunc(modes, func(m *Mode) bool { return m.Label == label })
}

func (s row) verdict() string {
	if s.failed > 0 {
		return fmt.Sprintf("FAILED (%d of %d)", s.failed, s.specs)
	}
	return "survived"
}

func (s row) id() string {
	if s.number < 0 {
		return "+"
	}
	return fmt.Sprint(s.number)
}

// faults writes the firings: "controller.dispatch 8".
func (s row) faults() string {
	var parts []string
	for _, site := range slices.Sorted(maps.Keys(s.fired)) {
		parts = append(parts, fmt.Sprintf("%s %d", site, s.fired[site]))
	}
	return strings.Join(parts, ", ")
}

// faultCount is how often faults struck, whatever they were.
func (s row) faultCount() int {
	all := 0
	for _, n := range s.fired {
		all += n
	}
	return all
}

// complete reports whether all the scenarios are there.
func complete(rows []row) bool {
	for i := range scenarios {
		if !slices.ContainsFunc(rows, func(s row) bool { return s.number == i }) {
			return false
		}
	}
	return true
}

// table is the summary for a terminal.
func table(rows []row) string {
	if len(rows) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%3s  %-31s %-8s %5s %7s %9s %8s %8s  %s\n",
		"#", "scenario", "mode", "specs", "faults", "attempts", "lasted", "real", "verdict")
	var named, further tally
	for _, s := range rows {
		fmt.Fprintf(&b, "%3s  %-31s %-8s %5d %7d %9d %8s %8s  %s\n",
			s.id(), s.name, s.mode, s.specs, s.faultCount(), s.attempts, timeline.Short(s.elapsed), timeline.Short(s.real), s.verdict())
		if s.number >= 0 {
			named.add(s)
		} else {
			further.add(s)
		}
	}
	switch {
	case named.all == 0:
		fmt.Fprintf(&b, "\n%v further scenarios survived\n", further)
	case further.all == 0:
		fmt.Fprintf(&b, "\n%v scenarios survived\n", named)
	default:
		fmt.Fprintf(&b, "\n%v scenarios survived, and %v further ones\n", named, further)
	}
	return b.String()
}

// tally counts rows.
type tally struct{ survived, all int }

func (t *tally) add(s row) {
	t.all++
	if s.failed == 0 {
		t.survived++
	}
}

func (t tally) String() string { return fmt.Sprintf("%d of %d", t.survived, t.all) }

// markdown is the summary as a page.
func markdown(rows []row, report types.Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# What Iris survived\n\nWritten by the suite from its own results: seed %d, %s, %s of real time.\n\n",
		report.SuiteConfig.RandomSeed, report.StartTime.UTC().Format("2006-01-02 15:04 MST"), timeline.Short(report.RunTime))
	b.WriteString("| # | scenario | mode | specs | faults fired | attempts | lasted | real | verdict |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|\n")
	for _, s := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %d | %s | %d | %s | %s | %s |\n",
			s.id(), s.name, s.mode, s.specs, s.faults(), s.attempts, timeline.Short(s.elapsed), timeline.Short(s.real), s.verdict())
	}
	b.WriteString("\n\"Lasted\" is by the scenario's own clock, the longest of its specs; \"real\" is what all of them took.\n")
	var handles, fails []string // a scenario that fails in one mode is not handled
	for _, s := range rows {
		if s.failed > 0 {
			fails = append(fails, fmt.Sprintf("* `%s` (%s): %s\n", s.name, s.mode, s.text))
		}
		if !slices.ContainsFunc(rows, func(other row) bool { return other.name == s.name && other.failed > 0 }) {
			handles = append(handles, fmt.Sprintf("* `%s`: %s\n", s.name, s.text))
		}
	}
	section := func(title string, lines []string) {
		if len(lines) == 0 {
			lines = []string{"Nothing in this run.\n"}
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s", title, strings.Join(slices.Compact(lines), ""))
	}
	section("What Iris handles", handles)
	section("What it does not", fails)
	return b.String()
}
