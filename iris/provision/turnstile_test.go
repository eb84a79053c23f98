package provision

import (
	"context"
	"errors"
	"testing"
)

// passes says whether a turn has come.
func passes(mine turn) bool {
	select {
	case <-mine:
		return true
	default:
		return false
	}
}

func TestATurnstileKeepsTheOrderOfTheQueue(t *testing.T) {
	s := turnstile{free: 2}
	turns := []turn{s.queue(), s.queue(), s.queue(), s.queue(), s.queue()}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := s.pass(ended, turns[3]); !errors.Is(err, context.Canceled) {
		t.Errorf("passing with an ended context: %v", err)
	}
	for i, want := range [][]bool{
		{true, true, false, false, false},
		{true, true, true, false, false},
		{true, true, true, false, true}, // 3 has given up
	} {
		for n, mine := range turns {
			if passes(mine) != want[n] {
				t.Errorf("round %d: turn %d has come: %v", i, n, !want[n])
			}
		}
		s.leave()
	}
}

// A turn that comes as its context ends goes to the next.
func TestAGivenUpTurnIsNotLost(t *testing.T) {
	s := turnstile{free: 1}
	first, second := s.queue(), s.queue()
	ended, end := context.WithCancel(t.Context())
	end()
	if err := s.pass(ended, first); !errors.Is(err, context.Canceled) {
		t.Errorf("passing with an ended context: %v", err)
	}
	if err := s.pass(t.Context(), second); err != nil || !passes(second) {
		t.Errorf("the next does not pass: %v", err)
	}
	s.leave()
	if third := s.queue(); !passes(third) {
		t.Error("nobody is left, and yet the third has to wait")
	}
}
