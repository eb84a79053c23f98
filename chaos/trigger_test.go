package chaos_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"iris/chaos"
)

func TestTriggerChoosesTheseHits(t *testing.T) {
	for _, c := range []struct {
		want string // of ten hits
		opts []chaos.Option
	}{
		{"xxxxxxxxxx", nil},
		{"..........", []chaos.Option{chaos.FailureRate(0), chaos.MayNotFire()}},
		{"..........", []chaos.Option{chaos.MaxFailures(0), chaos.MayNotFire()}},
		{"xxx.......", []chaos.Option{chaos.MaxFailures(3)}},
		{"....xxxxxx", []chaos.Option{chaos.Skip(4)}},
		{"..x..x..x.", []chaos.Option{chaos.Every(3)}},
		{".....x..x.", []chaos.Option{chaos.Skip(3), chaos.Every(3)}},
		{".....x....", []chaos.Option{chaos.Skip(3), chaos.Every(3), chaos.MaxFailures(1)}},
		{"xx........", []chaos.Option{chaos.FailureRate(0), chaos.MinFailures(2)}},
		{"...xx.....", []chaos.Option{chaos.FailureRate(0), chaos.MinFailures(2), chaos.Skip(3)}},
		{"xx........", []chaos.Option{chaos.MinFailures(2), chaos.MaxFailures(2)}},
		{"xx........", []chaos.Option{chaos.MaxFailures(9), chaos.MaxFailures(2)}}, // the last one counts
	} {
		rule := arm(t, plain, c.opts...)
		equal(t, rule.String(), pattern(t, plain, nil, 10), c.want)
		equal(t, rule.String()+": fired", rule.Counts().Fired, strings.Count(c.want, "x"))
		chaos.Reset()
	}
}

func TestSkipEveryAndMaxAgreeWithArithmetic(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		skip, every := rapid.IntRange(0, 20).Draw(rt, "skip"), rapid.IntRange(1, 9).Draw(rt, "every")
		limit, hits := rapid.IntRange(0, 9).Draw(rt, "max"), rapid.IntRange(0, 60).Draw(rt, "hits")
		rule := arm(t, plain, chaos.Skip(skip), chaos.Every(every), chaos.MaxFailures(limit), chaos.MayNotFire())
		pattern(t, plain, nil, hits)
		want := chaos.Counts{Reached: hits, Matched: hits, Fired: min(limit, max(0, hits-skip)/every)}
		equal(t, rule.String(), rule.Counts(), want)
		chaos.Reset()
	})
}

func TestSkipAndEveryCountEachTargetByItself(t *testing.T) {
	arm(t, beat, chaos.Skip(1), chaos.Every(2))
	equal(t, "w-0", pattern(t, beat, w("w-0"), 6), "..x.x.")
	equal(t, "w-1", pattern(t, beat, w("w-1"), 6), "..x.x.")
}

func TestWindowFollowsTheAgeOfTheRule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Hour)
		arm(t, plain, chaos.Window(2*time.Second, 5*time.Second))
		var drawn string
		for range 8 { // at 0s, 1s, …
			drawn += pattern(t, plain, nil, 1)
			time.Sleep(time.Second)
		}
		equal(t, "failures, second by second", drawn, "..xxx...")
	})
}

func TestMaxFailuresIsExactUnderContention(t *testing.T) {
	rule := arm(t, beat, chaos.MaxFailures(100))
	failed := make([]int, 32)
	var all sync.WaitGroup
	for i := range failed {
		all.Go(func() {
			for range 200 {
				if beat.Hit(t.Context(), w(fmt.Sprintf("w-%d", i%4))) != nil {
					failed[i]++
				}
			}
		})
	}
	all.Wait()
	sum := 0
	for _, n := range failed {
		sum += n
	}
	equal(t, "failures", sum, 100)
	equal(t, "counts", rule.Counts(), chaos.Counts{Reached: 6400, Matched: 6400, Fired: 100})
	perTarget := 0
	for target, c := range rule.Targets() {
		equal(t, "hits of "+target, c.Matched, 1600)
		perTarget += c.Fired
	}
	equal(t, "firings of all targets", perTarget, 100)
}

// firedHits is the numbers of the hits of each target that fired, as text.
func firedHits(rule *chaos.Rule) map[string]string {
	nth := map[string]map[int]bool{}
	for _, f := range chaos.Firings() {
		if nth[f.Target] == nil {
			nth[f.Target] = map[int]bool{}
		}
		nth[f.Target][f.Nth] = true
	}
	text := map[string]string{}
	for target, c := range rule.Targets() {
		for n := range c.Matched {
			text[target] += map[bool]string{true: "x", false: "."}[nth[target][n+1]]
		}
	}
	return text
}

