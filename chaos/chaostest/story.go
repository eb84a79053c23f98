package chaostest

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"iris/chaos"
)

// firingsShown is how many firings a failed test prints, the last ones.
const firingsShown = 100

// verdictOf is a line for each rule that did not do its work, or "".
func verdictOf(rules []*chaos.Rule) string {
	var missed []string
	for _, r := range rules {
		err := r.Verify()
		if err == nil {
			continue
		}
		text := err.Error()
		if r.Counts().Reached == 0 {
			text += "; a lab sees hits with its Context(), and those whose label cluster is its Name()"
		}
		missed = append(missed, text)
	}
	return strings.Join(missed, "\n")
}

// story is what the rules did, and how to have them do it again.
func (l *Lab) story(rules []*chaos.Rule, held []int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "chaos in %s, with the seed %d:\n", l.Name(), l.seed)
	if len(rules) == 0 {
		b.WriteString("  no rule was armed\n")
	}
	for i, r := range rules {
		c := r.Counts()
		fmt.Fprintf(&b, "  %v\n    fired %d of %d matched, %d reached", r, c.Fired, c.Matched, c.Reached)
		if held[i] > 0 {
			fmt.Fprintf(&b, "; held %d in a pause at the end", held[i])
		}
		b.WriteString("\n")
	}
	l.firings(&b)
	fmt.Fprintf(&b, "to repeat it: %s=%d %s", SeedVariable, l.seed, l.command())
	return b.String()
}

// firings is a table of what fired.
func (l *Lab) firings(b *strings.Builder) {
	all := l.scope.Firings()
	if len(all) == 0 {
		return
	}
	if over := len(all) - firingsShown; over > 0 {
		fmt.Fprintf(b, "  (%d firings before these are not shown)\n", over)
		all = all[over:]
	}
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "  AFTER\tSITE\tHIT\tACTION\tLABELS\n")
	for _, f := range all {
		fmt.Fprintf(table, "  %v\t%s\t%d\t%s\t%s\n", f.At.Sub(l.began).Round(time.Microsecond), f.Site, f.Nth, f.Action, labelsOf(f))
	}
	_ = table.Flush() // a strings.Builder takes everything
}

// labelsOf are the labels of a firing but for the scope, which all have.
func labelsOf(f chaos.Firing) string {
	var labels []string
	for _, key := range slices.Sorted(maps.Keys(f.Labels)) {
		if key != "cluster" {
			labels = append(labels, key+"="+f.Labels[key])
		}
	}
	return strings.Join(labels, ",")
}

// command runs this test alone.
func (l *Lab) command() string {
	if ginkgo, ok := l.t.(interface{ RandomSeed() int64 }); ok {
		return fmt.Sprintf("ginkgo --seed=%d --focus=%s", ginkgo.RandomSeed(), shell(regexp.QuoteMeta(l.Name())))
	}
	var path []string
	for part := range strings.SplitSeq(l.Name(), "/") {
		path = append(path, "^"+regexp.QuoteMeta(part)+"$")
	}
	flag := "-run"
	if _, ok := l.t.(interface{ ReportMetric(float64, string) }); ok {
		flag = "-run '^$' -bench"
	}
	return "go test -count=1 " + flag + " " + shell(strings.Join(path, "/"))
}

// shell quotes a text for a shell.
func shell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
