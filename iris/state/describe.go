package state

import (
	"fmt"
	"strings"
	"time"
)

// Describe writes the whole cluster as text, times as seconds since the given instant: for transcripts and failures.
func (c *Cluster) Describe(since time.Time) string {
	var b strings.Builder
	at := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return fmt.Sprintf("%gs", t.Sub(since).Seconds())
	}
	for _, w := range c.Workers() {
		state := "LIVE"
		if w.Lost {
			state = "LOST " + w.LostCause
		}
		fmt.Fprintf(&b, "worker %s %s, %v committed of %v\n", w.ID, state, w.Committed, w.Capacity)
	}
	for _, g := range c.Groups() {
		fmt.Fprintf(&b, "group %s %d of %d..%d slices, failures %d, backoff %s%s\n",
			g.Name, g.slices, g.MinSlices, g.MaxSlices, g.Failures, at(g.BackoffUntil), quoted(g.Failure))
	}
	for _, s := range c.fleet.slices {
		fmt.Fprintf(&b, "slice %s %v since %s, %d of %d workers, %d attempts%s\n",
			s.ID, s.State, at(s.Since), s.Live(), len(s.VMs), s.held, quoted(s.Cause))
	}
	for _, j := range c.order {
		fmt.Fprintf(&b, "job %s %q %v%s\n", j.ID, j.Spec.Name, j.State, quoted(j.Error))
		for i := range j.Tasks {
			t := &j.Tasks[i]
			fmt.Fprintf(&b, "  task %d %v%s\n", i, t.State, quoted(t.Error))
			for n, a := range t.Attempts {
				held := ""
				if !a.Released {
					held = ", held"
				}
				fmt.Fprintf(&b, "    attempt %d on %s %v %s..%s%s%s\n",
					n, a.Worker, a.State, at(a.Assigned), at(a.Finished), held, quoted(a.Error))
			}
		}
	}
	return b.String()
}

func quoted(text string) string {
	if text == "" {
		return ""
	}
	return fmt.Sprintf(" %q", text)
}