func TestOneSeedGivesEachTargetOnePatternUnderAnyInterleaving(t *testing.T) {
	const goroutines, hits, runs = 4, 25, 100
	patterns, orders := map[string]map[string]bool{}, map[string]bool{}
	for run := range runs {
		rule := arm(t, beat, chaos.FailureRate(0.5), chaos.WithSeed(7))
		var all sync.WaitGroup
		for g := range goroutines {
			all.Go(func() { // every goroutine hits every worker, in an order of its own
				random := rand.New(rand.NewPCG(uint64(run), uint64(g)))
				for _, i := range random.Perm(goroutines * hits) {
					_ = beat.Hit(t.Context(), w(fmt.Sprintf("w-%d", i%4)))
				}
			})
		}
		all.Wait()
		for target, drawn := range firedHits(rule) {
			if patterns[target] == nil {
				patterns[target] = map[string]bool{}
			}
			patterns[target][drawn] = true
		}
		var order strings.Builder
		for _, f := range chaos.Firings() {
			order.WriteString(f.Target)
		}
		orders[order.String()] = true
		chaos.Reset()
	}
	if len(orders) < 2 {
		t.Errorf("all %d runs interleaved alike: they prove nothing", runs)
	}
	equal(t, "number of targets", len(patterns), 4)
	for target, drawn := range patterns {
		equal(t, fmt.Sprintf("number of patterns of %s in %d runs", target, runs), len(drawn), 1)
	}
}

func TestPatternsDifferBySeedTargetAndSiteAndNeverChange(t *testing.T) {
	draw := func(site *chaos.Site, seed uint64, on chaos.Labels) string {
		arm(t, site, chaos.FailureRate(0.5), chaos.WithSeed(seed))
		defer chaos.Reset()
		return pattern(t, site, on, 24)
	}
	equal(t, "seed 1, w-0", draw(beat, 1, w("w-0")), ".xx.x.x..xx.xx..........")
	equal(t, "seed 2, w-0", draw(beat, 2, w("w-0")), "xxxx..x.x.xxxxx...xxx...")
	equal(t, "seed 1, w-1", draw(beat, 1, w("w-1")), "x....xx..x.....x.xx..x..")
	equal(t, "seed 1, another site", draw(plain, 1, w("w-0")), "x...x...x...xx.xx.x.xx..")
	equal(t, "seed 1, job and task", draw(start, 1, chaos.Labels{"job": "w", "task": "0"}),
		".x...x.x.xxxxxxx.x......")
}

func TestThousandSeedsGiveThousandPatterns(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(1000) {
		arm(t, plain, chaos.FailureRate(0.5), chaos.WithSeed(seed))
		seen[pattern(t, plain, nil, 64)] = true
		chaos.Reset()
	}
	equal(t, "different patterns", len(seen), 1000)
}

func TestShareOfFiringsIsTheRate(t *testing.T) {
	for _, rate := range []float64{0.01, 0.3, 0.5, 0.9} {
		rule := arm(t, beat, chaos.FailureRate(rate), chaos.WithSeed(42))
		for i := range 100 {
			pattern(t, beat, w(fmt.Sprintf("w-%d", i)), 200)
		}
		if share := float64(rule.Counts().Fired) / 20000; share < rate-0.01 || share > rate+0.01 {
			t.Errorf("rate %v fired on %v of 20000 hits", rate, share)
		}
		chaos.Reset()
	}
}

func TestHigherRateOnlyAddsFirings(t *testing.T) {
	var before string
	for _, rate := range []float64{0.1, 0.2, 0.5, 0.9} {
		arm(t, plain, chaos.FailureRate(rate))
		now := pattern(t, plain, nil, 200)
		for i := range before {
			if before[i] == 'x' && now[i] != 'x' {
				t.Fatalf("hit %d fires at a lower rate than %v, but not at it", i+1, rate)
			}
		}
		before = now
		chaos.Reset()
	}
}

func TestClustersDoNotDisturbEachOthersPatterns(t *testing.T) {
	on := func(cluster string) chaos.Labels { return chaos.Labels{"cluster": cluster, "worker": "w-0"} }
	arm(t, beat, chaos.FailureRate(0.5), chaos.WithSeed(3))
	alone := pattern(t, beat, on("a"), 40)
	chaos.Reset()
	rule := arm(t, beat, chaos.FailureRate(0.5), chaos.WithSeed(3))
	var mixed string
	for range 40 {
		mixed += pattern(t, beat, on("a"), 1)
		pattern(t, beat, on("b"), 2)
	}
	equal(t, "pattern of cluster a beside b", mixed, alone)
	fired := strings.Count(alone, "x")
	want := map[string]chaos.Counts{"w-0": {Reached: 120, Matched: 120, Fired: rule.Counts().Fired}}
	if got := rule.Targets(); !maps.Equal(got, want) || want["w-0"].Fired <= fired {
		t.Errorf("targets are %v, want %v with more than %d fired", got, want, fired)
	}
}
