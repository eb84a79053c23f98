package chaos

import "fmt"

// EnableText arms the one rule that text says, for every cluster or for the one it names; the documentation
// of the package has the grammar. A text that says no rule, or several, is refused. See [EnableAll].
func EnableText(text string, opts ...Option) (*Rule, error) { return Scope{}.EnableText(text, opts...) }

// EnableAll arms every rule of text, in its order, or none: a refused text changes nothing. The error names,
// for each rule, the column of its first mistake (and the line, if there are several), what was found there,
// what is wanted, and the nearest word there is. Options come on top of what the text says, for each rule.
func EnableAll(text string, opts ...Option) ([]*Rule, error) { return Scope{}.EnableAll(text, opts...) }

// CheckText returns how many rules [EnableAll] would arm, or the error it would return. It arms nothing.
func CheckText(text string) (rules int, err error) { return Scope{}.CheckText(text) }

// Text is the rule that [Enable] would arm, as text for another process to arm with [EnableText]. It arms nothing. It
// refuses what Enable does, and a callback, which cannot be said as text. What an [ID] names is not in it.
func Text(key string, opts ...Option) (string, error) { return Scope{}.Text(key, opts...) }

// EnableText arms a rule in the scope; otherwise it is the package's [EnableText].
func (c Scope) EnableText(text string, opts ...Option) (*Rule, error) {
	plans, err := parse(c, text, opts)
	if err != nil {
		return nil, err
	}
	if len(plans) != 1 {
		return nil, fmt.Errorf("chaos: a text of %s, want one rule", times(len(plans), "rule"))
	}
	rules, err := armAll(plans...)
	if err != nil {
		return nil, err
	}
	return rules[0], nil
}

// EnableAll arms rules in the scope; otherwise it is the package's [EnableAll].
func (c Scope) EnableAll(text string, opts ...Option) ([]*Rule, error) {
	plans, err := parse(c, text, opts)
	if err != nil {
		return nil, err
	}
	for i, p := range plans {
		if p.id != "" && len(plans) > 1 {
			p.id = fmt.Sprintf("%s.%d", p.id, i+1)
		}
	}
	return armAll(plans...)
}

// CheckText judges a text for the scope; otherwise it is the package's [CheckText].
func (c Scope) CheckText(text string) (rules int, err error) {
	plans, err := parse(c, text, nil)
	if err != nil {
		return 0, err
	}
	return len(plans), nil
}

// Text says a rule of the scope; otherwise it is the package's [Text].
func (c Scope) Text(key string, opts ...Option) (string, error) {
	site, err := find(key)
	if err != nil {
		return "", err
	}
	p, err := newPlan(c, site, opts)
	if err != nil {
		return "", fmt.Errorf("chaos: %w", err)
	}
	if p.does()&CanCall != 0 {
		return "", fmt.Errorf("chaos: %s: a callback cannot be said as text; arm the rule in the process", key)
	}
	registry.mu.Lock()
	defer registry.mu.Unlock()
	p.seed()
	return p.String(), nil
}
