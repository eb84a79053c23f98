package swarm

import (
	"fmt"
	"strings"
	"sync"

	"iris/acceptance/swarm/story"
	"iris/acceptance/timeline"
	"iris/chaos"
)

// Page is the page of a run: what was counted, and the timelines of stories. It is safe for concurrent use.
type Page struct {
	mu           sync.Mutex
	run          timeline.Run
	stories, bad int
}

// NewPage is one without stories.
func NewPage(repeat string) *Page {
	p := &Page{run: timeline.Run{Title: "Random stories", Repeat: repeat, Sites: map[string]string{}}}
	for _, site := range chaos.Sites() {
		p.run.Sites[site.Name()] = site.Doc()
	}
	return p
}

// Count adds what came of a generator's stories.
func (p *Page) Count(r *Report, name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.run.Took += timeline.Span(r.CPU)
	p.stories, p.bad = p.stories+r.Stories, p.bad+len(r.Findings)
	p.run.Outcome = fmt.Sprintf("%d random stories, %d broke a promise", p.stories, p.bad)
	p.run.Counts = append(p.run.Counts, r.Counts(name)...)
}

// Add adds a story, which is told again for it, as often as it may take to fail if it is to. Again is the command that tells it.
func (p *Page) Add(t Teller, s story.Story, violation error, again string) {
	drawn, got := t.Timeline(s)
	for range t.Tries - 1 {
		if violation == nil || got != nil {
			break
		}
		drawn, got = t.Timeline(s)
	}
	drawn.Title, drawn.Repeat = fmt.Sprintf("story %d of the %s generator", s.Seed, t.Name), again
	out := timeline.Scenario{ID: fmt.Sprintf("%s-%d", t.Name, s.Seed), Name: fmt.Sprintf("%s %d", t.Name, s.Seed), Mode: t.Name, Specs: 1,
		Text: fmt.Sprintf("%d jobs and %d faults, drawn from seed %d", len(s.Jobs), len(s.Faults), s.Seed), Lasted: drawn.Lasts}
	if violation != nil {
		why, _, _ := strings.Cut(violation.Error(), "\n")
		out.Failed, out.Text, drawn.Failure = 1, why, violation.Error()
		if got == nil {
			drawn.Notes = append(drawn.Notes, "It did not fail again when it was told for this page: what is drawn is another course of it.")
		}
	}
	for _, e := range drawn.Events {
		switch {
		case e.Kind == timeline.Fault && !strings.HasSuffix(e.What, " is over"), e.Kind == timeline.Killed:
			out.Faults++
		case e.Kind == timeline.AttemptMoved && strings.HasSuffix(e.What, " ASSIGNED"):
			out.Attempts++
		}
	}
	out.Timelines = []timeline.Timeline{drawn}
	p.mu.Lock()
	defer p.mu.Unlock()
	if out.Failed > 0 { // what failed is first
		p.run.Scenarios = append([]timeline.Scenario{out}, p.run.Scenarios...)
	} else {
		p.run.Scenarios = append(p.run.Scenarios, out)
	}
}

// Write writes it into a directory, as the latest page and under its own name.
func (p *Page) Write(dir string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return timeline.Write(dir, p.run, "index", "swarm")
}
