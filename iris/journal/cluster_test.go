package journal

import (
	"context"
	"errors"
	"testing"
	"time"
)

// trio is a cluster of three voters.
type trio struct {
	*testing.T
	mesh   *mesh
	dirs   map[string]string
	voters map[string]*Raft
	edits  []settings
}

var ids = []string{"c-0", "c-1", "c-2"}

// inTrio runs a test of three voters in virtual time. Nothing may be left running at its end.
func inTrio(t *testing.T, test func(c *trio), edits ...settings) {
	t.Helper()
	dirs := map[string]string{}
	for _, id := range ids {
		dirs[id] = t.TempDir()
	}
	inBubble(t, func(t *testing.T) { runTrio(t, dirs, test, edits...) })
}

func runTrio(t *testing.T, dirs map[string]string, test func(c *trio), edits ...settings) {
	c := &trio{T: t, mesh: &mesh{}, dirs: dirs, voters: map[string]*Raft{}, edits: edits}
	defer func() {
		for _, r := range c.voters {
			closeAll(t, r)
		}
	}()
	c.start("c-0", bootstrapped)
	term := lead(t, c.voters["c-0"])
	for _, id := range ids[1:] {
		c.start(id)
		ctx, cancel := contextFor(t, 30*time.Second)
		if err := c.voters["c-0"].AddVoter(ctx, id, id); err != nil {
			t.Fatalf("add %s: %v", id, err)
		}
		cancel()
	}
	term.End()
	test(c)
}

func (c *trio) start(id string, edits ...settings) *Raft {
	c.Helper()
	r, err := OpenRaft(configure(c, c.dirs[id], id, c.mesh.join(id), append(edits, c.edits...)...))
	if err != nil {
		c.Fatalf("start %s: %v", id, err)
	}
	c.voters[id] = r
	return r
}

// stop ends a voter as a crash does: without a word.
func (c *trio) stop(id string) {
	c.Helper()
	closeAll(c, c.voters[id])
	delete(c.voters, id)
}

// leader waits for the one among these that leads, and begins its term. Those that do not lead wait for that in vain.
func (c *trio) leader(among ...string) (string, Term) {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), 30*time.Second)
	type led struct {
		id   string
		term Term
	}
	won := make(chan led)
	for _, id := range among {
		r := c.voters[id]
		go func() {
			term, err := r.Lead(ctx)
			if err != nil {
				term = nil
			}
			won <- led{id, term}
		}()
	}
	var first led
	for range among {
		l := <-won
		switch {
		case l.term == nil:
		case first.term == nil:
			first = l
			cancel()
		default:
			l.term.End()
		}
	}
	cancel()
	if first.term == nil {
		c.Fatalf("none of %v leads within 30s", among)
	}
	return first.id, first.term
}

// part separates a voter from the others.
func (c *trio) part(id string) { c.each(id, c.mesh.part) }
func (c *trio) heal(id string) { c.each(id, c.mesh.heal) }

func (c *trio) each(id string, do func(a, b string)) {
	for _, other := range without(ids, id) {
		do(id, other)
	}
}

func without(all []string, id string) []string {
	var others []string
	for _, other := range all {
		if other != id {
			others = append(others, other)
		}
	}
	return others
}

// expectJobs looks at what a voter has applied.
func (c *trio) expectJobs(id string, want int) {
	c.Helper()
	m := c.voters[id].machine
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := jobsOf(c, m.cluster); n != want {
		c.Errorf("%s has %d jobs, not %d", id, n, want)
	}
}

// failover is how long a cluster may be without a leader.
const failover = 3 * time.Second

func TestAnotherVoterLeadsWhenTheLeaderDies(t *testing.T) {
	inTrio(t, func(c *trio) { c.dieByTurns(5) })
}

// The same on the wall clock.
func TestAnotherVoterLeadsWithinSeconds(t *testing.T) {
	dirs := map[string]string{}
	for _, id := range ids {
		dirs[id] = t.TempDir()
	}
	runTrio(t, dirs, func(c *trio) { c.dieByTurns(2) })
}

// dieByTurns kills the leader so many times, and expects another one each time that has all that was committed.
func (c *trio) dieByTurns(times int) {
	jobs := 0
	for range times {
		old, term := c.leader(ids...)
		if n := jobsOf(c, term.State()); n != jobs {
			c.Fatalf("%s begins with %d jobs, not %d", old, n, jobs)
		}
		submitAll(c, term, jobs, jobs+50)
		jobs += 50
		c.stop(old)
		if over(c, term) == nil {
			c.Error("the term of the dead leader has no reason to be over")
		}
		died := time.Now()
		next, term := c.leader(without(ids, old)...)
		if took := time.Since(died); took > failover {
			c.Errorf("%s leads %v after %s died", next, took, old)
		}
		if n := jobsOf(c, term.State()); n != jobs {
			c.Fatalf("%s begins with %d jobs, not %d", next, n, jobs)
		}
		submitAll(c, term, jobs, jobs+50)
		jobs += 50
		term.End()
		c.start(old)
	}
}

