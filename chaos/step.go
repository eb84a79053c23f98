package chaos

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// step is what a rule does for a while: for count firings, or for count hits that pass.
type step struct {
	rate  float64
	count int // math.MaxInt: for good
	pass  bool
	action
}

// forever is the step of a rule without options.
var forever = step{rate: 1, count: math.MaxInt}

// ends reports whether a step after this one can begin.
func (s *step) ends() bool { return s.count != math.MaxInt }

// Then adds a step to the rule, which begins when the one before is over. A rule has one step at first: what
// the options outside of Then say. A step is over when it has fired [MaxFailures] times, or has let the hits
// of its [Pass] go by, over all targets and exactly, under any contention. A hit belongs to one step: one that
// its step does not draw passes.
//
// In Then stand the options of a step: FailureRate, MaxFailures, Delay, Pause, Call, Fail, Err, Code and Pass.
// All others are the rule's, and hold in each step; Skip and Every count the target's hits through all of
// them. Refused are a step that never ends before another one, one that can never fire, and a Pass at the
// end. Verify wants each step to have fired.
func Then(opts ...Option) Option {
	return func(p *plan) error {
		alone := newRule()
		for i, opt := range opts {
			if opt == nil {
				return refuse("an option", "Then(…) with nil")
			}
			if err := opt(alone); err != nil {
				return err
			}
			if !alone.isStep() {
				return refuse("options of a step: FailureRate, MaxFailures, Delay, Pause, Call, Fail, Err, Code or Pass; "+
					"what is the whole rule's stands outside", "Then(…), option %d", i+1)
			}
		}
		p.steps = append(p.steps, alone.steps[0])
		return nil
	}
}

// Pass makes a step in which nothing happens: it lets n matched hits go by, over all targets, if Skip, Every
// and Window would have them fire. Something must follow, see [Then].
func Pass(n int) Option {
	return count("Pass", n, 1, func(p *plan) { p.first().pass, p.first().count = true, n })
}

// isStep reports whether nothing but the first step of the plan is other than by default.
func (p *plan) isStep() bool {
	return p.id == "" && p.match == nil && p.trigger == always && !p.mayIdle && !p.demanded && len(p.steps) == 1
}

// settle gives each step of the plan its action, and refuses those that cannot do their work.
func (p *plan) settle() (errs []error) {
	for i := range p.steps {
		s := &p.steps[i]
		last := i == len(p.steps)-1
		switch {
		case s.pass && (s.does != 0 || s.rate != 1):
			errs = append(errs, refuse("nothing else in a step that lets hits pass", "Pass(%d)", s.count))
		case s.pass && last:
			errs = append(errs, refuse("a step after it: Then(Fail())", "Pass(%d) at the end", s.count))
		case !last && !s.ends():
			errs = append(errs, refuse(fmt.Sprintf("MaxFailures in step %d, without which it never ends", i+1), "Then(…)"))
		case len(p.steps) > 1 && s.count == 0:
			errs = append(errs, refuse(fmt.Sprintf("1 or more in step %d", i+1), "MaxFailures(0)"))
		case len(p.steps) > 1 && s.rate == 0:
			errs = append(errs, refuse(fmt.Sprintf("more than 0 in step %d, which never fires", i+1), "FailureRate(0)"))
		case p.mayIdle || p.demanded && p.trigger.floor == 0:
		case s.count == 0:
			errs = append(errs, refuse("1 or more, or MayNotFire: it can never fire", "MaxFailures(0)"))
		case s.rate == 0 && p.trigger.floor == 0:
			errs = append(errs, refuse("more than 0, or MayNotFire: it can never fire", "FailureRate(0)"))
		}
		if s.does == 0 && !s.pass {
			s.does = CanFail
		}
	}
	return errs
}

// does is what firings of the plan may do.
func (p *plan) does() (all Ability) {
	for _, s := range p.steps {
		all |= s.does
	}
	return all
}

// most is the number of firings of all steps together.
func (p *plan) most() int {
	sum := 0
	for _, s := range p.steps {
		switch {
		case s.pass:
		case s.count > math.MaxInt-sum:
			return math.MaxInt
		default:
			sum += s.count
		}
	}
	return sum
}

// String is the step as it stands in the text of a rule that has several: 2*50%delay(3s)+error(Aborted).
func (s *step) String() string {
	if s.pass {
		return fmt.Sprintf("skip(%d)", s.count)
	}
	var text string
	if s.ends() {
		text = fmt.Sprintf("%d*", s.count)
	}
	if s.rate != 1 {
		text += percent(s.rate) + "%"
	}
	var does []string
	if s.does&CanDelay != 0 {
		does = append(does, fmt.Sprintf("delay(%v)", s.delay))
	}
	if s.does&CanPause != 0 {
		does = append(does, "pause")
	}
	if s.does&CanCall != 0 {
		does = append(does, "call")
	}
	if s.does&CanFail != 0 {
		does = append(does, "error"+s.failure())
	}
	return text + strings.Join(does, "+")
}

// failure is what an error is in brackets, or nothing for the default.
func (s *step) failure() string {
	var with []string
	if s.err != nil {
		with = append(with, strconv.Quote(s.err.Error()))
	}
	if code := s.failsWith(); code != 0 {
		with = append(with, code.String())
	}
	if with == nil {
		return ""
	}
	return "(" + strings.Join(with, ",") + ")"
}

// percent is a share of 1 in hundredths, with all the digits that make it the same number again: see share.
func percent(share float64) string {
	whole, fraction, _ := strings.Cut(strconv.FormatFloat(share, 'f', -1, 64), ".")
	for len(fraction) < 2 {
		fraction += "0"
	}
	text := strings.TrimLeft(whole+fraction[:2], "0")
	if text == "" {
		text = "0"
	}
	if fraction[2:] != "" {
		text += "." + fraction[2:]
	}
	return text
}

// share reads what percent writes.
func share(hundredths string) (float64, error) { return strconv.ParseFloat(hundredths+"e-2", 64) }
