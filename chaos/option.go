package chaos

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
)

// Option is one part of a rule: whom it matches, when it fires, or what it does. A bad value is refused by
// Enable.
type Option func(*plan) error

// ID names the rule for [Rule.ID]; default is a new id that no rule of any process has. It makes arming
// repeatable: if the scope has an equal rule of this id already, armed or not, that one is the result and
// nothing changes. If a different one has the id, the rule is refused. The rules of one text for
// [EnableAll], if they are several, are called id.1, id.2 and so on.
func ID(id string) Option {
	return func(p *plan) error {
		if id == "" {
			return refuse("a name", "ID(%q)", id)
		}
		p.id = id
		return nil
	}
}

// Match wants the label key of the hit to equal value. Several Match options must all hold. A match of
// "cluster" is the same as arming the rule in the [Scope] of that cluster.
func Match(key, value string) Option {
	return func(p *plan) error {
		if key == "" {
			return refuse("the key of a label", "Match(%q, %q)", key, value)
		}
		for _, l := range p.match {
			switch {
			case l.key == key && l.value == value:
				return nil
			case l.key == key:
				return refuse("one value, as all matches must hold; arm a rule for each",
					"Match(%q, %q) with %v", key, value, l)
			}
		}
		p.match = append(p.match, label{key, value})
		return nil
	}
}

// FailureRate is the share of a target's eligible hits that fire, from 0 to 1; default 1. Which ones is a
// function of seed, site, target and the number of the hit. A rule that can never fire (a rate of 0, or
// MaxFailures(0)) is refused unless it is [MayNotFire].
func FailureRate(rate float64) Option {
	return func(p *plan) error {
		if !(rate >= 0 && rate <= 1) { // also NaN
			return refuse("a number from 0 to 1", "FailureRate(%v)", rate)
		}
		p.first().rate = rate
		return nil
	}
}

// MaxFailures is the most firings of the rule, or of the step that it stands in ([Then]), over all targets; exact
// under contention. Default unlimited.
func MaxFailures(n int) Option {
	return count("MaxFailures", n, 0, func(p *plan) { p.first().count = n })
}

// MinFailures is a floor: the first n hits (over all targets) that Skip, Every and Window let through fire
// whatever the rate, and Verify reports the rule if fewer did. Without it nothing is forced, and Verify
// wants one firing.
func MinFailures(n int) Option {
	return count("MinFailures", n, 0, func(p *plan) { p.trigger.floor, p.demanded = n, true })
}

// MayNotFire makes Verify content with a rule that never fired.
func MayNotFire() Option {
	return func(p *plan) error { p.mayIdle = true; return nil }
}

// Skip lets the first n matched hits of each target pass; default 0.
func Skip(n int) Option {
	return count("Skip", n, 0, func(p *plan) { p.trigger.skip = n })
}

// Every makes only every nth matched hit of each target eligible, counted after Skip: Every(3) fires on
// hits 3, 6, 9 and so on. Default 1.
func Every(n int) Option {
	return count("Every", n, 1, func(p *plan) { p.trigger.every = n })
}

// Window limits firing to a span of the rule's age: from (included) until to (excluded). Hits outside still
// count for Skip and Every. Default: always.
func Window(from, to time.Duration) Option {
	return func(p *plan) error {
		if from < 0 || to <= from {
			return refuse("0 or more, and an end after the beginning", "Window(%v, %v)", from, to)
		}
		p.trigger.windowed, p.trigger.from, p.trigger.to = true, from, to
		return nil
	}
}

// WithSeed sets the seed of FailureRate's draws; default is that of [Scope.Seed], else of [Seed], else 0.
func WithSeed(seed uint64) Option {
	return func(p *plan) error { p.trigger.seed, p.trigger.seeded = seed, true; return nil }
}

// Delay holds the hit for d. Alone it does not fail; add Fail, Err or Code for a failure afterwards.
func Delay(d time.Duration) Option {
	return func(p *plan) error {
		if d < 0 {
			return refuse("0s or more", "Delay(%v)", d)
		}
		p.first().does |= CanDelay
		p.first().delay = d
		return nil
	}
}

// Pause holds the hit until [Rule.Release], disarming, or the end of its context. With Delay: after the
// delay.
func Pause() Option {
	return func(p *plan) error { p.first().does |= CanPause; return nil }
}

// Call runs f in the goroutine of the hit, with its context and labels (read only). An error fails the hit,
// as Err would. f holds no lock of this package and may arm and disarm rules; disarming does not interrupt
// it.
func Call(f func(context.Context, Labels) error) Option {
	return func(p *plan) error {
		if f == nil {
			return refuse("a function", "Call(nil)")
		}
		p.first().does |= CanCall
		p.first().call = f
		return nil
	}
}

// Fail fails the hit with the text "chaos: <key>". It is the action of a rule that names none.
func Fail() Option {
	return func(p *plan) error { p.first().does |= CanFail; return nil }
}

// Err fails the hit with the text of err; errors.Is finds both err and ErrInjected in the result. If err
// carries a gRPC status, its code is kept, unless Code says otherwise.
func Err(err error) Option {
	return func(p *plan) error {
		if err == nil {
			return refuse("an error; Fail has a default text", "Err(nil)")
		}
		p.first().does |= CanFail
		p.first().err = err
		return nil
	}
}

// Code fails the hit with this gRPC code, any but OK; default UNAVAILABLE. With Call, the callback's error
// gets the code too, and the hit fails even if there is none.
func Code(code codes.Code) Option {
	return func(p *plan) error {
		if code == codes.OK || code > codes.Unauthenticated {
			return refuse(fmt.Sprintf("a gRPC code from %v (%d) to %v (%d)",
				codes.Canceled, codes.Canceled, codes.Unauthenticated, codes.Unauthenticated), "Code(%v)", code)
		}
		p.first().does |= CanFail
		p.first().code = code
		return nil
	}
}

// count is an option whose value is a whole number, at least least.
func count(name string, n, least int, set func(*plan)) Option {
	return func(p *plan) error {
		if n < least {
			return refuse(fmt.Sprintf("%d or more", least), "%s(%d)", name, n)
		}
		set(p)
		return nil
	}
}