func TestADeadFollowerCostsNothingAndCatchesUp(t *testing.T) {
	inTrio(t, func(c *trio) {
		leader, term := c.leader(ids...)
		others := without(ids, leader)
		c.stop(others[0])
		submitAll(c, term, 0, 300)
		c.start(others[0])
		c.stop(others[1])
		submitAll(c, term, 300, 400)
		c.stop(leader)
		c.start(others[1])
		_, term = c.leader(others...)
		if n := jobsOf(c, term.State()); n != 400 {
			c.Errorf("%d jobs are left of 400", n)
		}
		term.End()
	})
}

func TestALeaderCutOffCommitsNothingMore(t *testing.T) {
	inTrio(t, func(c *trio) {
		old, term := c.leader(ids...)
		submitAll(c, term, 0, 20)
		c.part(old)
		parted := time.Now()
		propose(term, 20, 25)
		next, newTerm := c.leader(without(ids, old)...)
		if took := time.Since(parted); took > failover {
			c.Errorf("%s leads %v after %s was cut off", next, took, old)
		}
		if err := over(c, term); time.Since(parted) > failover {
			c.Errorf("the term of the leader that was cut off ends after %v: %v", time.Since(parted), err)
		}
		if term.Committed() != 20 {
			c.Errorf("%d are committed; nobody else heard of more than 20", term.Committed())
		}
		if n := jobsOf(c, newTerm.State()); n != 20 {
			c.Errorf("the new leader begins with %d jobs", n)
		}
		submitAll(c, newTerm, 20, 60)
		if leader := c.voters[old].Leader(); leader == old {
			c.Errorf("%s believes that it leads", old)
		}
		c.heal(old)
		time.Sleep(10 * time.Second)
		if err := newTerm.Err(); err != nil {
			c.Errorf("the leader does not outlast the return of the one that was cut off: %v", err)
		}
		if leader := c.voters[old].Leader(); leader != next {
			c.Errorf("%s takes %q for the leader, not %s", old, leader, next)
		}
		newTerm.End()
		if err := c.voters[next].Transfer(c.Context(), old); err != nil {
			c.Fatal(err)
		}
		_, term = c.leader(old)
		if n := jobsOf(c, term.State()); n != 60 {
			c.Errorf("the one that was cut off has %d jobs in the end", n)
		}
		term.End()
		c.stop(old) // the end of its log was replaced: it must be able to read it
		c.start(old)
		time.Sleep(5 * time.Second)
		c.expectJobs(old, 60)
	})
}

func TestAFollowerCutOffDisturbsNobody(t *testing.T) {
	inTrio(t, func(c *trio) {
		leader, term := c.leader(ids...)
		away := without(ids, leader)[0]
		c.part(away)
		time.Sleep(time.Minute)
		submitAll(c, term, 0, 20)
		c.heal(away)
		time.Sleep(time.Minute)
		if term.Err() != nil {
			c.Errorf("its return ended the term: %v", term.Err())
		}
		submitAll(c, term, 20, 40)
		term.End()
	})
}

func TestANewVoterCatchesUpFromASnapshot(t *testing.T) {
	inTrio(t, func(c *trio) {
		leader, term := c.leader(ids...)
		away := without(ids, leader)[0]
		c.stop(away)
		for n := 0; n < 2000; n += 100 {
			submitAll(c, term, n, n+100) // a record at least
		}
		for _, id := range without(ids, away) {
			awaitSnapshot(c, c.voters[id])
		}
		if first, err := c.voters[leader].entries.FirstIndex(); err != nil || first < 10 {
			c.Fatalf("the log still begins at %d (%v)", first, err)
		}
		c.start(away)
		time.Sleep(5 * time.Second)
		term.End()
		if err := c.voters[leader].Transfer(c.Context(), away); err != nil {
			c.Fatal(err)
		}
		_, term = c.leader(away)
		if n := jobsOf(c, term.State()); n != 2000 {
			c.Errorf("%d jobs", n)
		}
		submitAll(c, term, 2000, 2100)
		term.End()
		c.stop(away)
		c.start(away)
		time.Sleep(5 * time.Second)
	}, func(c *RaftConfig) { c.SnapshotEntries, c.TrailingEntries, c.SegmentBytes = 10, 1, 16<<10 })
}

