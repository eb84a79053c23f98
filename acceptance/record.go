package acceptance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/onsi/ginkgo/v2"

	"iris/acceptance/timeline"
	"iris/chaos"
	pb "iris/iris/proto"
)

// recordName is the report entry that every spec leaves: reports and the run's checks are made from it.
const recordName = "scenario"

// Record is what one spec did, as far as the report's reader wants to know.
type Record struct {
	Mode     string         // its label
	Elapsed  time.Duration  // by the spec's own clock, from the boot on
	Fired    map[string]int // by site; and "kill" and "network", faults that have none
	Attempts int            // over all jobs
	// Story is the file that its timeline waits in, since reports have every record as text; empty: it has no cluster.
	Story string
}

// record notes what the spec did, before its rules go.
func (c *Cluster) record(ctx context.Context) {
	r := Record{Mode: c.Label, Elapsed: time.Since(c.booted), Fired: fired(c.Chaos.Firings())}
	if c.kills > 0 {
		r.Fired["kill"] = c.kills
	}
	if n := len(c.network().All()); n > 0 {
		r.Fired["network"] = n
	}
	failed := ginkgo.CurrentSpecReport().Failed()
	if failed {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, askedOfFailed)
		defer cancel()
	}
	all, err := c.inventory(ctx)
	if err != nil && !failed {
		ginkgo.Fail(err.Error())
	}
	for _, t := range all.tasks {
		r.Attempts += len(t.Attempts)
	}
	if r.Story, err = keep(c.timeline(ctx, all)); err != nil {
		ginkgo.Fail(err.Error())
	}
	ginkgo.AddReportEntry(recordName, r, ginkgo.ReportEntryVisibilityNever)
}

// keep writes a timeline into a file, for fetch to read when the suite is over.
func keep(story timeline.Timeline) (string, error) {
	text, err := json.Marshal(story)
	if err != nil {
		return "", fmt.Errorf("keep a timeline: %w", err)
	}
	file, err := os.CreateTemp("", "iris-timeline-*.json")
	if err != nil {
		return "", fmt.Errorf("keep a timeline: %w", err)
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Close()); err != nil {
		return "", fmt.Errorf("keep a timeline: %w", err)
	}
	return file.Name(), nil
}

// fetch reads a timeline that was kept, and removes the file.
func fetch(path string) (story timeline.Timeline, err error) {
	text, err := os.ReadFile(path)
	if err == nil {
		err = errors.Join(json.Unmarshal(text, &story), os.Remove(path))
	}
	if err != nil {
		return story, fmt.Errorf("fetch a timeline: %w", err)
	}
	return story, nil
}

// inventory is all jobs and their tasks.
type inventory struct {
	jobs  []*pb.JobStatus
	tasks []*pb.TaskStatus
}

// inventory asks for them; a cluster that did not start has none.
func (c *Cluster) inventory(ctx context.Context) (all inventory, err error) {
	if c.Client == nil {
		return all, nil
	}
	if all.jobs, err = c.Jobs(ctx, ""); err != nil {
		return all, fmt.Errorf("list the jobs: %w", err)
	}
	for _, j := range all.jobs {
		own, err := c.Job(j.JobId).Tasks(ctx)
		if err != nil {
			return all, fmt.Errorf("list the tasks of %s: %w", j.JobId, err)
		}
		all.tasks = append(all.tasks, own...)
	}
	return all, nil
}

// RecordBare notes, at the end of a spec without a cluster, what its rules did. Call it in a BeforeEach.
func RecordBare(m *Mode, rules chaos.Scope) {
	began := time.Now()
	ginkgo.DeferCleanup(func() {
		ginkgo.AddReportEntry(recordName, Record{Mode: m.Label, Elapsed: time.Since(began), Fired: fired(rules.Firings())},
			ginkgo.ReportEntryVisibilityNever)
	})
}

func fired(firings []chaos.Firing) map[string]int {
	n := map[string]int{}
	for _, f := range firings {
		n[f.Site]++
	}
	return n
}

// toldOfFailed is how many events the story of a failed spec has at the most: the last ones.
const toldOfFailed = 200

// explain tells the story of a failed spec: the state of everything, what happened, and how to see it again.
func (c *Cluster) explain(ctx context.Context) {
	var b strings.Builder
	if c.Client != nil {
		text, err := c.system.Describe(ctx, c.booted)
		if err != nil {
			text = fmt.Sprintf("the controller did not answer: %v\n", err)
		}
		b.WriteString(text)
	}
	for _, rule := range c.Chaos.Rules() {
		fmt.Fprintf(&b, "rule %v: %+v\n", rule, rule.Counts())
	}
	for _, f := range c.network().All() {
		fmt.Fprintf(&b, "network %v: %+v\n", f, f.Effects())
	}
	bounded, cancel := context.WithTimeout(ctx, askedOfFailed)
	defer cancel()
	all, err := c.inventory(bounded)
	if err != nil {
		fmt.Fprintf(&b, "%v\n", err)
	}
	story := c.timeline(bounded, all)
	events := story.Events[max(len(story.Events)-toldOfFailed, 0):]
	fmt.Fprintf(&b, "what happened, in time since the boot (reports/index.html draws it):\n")
	if n := len(story.Events) - len(events); n > 0 {
		fmt.Fprintf(&b, "  … %d events before these\n", n)
	}
	timeline.Text(&b, events)
	for _, note := range story.Notes {
		fmt.Fprintf(&b, "  %s\n", note)
	}
	fmt.Fprintf(&b, "repeat it: %s\n", repeat(c.Label, ginkgo.CurrentSpecReport().LeafNodeText))
	ginkgo.AddReportEntry("the cluster when it failed", b.String(), ginkgo.ReportEntryVisibilityFailureOrVerbose)
}

// repeat is the command that runs a spec again, with the same faults.
func repeat(mode, text string) string {
	return fmt.Sprintf("go tool ginkgo --seed=%d --label-filter=%s --focus=%q", ginkgo.GinkgoRandomSeed(), mode, regexp.QuoteMeta(text))
}
