package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"iris/chaos"
)

func on(cluster, worker string) chaos.Labels {
	return chaos.Labels{"cluster": cluster, "worker": worker}
}

// armIn arms a rule in a scope until the test is over.
func armIn(t *testing.T, scope chaos.Scope, key string, opts ...chaos.Option) *chaos.Rule {
	t.Helper()
	t.Cleanup(chaos.Reset)
	rule, err := scope.Enable(key, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return rule
}

func TestVerifySaysWhichOfTheThreeARuleMissed(t *testing.T) {
	t.Run("never reached", func(t *testing.T) {
		arm(t, plain)
		equal(t, "verdict", fmt.Sprint(chaos.Verify()), "chaos: rule test.plain fail: never reached")
	})
	t.Run("never reached by its cluster", func(t *testing.T) {
		armIn(t, chaos.In("a"), "test.beat")
		pattern(t, beat, on("b", "w-0"), 1)
		pattern(t, beat, nil, 1)
		equal(t, "verdict", fmt.Sprint(chaos.Verify()), "chaos: rule test.beat[cluster=a] fail: "+
			"never reached by its cluster (2 hits came from elsewhere)")
	})
	t.Run("not matched", func(t *testing.T) {
		arm(t, beat, chaos.Match("worker", "w-9"), chaos.Match("job", "a"))
		pattern(t, beat, w("w-0"), 3)
		pattern(t, beat, chaos.Labels{"worker": "w-9", "job": "b"}, 2)
		equal(t, "verdict", fmt.Sprint(chaos.Verify()), "chaos: rule test.beat[worker=w-9,job=a] fail: "+
			"reached 5 times, but no label matched; seen: worker=w-0,no job; worker=w-9,job=b")
	})
	t.Run("not matched, by many", func(t *testing.T) {
		arm(t, beat, chaos.Match("worker", "x"))
		for i := range 100 {
			pattern(t, beat, w(fmt.Sprint(i)), 1)
		}
		equal(t, "verdict", fmt.Sprint(chaos.Verify()), "chaos: rule test.beat[worker=x] fail: "+
			"reached 100 times, but no label matched; seen: worker=0; worker=1; worker=2; worker=3")
	})
	t.Run("never drawn", func(t *testing.T) {
		arm(t, plain, chaos.FailureRate(1e-9))
		pattern(t, plain, nil, 1)
		equal(t, "verdict", fmt.Sprint(chaos.Verify()),
			"chaos: rule test.plain rate 1e-09 fail: matched 1 time, but never drawn")
	})
	t.Run("below its floor", func(t *testing.T) {
		arm(t, plain, chaos.MinFailures(3), chaos.Skip(1))
		pattern(t, plain, nil, 2)
		equal(t, "verdict", fmt.Sprint(chaos.Verify()),
			"chaos: rule test.plain skip 1 min 3 fail: fired 1 time, fewer than its floor of 3 (matched 2 times)")
	})
	t.Run("each rule by itself", func(t *testing.T) {
		arm(t, plain)
		arm(t, beat)
		equal(t, "verdict", fmt.Sprint(chaos.Verify()),
			"chaos: rule test.plain fail: never reached\nchaos: rule test.beat fail: never reached")
	})
}

func TestVerifyIsContentWithRulesThatDidTheirWork(t *testing.T) {
	equal(t, "verdict without rules", chaos.Verify(), nil)
	arm(t, plain, chaos.FailureRate(0.5), chaos.MinFailures(2))
	arm(t, plain, chaos.MayNotFire(), chaos.FailureRate(0))
	arm(t, plain, chaos.MinFailures(0), chaos.FailureRate(0))
	arm(t, beat, chaos.MinFailures(2), chaos.MayNotFire())
	pattern(t, plain, nil, 2)
	equal(t, "verdict", chaos.Verify(), nil)
}

func TestVerifyJudgesDisarmedRulesToo(t *testing.T) {
	arm(t, plain).Disarm()
	equal(t, "verdict", fmt.Sprint(chaos.Verify()), "chaos: rule test.plain fail: never reached")
	chaos.Reset()
	equal(t, "verdict after reset", chaos.Verify(), nil)
}

func TestScopesNeverSeeEachOther(t *testing.T) {
	a, b := chaos.In("a"), chaos.In("b")
	equal(t, "two scopes of one name", a, chaos.In("a"))
	ruleA := armIn(t, a, "test.beat", chaos.Err(errors.New("a's")))
	ruleB := armIn(t, b, "test.beat", chaos.Err(errors.New("b's")), chaos.Skip(1))
	for _, c := range []struct{ cluster, want string }{
		{"a", "a's"}, {"b", "<nil>"}, {"c", "<nil>"}, {"b", "b's"}, {"", "<nil>"},
	} {
		equal(t, "error in "+c.cluster, fmt.Sprint(beat.Hit(t.Context(), on(c.cluster, "w-0"))), c.want)
	}
	equal(t, "counts of a", ruleA.Counts(), chaos.Counts{Reached: 1, Matched: 1, Fired: 1})
	equal(t, "counts of b", ruleB.Counts(), chaos.Counts{Reached: 2, Matched: 2, Fired: 1})
	equal(t, "rules of a", slices.Equal(a.Rules(), []*chaos.Rule{ruleA}), true)
	equal(t, "all rules", slices.Equal(chaos.Rules(), []*chaos.Rule{ruleA, ruleB}), true)
	equal(t, "firings of b", len(b.Firings()), 1)
	equal(t, "all firings", len(chaos.Firings()), 2)

	a.Reset()
	equal(t, "error in a after its reset", beat.Hit(t.Context(), on("a", "w-0")), nil)
	equal(t, "error in b after a's reset", fmt.Sprint(beat.Hit(t.Context(), on("b", "w-0"))), "b's")
	equal(t, "rules of a after its reset", len(a.Rules()), 0)
	equal(t, "rules of b after a's reset", len(b.Rules()), 1)
}

func TestScopeVerifiesItsOwnRules(t *testing.T) {
	armIn(t, chaos.In("a"), "test.beat")
	armIn(t, chaos.In("b"), "test.beat", chaos.MayNotFire())
	equal(t, "verdict of b", chaos.In("b").Verify(), nil)
	equal(t, "verdict of a", fmt.Sprint(chaos.In("a").Verify()),
		"chaos: rule test.beat[cluster=a] fail: never reached")
}

func TestResetOfAScopeWakesOnlyItsWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := armIn(t, chaos.In("a"), "test.beat", chaos.Pause())
		b := armIn(t, chaos.In("b"), "test.beat", chaos.Pause())
		gone := make(chan string, 2)
		for _, cluster := range []string{"a", "b"} {
			go func() {
				_ = beat.Hit(t.Context(), on(cluster, "w-0"))
				gone <- cluster
			}()
		}
		if err := errors.Join(a.Await(t.Context(), 1), b.Await(t.Context(), 1)); err != nil {
			t.Fatal(err)
		}
		chaos.In("a").Reset()
		equal(t, "woken", <-gone, "a")
		synctest.Wait()
		equal(t, "others gone", len(gone), 0)
		chaos.Reset()
		equal(t, "woken at last", <-gone, "b")
	})
}

