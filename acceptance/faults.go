package acceptance

import (
	"context"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"

	"iris/chaos"
)

// Faults are the chaos rules of one cluster, wherever its participants run.
type Faults interface {
	// Enable arms a rule that only this cluster sees. One that is impossible is refused, and changes nothing.
	Enable(key string, options ...chaos.Option) (Rule, error)
	// Rules is every rule armed so far, in order; disarmed ones included.
	Rules() []Rule
	// Firings is the log of all rules, oldest first.
	Firings() []chaos.Firing
	// Verify says which rules have fired less often than they should, and what they missed. Nil: none.
	Verify() error
	// Reset disarms and forgets all rules.
	Reset()
}

// Rule is an armed fault (see [chaos.Rule]).
type Rule interface {
	Counts() chaos.Counts
	// Disarm ends the rule; counts and firings stay.
	Disarm()
	// Await waits until n hits in all have paused at the rule.
	Await(ctx context.Context, n int) error
	// Release lets the n hits that have paused longest go on, and returns how many those were.
	Release(n int) int
	String() string
}

// Enable arms a rule that must be valid.
func (c *Cluster) Enable(key string, options ...chaos.Option) Rule {
	ginkgo.GinkgoHelper()
	rule, err := c.Chaos.Enable(key, options...)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return rule
}

// Heal ends all faults, those that were injected too. What they were is kept for the record, and each must have fired.
func (c *Cluster) Heal() {
	ginkgo.GinkgoHelper()
	gomega.Expect(c.Chaos.Verify()).To(gomega.Succeed(), "every armed rule must have fired")
	for _, rule := range c.Chaos.Rules() {
		rule.Disarm()
	}
	c.mend()
}

// FiredOn counts a site's firings by one of their labels.
func (c *Cluster) FiredOn(site, label string) map[string]int {
	n := map[string]int{}
	for _, f := range c.Chaos.Firings() {
		if f.Site == site {
			n[f.Labels[label]]++
		}
	}
	return n
}

// scope is the faults of a cluster in the process of the specs.
type scope struct{ chaos.Scope }

func (s scope) Enable(key string, options ...chaos.Option) (Rule, error) {
	rule, err := s.Scope.Enable(key, options...)
	if err != nil {
		return nil, err // not a nil *chaos.Rule, which would be a Rule
	}
	return rule, nil
}

func (s scope) Rules() []Rule {
	var rules []Rule
	for _, r := range s.Scope.Rules() {
		rules = append(rules, r)
	}
	return rules
}
