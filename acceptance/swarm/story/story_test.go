package story

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"iris/acceptance/fault"
	"iris/iris/state"
)

var limits = Limits{Workers: 50, Controllers: 5, Groups: 2, Length: 2 * time.Hour, Jobs: 60}

func TestAStoryIsReadAsItWasWritten(t *testing.T) {
	for seed := range uint64(200) {
		text := Draw(seed, limits).Marshal()
		read, err := Unmarshal(text)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		if again := read.Marshal(); !bytes.Equal(again, text) {
			t.Fatalf("seed %d: written\n%s\nand again\n%s", seed, text, again)
		}
		if !bytes.Equal(Draw(seed, limits).Marshal(), text) {
			t.Fatalf("seed %d draws two stories", seed)
		}
	}
}

func TestEveryJobOfAStoryIsValid(t *testing.T) {
	for seed := range uint64(200) {
		s := Draw(seed, limits)
		for i := range s.Jobs {
			if err := state.Validate(JobID(i), s.Spec(i, "")); err != nil {
				t.Errorf("seed %d: job %d: %v", seed, i, err)
			}
		}
	}
}

// What a story is about is a random part of all that there is, and each of it comes up.
func TestStoriesHaveEveryFaultAndEachItsOwn(t *testing.T) {
	kinds, without := map[fault.Kind]int{}, 0
	for seed := range uint64(300) {
		s := Draw(seed, limits)
		var own []fault.Kind
		for _, f := range s.Faults {
			own = append(own, f.Kind)
			if ends, over := f.Ends(); over && ends > time.Duration(s.Length) {
				t.Errorf("seed %d: %v goes on after %v", seed, f, s.Length)
			}
		}
		slices.Sort(own)
		for _, k := range slices.Compact(own) {
			kinds[k]++
		}
		if len(own) == 0 {
			without++
		}
	}
	for _, k := range fault.Kinds {
		if n := kinds[k]; n < 10 || n > 290 {
			t.Errorf("%d of 300 stories have a %s", n, k)
		}
	}
	if without > 30 {
		t.Errorf("%d of 300 stories have no fault", without)
	}
}
