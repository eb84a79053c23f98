//go:build mutants

package swarm

import (
	"context"
	"flag"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"iris/iris/mutant"
)

// mostStories is how many stories a mutant may live through: by then it must be found.
var mostStories = map[string]int{"exact": 20_000, "real": 3_000}

// hunts is how often each mutant is hunted, each time from other seeds on.
const hunts = 3

var focus = flag.String("mutant", "", "hunt only mutants whose name matches this expression")

// TestMutants switches on one deliberate bug after the other, and wants each found by a generator that can see it. It prints
// how many stories that took.
func TestMutants(t *testing.T) {
	wanted, err := regexp.Compile(*focus)
	if err != nil {
		t.Fatalf("-mutant: %v", err)
	}
	fmt.Printf("%-26s %-6s %-10s %s\n", "mutant", "by", "stories", "how it was found")
	for _, m := range mutant.All {
		if !wanted.MatchString(string(m.Mutant)) {
			continue
		}
		if m.Where == mutant.Commands {
			fmt.Printf("%-26s %-6s %-10s %s\n", m.Mutant, "-", "-", "no leader gives such a command; the tests of iris/state do")
			continue
		}
		teller := Exact()
		if m.Where == mutant.Shell {
			teller = Real(t)
		}
		if *generator != "" && *generator != teller.Name {
			continue
		}
		off := mutant.Switch(m.Mutant)
		took, how := hunt(teller)
		off()
		if took == nil {
			t.Errorf("%s (%s) lived through %d stories of the %s generator", m.Mutant, m.Wrong, mostStories[teller.Name], teller.Name)
			continue
		}
		fmt.Printf("%-26s %-6s %-10s %.120s\n", m.Mutant, teller.Name, fmt.Sprintf("%d (%d)", median(took), slices.Max(took)), how)
	}
}

// hunt is how many stories each hunt took to find what is wrong; nil if one did not.
func hunt(t Teller) (took []int, how string) {
	for i := range hunts {
		if t.Name == "real" && i == 1 {
			return took, how // one of them takes long enough
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		r := Sweep(ctx, t, uint64(i)*1_000_000+1, mostStories[t.Name], 1, true)
		cancel()
		if len(r.Findings) == 0 {
			return nil, ""
		}
		took, how = append(took, r.Stories), signature(r.Findings[0].Violation)
	}
	return took, how
}

func median(n []int) int {
	n = slices.Sorted(slices.Values(n))
	return n[len(n)/2]
}
