package chaostest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"time"

	"iris/chaos"
)

// SeedVariable is the environment variable that sets the seed: a whole number, or "random". Default 0.
const SeedVariable = "CHAOS_SEED"

// TB is what a lab needs of its test. *testing.T and GinkgoT() have it.
type TB interface {
	Cleanup(func())
	Context() context.Context
	Errorf(format string, args ...any)
	Failed() bool
	Fatalf(format string, args ...any)
	Helper()
	Logf(format string, args ...any)
	Name() string
	Skipped() bool
}

// Lab is where the faults of one test are. [New] makes it; it ends with the test. Its methods are, like t.Fatal,
// for the goroutine of the test.
type Lab struct {
	t     TB
	scope chaos.Scope
	seed  uint64
	began time.Time

	mu   sync.Mutex
	over bool
}

// open are the names of the tests that have a lab.
var open = struct {
	mu    sync.Mutex
	names map[string]bool
}{names: map[string]bool{}}

// New makes the lab of a test. It fails the test at once if it has a lab already, if it has no name, or if CHAOS_SEED is
// neither a whole number nor "random".
func New(t TB) *Lab {
	t.Helper()
	name := t.Name()
	if name == "" {
		t.Fatalf("chaostest: New: want a test with a name, which its scope has too; call it inside of a test or spec")
	}
	seed, err := seedOf(os.Getenv(SeedVariable))
	if err != nil {
		t.Fatalf("chaostest: %v", err)
	}
	if !enter(name) {
		t.Fatalf("chaostest: New: %s has a lab already; hand that on, or call New with the t of a subtest", name)
	}
	l := &Lab{t: t, scope: chaos.In(name), seed: seed, began: time.Now()}
	l.scope.Seed(seed)
	t.Cleanup(l.end)
	return l
}

func enter(name string) bool {
	open.mu.Lock()
	defer open.mu.Unlock()
	if open.names[name] {
		return false
	}
	open.names[name] = true
	return true
}

func leave(name string) {
	open.mu.Lock()
	defer open.mu.Unlock()
	delete(open.names, name)
}

func seedOf(text string) (uint64, error) {
	switch text {
	case "":
		return 0, nil
	case "random":
		return uint64(rand.Uint32()), nil
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s=%s: want a whole number, or random", SeedVariable, text)
	}
	return seed, nil
}

// Context is the test's own context, whose hits the lab sees. It ends just before the test's cleanups.
func (l *Lab) Context() context.Context { return l.scope.Context(l.t.Context()) }

// Name is the value of the label "cluster" by which the lab sees a hit that has no context of it. It is the test's name,
// and [chaos.In] makes the lab's scope of it, for the log of firings or a watch.
func (l *Lab) Name() string { return l.scope.Name() }

// Enable arms a rule, as [chaos.Enable] does. A rule that is refused fails the test at once.
func (l *Lab) Enable(key string, opts ...chaos.Option) *chaos.Rule {
	l.t.Helper()
	rule, err := arm(l, func() (*chaos.Rule, error) { return l.scope.Enable(key, opts...) })
	if err != nil {
		l.t.Fatalf("%v", err)
	}
	return rule
}

// EnableText arms the one rule that text says, as [chaos.EnableText] does. A text that is refused fails the test at
// once, and nothing is armed.
func (l *Lab) EnableText(text string, opts ...chaos.Option) *chaos.Rule {
	l.t.Helper()
	rule, err := arm(l, func() (*chaos.Rule, error) { return l.scope.EnableText(text, opts...) })
	if err != nil {
		l.t.Fatalf("%v\n\tin %q", err, text)
	}
	return rule
}

// EnableAll arms the rules that text says, as [chaos.EnableAll] does. A text that is refused fails the test at once, and
// nothing is armed.
func (l *Lab) EnableAll(text string, opts ...chaos.Option) []*chaos.Rule {
	l.t.Helper()
	rules, err := arm(l, func() ([]*chaos.Rule, error) { return l.scope.EnableAll(text, opts...) })
	if err != nil {
		l.t.Fatalf("%v\n\tin %q", err, text)
	}
	return rules
}

// arm arms while the test runs. After its end nobody would judge the rule, or take it away: that is a mistake in the test,
// which cannot fail any more, and panics.
func arm[T any](l *Lab, with func() (T, error)) (T, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		panic(fmt.Sprintf("chaostest: a rule is armed after the end of %s; wait in the test for whoever does so", l.Name()))
	}
	return with()
}

// end ends the lab, and judges what its rules did.
func (l *Lab) end() {
	l.t.Helper()
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
	rules := l.scope.Rules() // disarmed before they are judged: what is said of them is of one moment
	held := make([]int, len(rules))
	for i, r := range rules {
		held[i] = r.Held()
		r.Disarm()
	}
	early := l.t.Failed() || l.t.Skipped()
	verdict := verdictOf(rules)
	story := l.story(rules, held)
	l.scope.Reset()
	leave(l.Name())
	switch {
	case verdict != "" && !early:
		l.t.Errorf("%s\n%s", verdict, story) // the last thing: Ginkgo does not come back from it
	case l.t.Failed():
		l.t.Logf("%s", story)
	}
}
