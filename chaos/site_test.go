package chaos_test

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"iris/chaos"
)

var (
	plain   = chaos.NewSite("test.plain", "has one target", chaos.CanAll)
	beat    = chaos.NewSite("test.beat", "a target per worker", chaos.CanAll, "worker")
	start   = chaos.NewSite("test.start", "a target per job and task", chaos.CanAll, "job", "task")
	limited = chaos.NewSite("test.limited", "may only delay and pause", chaos.CanDelay|chaos.CanPause)
	idle    = chaos.NewSite("test.idle", "never armed", chaos.CanAll, "worker")
)

// worker is what production code hits a site with: a pointer that knows its labels.
type worker struct {
	id    string
	asked int
}

func (w *worker) ChaosLabels() chaos.Labels {
	w.asked++
	return chaos.Labels{"worker": w.id}
}

func w(id string) chaos.Labels { return chaos.Labels{"worker": id} }

// arm arms a rule until the test is over, inside the test's bubble if it has one.
func arm(t testing.TB, s *chaos.Site, opts ...chaos.Option) *chaos.Rule {
	t.Helper()
	t.Cleanup(chaos.Reset)
	rule, err := s.Enable(opts...)
	if err != nil {
		t.Fatal(err)
	}
	return rule
}

// pattern hits the site n times and draws what failed: "x" for a failure, "." for none.
func pattern(t *testing.T, s *chaos.Site, on chaos.Labeler, n int) string {
	t.Helper()
	var drawn strings.Builder
	for range n {
		if s.Hit(t.Context(), on) != nil {
			drawn.WriteByte('x')
		} else {
			drawn.WriteByte('.')
		}
	}
	return drawn.String()
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is\n\t%v\nwant\n\t%v", what, got, want)
	}
}

func panicOf(f func()) (text string) {
	defer func() { text = fmt.Sprint(recover()) }()
	f()
	return
}

func TestSiteKeepsWhatItWasDeclaredWith(t *testing.T) {
	equal(t, "name", beat.Name(), "test.beat")
	equal(t, "doc", beat.Doc(), "a target per worker")
	equal(t, "ability", limited.Can(), chaos.CanDelay|chaos.CanPause)
	equal(t, "ability in words", chaos.CanAll.String(), "fail, delay, pause, call")
}

func TestSitesAreSortedByName(t *testing.T) {
	var names []string
	for _, s := range chaos.Sites() {
		names = append(names, s.Name())
	}
	want := []string{
		"demo.beat", "test.beat", "test.bench_armed", "test.bench_idle", "test.closed",
		"test.idle", "test.limited", "test.plain", "test.spoken", "test.start",
	}
	if !slices.Equal(names, want) {
		t.Errorf("sites are %q, want %q", names, want)
	}
}

func TestNewSitePanicsOnMistakes(t *testing.T) {
	const malformed = "want dotted lower-case words, as in controller.dispatch"
	for _, c := range []struct {
		name string
		can  chaos.Ability
		want string
	}{
		{"test.beat", chaos.CanAll, " test.beat is declared twice: declare it once, as a package variable"},
		{"", chaos.CanAll, ` name "": ` + malformed},
		{"beat", chaos.CanAll, ` name "beat": ` + malformed},
		{"Test.beat", chaos.CanAll, ` name "Test.beat": ` + malformed},
		{"test.", chaos.CanAll, ` name "test.": ` + malformed},
		{"test.beat:", chaos.CanAll, ` name "test.beat:": ` + malformed},
		{"test.beat:a=b", chaos.CanAll, ` name "test.beat:a=b": ` + malformed},
		{"test.b eat", chaos.CanAll, ` name "test.b eat": ` + malformed},
		{"test.none", 0, " test.none: ability 0x0: want one or more of fail, delay, pause, call"},
		{"test.odd", 16, " test.odd: ability 0x10: want one or more of fail, delay, pause, call"},
	} {
		equal(t, "panic for "+c.name, panicOf(func() { chaos.NewSite(c.name, "", c.can) }), "chaos: site"+c.want)
	}
}

func TestArmedHoldsFromTheFirstRuleToTheLast(t *testing.T) {
	equal(t, "armed at first", plain.Armed(), false)
	one, two := arm(t, plain), arm(t, plain)
	equal(t, "armed with two rules", plain.Armed(), true)
	one.Disarm()
	one.Disarm()
	equal(t, "armed with one rule", plain.Armed(), true)
	two.Disarm()
	equal(t, "armed after both are gone", plain.Armed(), false)
}

func TestLabelsAreAskedForOncePerHitAndOnlyWhileArmed(t *testing.T) {
	on := &worker{id: "w-0"}
	equal(t, "error of an idle site", beat.Hit(t.Context(), on), nil)
	equal(t, "times asked while idle", on.asked, 0)
	arm(t, beat, chaos.Match("worker", "w-1"))
	arm(t, beat, chaos.Match("worker", "w-2"))
	equal(t, "error of a hit that does not match", beat.Hit(t.Context(), on), nil)
	equal(t, "times asked by two rules", on.asked, 1)
}

func TestAnIdleHitAllocatesNothing(t *testing.T) {
	arm(t, beat)
	ctx, on := context.Background(), &worker{id: "w-0"}
	equal(t, "allocations", testing.AllocsPerRun(1000, func() {
		if idle.Armed() || idle.Hit(ctx, on) != nil {
			t.Fatal("the idle site did something")
		}
	}), 0)
}

func TestHitAndArmedAreInlined(t *testing.T) {
	out, err := exec.Command("go", "build", "-gcflags=-m", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for _, want := range []string{
		"can inline (*Site).Hit\n", "can inline (*Site).Armed\n", // into the packages that use them
		"inlining call to (*Site).Hit\n", // as done in this one
		"inlining call to atomic.(*Poin", // nothing but a load is left inside
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the compiler no longer says %q", want)
		}
	}
}
