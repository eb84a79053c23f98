package swarm

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"iris/acceptance/timeline"
	"iris/chaos"
)

// Write writes a report for people: what was told, and what the stories reached and what they did not.
func (r *Report) Write(w io.Writer, name string) {
	for i, c := range r.Counts(name) {
		if i == 0 {
			fmt.Fprintf(w, "%s: %s\n", c.Name, c.Text)
		} else {
			fmt.Fprintf(w, "  %-8s %s\n", c.Name, c.Text)
		}
	}
}

// Counts are the same as a table.
func (r *Report) Counts(name string) (all []timeline.Count) {
	say := func(name, format string, args ...any) {
		all = append(all, timeline.Count{Name: name, Text: fmt.Sprintf(format, args...)})
	}
	hours := r.Told.Hours()
	say(name, "%d stories, %.0f cluster-hours in %.1f s of processor time: %.1f a second; %d broke a promise, %d had no effect",
		r.Stories, hours, r.CPU.Seconds(), hours/max(r.CPU.Seconds(), 0.001), len(r.Findings), r.Idle)
	say("jobs", "%s", counts(r.Ends))
	say("faults", "%s", counts(r.Struck))
	say("sites", "%s", counts(r.Sites))
	if missing := r.silentSites(); len(missing) > 0 {
		say("", "never: %s", strings.Join(missing, ", "))
	}
	if len(r.Met) == 0 {
		return all // only the pure core can be looked into
	}
	say("history", "SHA-256 %x, of all histories together", r.Digest)
	unmet, foreseen := r.Unmet(), 0
	for _, c := range reachable {
		foreseen += len(c.states)
	}
	say("commands", "met %d of %d states", foreseen-len(unmet), foreseen)
	if len(unmet) > 0 {
		say("", "never: %s", strings.Join(unmet, "; "))
	}
	if strange := r.Unforeseen(); len(strange) > 0 {
		say("", "unforeseen: %s", strings.Join(strange, "; "))
	}
	say("rows", "%d of the failure modes 1 to 62, and %d are beyond it", 62-len(beyond)-len(r.Unreached()), len(beyond))
	if rows := r.Unreached(); len(rows) > 0 {
		say("", "never: %v", rows)
	}
	return all
}

// counts is a map as text, the most first; what never was is left out.
func counts[K cmp.Ordered](n map[K]int) string {
	keys := slices.SortedFunc(maps.Keys(n), func(a, b K) int { return cmp.Or(cmp.Compare(n[b], n[a]), cmp.Compare(a, b)) })
	var all []string
	for _, k := range keys {
		if n[k] > 0 {
			all = append(all, fmt.Sprintf("%v %d", k, n[k]))
		}
	}
	return strings.Join(all, ", ")
}

// silentSites are the chaos sites of the product that never fired.
func (r *Report) silentSites() (silent []string) {
	for _, site := range chaos.Sites() {
		if r.Sites[site.Name()] == 0 {
			silent = append(silent, site.Name())
		}
	}
	return silent
}

// Describe is a finding for people: how it fails, the smallest story that does, and how to tell it again.
func (f Finding) Describe(t Teller, path string) string {
	return fmt.Sprintf("seed %d of the %s generator: %v\n\n%s\n%s\nagain: make replay GEN=%s STORY=%s\n",
		f.Seed, t.Name, f.Violation, Spec(t, f.Story, f.Violation), f.Story.Marshal(), t.Name, path)
}
