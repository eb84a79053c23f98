package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"pgregory.net/rapid"

	"iris/chaos"
)

func TestStepsComeOneAfterTheOther(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"test.plain=2*error->skip(3)->error", "xx...xxxxx"},
		{"test.plain=skip(1)->2*error->skip(1)->1*error", ".xx.x....."},
		{"test.plain=skip(2)->3*error", "..xxx....."},
		{"test.plain=1*delay(0s)->1*error->skip(9)->error may-not-fire", ".x........"},
		{"test.plain=2*error->skip(2)->1*error every 2", ".x.x.....x"}, // every second hit has a turn
		{"test.plain=1*error->skip(2)->1*error skip 4", "....x..x.."},  // none of the first four has
		{"test.plain=2*50%error->2*error seed 1", "x...xxx..."},
	} {
		rule, err := chaos.EnableText(c.text)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, c.text, pattern(t, plain, nil, 10), c.want)
		equal(t, c.text+": fired", rule.Counts().Fired, strings.Count(c.want, "x")+strings.Count(c.text, "delay"))
		equal(t, c.text+": verdict", rule.Verify(), nil)
		chaos.Reset()
	}
}

func TestTheStepsOfTheGuideDoAsItSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(chaos.Reset)
		rule, err := chaos.EnableText("test.plain=2*delay(3s)+error(unavailable)->skip(5)->50%error seed 4")
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n <= 2; n++ {
			from := time.Now()
			equal(t, fmt.Sprintf("code of hit %d", n), status.Code(plain.Hit(t.Context(), nil)), codes.Unavailable)
			equal(t, fmt.Sprintf("time of hit %d", n), time.Since(from), 3*time.Second)
		}
		from := time.Now()
		equal(t, "the next five", pattern(t, plain, nil, 5), ".....")
		after := pattern(t, plain, nil, 1000)
		equal(t, "time of all after the second", time.Since(from), 0)
		if share := strings.Count(after, "x"); share < 450 || share > 550 {
			t.Errorf("of the next 1000 hits %d fail", share)
		}
		equal(t, "text", rule.String(), "test.plain=2*delay(3s)+error(Unavailable)->skip(5)->50%error seed 4")
		equal(t, "action of the first firing", chaos.Firings()[0].Action, "delay 3s fail code Unavailable")
	})
}

func TestStepsAreCountedExactlyUnderContention(t *testing.T) {
	first, second := errors.New("first"), errors.New("second")
	rule := arm(t, beat, chaos.MaxFailures(70), chaos.Err(first), chaos.Then(chaos.Pass(500)),
		chaos.Then(chaos.MaxFailures(30), chaos.FailureRate(0.5), chaos.Err(second)))
	var mu sync.Mutex
	failed := map[string]int{}
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			for range 200 {
				err := beat.Hit(t.Context(), w(fmt.Sprintf("w-%d", i%4)))
				mu.Lock()
				failed[fmt.Sprint(err)]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	equal(t, "outcomes", fmt.Sprint(failed), "map[<nil>:6300 first:70 second:30]")
	equal(t, "counts", rule.Counts(), chaos.Counts{Reached: 6400, Matched: 6400, Fired: 100})
}

// A hit that a step draws by a share is drawn as it would be by a rule with that rate.
func TestAShareOfAStepDrawsAsARateDoes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed, skip := rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(1, 9).Draw(rt, "skip")
		rate := rapid.Float64Range(0.01, 1).Draw(rt, "rate")
		arm(t, beat, chaos.FailureRate(rate), chaos.WithSeed(seed), chaos.MayNotFire())
		alone := pattern(t, beat, w("w-0"), 30)
		chaos.Reset()
		arm(t, beat, chaos.WithSeed(seed), chaos.MayNotFire(), chaos.Pass(skip), chaos.Then(chaos.FailureRate(rate)))
		equal(t, "after a skip", pattern(t, beat, w("w-0"), 30), strings.Repeat(".", skip)+alone[skip:])
		chaos.Reset()
	})
}

