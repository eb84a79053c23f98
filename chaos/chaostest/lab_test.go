package chaostest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"iris/chaos"
	"iris/chaos/chaostest"
)

var (
	save = chaos.NewSite("shop.save", "before an order is stored", chaos.CanAll).Carrying("order")
	mail = chaos.NewSite("shop.mail", "before a customer hears of it", chaos.CanAll)
)

// fake is a test in which a test can fail.
type fake struct {
	name     string
	ctx      context.Context
	cleanups []func()
	failed   bool
	skipped  bool
	errors   []string
	logs     []string
}

func (f *fake) Cleanup(do func())        { f.cleanups = append(f.cleanups, do) }
func (f *fake) Context() context.Context { return f.ctx }
func (f *fake) Failed() bool             { return f.failed }
func (f *fake) Helper()                  {}
func (f *fake) Logf(format string, args ...any) {
	f.logs = append(f.logs, fmt.Sprintf(format, args...))
}
func (f *fake) Name() string  { return f.name }
func (f *fake) Skipped() bool { return f.skipped }
func (f *fake) Errorf(format string, args ...any) {
	f.failed = true
	f.errors = append(f.errors, fmt.Sprintf(format, args...))
}
func (f *fake) Fatalf(format string, args ...any) { f.Errorf(format, args...); runtime.Goexit() }

// run runs a test to its end, as package testing does.
func run(t *testing.T, name string, test func(*fake)) *fake {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := &fake{name: name, ctx: ctx}
	done := make(chan struct{})
	go func() {
		defer close(done)
		test(f)
	}()
	<-done
	cancel()
	for len(f.cleanups) > 0 {
		last := len(f.cleanups) - 1
		do := f.cleanups[last]
		f.cleanups = f.cleanups[:last]
		do()
	}
	if name != "" && len(chaos.In(name).Rules()) > 0 {
		t.Errorf("rules of %s are left: %v", name, chaos.In(name).Rules())
	}
	return f
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is\n%v\nwant\n%v", what, got, want)
	}
}

func hit(ctx context.Context, site *chaos.Site) error { return site.Hit(ctx, nil) }

func TestALabSeesTheHitsOfItsContextAlone(t *testing.T) {
	lab := chaostest.New(t)
	lab.Enable("shop.save", chaos.MinFailures(2))
	equal(t, "a hit with another context", hit(t.Context(), save), nil)
	equal(t, "a hit with its context", errors.Is(hit(lab.Context(), save), chaos.ErrInjected), true)
	equal(t, "a hit with its name", errors.Is(save.Hit(context.Background(), chaos.Labels{"cluster": lab.Name()}), chaos.ErrInjected), true)
	equal(t, "a hit with another name", save.Hit(lab.Context(), chaos.Labels{"cluster": "else"}), nil)
}

func TestParallelSubtestsHaveFaultsOfTheirOwn(t *testing.T) {
	outer := chaostest.New(t)
	outer.Enable("shop.mail")
	if hit(outer.Context(), mail) == nil {
		t.Error("the outer lab is not armed")
	}
	for n := range 8 {
		t.Run(fmt.Sprint("lost ", n), func(t *testing.T) {
			t.Parallel()
			lab := chaostest.New(t)
			rule := lab.Enable("shop.save", chaos.MaxFailures(n+1), chaos.MinFailures(n+1))
			lost := 0
			for range 100 {
				if hit(lab.Context(), save) != nil {
					lost++
				}
				runtime.Gosched()
			}
			equal(t, "lost", lost, n+1)
			equal(t, "reached", rule.Counts().Reached, 100)
			equal(t, "the outer lab's fault", hit(lab.Context(), mail), nil)
		})
	}
}

func TestATestWhoseRulesDidTheirWorkSaysNothing(t *testing.T) {
	f := run(t, "TestQuiet", func(f *fake) {
		lab := chaostest.New(f)
		lab.EnableAll("shop.save max 1; shop.mail may-not-fire")
		_ = hit(lab.Context(), save)
	})
	equal(t, "failed", f.failed, false)
	equal(t, "output", len(f.errors)+len(f.logs), 0)
}

