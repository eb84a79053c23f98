package swarm

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"iris/acceptance/chronos"
	"iris/acceptance/swarm/exact"
	"iris/acceptance/swarm/story"
)

var (
	forever   = flag.Duration("for", 0, "how long TestSwarm looks; 0: some stories, always the same")
	first     = flag.Uint64("seed", 0, "the first seed of TestSwarm, and that of TestReplay; 0: of the clock")
	generator = flag.String("gen", "", "exact or real; empty: both")
	hours     = flag.Float64("hours", 0, "after how many cluster-hours TestSwarm stops; 0: -for says when")
	atOnce    = flag.Int("at-once", 1, "stories told at once; of the real generator always one")
	file      = flag.String("story", "", "the file that TestReplay tells; empty: the story of the seed")
)

// tellers are those that were asked for.
func tellers(t *testing.T) []Teller {
	var all []Teller
	for _, teller := range []Teller{Exact(), Real(t)} {
		if *generator == "" || *generator == teller.Name {
			all = append(all, teller)
		}
	}
	if len(all) == 0 {
		t.Fatalf("there is no generator %q; there are exact and real", *generator)
	}
	return all
}

// TestSwarm looks for violations: in make test through the same few stories, in make swarm through new ones for as long as it
// is told to.
func TestSwarm(t *testing.T) {
	seed := *first
	if seed == 0 {
		seed = 1
		if *forever > 0 || *hours > 0 {
			seed = uint64(time.Now().UnixMilli())
		}
	}
	some := map[string]int{"exact": 200, "real": 30}
	if chronos.Racing {
		some = map[string]int{"exact": 30, "real": 5} // it is many times slower, and there is one goroutine in most of this
	}
	all, page := tellers(t), NewPage(fmt.Sprintf("make swarm SEED=%d", seed))
	if *forever > 0 || *hours > 0 {
		t.Cleanup(func() { write(t, page) }) // once both are done
	}
	for _, teller := range all {
		t.Run(teller.Name, func(t *testing.T) {
			ctx, most := t.Context(), some[teller.Name]
			if *forever > 0 || *hours > 0 {
				t.Parallel()
				most = 1 << 40
				fmt.Printf("%s: stories from seed %d on\n", teller.Name, seed)
			}
			if *forever > 0 {
				timed, cancel := context.WithTimeout(ctx, *forever)
				defer cancel()
				ctx = timed
			}
			began := time.Now()
			r := sweep(ctx, teller, seed, most)
			r.Write(os.Stdout, teller.Name)
			fmt.Printf("%s: %v\n", teller.Name, time.Since(began).Round(time.Second))
			page.Count(r, teller.Name)
			for _, f := range r.Findings {
				report(t, teller, f, page)
			}
			if *forever > 0 || *hours > 0 { // so that a page without findings shows what stories are like
				page.Add(teller, teller.Draw(seed), nil, fmt.Sprintf("make replay GEN=%s SEED=%d", teller.Name, seed))
			}
			if strange := r.Unforeseen(); len(strange) > 0 {
				t.Errorf("commands met what nobody foresaw: %q", strange)
			}
			if r.Stories > 0 && len(r.Struck) == 0 {
				t.Error("no fault had an effect: nothing is proven")
			}
		})
	}
}

// sweep is Sweep, in parts of which each says how far it came, until there are as many hours as were asked for.
func sweep(ctx context.Context, t Teller, seed uint64, most int) *Report {
	const part = 2000
	all := NewReport()
	for done := 0; done < most && ctx.Err() == nil && len(all.Findings) == 0; done += part {
		all.Merge(Sweep(ctx, t, seed+uint64(done), min(part, most-done), *atOnce, true))
		if *hours > 0 {
			fmt.Printf("%s: %d stories, %.0f cluster-hours, %.0f s of processor time\n", t.Name, all.Stories, all.Told.Hours(), all.CPU.Seconds())
			if all.Told.Hours() >= *hours {
				break
			}
		}
	}
	return all
}

// shrinkFor is how long a finding is made smaller at the most.
const shrinkFor = 2 * time.Minute

// report makes a finding small, keeps it, and fails the test with it.
func report(t *testing.T, teller Teller, f Finding, page *Page) {
	fmt.Printf("%s: seed %d: %v\n%s: making it smaller, for %v at the most\n", teller.Name, f.Seed, f.Violation, teller.Name, shrinkFor)
	f.Story, f.Violation = Shrink(teller, f.Story, f.Violation, shrinkFor)
	path := filepath.Join(reports, fmt.Sprintf("swarm-%s-%d.json", teller.Name, f.Seed))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, f.Story.Marshal(), 0o644); err != nil {
		t.Fatal(err)
	}
	page.Add(teller, f.Story, f.Violation, fmt.Sprintf("make replay GEN=%s STORY=%s", teller.Name, path[len("../../"):]))
	t.Error(f.Describe(teller, path[len("../../"):]))
}

// reports is where findings and the page go.
const reports = "../../reports"

func write(t *testing.T, page *Page) {
	if err := page.Write(reports); err != nil {
		t.Error(err)
	}
	fmt.Println("reports/index.html draws it")
}

// TestReplay tells one story, with its history if it is of the pure core. It is for make replay.
func TestReplay(t *testing.T) {
	if *first == 0 && *file == "" {
		t.Skip("for make replay, which says which story")
	}
	again := fmt.Sprintf("SEED=%d", *first)
	if *file != "" {
		again = "STORY=" + *file
	}
	page := NewPage("make replay " + again)
	defer write(t, page)
	for _, teller := range tellers(t) {
		s := teller.Draw(*first)
		if *file != "" {
			s = load(t, *file)
		}
		fmt.Printf("%s", s.Marshal())
		if teller.Name == "exact" {
			out := exact.Run(s, exact.Options{Trace: os.Stdout})
			fmt.Printf("exact: %d steps in %v, SHA-256 of the history %x\n", out.Steps, out.Told, out.Digest)
		}
		violation := teller.fails(s)
		if violation != nil {
			t.Errorf("%s: %v", teller.Name, violation)
		}
		page.Add(teller, s, violation, fmt.Sprintf("make replay GEN=%s %s", teller.Name, again))
	}
}

// TestRegressions tells the stories that once broke a promise.
func TestRegressions(t *testing.T) {
	files, err := filepath.Glob("regressions/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d regressions: %v", len(files), err)
	}
	for _, path := range files {
		for _, teller := range tellers(t) {
			t.Run(filepath.Base(path)+"/"+teller.Name, func(t *testing.T) {
				if violation := teller.fails(load(t, path)); violation != nil {
					t.Error(violation)
				}
			})
		}
	}
}

func load(t *testing.T, path string) story.Story {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := story.Unmarshal(text)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return s
}
