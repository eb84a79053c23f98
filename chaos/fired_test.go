package chaos_test

import (
	"testing"

	"iris/chaos"
)

var counted = chaos.NewSite("test.counted", "in a test of counting", chaos.CanFail, "worker")

func TestFiringsOfASiteOutliveItsRules(t *testing.T) {
	defer chaos.Reset()
	before := counted.Fired()
	for _, cluster := range []string{"a", "b"} {
		if _, err := chaos.In(cluster).Enable(counted.Name(), chaos.MaxFailures(2)); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			_ = counted.Hit(t.Context(), chaos.Labels{"cluster": cluster}) // the last one goes by
		}
		chaos.Reset()
	}
	if n := counted.Fired() - before; n != 4 {
		t.Errorf("it fired %d times, want 4", n)
	}
}
