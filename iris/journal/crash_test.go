package journal

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"iris/chaos"
)

// crashAt lets chaos crash this voter at the n-th pass of a site from now on.
func crashAt(t testing.TB, site *chaos.Site, id string, n int) {
	t.Helper()
	_, err := chaos.In(t.Name()).Enable(site.Name(), chaos.Match("controller", id), chaos.Skip(n-1), chaos.MaxFailures(1))
	if err != nil {
		t.Fatal(err)
	}
}

func TestACrashAtEachSite(t *testing.T) {
	for _, c := range []struct {
		site *chaos.Site
		left int // jobs, of 10 committed and 1 on its way
	}{{beforeAppend, 10}, {afterAppend, 11}, {afterCommit, 11}} {
		t.Run(c.site.Name(), func(t *testing.T) {
			dir := t.TempDir()
			inBubble(t, func(t *testing.T) {
				defer chaos.In(t.Name()).Reset()
				r := alone(t, dir)
				term := lead(t, r)
				submitAll(t, term, 0, 10)
				crashAt(t, c.site, "c-0", 1)
				propose(term, 10, 11)
				if err := over(t, term); !errors.Is(err, ErrCrashed) {
					t.Errorf("the term is over: %v", err)
				}
				if err := chaos.In(t.Name()).Verify(); err != nil {
					t.Error(err)
				}
				if _, err := r.Lead(t.Context()); !errors.Is(err, ErrCrashed) {
					t.Errorf("lead after the crash: %v", err)
				}
				if term.Committed() != 10 {
					t.Errorf("%d are committed, of which nobody may be told", term.Committed())
				}
				if r.Leader() != "" {
					t.Errorf("%s leads after the crash", r.Leader())
				}
				before := contents(t, dir)
				time.Sleep(time.Minute)
				closeAll(t, r)
				expectSame(t, before, contents(t, dir))

				r = alone(t, dir)
				term = lead(t, r)
				if n := jobsOf(t, term.State()); n != c.left {
					t.Errorf("%d jobs are left, not %d", n, c.left)
				}
				closeAll(t, r)
			})
		})
	}
}

// contents are the files below a directory.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func expectSame(t testing.TB, before, after map[string]string) {
	t.Helper()
	for path := range before {
		if now, there := after[path]; !there || now != before[path] {
			t.Errorf("%s was changed", path)
		}
	}
	for path := range after {
		if _, there := before[path]; !there {
			t.Errorf("%s was added", path)
		}
	}
}

// A voter is crashed again and again, at random (FM-80): what is left each time is a beginning of what was proposed
// that has all that was acknowledged.
func TestNothingAcknowledgedIsLostInACrash(t *testing.T) {
	dir := quickDir(t)
	sites := []*chaos.Site{beforeAppend, afterAppend, afterCommit, nil}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	acknowledged, proposed := 0, 0
	for range 40 {
		inBubble(t, func(t *testing.T) {
			defer chaos.In(t.Name()).Reset()
			r := alone(t, dir, func(c *RaftConfig) { c.SegmentBytes, c.SnapshotEntries, c.TrailingEntries = 32<<10, 25, 5 })
			term := lead(t, r)
			n := jobsOf(t, term.State())
			if n < acknowledged || n > proposed {
				t.Fatalf("%d jobs are left, of %d that were acknowledged and %d that were proposed", n, acknowledged, proposed)
			}
			proposed = n
			if site := sites[random.IntN(len(sites))]; site != nil {
				crashAt(t, site, "c-0", 1+random.IntN(30))
			}
			for range 1 + random.IntN(40) {
				some := 1 + random.IntN(5)
				propose(term, proposed, proposed+some)
				proposed += some
				for random.IntN(4) > 0 && term.Err() == nil && int(term.Committed()) < proposed-n {
					select {
					case <-term.News():
					case <-term.Over():
					}
				}
				if term.Err() != nil {
					break
				}
			}
			closeAll(t, r) // writes nothing that was not on its way
			acknowledged = n + int(term.Committed())
		})
	}
	if acknowledged < 100 {
		t.Errorf("only %d were ever acknowledged", acknowledged)
	}
}

func TestACrashedLeaderIsReplacedAndReturns(t *testing.T) {
	for _, site := range []*chaos.Site{beforeAppend, afterAppend, afterCommit} {
		t.Run(site.Name(), func(t *testing.T) {
			inTrio(t, func(c *trio) {
				defer chaos.In(c.Name()).Reset()
				old, term := c.leader(ids...)
				submitAll(c, term, 0, 10)
				crashAt(c, site, old, 1)
				propose(term, 10, 11)
				if err := over(c, term); !errors.Is(err, ErrCrashed) {
					c.Fatal(err)
				}
				if term.Committed() != 10 {
					c.Errorf("%d are committed", term.Committed())
				}
				_, term = c.leader(without(ids, old)...)
				n := jobsOf(c, term.State())
				want := 10 // nobody else has it: the crash came before it was sent
				if site == afterCommit {
					want = 11 // it was committed, so that another had it
				}
				if n != want {
					c.Errorf("%d jobs are left, not %d", n, want)
				}
				submitAll(c, term, n, n+10)
				c.stop(old)
				c.start(old)
				submitAll(c, term, n+10, n+20)
				time.Sleep(5 * time.Second)
				for _, id := range ids {
					c.expectJobs(id, n+20)
				}
				term.End()
			})
		})
	}
}

func TestACrashedFollowerCostsNothing(t *testing.T) {
	inTrio(t, func(c *trio) {
		defer chaos.In(c.Name()).Reset()
		leader, term := c.leader(ids...)
		crashed := without(ids, leader)[0]
		crashAt(c, afterAppend, crashed, 3)
		submitAll(c, term, 0, 50)
		ctx, cancel := context.WithTimeout(c.Context(), time.Second)
		defer cancel()
		if _, err := c.voters[crashed].Lead(ctx); !errors.Is(err, ErrCrashed) {
			c.Errorf("lead after the crash: %v", err)
		}
		c.stop(crashed)
		c.start(crashed)
		c.stop(without(ids, leader)[1])
		submitAll(c, term, 50, 100)
		term.End()
	})
}
