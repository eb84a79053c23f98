package runtime

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// entries are the numbers on the roll, as the guard reads it.
func (r *roll) entries(t rapid.TB) []int {
	t.Helper()
	info, err := r.file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	text := make([]byte, info.Size())
	if _, err := r.file.ReadAt(text, 0); err != nil && len(text) > 0 {
		t.Fatal(err)
	}
	groups := []int{}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" {
			n, err := strconv.Atoi(line)
			if err != nil {
				t.Fatal(err)
			}
			groups = append(groups, n)
		}
	}
	slices.Sort(groups)
	return groups
}

func TestTheRollListsWhatRuns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, err := newRoll()
		if err != nil {
			t.Fatal(err)
		}
		defer r.close()
		running := map[int]*place{}
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			if len(running) > 0 && rapid.Bool().Draw(t, "one ends") {
				n := rapid.SampledFrom(groupsOf(running)).Draw(t, "which")
				if rapid.Bool().Draw(t, "cleared first") {
					running[n].clear()
				}
				running[n].leave()
				delete(running, n)
				continue
			}
			n := rapid.IntRange(2, rollID).Draw(t, "group")
			if running[n] != nil {
				continue
			}
			if running[n], err = r.take(); err != nil {
				t.Fatal(err)
			}
			running[n].enter(n)
		}
		if got, want := r.entries(t), groupsOf(running); !slices.Equal(got, want) {
			t.Fatalf("on the roll are %v, want %v", got, want)
		}
	})
}

func groupsOf(running map[int]*place) []int {
	groups := []int{}
	for n := range running {
		groups = append(groups, n)
	}
	slices.Sort(groups)
	return groups
}

func TestTheRollGrowsAndIsFullInTheEnd(t *testing.T) {
	r, err := newRoll()
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	for i := range rollMost {
		p, err := r.take()
		if err != nil {
			t.Fatal(err)
		}
		p.enter(i + 1)
	}
	_, err = r.take()
	if err == nil || err.Error() != "65536 attempts run already, which is all that one runtime can guard" {
		t.Errorf("one more: %v", err)
	}
	if got := r.entries(t); len(got) != rollMost || got[rollMost-1] != rollMost {
		t.Errorf("%d are on the roll", len(got))
	}
	if err := r.file.Close(); err != nil {
		t.Error(err)
	}
	if err := r.close(); err == nil || !strings.Contains(err.Error(), os.ErrClosed.Error()) {
		t.Errorf("a file that cannot be closed: %v", err)
	}
}
