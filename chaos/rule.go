package chaos

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	firingsKept = 1024 // per rule
	labelsShown = 4    // different labels that Verify shows for a rule that matched none
)

// Rule is a fault armed on a site. Enable makes it; it lives until [Rule.Disarm] or Reset, whichever is
// first.
type Rule struct {
	plan
	armedAt time.Time
	text    string // what String returns

	mu      sync.Mutex // never held while waiting, or while calling out
	over    bool       // disarmed
	counts  Counts
	targets map[targetKey]*Counts
	at      int      // the step that decides; len(steps) once all are over
	done    []int    // firings of each step, or hits that it let pass
	foreign int      // hits of other clusters
	strange []string // what the labels were when they did not match, until one did
	firings []entry  // the last firingsKept, as a ring

	waits  []*wait // in order of arrival
	paused int     // hits that have paused so far
}

// targetKey keeps targets of the same name in two clusters apart, so that one does not disturb the other's
// pattern.
type targetKey struct{ cluster, target string }

// Counts says how far the hits of a site came with a rule.
type Counts struct {
	Reached int // hits of the site in the rule's scope, while armed, that no earlier rule had failed
	Matched int // of these, hits whose labels matched
	Fired   int // of these, hits the trigger chose; a wait cut short afterwards still counts
}

// Firing is one entry of the log of firings.
type Firing struct {
	At     time.Time // when the decision was made, before any wait
	Site   string
	Target string // values of the site's target labels, joined with "/"
	Nth    int    // the how-manieth matched hit of this target it was, from 1
	Labels Labels // read only
	Action string // as in "delay 3s fail"
	Rule   string // the rule's String
}

// entry orders firings of different rules; times may be equal, or from different clocks.
type entry struct {
	order uint64
	event Event
}

var firingOrder atomic.Uint64

// Site is where the rule is armed, or was.
func (r *Rule) Site() *Site { return r.site }

// String is the rule as text: the site, what it matches, the trigger (defaults left out) and the action.
// For example "worker.heartbeat[worker=w-0] rate 0.5 max 3 delay 3s". [EnableText] arms an equal rule from
// it, unless the rule has a callback. What remains of the error of [Err] are its text and code.
func (r *Rule) String() string { return r.text }

// mark tells the rules of this process from those of any other.
var mark = strings.ToLower(rand.Text()[:6])

var lastID atomic.Uint64

// NewID is a name for a rule that no other rule of any process has, short enough to type.
func NewID() string { return fmt.Sprintf("%s-%d", mark, lastID.Add(1)) }

// ID is the rule's name, which no other rule of its scope has. Unless [ID] gave it, no other rule has it, in
// this process or any other.
func (r *Rule) ID() string { return r.id }

// Armed reports whether the rule still decides: it has not been disarmed.
func (r *Rule) Armed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.over
}

// Counts is the sum over all targets.
func (r *Rule) Counts() Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts
}

// Targets is the count of each target that reached the rule, summed over clusters. The key is the value of
// the site's target label (several are joined with "/"), or "" if the site has none.
func (r *Rule) Targets() map[string]Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[string]Counts, len(r.targets))
	for key, c := range r.targets {
		sum := all[key.target]
		all[key.target] = Counts{sum.Reached + c.Reached, sum.Matched + c.Matched, sum.Fired + c.Fired}
	}
	return all
}

// Disarm takes the rule off its site and wakes whatever waits at it; the hits it held go on without
// failing. Disarming again does nothing. Counts and firings stay, and Verify still judges the rule, until
// Reset.
func (r *Rule) Disarm() {
	registry.mu.Lock()
	r.site.drop(r)
	registry.mu.Unlock()
	r.end()
}

