package chaos

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"pgregory.net/rapid"
)

var spoken = NewSite("test.spoken", "armed by texts", CanAll, "worker")

// same reports whether two rules are the same in all that a text can say.
func same(a, b *Rule) bool {
	text := func(err error) string {
		if err == nil {
			return ""
		}
		return "err " + err.Error()
	}
	x, y := a.plan, b.plan
	x.trigger.seeded, y.trigger.seeded = false, false // chosen or inherited, it is the same seed
	return x.site == y.site && x.scope == y.scope && slices.Equal(x.match, y.match) && x.trigger == y.trigger &&
		slices.EqualFunc(x.steps, y.steps, func(s, t step) bool {
			return s.rate == t.rate && s.count == t.count && s.pass == t.pass && s.does == t.does && s.delay == t.delay &&
				s.failsWith() == t.failsWith() && text(s.err) == text(t.err)
		})
}

// anyText is plain, or special, or any bytes at all.
func anyText() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`[a-z0-9/._-]{1,8}`),
		rapid.SampledFrom([]string{"", " ", "a b", "a,b", "]", "[", "=", ";", "#", `"`, `\`, "\n", "'", "é", "\xff", "\u200b"}),
		rapid.String(),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
	)
}

func anyDuration() *rapid.Generator[time.Duration] {
	return rapid.Map(rapid.Int64Range(0, math.MaxInt64), func(n int64) time.Duration { return time.Duration(n) })
}

// options are any that a text can say, of a rule with one step or with several.
func options() *rapid.Generator[[]Option] {
	return rapid.Custom(func(t *rapid.T) []Option {
		opts := ofOneStep().Draw(t, "options")
		if rapid.Bool().Draw(t, "one step") {
			return opts
		}
		opts = append(opts, aStep(true).Draw(t, "first step")...)
		for range rapid.IntRange(0, 3).Draw(t, "between") {
			opts = append(opts, Then(aStep(true).Draw(t, "step")...))
		}
		return append(opts, Then(aStep(rapid.Bool().Draw(t, "ends")).Draw(t, "last step")...))
	})
}

// aStep is what a step can be, the last one apart: it has an end, or none.
func aStep(ends bool) *rapid.Generator[[]Option] {
	return rapid.Custom(func(t *rapid.T) (opts []Option) {
		count := rapid.OneOf(rapid.IntRange(1, 9), rapid.IntRange(1, math.MaxInt-1)).Draw(t, "count")
		if ends && rapid.IntRange(0, 3).Draw(t, "passes") == 0 {
			return []Option{Pass(count)}
		}
		if ends {
			opts = append(opts, MaxFailures(count))
		}
		for _, opt := range []Option{
			FailureRate(rapid.Float64Range(math.SmallestNonzeroFloat64, 1).Draw(t, "rate")),
			Delay(anyDuration().Draw(t, "delay")), Pause(), Fail(),
			Err(errors.New(anyText().Draw(t, "err"))), Code(anyCode().Draw(t, "code")),
		} {
			if rapid.Bool().Draw(t, "has it") {
				opts = append(opts, opt)
			}
		}
		return opts
	})
}

// ofOneStep are those of a rule with one step.
func ofOneStep() *rapid.Generator[[]Option] {
	one := func(t *rapid.T) Option {
		whole := rapid.OneOf(rapid.IntRange(0, 9), rapid.IntRange(0, math.MaxInt))
		switch rapid.IntRange(0, 12).Draw(t, "option") {
		case 0:
			key := anyText().Filter(func(s string) bool { return s != "" && s != clusterKey })
			return Match(key.Draw(t, "key"), anyText().Draw(t, "value"))
		case 1:
			return FailureRate(rapid.Float64Range(0, 1).Draw(t, "rate"))
		case 2:
			return Skip(whole.Draw(t, "skip"))
		case 3:
			return Every(max(1, whole.Draw(t, "every")))
		case 4:
			from := anyDuration().Filter(func(d time.Duration) bool { return d < math.MaxInt64 }).Draw(t, "from")
			return Window(from, from+1+time.Duration(rapid.Int64Range(0, math.MaxInt64-int64(from)-1).Draw(t, "length")))
		case 5:
			return MinFailures(rapid.IntRange(0, 9).Draw(t, "min"))
		case 6:
			return MaxFailures(max(9, whole.Draw(t, "max")))
		case 7:
			return WithSeed(rapid.OneOf(rapid.Just(uint64(0)), rapid.Uint64()).Draw(t, "seed"))
		case 8:
			return Delay(anyDuration().Draw(t, "delay"))
		case 9:
			return Err(errors.New(anyText().Draw(t, "err")))
		case 10:
			return Err(status.Error(anyCode().Draw(t, "code of err"), anyText().Draw(t, "err")))
		case 11:
			return Code(anyCode().Draw(t, "code"))
		default:
			return rapid.SampledFrom([]Option{Fail(), Pause(), MayNotFire()}).Draw(t, "plain")
		}
	}
	return rapid.SliceOfN(rapid.Custom(one), 0, 8)
}

func anyCode() *rapid.Generator[codes.Code] {
	return rapid.Map(rapid.Uint32Range(1, 16), func(n uint32) codes.Code { return codes.Code(n) })
}

func TestEveryRuleArmsAnEqualOneByItsText(t *testing.T) {
	t.Cleanup(func() { Seed(0); Reset() })
	rapid.Check(t, func(t *rapid.T) {
		Reset()
		Seed(rapid.Uint64Range(0, 3).Draw(t, "default seed"))
		scope := Scope{rapid.OneOf(rapid.Just(""), anyText()).Draw(t, "cluster")}
		first, err := scope.Enable(spoken.Name(), options().Draw(t, "options")...)
		if err != nil {
			t.Skip(err) // two matches of one label
		}
		again, err := EnableText(first.String())
		if err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		if !same(first, again) || first.String() != again.String() {
			t.Fatalf("%s\nbecame\n%s\n%+v\n%+v", first, again, first.plan, again.plan)
		}
		if _, err := scope.EnableText(first.String()); err != nil {
			t.Fatalf("in its own scope: %v", err)
		}
	})
}

func TestSeveralRulesArmEqualOnesByTheirTexts(t *testing.T) {
	t.Cleanup(Reset)
	rapid.Check(t, func(t *rapid.T) {
		Reset()
		var text strings.Builder
		var first []*Rule
		for range rapid.IntRange(0, 4).Draw(t, "rules") {
			r, err := spoken.Enable(options().Draw(t, "options")...)
			if err != nil {
				t.Skip(err)
			}
			first = append(first, r)
			separator := rapid.SampledFrom([]string{";", "\n", " ;; ", " # why\n", "\r\n"})
			text.WriteString(r.String() + separator.Draw(t, "separator"))
		}
		again, err := EnableAll(text.String())
		if err != nil || !slices.EqualFunc(first, again, same) {
			t.Fatalf("%q\nbecame %v: %v", &text, again, err)
		}
	})
}

// FuzzEnableAll reads any text: it is refused and changes nothing, or what it armed prints and reads back the same.
func FuzzEnableAll(f *testing.F) {
	for _, text := range []string{
		"test.spoken", "test.spoken fail;test.spoken pause", `test.spoken[worker="w 0",job=a] rate 0.5 err "x" code Aborted`,
		"test.spoken window 1s to 1m0s min 1 max 3 seed 9 may-not-fire delay 3s # why",
		`test.spoken[worker=w-0]=2*delay(3s)+error(unavailable)->skip(5)->50%error("x",Aborted) seed 7; test.spoken=pause`,
		"test.spoken=2*error->", "test.spoken=100%3*error", "test.spoken[", "test.spoken err \"",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		defer Reset()
		n, check := CheckText(text)
		rules, err := EnableAll(text)
		if (check == nil) != (err == nil) || err != nil && check.Error() != err.Error() {
			t.Fatalf("CheckText says %v, EnableAll %v", check, err)
		}
		if err != nil {
			if len(Rules()) != 0 || !strings.Contains(err.Error(), "column ") {
				t.Fatalf("refused, with %d rules armed: %v", len(Rules()), err)
			}
			return
		}
		if n != len(rules) {
			t.Fatalf("CheckText counts %d rules, EnableAll %d", n, len(rules))
		}
		var texts []string
		for _, r := range rules {
			texts = append(texts, r.String())
		}
		again, err := EnableAll(strings.Join(texts, ";"))
		if err != nil || !slices.EqualFunc(rules, again, same) {
			t.Fatalf("%q became %v: %v", texts, again, err)
		}
	})
}
