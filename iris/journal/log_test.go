package journal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/raft"

	"iris/chaos"
)

// Raft panics if it cannot read its log. It does not come to that.
func TestALogThatCannotBeReadEndsTheJournal(t *testing.T) {
	dir := t.TempDir()
	inBubble(t, func(t *testing.T) {
		r := alone(t, dir, small, func(c *RaftConfig) { c.Log = quiet() })
		term := lead(t, r)
		submitAll(t, term, 0, 10)
		segments, err := filepath.Glob(filepath.Join(dir, "log", "*.wal"))
		if err != nil || len(segments) == 0 {
			t.Fatal(segments, err)
		}
		mustWrite(t, segments[len(segments)-1], func(b []byte) []byte {
			at := strings.LastIndex(string(b), jobID(9))
			b[at]++
			return b
		})
		last, err := r.entries.LastIndex()
		if err != nil {
			t.Fatal(err)
		}
		returned := make(chan error, 1)
		go func() { returned <- r.entries.GetLog(last, new(raft.Log)) }()
		synctest.Wait()
		select {
		case err := <-returned:
			t.Errorf("raft is told of it: %v", err)
		default:
		}
		if err := over(t, term); err == nil || !strings.Contains(err.Error(), "cannot be read") {
			t.Errorf("the term is over: %v", err)
		}
		closeAll(t, r)
	})
}

// A crash after a snapshot came from the leader and before the log made room for it.
func TestALogThatEndsBeforeTheSnapshotIsDropped(t *testing.T) {
	dir, behind := t.TempDir(), t.TempDir()
	inBubble(t, func(t *testing.T) {
		r := alone(t, dir, small)
		term := lead(t, r)
		submitAll(t, term, 0, 20)
		term.End()
		closeAll(t, r)
		if err := os.CopyFS(behind, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		r = alone(t, dir, small)
		submitAll(t, lead(t, r), 20, 40)
		if err := r.raft.Snapshot().Error(); err != nil {
			t.Fatal(err)
		}
		closeAll(t, r)
		if err := os.CopyFS(filepath.Join(behind, "snapshots"), os.DirFS(filepath.Join(dir, "snapshots"))); err != nil {
			t.Fatal(err)
		}
		r = alone(t, behind, small)
		term = lead(t, r)
		if n := jobsOf(t, term.State()); n != 40 {
			t.Errorf("%d jobs, not 40", n)
		}
		submitAll(t, term, 40, 60)
		closeAll(t, r)
		r = alone(t, behind, small)
		if n := jobsOf(t, lead(t, r).State()); n != 60 {
			t.Errorf("%d jobs, not 60", n)
		}
		closeAll(t, r)
	})
}

// What a crash leaves of a change of files is completed.
func TestAFullFileWithoutASuccessorGetsOne(t *testing.T) {
	dir := t.TempDir()
	inBubble(t, func(t *testing.T) {
		r := alone(t, dir, small, func(c *RaftConfig) { c.Log = quiet() })
		heal := fillDisk(t, chaos.Match("op", "allocate"))
		term := lead(t, r)
		done := 0
		for ; term.Err() == nil; done++ {
			propose(term, done, done+1)
			select {
			case <-term.News():
			case <-term.Over():
			}
		}
		acknowledged := int(term.Committed())
		closeAll(t, r) // the last file is full
		heal()
		for range 2 {
			r = alone(t, dir, small)
			term = lead(t, r)
			n := jobsOf(t, term.State())
			if n < acknowledged || n > done {
				t.Errorf("%d jobs are left of %d to %d", n, acknowledged, done)
			}
			submitAll(t, term, n, n+10)
			acknowledged, done = n+10, n+10
			closeAll(t, r)
		}
	})
}
