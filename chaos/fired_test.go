package chaos_test

import (
	"testing"

	"iris/chaos"
)

func TestFiringsOfASiteOutliveItsRules(t *testing.T) {
	defer chaos.Reset()
	before := beat.Fired()
	for _, cluster := range []string{"a", "b"} {
		if _, err := chaos.In(cluster).Enable(beat.Name(), chaos.MaxFailures(2)); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			_ = beat.Hit(t.Context(), chaos.Labels{"cluster": cluster}) // the last one goes by
		}
		chaos.Reset()
	}
	if n := beat.Fired() - before; n != 4 {
		t.Errorf("it fired %d times, want 4", n)
	}
}
