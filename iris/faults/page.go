package faults

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc/status"
)

// Page writes answers for people. It cuts nothing: what is too long for a line goes on, indented, in the next one.
type Page struct {
	Out io.Writer
	// Width is that of a line in characters; 0: no limit.
	Width int
	// Targets adds the counts of each target to those of a rule.
	Targets bool
}

// Sites writes the places where chaos may strike, what they do and which labels a rule may match. Processes that have the
// same sites are listed as one.
func (p *Page) Sites(reports []Report) error {
	out := p.begin()
	groups := gather(reports, func(r Report) string {
		var text strings.Builder
		for _, s := range r.Sites {
			fmt.Fprintf(&text, "%s\n\t%s\n\tmay %s", s.Name, s.Doc, strings.Join(s.Can, ", "))
			if s.Labels != nil {
				fmt.Fprintf(&text, "; labels %s", strings.Join(s.Labels, ", "))
			}
			text.WriteString("\n")
		}
		return text.String()
	})
	for _, g := range groups {
		if len(groups) > 1 {
			out.line(0, list(g.names)+":")
		}
		for line := range strings.Lines(g.text) {
			text := strings.TrimLeft(strings.TrimSuffix(line, "\n"), "\t")
			out.line(4*strings.Count(line, "\t"), text)
		}
	}
	return out.end(reports)
}

// Rules writes each rule with what it did in each process. Processes where it did the same are listed as one.
func (p *Page) Rules(reports []Report) error {
	out := p.begin()
	type key struct{ id, text string }
	var order []key
	in := map[key][]Report{} // with that rule alone
	for _, r := range reports {
		for _, rule := range r.Rules {
			k := key{rule.ID, rule.Text}
			if in[k] == nil {
				order = append(order, k)
			}
			in[k] = append(in[k], Report{Process: r.Process, Rules: []Rule{rule}})
		}
	}
	for _, k := range order {
		out.line(0, k.id+"  "+k.text)
		groups := gather(in[k], func(r Report) string { return p.deeds(r.Rules[0]) })
		widest := 0
		for i := range groups {
			groups[i].names = []string{list(groups[i].names)}
			widest = max(widest, utf8.RuneCountInString(groups[i].names[0]))
		}
		for _, g := range groups {
			first, rest, _ := strings.Cut(g.text, "\n")
			out.line(2, fmt.Sprintf("%-*s  %s", min(widest, 20), g.names[0], first))
			for line := range strings.Lines(rest) {
				out.line(6, strings.TrimSuffix(line, "\n"))
			}
		}
	}
	if len(order) == 0 && slices.ContainsFunc(reports, func(r Report) bool { return r.Err == nil }) {
		out.line(0, "no rules")
	}
	return out.end(reports)
}

// deeds are what a rule did, in words; each target has a line of its own.
func (p *Page) deeds(r Rule) string {
	text := "armed, "
	if !r.Armed {
		text = "disarmed, "
	}
	if r.Missed != "" {
		text += r.Missed
	} else {
		text += tally(r.Counts)
	}
	if r.Held > 0 {
		text += fmt.Sprintf(", holds %d", r.Held)
	}
	if !p.Targets {
		return text
	}
	for _, target := range slices.Sorted(maps.Keys(r.Targets)) {
		if target != "" { // the only one of a site without targets
			text += "\n" + printable(target) + ": " + tally(r.Targets[target])
		}
	}
	if r.MoreTargets > 0 {
		text += fmt.Sprintf("\nand %d more targets", r.MoreTargets)
	}
	return text
}

func tally(c Counts) string {
	return fmt.Sprintf("fired %d of %d matched, %d reached", c.Fired, c.Matched, c.Reached)
}

// News writes one message of a watch.
func (p *Page) News(n News) error {
	out := p.begin()
	who := strings.Join(n.Process.Names, ", ")
	switch {
	case n.Began:
		out.line(0, who+" is watched")
	case n.Lost != nil:
		out.line(0, who+" is not watched: "+status.Convert(n.Lost).Message())
	case n.Fired != nil:
		f := n.Fired
		if f.Missed > 0 {
			out.line(0, fmt.Sprintf("%s fired %d times that were not read in time", who, f.Missed))
		}
		text := fmt.Sprintf("%s  %s  %s  %s: %s, hit %d", f.At.Format("15:04:05.000"), who, f.ID, f.Site, f.Action, f.Nth)
		if f.Target != "" {
			text += " of " + f.Target
		}
		out.line(0, text)
	}
	return out.end(nil)
}

// gathered is processes that have the same to say.
type gathered struct {
	names []string
	text  string
}

// gather joins the answers that say the same, in the order of the first of each. Those that say nothing are left out.
func gather(reports []Report, say func(Report) string) []gathered {
	var groups []gathered
	for _, r := range reports {
		text := say(r)
		if text == "" {
			continue
		}
		i := slices.IndexFunc(groups, func(g gathered) bool { return g.text == text })
		if i < 0 {
			i = len(groups)
			groups = append(groups, gathered{text: text})
		}
		groups[i].names = append(groups[i].names, r.Process.Names...)
	}
	return groups
}
