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