func TestARuleThatDidNotDoItsWorkFailsTheTest(t *testing.T) {
	const hint = "; a lab sees hits with its Context(), and those whose label cluster is its Name()"
	for _, c := range []struct{ text, want string }{
		{"shop.mail", "never reached" + hint},
		{"shop.mail[cluster=TestIdle]", "never reached" + hint},
		{"shop.save[order=9]", "reached 3 times, but no label matched; seen: order=7"},
		{"shop.save skip 3", "matched 3 times, but never drawn"},
		{"shop.save min 4 may-not-fire", ""},
		{"shop.save min 4", "fired 3 times, fewer than its floor of 4 (matched 3 times)"},
		{"shop.save=2*error->skip(5)->error", "fired 2 times, but its step 3, error, had no turn (matched 3 times)"},
	} {
		f := run(t, "TestIdle", func(f *fake) {
			lab := chaostest.New(f)
			rule := lab.EnableText(c.text)
			c.text = rule.String()
			for range 3 {
				_ = save.Hit(lab.Context(), chaos.Labels{"order": "7"})
			}
		})
		equal(t, c.text+": failed", f.failed, c.want != "")
		if c.want == "" {
			continue
		}
		verdict, _, _ := strings.Cut(strings.Join(f.errors, ""), "\n")
		equal(t, "verdict", verdict, "chaos: rule "+c.text+": "+c.want)
	}
	f := run(t, "TestElsewhere", func(f *fake) {
		chaostest.New(f).Enable("shop.mail")
		_ = hit(f.ctx, mail)
	})
	verdict, _, _ := strings.Cut(f.errors[0], "\n")
	equal(t, "verdict", verdict, "chaos: rule shop.mail[cluster=TestElsewhere] fail: never reached by its cluster (1 hit came from elsewhere)"+hint)
}

func TestAFailedTestTellsWhatFiredAndHowToRepeatIt(t *testing.T) {
	t.Setenv(chaostest.SeedVariable, "7")
	synctest.Test(t, func(t *testing.T) {
		f := run(t, "TestPlace/it's_lost.", func(f *fake) {
			lab := chaostest.New(f)
			lab.EnableAll("shop.save=1*delay(3s)+error(aborted)->error seed 5; shop.mail rate 0.5; shop.mail[nobody=x]")
			for n := range 2 {
				_ = save.Hit(lab.Context(), chaos.Labels{"order": fmt.Sprint(n)})
			}
			f.Fatalf("the order is gone")
		})
		equal(t, "errors", strings.Join(f.errors, "\n"), "the order is gone")
		equal(t, "log", strings.Join(f.logs, "\n"), `chaos in TestPlace/it's_lost., with the seed 7:
  shop.save[cluster=TestPlace/it's_lost.]=1*delay(3s)+error(Aborted)->error seed 5
    fired 2 of 2 matched, 2 reached
  shop.mail[cluster=TestPlace/it's_lost.] rate 0.5 seed 7 fail
    fired 0 of 0 matched, 0 reached
  shop.mail[cluster=TestPlace/it's_lost.,nobody=x] seed 7 fail
    fired 0 of 0 matched, 0 reached
  AFTER  SITE       HIT  ACTION                      LABELS
  0s     shop.save  1    delay 3s fail code Aborted  order=0
  3s     shop.save  2    fail                        order=1
to repeat it: CHAOS_SEED=7 go test -count=1 -run '^TestPlace$/^it'\''s_lost\.$'`)
	})
}

func TestOfManyFiringsTheLastAreTold(t *testing.T) {
	f := run(t, "TestMany", func(f *fake) {
		lab := chaostest.New(f)
		lab.Enable("shop.save")
		for range 130 {
			_ = hit(lab.Context(), save)
		}
		f.Errorf("wrong")
	})
	equal(t, "firings shown", strings.Count(f.logs[0], "  shop.save  "), 100)
	equal(t, "the rest", strings.Contains(f.logs[0], "  (30 firings before these are not shown)\n"), true)
}