func TestInRefusesTheEmptyName(t *testing.T) {
	equal(t, "panic", panicOf(func() { chaos.In("") }),
		`chaos: In(""): want the name of a cluster; use the package's functions for all of them`)
}

func TestSeedIsTheRulesElseTheScopesElseTheProcesss(t *testing.T) {
	t.Cleanup(func() { chaos.Seed(0) })
	scope := chaos.In("a")
	seed := func(opts ...chaos.Option) string { return armIn(t, scope, "test.plain", opts...).String() }
	equal(t, "at first", seed(), "test.plain[cluster=a] fail")
	chaos.Seed(1)
	equal(t, "after Seed(1)", seed(), "test.plain[cluster=a] seed 1 fail")
	scope.Seed(2)
	equal(t, "after scope.Seed(2)", seed(), "test.plain[cluster=a] seed 2 fail")
	other := armIn(t, chaos.In("b"), "test.plain")
	equal(t, "in another scope", other.String(), "test.plain[cluster=b] seed 1 fail")
	equal(t, "with WithSeed(3)", seed(chaos.WithSeed(3)), "test.plain[cluster=a] seed 3 fail")
	chaos.In("b").Reset()
	equal(t, "after reset of another scope", seed(), "test.plain[cluster=a] seed 2 fail")
	scope.Reset()
	equal(t, "after reset of the scope", seed(), "test.plain[cluster=a] seed 1 fail")
	scope.Seed(2)
	chaos.Reset()
	equal(t, "after reset of everything", seed(), "test.plain[cluster=a] seed 1 fail")
}

