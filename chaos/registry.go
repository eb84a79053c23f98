package chaos

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// registry is all the state of the package: the sites of the program, and the rules armed since the last
// Reset.
var registry = struct {
	mu    sync.Mutex // taken before a rule's, never the other way round
	sites map[string]*Site
	rules []*Rule          // in order of arming, disarmed ones included
	seeds map[Scope]uint64 // of the zero Scope: for scopes that have none
}{sites: map[string]*Site{}, seeds: map[Scope]uint64{}}

// declare adds a site, and reports false if its name is taken.
func declare(s *Site) bool {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	if registry.sites[s.name] != nil {
		return false
	}
	registry.sites[s.name] = s
	return true
}

// find is the site called key, or an error that lists the sites there are.
func find(key string) (*Site, error) {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	if s := registry.sites[key]; s != nil {
		return s, nil
	}
	return nil, unknownSite(key, registry.sites)
}

// arm makes a rule and puts it behind those already on the site.
func arm(scope Scope, site *Site, opts []Option) (*Rule, error) {
	p, err := newPlan(scope, site, opts)
	if err != nil {
		return nil, fmt.Errorf("chaos: %w", err)
	}
	rules, err := armAll(p)
	if err != nil {
		return nil, err
	}
	return rules[0], nil
}

// armAll makes a rule of each plan and arms them in this order: all of them, or none if one is refused.
func armAll(plans ...*plan) ([]*Rule, error) {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	rules := make([]*Rule, len(plans))
	var errs []error
	for i, p := range plans {
		var err error
		rules[i], err = prepare(p)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for _, r := range rules {
		if !slices.Contains(registry.rules, r) {
			registry.rules = append(registry.rules, r)
			r.site.add(r)
		}
	}
	return rules, nil
}

// prepare makes a rule and arms nothing yet, or finds the equal one that has its id already. The caller holds
// registry.mu.
func prepare(p *plan) (*Rule, error) {
	p.seed()
	r := &Rule{plan: *p, text: p.String(), armedAt: time.Now(), targets: map[targetKey]*Counts{},
		done: make([]int, len(p.steps))}
	if r.id == "" {
		r.id = NewID()
		return r, nil
	}
	i := slices.IndexFunc(registry.rules, func(other *Rule) bool { return other.id == r.id && other.scope == r.scope })
	if i < 0 {
		return r, nil
	}
	other := registry.rules[i]
	if other.text != r.text || r.does()&CanCall != 0 {
		return nil, fmt.Errorf("chaos: ID(%q): want an id of its own; the rule %v has this one", r.id, other)
	}
	return other, nil
}

// seed sets the default, unless the plan has a seed of its own. The caller holds registry.mu.
func (p *plan) seed() {
	if p.trigger.seeded {
		return
	}
	seed, ok := registry.seeds[p.scope]
	if !ok {
		seed = registry.seeds[Scope{}]
	}
	p.trigger.seed = seed
}

// add puts r behind the rules of the site. The caller holds registry.mu.
func (s *Site) add(r *Rule) {
	rules := []*Rule{r}
	if before := s.rules.Load(); before != nil {
		rules = append(slices.Clone(*before), r)
	}
	s.rules.Store(&rules)
}

// drop takes r off the site. The caller holds registry.mu.
func (s *Site) drop(r *Rule) {
	before := s.rules.Load()
	if before == nil {
		return
	}
	rules := slices.DeleteFunc(slices.Clone(*before), func(other *Rule) bool { return other == r })
	if len(rules) == 0 {
		s.rules.Store(nil)
		return
	}
	s.rules.Store(&rules)
}

// Sites is every site declared by the packages of this program, sorted by name.
func Sites() []*Site {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	return slices.SortedFunc(maps.Values(registry.sites), func(a, b *Site) int {
		return strings.Compare(a.name, b.name)
	})
}

// Rules is every rule armed since the last Reset, whatever its scope, in order of arming; disarmed ones
// included.
func Rules() []*Rule { return Scope{}.Rules() }

// Firings is the log of all rules, oldest first. Each rule keeps its last 1024 firings; Counts has the full
// number.
func Firings() []Firing { return Scope{}.Firings() }

// Verify returns nil if every rule armed since the last Reset, disarmed or not, has fired as often as it
// should: once, or its [MinFailures]; [MayNotFire] exempts it. Otherwise the error has a line for each rule
// that did not, which says whether it was never reached, reached but not matched (and which labels came),
// matched but never drawn, or fired below its floor.
func Verify() error { return Scope{}.Verify() }

// Seed sets the default seed of rules armed from now on in a scope without a seed of its own. It outlives
// Reset.
func Seed(seed uint64) { Scope{}.Seed(seed) }

// Reset disarms every rule of every scope, wakes all who wait at them, and forgets the rules, their firings
// and the scopes' seeds: nothing is left to verify. The hits that were held go on without failing.
func Reset() { Scope{}.Reset() }

// Rules is every rule armed in the scope since its last Reset, in order of arming; disarmed ones included.
func (c Scope) Rules() []*Rule {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(registry.rules), func(r *Rule) bool { return !c.holds(r) })
}

// Firings is the log of the scope's rules, as in [Firings].
func (c Scope) Firings() []Firing {
	var entries []entry
	for _, r := range c.Rules() {
		r.mu.Lock()
		entries = append(entries, r.firings...)
		r.mu.Unlock()
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.order, b.order) })
	firings := make([]Firing, len(entries))
	for i, e := range entries {
		firings[i] = e.event.Firing
	}
	return firings
}

// Verify judges the scope's rules, as [Verify] does all.
func (c Scope) Verify() error {
	var errs []error
	for _, r := range c.Rules() {
		errs = append(errs, r.Verify())
	}
	return errors.Join(errs...)
}

// Seed sets the default seed of rules armed from now on in the scope, until its Reset.
func (c Scope) Seed(seed uint64) {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	registry.seeds[c] = seed
}

// Reset disarms and forgets the scope's rules, as [Reset] does all, and the scope's seed. Other scopes
// notice nothing.
func (c Scope) Reset() {
	registry.mu.Lock()
	var gone, kept []*Rule
	for _, r := range registry.rules {
		if c.holds(r) {
			r.site.drop(r)
			gone = append(gone, r)
		} else {
			kept = append(kept, r)
		}
	}
	registry.rules = kept
	maps.DeleteFunc(registry.seeds, func(s Scope, _ uint64) bool {
		return s != Scope{} && (s == c || c == Scope{})
	})
	registry.mu.Unlock()
	for _, r := range gone {
		r.end()
	}
}
