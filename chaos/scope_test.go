package chaos_test

import (
	"context"
	"fmt"
	"testing"

	"iris/chaos"
)

func TestAContextCarriesTheScopeOfHitsWithoutACluster(t *testing.T) {
	a, b := chaos.In("a"), chaos.In("b")
	rule := armIn(t, a, "test.beat")
	for _, c := range []struct {
		what string
		ctx  context.Context
		on   chaos.Labeler
		want bool
	}{
		{"no scope", t.Context(), w("w-0"), false},
		{"its scope", a.Context(t.Context()), w("w-0"), true},
		{"its scope, no labels", a.Context(t.Context()), nil, true},
		{"its scope, handed down", context.WithoutCancel(a.Context(t.Context())), nil, true},
		{"another scope", b.Context(t.Context()), w("w-0"), false},
		{"the inner one of two", a.Context(b.Context(t.Context())), w("w-0"), true},
		{"the zero scope inside", chaos.Scope{}.Context(a.Context(t.Context())), w("w-0"), false},
		{"a label of its own", a.Context(t.Context()), on("b", "w-0"), false},
		{"its label, in another scope", b.Context(t.Context()), on("a", "w-0"), true},
	} {
		equal(t, c.what, beat.Hit(c.ctx, c.on) != nil, c.want)
	}
	equal(t, "counts", rule.Counts(), chaos.Counts{Reached: 5, Matched: 5, Fired: 5})
	equal(t, "labels", fmt.Sprint(chaos.Firings()[0].Labels), "map[cluster:a worker:w-0]")
	equal(t, "scopes of contexts", fmt.Sprint(chaos.ScopeOf(a.Context(t.Context())), chaos.ScopeOf(t.Context())), "{a} {}")
}

func TestTheScopeOfAContextLeavesTheLabelsOfTheProgramAlone(t *testing.T) {
	armIn(t, chaos.In("a"), "test.beat")
	labels := w("w-0")
	_ = beat.Hit(chaos.In("a").Context(t.Context()), labels)
	equal(t, "labels", fmt.Sprint(labels), "map[worker:w-0]")
}

func TestAScopeHasTheNameItWasMadeWith(t *testing.T) {
	equal(t, "name", chaos.In("a").Name()+chaos.Scope{}.Name(), "a")
}
