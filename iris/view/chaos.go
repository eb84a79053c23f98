package view

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	pb "iris/iris/proto"
	model "iris/iris/state"
)

// shownNames is how many processes that have the same to say are listed.
const shownNames = 20

// ChaosSites writes the places where chaos may strike, what it may do there and which labels a rule may match. Processes
// with the same sites are written as one; their names come first if there are others.
func ChaosSites(w io.Writer, terminal Terminal, reports []*pb.ChaosReport) error {
	p := &page{terminal: terminal}
	groups := gather(reports, func(r *pb.ChaosReport) string {
		site := &page{terminal: terminal}
		for _, s := range r.Sites {
			site.text(0, bold, s.Name)
			site.text(4, plain, s.Doc)
			text := "may " + strings.Join(s.Can, ", ")
			if len(s.Labels) > 0 {
				text += "; labels " + strings.Join(s.Labels, ", ")
			}
			site.text(4, plain, text)
		}
		return site.out.String()
	})
	for _, g := range groups {
		if len(groups) > 1 {
			p.text(0, bold, g.names()+":")
		}
		p.out.WriteString(g.text)
	}
	return p.write(w, reports)
}

// ChaosRules writes each rule with what it did in each process. Processes where it did the same are written as one. With
// targets, what it did to each of them comes below.
func ChaosRules(w io.Writer, terminal Terminal, targets bool, reports []*pb.ChaosReport) error {
	p := &page{terminal: terminal}
	type key struct{ id, text string }
	var order []key
	in := map[key][]*pb.ChaosReport{} // with that rule alone
	for _, r := range reports {
		for _, rule := range r.Rules {
			k := key{rule.Id, rule.Text}
			if in[k] == nil {
				order = append(order, k)
			}
			in[k] = append(in[k], &pb.ChaosReport{Process: r.Process, Rules: []*pb.ChaosRule{rule}})
		}
	}
	for _, k := range order {
		p.item(0, bold, k.id, k.text)
		groups := gather(in[k], func(r *pb.ChaosReport) string { return p.deeds(r.Rules[0], targets) })
		widest := 0
		for _, g := range groups {
			widest = max(widest, columns(g.names()))
		}
		for _, g := range groups {
			first, rest, _ := strings.Cut(g.text, "\n")
			p.item(2, plain, fmt.Sprintf("%-*s", min(widest, 24), g.names()), first)
			p.out.WriteString(rest)
		}
	}
	if len(order) == 0 && slices.ContainsFunc(reports, func(r *pb.ChaosReport) bool { return r.Error == nil }) {
		p.text(0, plain, "no rules")
	}
	return p.write(w, reports)
}

// deeds are what a rule did, in one line, and below it what it did to each target.
func (p *page) deeds(r *pb.ChaosRule, targets bool) string {
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
	below := &page{terminal: p.terminal}
	for _, target := range slices.Sorted(maps.Keys(r.Targets)) {
		if targets && target != "" { // "" is the only one of a site that has none
			below.item(6, plain, target+":", tally(r.Targets[target]))
		}
	}
	if targets && r.MoreTargets > 0 {
		below.text(6, plain, fmt.Sprintf("and %s more", model.CountText(int(r.MoreTargets), "target")))
	}
	return clean(text) + "\n" + below.out.String()
}

func tally(c *pb.ChaosCounts) string {
	return fmt.Sprintf("fired %d of %d matched, %d reached", c.GetFired(), c.GetMatched(), c.GetReached())
}

// ChaosNews writes one message of a watch; times are in UTC.
func ChaosNews(w io.Writer, terminal Terminal, m *pb.WatchChaosResponse) error {
	p := &page{terminal: terminal}
	who := strings.Join(m.Process.GetNames(), ", ")
	switch news := m.News.(type) {
	case *pb.WatchChaosResponse_Began:
		p.text(0, grey, who+" is watched")
	case *pb.WatchChaosResponse_Lost:
		p.text(0, yellow, who+" is not watched: "+news.Lost.GetMessage())
	case *pb.WatchChaosResponse_Fired:
		f := news.Fired
		if f.Missed > 0 {
			p.text(0, yellow, fmt.Sprintf("%s: %s before this one were not read in time", who, model.CountText(int(f.Missed), "firing")))
		}
		text := fmt.Sprintf("%s %s: %s, hit %d", f.Id, f.Site, f.Action, f.Nth)
		if f.Target != "" {
			text += " of " + f.Target
		}
		p.item(0, plain, f.At.AsTime().Format("15:04:05.000")+"  "+who, text)
	}
	return p.write(w, nil)
}

// page is what is about to be written, as items rather than as a table: the text of a rule must not be cut.
type page struct {
	terminal Terminal
	out      strings.Builder
}

// item adds a label in colour and a text: in one line if there is room for it, else the text below the label, further in.
func (p *page) item(indent int, c colour, label, text string) {
	label, text = clean(label), clean(text)
	if p.terminal.Width <= 0 || indent+columns(label)+2+columns(text) <= p.terminal.Width {
		p.line(indent, p.terminal.paint(c, label)+"  "+text)
		return
	}
	p.text(indent, c, label)
	p.text(indent+4, plain, text)
}

// text adds a text in colour, in as many lines as it takes. A terminal of a few columns has no room for an indent.
func (p *page) text(indent int, c colour, text string) {
	width := p.terminal.Width
	if width > 0 {
		indent = min(indent, width/4)
		width -= indent
	}
	for _, line := range wrap(clean(text), width) {
		p.line(indent, p.terminal.paint(c, line))
	}
}

func (p *page) line(indent int, text string) {
	p.out.WriteString(strings.Repeat(" ", indent) + text + "\n")
}

// write writes the page, and below it which processes did not answer, and why.
func (p *page) write(w io.Writer, reports []*pb.ChaosReport) error {
	for _, g := range gather(reports, func(r *pb.ChaosReport) string { return r.Error.GetMessage() }) {
		p.text(0, red, g.names()+" did not answer: "+g.text)
	}
	_, err := io.WriteString(w, p.out.String())
	return err
}

// gathered is processes that have the same to say.
type gathered struct {
	processes []string
	text      string
}

// gather joins the answers that say the same, in the order of the first of each. Those that say nothing are left out.
func gather(reports []*pb.ChaosReport, say func(*pb.ChaosReport) string) []*gathered {
	var groups []*gathered
	for _, r := range reports {
		text := say(r)
		if text == "" {
			continue
		}
		i := slices.IndexFunc(groups, func(g *gathered) bool { return g.text == text })
		if i < 0 {
			i = len(groups)
			groups = append(groups, &gathered{text: text})
		}
		groups[i].processes = append(groups[i].processes, r.Process.GetNames()...)
	}
	return groups
}

func (g *gathered) names() string {
	if more := len(g.processes) - shownNames; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(g.processes[:shownNames], ", "), more)
	}
	return strings.Join(g.processes, ", ")
}