// decide counts a hit and returns what is to be done to it, or nil if the rule does not fire. It is one atomic
// decision.
func (r *Rule) decide(target string, labels Labels) *action {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return nil
	}
	if !r.scope.sees(labels) {
		r.foreign++
		return nil
	}
	key := targetKey{labels[clusterKey], target}
	t := r.targets[key]
	if t == nil {
		t = new(Counts)
		r.targets[key] = t
	}
	r.counts.Reached++
	t.Reached++
	if !r.matches(labels) {
		return nil
	}
	r.counts.Matched++
	t.Matched++
	now := time.Now()
	if !r.trigger.lets(t.Matched, now.Sub(r.armedAt)) {
		return nil
	}
	s := r.step(target, t.Matched)
	if s == nil {
		return nil
	}
	fired := Event{By: r, Firing: Firing{
		At: now, Site: r.site.name, Target: target, Nth: t.Matched, Labels: maps.Clone(labels),
		Action: s.action.String()[1:], Rule: r.text,
	}}
	r.log(entry{firingOrder.Add(1), fired})
	r.counts.Fired++
	t.Fired++
	r.site.fired.Add(1)
	tell(fired)
	return &s.action
}

// step is the one that fires on the nth matched hit of a target, which the trigger lets through; nil: none does.
// It counts what the step has done, and goes on to the next one when this one is over. The caller holds r.mu.
func (r *Rule) step(target string, nth int) *step {
	for r.at < len(r.steps) && r.done[r.at] >= r.steps[r.at].count {
		r.at++
	}
	if r.at == len(r.steps) {
		return nil
	}
	s := &r.steps[r.at]
	if s.pass {
		r.done[r.at]++
		return nil
	}
	if r.counts.Fired >= r.trigger.floor && draw(r.trigger.seed, r.site.name, target, nth) >= s.rate {
		return nil
	}
	r.done[r.at]++
	return s
}

// matches compares labels with what the rule wants. It remembers a few that differ for Verify to show.
func (r *Rule) matches(labels Labels) bool {
	differs := func(l label) bool { value, ok := labels[l.key]; return !ok || value != l.value }
	if !slices.ContainsFunc(r.match, differs) {
		return true
	}
	if r.counts.Matched > 0 || len(r.strange) == labelsShown {
		return false
	}
	var got []string
	for _, l := range r.match {
		if value, ok := labels[l.key]; ok {
			got = append(got, label{l.key, value}.String())
		} else {
			got = append(got, "no "+l.key)
		}
	}
	if text := strings.Join(got, ","); !slices.Contains(r.strange, text) {
		r.strange = append(r.strange, text)
	}
	return false
}

// log keeps e, in place of the oldest entry once firingsKept are there. The number of all is in counts.
func (r *Rule) log(e entry) {
	if len(r.firings) < firingsKept {
		r.firings = append(r.firings, e)
		return
	}
	r.firings[r.counts.Fired%firingsKept] = e
}

// Verify says what the rule has missed so far, or nil, as [Verify] does for all.
func (r *Rule) Verify() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, demand := r.counts, r.trigger.demand
	idle := slices.Index(r.done, 0)
	var missed string
	switch {
	case demand == 0 || c.Fired >= demand && idle < 0:
		return nil
	case c.Reached == 0 && r.foreign > 0:
		missed = fmt.Sprintf("never reached by its cluster (%s came from elsewhere)", times(r.foreign, "hit"))
	case c.Reached == 0:
		missed = "never reached"
	case c.Matched == 0:
		missed = fmt.Sprintf("reached %s, but no label matched; seen: %s",
			times(c.Reached, "time"), strings.Join(r.strange, "; "))
	case c.Fired == 0 && r.done[0] > 0:
		missed = fmt.Sprintf("matched %s, of which %v let %d pass, but never fired", times(c.Matched, "time"), &r.steps[0], r.done[0])
	case c.Fired == 0:
		missed = fmt.Sprintf("matched %s, but never drawn", times(c.Matched, "time"))
	case c.Fired >= demand:
		missed = fmt.Sprintf("fired %s, but its step %d, %v, had no turn (matched %s)",
			times(c.Fired, "time"), idle+1, &r.steps[idle], times(c.Matched, "time"))
	default:
		missed = fmt.Sprintf("fired %s, fewer than its floor of %d (matched %s)",
			times(c.Fired, "time"), demand, times(c.Matched, "time"))
	}
	return errors.New("chaos: rule " + r.text + ": " + missed)
}

func times(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
