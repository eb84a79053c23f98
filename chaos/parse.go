package chaos

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// parse reads the rules of a text. It goes on after a rule with a mistake, so that the error has the first
// mistake of each rule.
func parse(scope Scope, text string, opts []Option) (plans []*plan, err error) {
	p := &parser{scanner: newScanner(text)}
	var errs []error
	for p.next(); p.kind != end; p.next() {
		p.inSteps = false
		if p.kind == separator {
			continue
		}
		plan, err := p.rule(scope, opts)
		if err != nil {
			errs = append(errs, fmt.Errorf("chaos: %w", err))
		}
		for !p.ended() {
			p.next()
		}
		plans = append(plans, plan)
	}
	return plans, errors.Join(errs...)
}

// parser reads rules. Each of its methods begins at the current token, and leaves the one after what it read
// as the current one.
type parser struct{ scanner }

// ended reports whether the rule does.
func (p *parser) ended() bool { return p.kind == separator || p.kind == end }

// rule reads one rule.
func (p *parser) rule(scope Scope, opts []Option) (*plan, error) {
	name := p.token
	if name.kind != word {
		return nil, p.wants("the name of a site")
	}
	site, err := find(name.value)
	if err != nil {
		return nil, p.at(name, "%s", strings.TrimPrefix(err.Error(), "chaos: "))
	}
	p.next()
	said, err := p.labels(site)
	if err != nil {
		return nil, err
	}
	steps, err := p.steps()
	if err != nil {
		return nil, err
	}
	said = append(said, steps...)
	for seen := []string{}; !p.ended(); {
		opt, err := p.clause(&seen, steps != nil)
		if err != nil {
			return nil, err
		}
		said = append(said, opt)
	}
	plan, err := newPlan(scope, site, append(said, opts...))
	if err != nil {
		return nil, p.at(name, "%w", err)
	}
	return plan, nil
}

// labels reads what the rule matches, if it says so.
func (p *parser) labels(site *Site) (matches []Option, err error) {
	if p.kind != '[' {
		return nil, nil
	}
	for seen := []string{}; p.kind != ']'; {
		p.next()
		key := p.token
		switch known := site.Labels(); {
		case key.kind != word && key.kind != quoted, key.value == "":
			return nil, p.wants("the key of a label, as in [worker=w-0]")
		case known != nil && !slices.Contains(known, key.value):
			return nil, p.at(key, "hits of %s have no label %v, %s", site.name, key, want(key.value, known))
		case slices.Contains(seen, key.value):
			return nil, p.at(key, "label %v is given twice; all must hold, so arm a rule for each value", key)
		}
		seen = append(seen, key.value)
		if p.next(); p.kind != '=' {
			return nil, p.wants("= and the value of the label")
		}
		if p.next(); p.kind != word && p.kind != quoted {
			return nil, p.wants("the value of the label, in quotes if it is empty or has special characters")
		}
		matches = append(matches, Match(key.value, p.value))
		if p.next(); p.kind != ',' && p.kind != ']' {
			return nil, p.wants("a comma and another label, or ]")
		}
	}
	p.next()
	return matches, nil
}

// clause reads one word of the rule, with what belongs to it.
func (p *parser) clause(seen *[]string, afterSteps bool) (Option, error) {
	began := p.token
	read := clauses[began.raw]
	switch {
	case began.raw == "call":
		return nil, p.at(began, "a callback cannot be said as text; arm the rule in the process")
	case began.kind != word || read == nil:
		return nil, p.at(began, "found %v, %s", began, want(began.raw, slices.Sorted(maps.Keys(clauses))))
	case afterSteps && !slices.Contains(ofRule, began.raw):
		return nil, p.at(began, "%s is what a step says, as in =2*50%%delay(3s)+error->error; after steps want %s", began.raw, or(ofRule))
	case slices.Contains(*seen, began.raw):
		return nil, p.at(began, "%s is given twice", began.raw)
	}
	*seen = append(*seen, began.raw)
	p.next()
	opt, err := read(p, began.raw)
	if err != nil {
		return nil, err
	}
	if bad := new(refusal); errors.As(opt(newRule()), &bad) {
		said := strings.TrimSpace(p.text[began.offset:p.offset])
		return nil, p.at(began, "%s: want %s", said, bad.want)
	}
	return opt, nil
}
