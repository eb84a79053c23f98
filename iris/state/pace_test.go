package state

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestADefaultPaceLeavesNothingOpen(t *testing.T) {
	pace := reflect.ValueOf(DefaultPace())
	for i := range pace.NumField() {
		if pace.Field(i).IsZero() {
			t.Errorf("%s has no default", pace.Type().Field(i).Name)
		}
	}
	if diff := cmp.Diff(DefaultPace(), Pace{}.Or(DefaultPace())); diff != "" {
		t.Error(diff)
	}
}

// Each field alone wins over the other pace's, and nothing else of that changes.
func TestWhatAPaceSaysWins(t *testing.T) {
	for i := range reflect.TypeFor[Pace]().NumField() {
		var p Pace
		reflect.ValueOf(&p).Elem().Field(i).SetInt(7)
		if reflect.TypeFor[Pace]().Field(i).Name == "BackoffMax" {
			p.BackoffMax = time.Hour
		}
		want := DefaultPace()
		reflect.ValueOf(&want).Elem().Field(i).Set(reflect.ValueOf(p).Field(i))
		if diff := cmp.Diff(want, p.Or(DefaultPace())); diff != "" {
			t.Error(diff)
		}
	}
}

func TestABoundOfTheBackoffGivesWayToTheOneThatIsSaid(t *testing.T) {
	got := Pace{BackoffMax: 2 * time.Second}.Or(DefaultPace())
	if got.BackoffInitial != 2*time.Second || got.BackoffMax != 2*time.Second {
		t.Errorf("at most 2s: from %v to %v", got.BackoffInitial, got.BackoffMax)
	}
	got = Pace{BackoffInitial: time.Hour}.Or(DefaultPace())
	if got.BackoffInitial != time.Hour || got.BackoffMax != time.Hour {
		t.Errorf("at least an hour: from %v to %v", got.BackoffInitial, got.BackoffMax)
	}
	got = Pace{BackoffInitial: time.Hour, BackoffMax: 2 * time.Hour}.Or(DefaultPace())
	if got.BackoffInitial != time.Hour || got.BackoffMax != 2*time.Hour {
		t.Errorf("an hour to two: from %v to %v", got.BackoffInitial, got.BackoffMax)
	}
}
