package chaos

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// doings are the words of steps, and elsewhere how clauses and other programs' failpoints say the same.
var (
	doings    = []string{"delay", "error", "pause", "skip"}
	elsewhere = map[string]string{
		"fail": "error", "err": "error", "code": "error", "return": "error", "sleep": "delay", "off": "skip",
	}
)

// steps reads the steps of a rule, if it says them, as the options of the first one and a Then for each other.
func (p *parser) steps() (opts []Option, err error) {
	if p.kind != '=' {
		return nil, nil
	}
	p.inSteps = true
	p.next()
	for first := true; ; first = false {
		began := p.token
		said, err := p.step()
		if err != nil {
			return nil, err
		}
		if first {
			opts = said
		} else {
			opts = append(opts, Then(said...))
		}
		alone := newRule()
		for _, opt := range said {
			if err := opt(alone); err != nil {
				return nil, p.at(began, "%w", err)
			}
		}
		switch s := alone.first(); {
		case p.kind == arrow && !s.ends():
			return nil, p.at(p.token, "the step before has no count, so that none comes after it; want one, as in 2*%v", s)
		case p.kind == arrow:
			p.next()
		case s.pass:
			return nil, p.at(p.token, "found %v, want -> and a step after %v", p.token, s)
		default:
			p.among(false)
			return opts, nil
		}
	}
}

// step reads one: 2*50%delay(3s)+error(Aborted), or skip(5).
func (p *parser) step() (opts []Option, err error) {
	for seen := ""; p.kind == word && p.value[0] >= '0' && p.value[0] <= '9'; {
		number := p.token
		p.next()
		switch mark := p.raw; {
		case mark != "*" && mark != "%":
			return nil, p.at(number, "found %v, want * or %% after a number, as in 2*error or 50%%error", number)
		case strings.Contains(seen, mark):
			return nil, p.at(number, "%s%s: a step has one count and one share; put -> between two steps", number.value, mark)
		case mark == "*":
			n, err := strconv.Atoi(number.value)
			if err != nil || n < 1 {
				return nil, p.at(number, "%s*: want a whole number, 1 or more, as in 2*error", number.value)
			}
			opts = append(opts, MaxFailures(n))
		default:
			rate, err := share(number.value)
			if err != nil || !(rate > 0 && rate <= 1) {
				return nil, p.at(number, "%s%%: want a number above 0, and 100 at the most", number.value)
			}
			opts = append(opts, FailureRate(rate))
		}
		seen += p.raw
		p.next()
	}
	for seen := []string{}; ; p.next() {
		did := p.token
		opt, err := p.doing(len(opts) == 0 && len(seen) == 0)
		switch {
		case err != nil:
			return nil, err
		case slices.Contains(seen, did.value):
			return nil, p.at(did, "%s is given twice in one step; put -> between two steps", did.value)
		}
		seen = append(seen, did.value)
		opts = append(opts, opt...)
		if p.kind != '+' || did.value == "skip" {
			return opts, nil
		}
	}
}

// doing reads what a step does. A skip stands alone.
func (p *parser) doing(alone bool) ([]Option, error) {
	did := p.token
	switch {
	case did.kind == word && did.value == "call":
		return nil, p.at(did, "a callback cannot be said as text; arm the rule in the process")
	case did.kind == word && elsewhere[did.value] != "":
		return nil, p.at(did, "found %v, want %s; did you mean %s?", did, or(doings), elsewhere[did.value])
	case did.kind != word || !slices.Contains(doings, did.value):
		return nil, p.at(did, "found %v, %s", did, want(did.raw, doings))
	case did.value == "skip" && !alone:
		return nil, p.at(did, "skip stands alone in a step, as in skip(5); put -> before it")
	}
	p.next()
	switch did.value {
	case "delay":
		d, err := bracketed(p, time.ParseDuration, "a duration in brackets, as in delay(3s)")
		if err == nil && d < 0 {
			err = p.at(did, "delay(%v): want 0s or more", d)
		}
		return []Option{Delay(d)}, err
	case "skip":
		n, err := bracketed(p, strconv.Atoi, "a whole number in brackets, as in skip(5)")
		if err == nil && n < 1 {
			err = p.at(did, "skip(%d): want 1 or more", n)
		}
		return []Option{Pass(n)}, err
	case "pause":
		return []Option{Pause()}, nil
	}
	return p.failure()
}

// bracketed reads one plain word in brackets.
func bracketed[T any](p *parser, read func(string) (T, error), what string) (T, error) {
	var none T
	if p.kind != '(' {
		return none, p.wants(what)
	}
	p.next()
	got, err := value(p, read, what)
	if err != nil {
		return none, err
	}
	return got, p.closes()
}

// closes reads the bracket at the end.
func (p *parser) closes() error {
	if p.kind != ')' {
		return p.wants(")")
	}
	p.next()
	return nil
}

// failure reads what is behind the word error: nothing, or in brackets a text, a code, or a text and a code.
func (p *parser) failure() (opts []Option, err error) {
	if p.kind != '(' {
		return []Option{Fail()}, nil
	}
	p.next()
	if p.kind == quoted {
		opts = append(opts, Err(errors.New(p.value)))
		if p.next(); p.kind != ',' {
			return opts, p.closes()
		}
		p.next()
	}
	code, err := grpcCode(p, "error")
	if err != nil {
		return nil, err
	}
	return append(opts, code), p.closes()
}