// awaitSnapshot waits until a voter has taken a snapshot.
func awaitSnapshot(t testing.TB, r *Raft) {
	t.Helper()
	for range 100 {
		found, err := readSnapshots(paths{r.config.Dir}.snapshots())
		if err == nil && len(found) > 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("%s takes no snapshot", r.config.ID)
}

func TestVotersAreAddedAndRemoved(t *testing.T) {
	inTrio(t, func(c *trio) {
		leader, term := c.leader(ids...)
		r, others := c.voters[leader], without(ids, leader)
		submitAll(c, term, 0, 10)
		ctx := c.Context()
		if err := r.AddVoter(ctx, others[0], others[0]); err != nil {
			c.Errorf("adding a voter that is there: %v", err)
		}
		if err := r.AddVoter(ctx, "c-9", others[0]); !errors.Is(err, ErrAddressTaken) {
			c.Errorf("adding a voter at the address of another: %v", err)
		}
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if err := r.AddVoter(short, "c-9", "nowhere"); !errors.Is(err, ErrUnreachable) {
			c.Errorf("adding a voter that is not there: %v", err)
		}
		expectVoters(c, r, ids...)
		if err := r.RemoveVoter(ctx, "c-9"); !errors.Is(err, ErrUnknownVoter) {
			c.Errorf("removing nobody: %v", err)
		}
		if err := r.Transfer(ctx, "c-9"); !errors.Is(err, ErrUnknownVoter) {
			c.Errorf("transferring to nobody: %v", err)
		}
		var refused *NotLeaderError
		if err := c.voters[others[0]].RemoveVoter(ctx, others[1]); !errors.As(err, &refused) || refused.Leader != leader {
			c.Errorf("removing through a follower: %v", err)
		}
		// Another machine takes the place of a voter.
		c.stop(others[0])
		c.dirs["moved"] = c.TempDir()
		moved, err := OpenRaft(configure(c, c.dirs["moved"], others[0], c.mesh.join("moved"),
			func(config *RaftConfig) { config.Address = "moved" }))
		if err != nil {
			c.Fatal(err)
		}
		c.voters[others[0]] = moved
		if err := r.AddVoter(ctx, others[0], "moved"); err != nil {
			c.Fatal(err)
		}
		expectVoters(c, r, ids...)
		if err := r.RemoveVoter(ctx, others[1]); err != nil {
			c.Fatal(err)
		}
		c.stop(others[1])
		submitAll(c, term, 10, 20)
		term.End()
		if err := r.RemoveVoter(ctx, leader); err != nil { // itself
			c.Fatal(err)
		}
		_, term = c.leader(others[0])
		if n := jobsOf(c, term.State()); n != 20 {
			c.Errorf("%d jobs", n)
		}
		if err := moved.RemoveVoter(ctx, others[0]); !errors.Is(err, ErrLastVoter) {
			c.Errorf("removing the last voter: %v", err)
		}
		if err := moved.Transfer(ctx, ""); !errors.Is(err, ErrOnlyVoter) {
			c.Errorf("transferring to nobody: %v", err)
		}
		submitAll(c, term, 20, 30)
		term.End()
	})
}

func expectVoters(t testing.TB, r *Raft, want ...string) {
	t.Helper()
	voters, err := r.Voters()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, v := range voters {
		if v.Joining {
			t.Errorf("%s is still joining", v.ID)
		}
		if v.Leader != (v.ID == r.config.ID) {
			t.Errorf("%+v: %s leads", v, r.config.ID)
		}
		got[v.ID] = true
	}
	for _, id := range want {
		if !got[id] || len(got) != len(want) {
			t.Errorf("the voters are %v, not %v", got, want)
		}
	}
}

func TestLeadershipIsHandedOver(t *testing.T) {
	inTrio(t, func(c *trio) {
		jobs := 0
		for range 6 {
			leader, term := c.leader(ids...)
			submitAll(c, term, jobs, jobs+10)
			jobs += 10
			began := time.Now()
			if err := c.voters[leader].Transfer(c.Context(), ""); err != nil {
				c.Fatal(err)
			}
			next, newTerm := c.leader(without(ids, leader)...)
			if took := time.Since(began); took > time.Second {
				c.Errorf("it took %v until %s led", took, next)
			}
			if err := over(c, term); err == nil {
				c.Error("the term is over without a reason")
			}
			if n := jobsOf(c, newTerm.State()); n != jobs {
				c.Errorf("%d jobs, not %d", n, jobs)
			}
			newTerm.End()
		}
	})
}