func TestARefusedRuleFailsTheTestAtOnceAndArmsNothing(t *testing.T) {
	for want, arm := range map[string]func(*chaostest.Lab){
		`chaos: no site "shop.sav"; did you mean "shop.save"?`:                             func(l *chaostest.Lab) { l.Enable("shop.sav") },
		`chaos: shop.save: MaxFailures(0): want 1 or more, or MayNotFire`:                  func(l *chaostest.Lab) { l.Enable("shop.save", chaos.MaxFailures(0)) },
		`chaos: column 11: found "eror", want delay, error, pause or skip; did you mean`:   func(l *chaostest.Lab) { l.EnableText("shop.save=eror") },
		`chaos: a text of 2 rules, want one rule`:                                          func(l *chaostest.Lab) { l.EnableText("shop.save; shop.mail") },
		`chaos: column 22: found "dely", want code, delay`:                                 func(l *chaostest.Lab) { l.EnableAll("shop.mail; shop.save dely") },
		`chaos: column 1: shop.save: Match("cluster", "x"): want no cluster but "TestBad"`: func(l *chaostest.Lab) { l.EnableText("shop.save[cluster=x]") },
	} {
		f := run(t, "TestBad", func(f *fake) {
			arm(chaostest.New(f))
			t.Errorf("%s: the test goes on", want)
		})
		if len(f.errors) != 1 || !strings.HasPrefix(f.errors[0], want) {
			t.Errorf("refused with %q, want %q", f.errors, want)
		}
		equal(t, "armed", save.Armed() || mail.Armed(), false)
	}
}

func TestATestHasOneLab(t *testing.T) {
	f := run(t, "TestTwice", func(f *fake) {
		chaostest.New(f)
		chaostest.New(f)
		t.Error("the test goes on")
	})
	equal(t, "errors", strings.Join(f.errors, ""), "chaostest: New: TestTwice has a lab already; hand that on, or call New with the t of a subtest")
	f = run(t, "TestTwice", func(f *fake) { chaostest.New(f) })
	equal(t, "the next run of the test failed", f.failed, false)
	f = run(t, "", func(f *fake) { chaostest.New(f) })
	equal(t, "no name", len(f.errors), 1)
}

func TestARuleCannotBeArmedAfterTheEndOfTheTest(t *testing.T) {
	var lab *chaostest.Lab
	run(t, "TestOver", func(f *fake) { lab = chaostest.New(f) })
	defer func() {
		equal(t, "panic", fmt.Sprint(recover()), "chaostest: a rule is armed after the end of TestOver; wait in the test for whoever does so")
		equal(t, "armed", save.Armed(), false)
	}()
	lab.Enable("shop.save")
}

func TestWhatIsHeldAtTheEndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hits sync.WaitGroup
		began := time.Now()
		f := run(t, "TestHeld", func(f *fake) {
			lab := chaostest.New(f)
			lab.Enable("shop.save", chaos.Delay(time.Hour), chaos.Fail())
			paused := lab.Enable("shop.mail", chaos.Pause(), chaos.Fail())
			named := chaos.Labels{"cluster": lab.Name()}
			hits.Go(func() { equal(t, "the delayed hit", save.Hit(context.Background(), named), nil) })
			hits.Go(func() { equal(t, "the paused hit", mail.Hit(context.Background(), named), nil) })
			if err := paused.Await(t.Context(), 1); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			f.Errorf("wrong")
		})
		hits.Wait()
		equal(t, "time", time.Since(began), 0)
		equal(t, "it is told", strings.Contains(f.logs[0], "fired 1 of 1 matched, 1 reached; held 1 in a pause at the end"), true)
	})
}

func TestASkippedTestIsNotJudged(t *testing.T) {
	f := run(t, "TestSkipped", func(f *fake) {
		chaostest.New(f).Enable("shop.save")
		f.skipped = true
	})
	equal(t, "failed", f.failed, false)
	equal(t, "output", len(f.errors)+len(f.logs), 0)
}

func TestTheSeedComesFromTheEnvironment(t *testing.T) {
	text := func(seed string) string {
		t.Setenv(chaostest.SeedVariable, seed)
		var text string
		f := run(t, "TestSeed", func(f *fake) { text = chaostest.New(f).Enable("shop.save", chaos.MayNotFire()).String() })
		return text + strings.Join(f.errors, "")
	}
	equal(t, "no seed", text(""), "shop.save[cluster=TestSeed] may-not-fire fail")
	equal(t, "a seed", text("7"), "shop.save[cluster=TestSeed] seed 7 may-not-fire fail")
	equal(t, "a bad one", text("x"), "chaostest: CHAOS_SEED=x: want a whole number, or random")
	if a, b := text("random"), text("random"); a == b {
		t.Errorf("two random seeds are alike: %s", a)
	}
	if err := os.Unsetenv(chaostest.SeedVariable); err != nil {
		t.Fatal(err)
	}
}
