package journal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// expectError opens a journal that must not open, and why.
func expectError(t *testing.T, config RaftConfig, why string) {
	t.Helper()
	r, err := OpenRaft(config)
	if err == nil {
		closeAll(t, r)
		t.Errorf("it opens; %q is in the way", why)
	} else if !strings.Contains(err.Error(), why) {
		t.Errorf("%v; want: %s", err, why)
	}
}

func TestADirectoryIsUsedByOneAtATime(t *testing.T) {
	dir := t.TempDir()
	inBubble(t, func(t *testing.T) {
		r := alone(t, dir)
		expectError(t, configure(t, dir, "c-0", (&mesh{}).join("c-0")), "another controller is using it")
		submitAll(t, lead(t, r), 0, 10)
		closeAll(t, r)
		expectError(t, configure(t, dir, "c-1", (&mesh{}).join("c-1")), "the directory is that of voter c-0")
		closeAll(t, alone(t, dir))
	})
}

func TestWhatCannotBeOpenedSaysWhy(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	inBubble(t, func(t *testing.T) {
		expectError(t, configure(t, filepath.Join(file, "below"), "c-0", (&mesh{}).join("c-0")), "not a directory")
		expectError(t, configure(t, "/proc/iris", "c-0", (&mesh{}).join("c-0")), "/proc/iris")
		expectError(t, configure(t, "", "c-0", (&mesh{}).join("c-0")), "needs a directory")
		expectError(t, configure(t, dir, "", (&mesh{}).join("c-0")), "needs an id")
		expectError(t, configure(t, dir, "c-0", nil), "needs an id, an address and streams")
		short := configure(t, dir, "c-0", (&mesh{}).join("c-0"))
		short.ElectionTimeout = time.Millisecond
		expectError(t, short, "election timeout of 1ms is too short")
	})
}

// Two voters that were both told to bootstrap are two clusters, which never mix.
func TestVotersOfTwoClustersDoNotMix(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := &mesh{}
		var all []*Raft
		for i, id := range ids[:2] {
			silent := func(c *RaftConfig) { c.Log = quiet() }
			r, err := OpenRaft(configure(t, t.TempDir(), id, m.join(id), bootstrapped, silent))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, r)
			submitAll(t, lead(t, r), 0, 10*(i+1))
		}
		ctx, cancel := contextFor(t, 5*time.Second)
		defer cancel()
		if err := all[0].AddVoter(ctx, ids[1], ids[1]); err == nil {
			t.Error("the leader of another cluster was added")
		}
		expectVoters(t, all[0], ids[0])
		expectVoters(t, all[1], ids[1])
		for i, r := range all {
			closeAll(t, r)
			r = alone(t, r.config.Dir, func(c *RaftConfig) { c.ID, c.Address, c.Streams = ids[i], ids[i], m.join(ids[i]) })
			if n := jobsOf(t, lead(t, r).State()); n != 10*(i+1) {
				t.Errorf("%s has %d jobs", ids[i], n)
			}
			closeAll(t, r)
		}
	})
}

func TestAVoterThatMovedSaysWhereItIs(t *testing.T) {
	dir := t.TempDir()
	inBubble(t, func(t *testing.T) {
		closeAll(t, alone(t, dir))
		r := alone(t, dir, func(c *RaftConfig) { c.Address = "elsewhere" })
		term := lead(t, r)
		submitAll(t, term, 0, 1)
		time.Sleep(time.Second)
		voters, err := r.Voters()
		if err != nil || len(voters) != 1 || voters[0].Address != "elsewhere" || r.Leader() != "elsewhere" {
			t.Errorf("%+v, led by %s, %v", voters, r.Leader(), err)
		}
		closeAll(t, r)
	})
}