func TestTargetsAreCountedEachByItself(t *testing.T) {
	rule := arm(t, start, chaos.Match("task", "1"), chaos.Skip(1))
	for _, l := range []chaos.Labels{
		{"job": "a", "task": "1"}, {"job": "a", "task": "1"},
		{"job": "b", "task": "1"}, {"job": "b", "task": "2"},
	} {
		pattern(t, start, l, 1)
	}
	want := map[string]chaos.Counts{
		"a/1": {Reached: 2, Matched: 2, Fired: 1}, "b/1": {Reached: 1, Matched: 1}, "b/2": {Reached: 1},
	}
	if diff := cmp.Diff(want, rule.Targets()); diff != "" {
		t.Error(diff)
	}
	equal(t, "sum", rule.Counts(), chaos.Counts{Reached: 4, Matched: 3, Fired: 1})
	equal(t, "site", rule.Site(), start)
}

func TestEachFiringIsLoggedWithTimeAndLabels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := time.Now()
		arm(t, beat, chaos.Skip(1), chaos.Delay(time.Second), chaos.Fail())
		arm(t, plain, chaos.Delay(2*time.Second))
		pattern(t, beat, w("w-0"), 2)
		pattern(t, plain, nil, 1)
		pattern(t, beat, w("w-0"), 1)
		want := []chaos.Firing{
			{At: from, Site: "test.beat", Target: "w-0", Nth: 2, Labels: w("w-0"), Action: "delay 1s fail",
				Rule: "test.beat skip 1 delay 1s fail"},
			{At: from.Add(time.Second), Site: "test.plain", Nth: 1, Action: "delay 2s",
				Rule: "test.plain delay 2s"},
			{At: from.Add(3 * time.Second), Site: "test.beat", Target: "w-0", Nth: 3, Labels: w("w-0"),
				Action: "delay 1s fail", Rule: "test.beat skip 1 delay 1s fail"},
		}
		if diff := cmp.Diff(want, chaos.Firings()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestLogKeepsTheLastFiringsInOrder(t *testing.T) {
	rule := arm(t, plain, chaos.Every(2))
	pattern(t, plain, nil, 6000)
	log := chaos.Firings()
	equal(t, "entries", len(log), 1024)
	for i, f := range log {
		if want := 2 * (3000 - 1024 + i + 1); f.Nth != want {
			t.Fatalf("entry %d is of hit %d, want %d", i, f.Nth, want)
		}
	}
	equal(t, "firings counted", rule.Counts().Fired, 3000)
}

func TestResetForgetsRulesAndFirings(t *testing.T) {
	rule := arm(t, plain)
	pattern(t, plain, nil, 1)
	chaos.Reset()
	equal(t, "rules", len(chaos.Rules()), 0)
	equal(t, "firings", len(chaos.Firings()), 0)
	equal(t, "hits afterwards", pattern(t, plain, nil, 3), "...")
	equal(t, "fired", rule.Counts().Fired, 1)
}

func TestArmingAndResettingWhileHitsPassIsSafe(t *testing.T) {
	t.Cleanup(chaos.Reset)
	ctx, stop := context.WithCancel(t.Context())
	var hitters, armers sync.WaitGroup
	for i := range 8 {
		hitters.Go(func() {
			for ctx.Err() == nil {
				if err := beat.Hit(context.Background(), on("a", fmt.Sprint(i))); err != nil &&
					!errors.Is(err, chaos.ErrInjected) {
					t.Error(err)
				}
			}
		})
	}
	for i := range 4 {
		armers.Go(func() {
			scope := []chaos.Scope{{}, chaos.In("a")}[i%2]
			for n := range 200 {
				rule, err := scope.Enable("test.beat",
					[]chaos.Option{chaos.Fail(), chaos.Pause(), chaos.Delay(time.Hour), chaos.FailureRate(0.5)}[n%4])
				if err != nil {
					t.Error(err)
					return
				}
				rule.Release(1)
				_ = scope.Verify()
				_, _, _ = scope.Firings(), rule.Targets(), rule.Counts()
				if n%3 == 0 {
					rule.Disarm()
				}
				if n%5 == 0 {
					scope.Reset()
				}
			}
		})
	}
	armers.Wait()
	stop()
	chaos.Reset() // wakes every hit there is, else the next line waits for ever
	hitters.Wait()
	equal(t, "armed at last", beat.Armed(), false)
	equal(t, "hits at last", pattern(t, beat, on("a", "w-0"), 5), ".....")
}