func TestAFloorForcesWhatAStepWouldDraw(t *testing.T) {
	rule := arm(t, plain, chaos.MinFailures(3), chaos.MaxFailures(2), chaos.FailureRate(1e-9), chaos.Then(chaos.Pass(2)),
		chaos.Then(chaos.FailureRate(1e-9)))
	equal(t, rule.String(), pattern(t, plain, nil, 10), "xx..x.....")
	equal(t, "text", rule.String(), "test.plain=2*0.0000001%error->skip(2)->0.0000001%error min 3")
	equal(t, "verdict", rule.Verify(), nil)
}

func TestVerifyWantsATurnOfEachStep(t *testing.T) {
	rule := arm(t, plain, chaos.Pass(2), chaos.Then(chaos.MaxFailures(1)), chaos.Then(chaos.Delay(0), chaos.MaxFailures(1)))
	const name = "chaos: rule test.plain=skip(2)->1*error->1*delay(0s): "
	for _, want := range []string{
		"never reached",
		"matched 1 time, of which skip(2) let 1 pass, but never fired",
		"matched 2 times, of which skip(2) let 2 pass, but never fired",
		"fired 1 time, but its step 3, 1*delay(0s), had no turn (matched 3 times)",
	} {
		equal(t, "verdict", fmt.Sprint(rule.Verify()), name+want)
		pattern(t, plain, nil, 1)
	}
	equal(t, "verdict", rule.Verify(), nil)
}

func TestAStepCanPauseAndCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		called := 0
		rule := arm(t, plain, chaos.MaxFailures(1), chaos.Pause(), chaos.Then(chaos.Call(func(context.Context, chaos.Labels) error {
			called++
			return errors.New("called")
		})))
		equal(t, "text", rule.String(), "test.plain=1*pause->call")
		done := make(chan error)
		go func() { done <- plain.Hit(t.Context(), nil) }()
		if err := rule.Await(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		equal(t, "the second hit", fmt.Sprint(plain.Hit(t.Context(), nil)), "called")
		rule.Release(1)
		equal(t, "the first hit", <-done, nil)
		equal(t, "calls", called, 1)
	})
}

func TestStepsThatCannotWorkAreRefused(t *testing.T) {
	const outside = "want options of a step: FailureRate, MaxFailures, Delay, Pause, Call, Fail, Err, Code or Pass; " +
		"what is the whole rule's stands outside"
	one := chaos.MaxFailures(1)
	for _, c := range []struct {
		want string
		opts []chaos.Option
	}{
		{"Then(…): want MaxFailures in step 1, without which it never ends", []chaos.Option{chaos.Then()}},
		{"Then(…): want MaxFailures in step 2, without which it never ends", []chaos.Option{one, chaos.Then(), chaos.Then(one)}},
		{"Then(…), option 1: " + outside, []chaos.Option{one, chaos.Then(chaos.Skip(1))}},
		{"Then(…), option 2: " + outside, []chaos.Option{one, chaos.Then(one, chaos.Match("worker", "w-0"))}},
		{"Then(…), option 1: " + outside, []chaos.Option{one, chaos.Then(chaos.MinFailures(0))}},
		{"Then(…), option 1: " + outside, []chaos.Option{one, chaos.Then(chaos.ID("x"))}},
		{"Then(…), option 1: " + outside, []chaos.Option{one, chaos.Then(chaos.Then())}},
		{"Then(…) with nil: want an option", []chaos.Option{one, chaos.Then(nil)}},
		{"FailureRate(2): want a number from 0 to 1", []chaos.Option{one, chaos.Then(chaos.FailureRate(2))}},
		{"FailureRate(0): want more than 0 in step 2, which never fires", []chaos.Option{one, chaos.MayNotFire(), chaos.Then(chaos.FailureRate(0))}},
		{"MaxFailures(0): want 1 or more in step 1", []chaos.Option{chaos.MaxFailures(0), chaos.MayNotFire(), chaos.Then()}},
		{"FailureRate(0): want more than 0, or MayNotFire: it can never fire", []chaos.Option{chaos.FailureRate(0)}},
		{"MaxFailures(0): want 1 or more, or MayNotFire: it can never fire", []chaos.Option{chaos.MaxFailures(0)}},
		{"Pass(0): want 1 or more", []chaos.Option{one, chaos.Then(chaos.Pass(0))}},
		{"Pass(3) at the end: want a step after it: Then(Fail())", []chaos.Option{chaos.Pass(3)}},
		{"Pass(3): want nothing else in a step that lets hits pass", []chaos.Option{chaos.Pass(3), chaos.Fail(), chaos.Then()}},
		{"MinFailures(4) with MaxFailures(3) in all steps together: want a floor at most the maximum",
			[]chaos.Option{chaos.MinFailures(4), one, chaos.Then(chaos.Pass(9)), chaos.Then(chaos.MaxFailures(2))}},
	} {
		_, err := chaos.Enable("test.plain", c.opts...)
		equal(t, "error", fmt.Sprint(err), "chaos: test.plain: "+c.want)
	}
	_, err := limited.Enable(one, chaos.Delay(0), chaos.Then())
	equal(t, "what the site cannot do", fmt.Sprint(err), "chaos: test.limited: action fail: this site can only delay, pause")
	equal(t, "rules", len(chaos.Rules()), 0)
}

