package chaos

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// plan is a rule in the making.
type plan struct {
	id       string // "": one of its own
	site     *Site
	scope    Scope
	match    []label
	trigger  trigger
	steps    []step // one at least
	mayIdle  bool   // MayNotFire
	demanded bool   // MinFailures was given
}

// newRule is a plan of what a rule without options does.
func newRule() *plan { return &plan{trigger: always, steps: []step{forever}} }

// first is the step that options outside of Then are about.
func (p *plan) first() *step { return &p.steps[0] }

type label struct{ key, value string }

// refusal is the error of an option: what was given, as it stands in Go, and what is wanted instead.
type refusal struct{ given, want string }

func (r *refusal) Error() string { return r.given + ": want " + r.want }

func refuse(want, given string, args ...any) error {
	return &refusal{given: fmt.Sprintf(given, args...), want: want}
}

// newPlan applies the options for a rule on site, and refuses what cannot work. Every mistake is reported,
// not the first.
func newPlan(scope Scope, site *Site, opts []Option) (*plan, error) {
	p := newRule()
	p.site, p.scope = site, scope
	var errs []error
	for _, opt := range opts {
		errs = append(errs, opt(p))
	}
	errs = append(errs, p.narrow(), p.carried())
	errs = append(errs, p.settle()...)
	if most := p.most(); p.trigger.floor > most {
		errs = append(errs, refuse("a floor at most the maximum", "MinFailures(%d) with MaxFailures(%d)%s",
			p.trigger.floor, most, map[bool]string{true: " in all steps together"}[len(p.steps) > 1]))
	}
	if lacks := p.does() &^ site.can; lacks != 0 {
		errs = append(errs, fmt.Errorf("action %v: this site can only %v", lacks, site.can))
	}
	switch {
	case p.mayIdle:
		p.trigger.demand = 0
	case p.demanded:
		p.trigger.demand = p.trigger.floor
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("%s: %w", site.name, err)
	}
	return p, nil
}

// narrow makes a match of the cluster what it means, the scope of that cluster.
func (p *plan) narrow() error {
	i := slices.IndexFunc(p.match, func(l label) bool { return l.key == clusterKey })
	if i < 0 {
		return nil
	}
	switch name := p.match[i].value; {
	case name == "":
		return refuse("the name of a cluster", "Match(%q, %q)", clusterKey, name)
	case p.scope == Scope{}:
		p.scope = In(name)
	case p.scope != In(name):
		return refuse(fmt.Sprintf("no cluster but %q, in whose scope the rule is armed", p.scope.cluster),
			"Match(%q, %q)", clusterKey, name)
	}
	p.match = slices.Delete(p.match, i, i+1)
	return nil
}

// carried refuses a match of a label that no hit of the site has, if the site says which there are.
func (p *plan) carried() error {
	var errs []error
	for _, l := range p.match {
		if known := p.site.Labels(); known != nil && !slices.Contains(known, l.key) {
			errs = append(errs, fmt.Errorf("Match(%q, %q): hits of this site have no such label, %s",
				l.key, l.value, want(l.key, known)))
		}
	}
	return errors.Join(errs...)
}

// String is the rule as text, which parses back (see [EnableAll]) unless it has a callback.
func (p *plan) String() string {
	var labels []string
	if p.scope != (Scope{}) {
		labels = append(labels, label{clusterKey, p.scope.cluster}.String())
	}
	for _, l := range p.match {
		labels = append(labels, l.String())
	}
	text := p.site.name
	if labels != nil {
		text += "[" + strings.Join(labels, ",") + "]"
	}
	if len(p.steps) == 1 {
		return text + p.trigger.say(p.first()) + p.first().action.String()
	}
	var steps []string
	for _, s := range p.steps {
		steps = append(steps, s.String())
	}
	return text + "=" + strings.Join(steps, "->") + p.trigger.say(&forever)
}
