package journal

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"iris/chaos"
)

// fillDisk lets every use of a voter's disk fail that the options choose, until heal is called.
func fillDisk(t testing.TB, options ...chaos.Option) (heal func()) {
	t.Helper()
	rule, err := chaos.In(t.Name()).Enable(diskSite.Name(), options...)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		rule.Disarm()
		if err := chaos.In(t.Name()).Verify(); err != nil {
			t.Error(err)
		}
		chaos.In(t.Name()).Reset()
	}
}

// A full disk ends the term with its cause. When there is space again the voter leads again, and nothing is lost.
func TestAFullDisk(t *testing.T) {
	for _, c := range []struct {
		name    string
		options []chaos.Option
		jobs    int // that are proposed while it is full
	}{
		{"cannot be written", []chaos.Option{chaos.Fail()}, 10},
		{"has no space for another file", []chaos.Option{chaos.Match("op", "allocate")}, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			inBubble(t, func(t *testing.T) {
				r := alone(t, dir, small, func(c *RaftConfig) { c.Log = quiet() })
				term := lead(t, r)
				submitAll(t, term, 0, 10)
				heal := fillDisk(t, c.options...)
				done := 10
				for term.Err() == nil {
					propose(term, done, done+1)
					done++
					select {
					case <-term.News():
					case <-term.Over():
					}
				}
				err := term.Err()
				if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "no space left on device") {
					t.Errorf("the term is over: %v", err)
				}
				acknowledged := int(term.Committed())
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if term, err := r.Lead(ctx); err == nil || ctx.Err() == nil {
					t.Errorf("it leads while its disk is full: %v, %v", term, err)
				}
				heal()
				healed := time.Now()
				term = lead(t, r)
				if took := time.Since(healed); took > 5*time.Second {
					t.Errorf("it leads %v after there is space", took)
				}
				n := jobsOf(t, term.State())
				if n != acknowledged && n != acknowledged+1 {
					t.Errorf("%d jobs are left, of which %d were acknowledged", n, acknowledged)
				}
				submitAll(t, term, n, n+200)
				term.End()
				closeAll(t, r)
				r = alone(t, dir, small)
				if got := jobsOf(t, lead(t, r).State()); got != n+200 {
					t.Errorf("%d jobs are left after a restart, not %d", got, n+200)
				}
				closeAll(t, r)
			})
		})
	}
}

func TestAJournalWithAFullDiskCanBeClosed(t *testing.T) {
	dir := t.TempDir()
	inBubble(t, func(t *testing.T) {
		r := alone(t, dir, small, func(c *RaftConfig) { c.Log = quiet() })
		term := lead(t, r)
		submitAll(t, term, 0, 10)
		heal := fillDisk(t)
		propose(term, 10, 11)
		_ = over(t, term)
		time.Sleep(time.Minute)
		closeAll(t, r)
		heal()
		r = alone(t, dir, small)
		if n := jobsOf(t, lead(t, r).State()); n != 10 {
			t.Errorf("%d jobs", n)
		}
		closeAll(t, r)
	})
}

func TestAFollowerWithAFullDiskCatchesUp(t *testing.T) {
	for _, op := range []string{"write", "allocate"} {
		t.Run(op, func(t *testing.T) {
			inTrio(t, func(c *trio) {
				leader, term := c.leader(ids...)
				full := without(ids, leader)[0]
				heal := fillDisk(c, chaos.Match("controller", full), chaos.Match("op", op))
				submitAll(c, term, 0, 300)
				time.Sleep(time.Minute)
				submitAll(c, term, 300, 400)
				heal()
				time.Sleep(30 * time.Second) // raft lets ten seconds pass between its tries
				c.expectJobs(full, 400)
				if term.Err() != nil {
					c.Errorf("the term is over: %v", term.Err())
				}
				term.End()
			}, small, func(c *RaftConfig) { c.Log = quiet() })
		})
	}
}

// A disk that fails in another way than being full is one that cannot be trusted.
func TestADiskThatFailsEndsTheJournal(t *testing.T) {
	dir := t.TempDir()
	inBubble(t, func(t *testing.T) {
		r := alone(t, dir, func(c *RaftConfig) { c.Log = quiet() })
		term := lead(t, r)
		submitAll(t, term, 0, 10)
		heal := fillDisk(t, chaos.Err(syscall.EIO))
		propose(term, 10, 11)
		if err := over(t, term); !errors.Is(err, syscall.EIO) {
			t.Errorf("the term is over: %v", err)
		}
		heal()
		if _, err := r.Lead(t.Context()); !errors.Is(err, syscall.EIO) {
			t.Errorf("lead: %v", err)
		}
		closeAll(t, r)
		r = alone(t, dir)
		if n := jobsOf(t, lead(t, r).State()); n != 10 {
			t.Errorf("%d jobs", n)
		}
		closeAll(t, r)
	})
}

func TestASnapshotThatFindsNoSpaceIsTakenLater(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := t.TempDir()
		r := alone(t, dir, small, func(c *RaftConfig) { c.Log, c.SnapshotEntries = quiet(), 20 })
		term := lead(t, r)
		heal := fillDisk(t, chaos.Match("op", "snapshot"))
		for n := range 100 {
			submitAll(t, term, n, n+1)
		}
		time.Sleep(time.Minute)
		if found, err := readSnapshots(paths{dir}.snapshots()); err != nil || len(found) > 0 {
			t.Errorf("%d snapshots, %v", len(found), err)
		}
		heal()
		awaitSnapshot(t, r)
		term.End()
		closeAll(t, r)
		r = alone(t, dir, small)
		if n := jobsOf(t, lead(t, r).State()); n != 100 {
			t.Errorf("%d jobs", n)
		}
		closeAll(t, r)
	})
}