func TestTextsOfStepsThatMeanTheSameArmTheSame(t *testing.T) {
	t.Cleanup(chaos.Reset)
	for text, want := range map[string]string{
		"test.beat=error":                         "test.beat fail", // one step is said in clauses
		"test.beat=3*50%error(ABORTED)":           "test.beat rate 0.5 max 3 fail code Aborted",
		"test.beat = 25 % 3 * delay( 1m ) seed 7": "test.beat rate 0.25 max 3 seed 7 delay 1m0s",
		`test.beat[worker="a b"]= 2*error + delay(3s) # two
		`: `test.beat[worker="a b"] max 2 delay 3s fail`,
		"test.beat=1*pause->0.1%error(deadline_exceeded)":        "test.beat=1*pause->0.1%error(DeadlineExceeded)",
		`test.beat=1*error("a->b;#") -> error("",Aborted)`:       `test.beat=1*error("a->b;#")->error("",Aborted)`,
		"test.beat=skip(3)->2*100%error every 2 window 0s to 9s": "test.beat=skip(3)->2*error every 2 window 0s to 9s",
	} {
		rule, err := chaos.EnableText(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		equal(t, text, rule.String(), want)
	}
}

func TestABadTextOfStepsIsRefusedWithPlaceAndCure(t *testing.T) {
	t.Cleanup(chaos.Reset)
	const doings = "want delay, error, pause or skip"
	for _, c := range []struct{ text, want string }{
		{"test.beat=", "column 11: found the end of the text, " + doings},
		{"test.beat=eror", `column 11: found "eror", ` + doings + "; did you mean error?"},
		{"test.beat=2*eror->error", `column 13: found "eror", ` + doings + "; did you mean error?"},
		{"test.beat=2*error->slep(3s)", `column 20: found "slep", ` + doings + "; did you mean skip?"},
		{"test.beat=sleep(100)", `column 11: found "sleep", ` + doings + "; did you mean delay?"},
		{"test.beat=1*return(5)", `column 13: found "return", ` + doings + "; did you mean error?"},
		{"test.beat=1*off->error", `column 13: found "off", ` + doings + "; did you mean skip?"},
		{"test.beat=panic", `column 11: found "panic", ` + doings},
		{"test.beat=call", "column 11: a callback cannot be said as text; arm the rule in the process"},
		{"test.beat=2error", `column 11: found "2error", want * or % after a number, as in 2*error or 50%error`},
		{"test.beat=2->error", `column 11: found "2", want * or % after a number, as in 2*error or 50%error`},
		{"test.beat=0*error", "column 11: 0*: want a whole number, 1 or more, as in 2*error"},
		{"test.beat=1.5*error", "column 11: 1.5*: want a whole number, 1 or more, as in 2*error"},
		{"test.beat=99999999999999999999*error", "column 11: 99999999999999999999*: want a whole number, 1 or more, as in 2*error"},
		{"test.beat=0%error", "column 11: 0%: want a number above 0, and 100 at the most"},
		{"test.beat=2*101%error", "column 13: 101%: want a number above 0, and 100 at the most"},
		{"test.beat=2*3*error", "column 13: 3*: a step has one count and one share; put -> between two steps"},
		{"test.beat=2*50%2*error", "column 16: 2*: a step has one count and one share; put -> between two steps"},
		{"test.beat=error->pause", "column 16: the step before has no count, so that none comes after it; want one, as in 2*error"},
		{"test.beat=1*error->50%error->pause", "column 28: the step before has no count, so that none comes after it; want one, as in 2*50%error"},
		{"test.beat=1*error->", "column 20: found the end of the text, " + doings},
		{"test.beat=1*error->skip(3)", "column 27: found the end of the text, want -> and a step after skip(3)"},
		{"test.beat=skip(0)->error", "column 11: skip(0): want 1 or more"},
		{"test.beat=skip->error", `column 15: found "->", want a whole number in brackets, as in skip(5)`},
		{"test.beat=skip(x)->error", `column 16: found "x", want a whole number in brackets, as in skip(5)`},
		{"test.beat=2*skip(3)->error", "column 13: skip stands alone in a step, as in skip(5); put -> before it"},
		{"test.beat=error+skip(3)", "column 17: skip stands alone in a step, as in skip(5); put -> before it"},
		{"test.beat=skip(3)+error", `column 18: found "+", want -> and a step after skip(3)`},
		{"test.beat=delay", "column 16: found the end of the text, want a duration in brackets, as in delay(3s)"},
		{"test.beat=delay(3)", `column 17: found "3", want a duration in brackets, as in delay(3s)`},
		{"test.beat=delay(-3s)", "column 11: delay(-3s): want 0s or more"},
		{"test.beat=delay(3s", `column 19: found the end of the text, want )`},
		{"test.beat=delay(3s)+delay(4s)", "column 21: delay is given twice in one step; put -> between two steps"},
		{`test.beat=error("x"`, "column 20: found the end of the text, want )"},
		{`test.beat=error("x)`, "column 17: " + strings.TrimSuffix(badQuotes, ", ") + ", want Canceled, Unknown"},
		{"test.beat=error(unavailabel)", `column 17: found "unavailabel", want Canceled, Unknown`},
		{"test.beat=2*error rate 0.5", "column 19: rate is what a step says, as in =2*50%delay(3s)+error->error; " +
			"after steps want every, may-not-fire, min, seed, skip or window"},
		{"test.beat=2*error sed 7", `column 19: found "sed", ` + wantClause + "; did you mean seed?"},
		{"test.beat seed 7=2*error", `column 17: found "=", ` + wantClause},
		{"test.limited=1*delay(3s)->error", "column 1: test.limited: action fail: this site can only delay, pause"},
	} {
		_, err := chaos.EnableAll(c.text)
		if want := "chaos: " + c.want; err == nil || !strings.HasPrefix(err.Error(), want) ||
			err.Error() != want && !strings.HasSuffix(want, "Canceled, Unknown") {
			t.Errorf("%q\n\tis refused with %v\n\twant             %s", c.text, err, want)
		}
	}
	_, err := chaos.EnableAll("test.beat=2*eror; test.beat[worker=w-0] fail;\ntest.beat=1*pause->error(x)")
	equal(t, "mistakes of a text", strings.Count(fmt.Sprint(err), "chaos: line "), 2)
	equal(t, "rules after refusals", len(chaos.Rules()), 0)
}
