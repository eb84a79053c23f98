package chaos

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
)

// clauses are the words of a rule's text, each with what makes the option it stands for.
var clauses = map[string]clause{
	"rate":         operand(FailureRate, float, "a number from 0 to 1", "0.5"),
	"skip":         operand(Skip, strconv.Atoi, "a whole number", "3"),
	"every":        operand(Every, strconv.Atoi, "a whole number", "3"),
	"min":          operand(MinFailures, strconv.Atoi, "a whole number", "3"),
	"max":          operand(MaxFailures, strconv.Atoi, "a whole number", "3"),
	"seed":         operand(WithSeed, decimal, "a whole number", "7"),
	"delay":        operand(Delay, time.ParseDuration, "a duration", durations),
	"code":         grpcCode,
	"window":       window,
	"err":          errText,
	"may-not-fire": alone(MayNotFire),
	"pause":        alone(Pause),
	"fail":         alone(Fail),
}

// ofRule are the clauses that hold in all steps of a rule.
var ofRule = []string{"every", "may-not-fire", "min", "seed", "skip", "window"}

// clause reads what belongs to the word of, which was read already.
type clause func(p *parser, of string) (Option, error)

const durations = "500ms, 3s or 1m30s"

// alone is a clause without operands.
func alone(option func() Option) clause {
	return func(*parser, string) (Option, error) { return option(), nil }
}

// operand is a clause with one, a plain word that read understands.
func operand[T any](option func(T) Option, read func(string) (T, error), what, such string) clause {
	return func(p *parser, of string) (Option, error) {
		value, err := value(p, read, what+" for "+of+", such as "+such)
		return option(value), err
	}
}

// value reads a plain word.
func value[T any](p *parser, read func(string) (T, error), what string) (T, error) {
	value, err := read(p.value)
	if p.kind != word || err != nil {
		return value, p.wants(what)
	}
	p.next()
	return value, nil
}

func window(p *parser, _ string) (Option, error) {
	from, err := value(p, time.ParseDuration, "the beginning of the window, a duration such as "+durations)
	if err != nil {
		return nil, err
	}
	if p.kind != word || p.value != "to" {
		return nil, p.wants(`"to" and the end of the window`)
	}
	p.next()
	to, err := value(p, time.ParseDuration, "the end of the window, a duration such as "+durations)
	return Window(from, to), err
}

func errText(p *parser, _ string) (Option, error) {
	if p.kind != quoted {
		return nil, p.wants(`a text in quotes for err, such as "disk full"`)
	}
	text := p.value
	p.next()
	return Err(errors.New(text)), nil
}

// grpcCode reads the name of a code as Go writes it (DeadlineExceeded) or as gRPC does (DEADLINE_EXCEEDED).
func grpcCode(p *parser, _ string) (Option, error) {
	plain := func(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }
	found := plain(p.value)
	if found == "cancelled" { // gRPC's spelling; Go's has one l
		found = plain(codes.Canceled.String())
	}
	var names []string
	for c := codes.Canceled; c <= codes.Unauthenticated; c++ {
		if p.kind == word && plain(c.String()) == found {
			p.next()
			return Code(c), nil
		}
		names = append(names, c.String())
	}
	return nil, p.at(p.token, "found %v, %s", p.token, want(p.value, names))
}

func float(s string) (float64, error)  { return strconv.ParseFloat(s, 64) }
func decimal(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) }
