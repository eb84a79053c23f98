package acceptance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"

	"iris/acceptance/daemon"
	"iris/chaos"
	"iris/iris/faults"
)

// remoteRule is a rule in several daemons.
type remoteRule struct {
	faults   *remoteFaults
	text     string
	in       []*daemon.Daemon
	ids      map[*daemon.Daemon]string // its id in each, as far as it is known
	released int                       // hits, so far
}

func (r *remoteRule) String() string { return r.text }

// Counts is the sum over all daemons.
func (r *remoteRule) Counts() chaos.Counts {
	ginkgo.GinkgoHelper()
	sum := chaos.Counts{}
	for _, state := range r.states() {
		sum.Reached += state.Reached
		sum.Matched += state.Matched
		sum.Fired += state.Fired
	}
	return sum
}

// Disarm ends the rule everywhere.
func (r *remoteRule) Disarm() {
	ginkgo.GinkgoHelper()
	for _, d := range r.in {
		id := r.id(d)
		r.faults.ask(d, func(ctx context.Context, c *faults.Client) ([]faults.Report, error) {
			return c.Disarm(ctx, id, faults.Self)
		})
	}
}

// Await looks again and again.
func (r *remoteRule) Await(ctx context.Context, n int) error {
	const often = 10 * time.Millisecond
	for {
		paused := r.released
		for _, state := range r.states() {
			paused += state.Held
		}
		if paused >= n {
			return nil
		}
		select {
		case <-time.After(often):
		case <-ctx.Done():
			return fmt.Errorf("chaos: rule %v: %d hits of %d paused: %w", r, paused, n, ctx.Err())
		}
	}
}

// Release lets hits go on, those of the first daemon first.
func (r *remoteRule) Release(n int) int {
	ginkgo.GinkgoHelper()
	released := 0
	for _, d := range r.in {
		if released == n {
			break // to ask for none would release all
		}
		id := r.id(d)
		released += r.faults.ask(d, func(ctx context.Context, c *faults.Client) ([]faults.Report, error) {
			return c.Release(ctx, id, n-released, faults.Self)
		}).Released
	}
	r.released += released
	return released
}

// verify says what the rule has missed, or nil.
func (r *remoteRule) verify() error {
	ginkgo.GinkgoHelper()
	var names []string
	for _, d := range r.in {
		names = append(names, d.Name)
	}
	return missed(r.text, names, r.states())
}

// missed says what a rule has missed that is in the daemons of these names and has done that there, or nil. One in which
// it has fired enough is enough. If it rations its firings there can be one only: what was meant is the sum.
func missed(text string, names []string, states []faults.Rule) error {
	var lacks, matched []string
	for i, state := range states {
		if state.Missed != "" {
			lacks = append(lacks, names[i]+": "+state.Missed)
		}
		if state.Matched > 0 {
			matched = append(matched, names[i])
		}
	}
	rations := strings.Contains(text, " max ") || strings.Contains(text, " min ")
	switch {
	case rations && len(matched) > 1:
		return fmt.Errorf("chaos: rule %s counts to its limit in each of %s, which is more than was meant; match one of them",
			text, strings.Join(matched, ", "))
	case len(lacks) == len(states):
		return fmt.Errorf("chaos: rule %s: in %s", text, strings.Join(lacks, "; in "))
	}
	return nil
}

// states is what the rule has done, in the order of the daemons.
func (r *remoteRule) states() []faults.Rule {
	ginkgo.GinkgoHelper()
	var states []faults.Rule
	for _, d := range r.in {
		id, rules := r.id(d), r.faults.ask(d, listRules).Rules
		i := slices.IndexFunc(rules, func(state faults.Rule) bool { return state.ID == id })
		gomega.Expect(i).NotTo(gomega.BeNumerically("<", 0), "%s has lost its rule %s %v", d.Name, id, r)
		states = append(states, rules[i])
	}
	return states
}

// id is what a daemon calls the rule. One that it was started with has an id of its making: they are in their order.
func (r *remoteRule) id(d *daemon.Daemon) string {
	ginkgo.GinkgoHelper()
	if r.ids[d] == "" {
		rules := r.faults.ask(d, listRules).Rules
		for i, early := range r.faults.early[d] {
			gomega.Expect(len(rules)).To(gomega.BeNumerically(">", i), "%s was not started with the rule %v", d.Name, early)
			early.ids[d] = rules[i].ID
		}
	}
	return r.ids[d]
}
