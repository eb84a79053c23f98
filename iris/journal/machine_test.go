package journal

import (
	"errors"

	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	pb "iris/iris/proto"
	"iris/iris/state"
)

// A command that this version does not know ends the journal: to leave it out would make another cluster of the
// same log.
func TestAnUnknownCommandEndsTheJournal(t *testing.T) {
	dir := t.TempDir()
	inBubble(t, func(t *testing.T) {
		r := alone(t, dir, func(c *RaftConfig) { c.Log = quiet() })
		term := lead(t, r)
		submitAll(t, term, 0, 5)
		unknown := protowire.AppendTag(nil, 900, protowire.BytesType) // of a newer version
		unknown = protowire.AppendBytes(unknown, nil)
		entry := protowire.AppendTag(nil, 2, protowire.BytesType)
		entry = protowire.AppendBytes(entry, unknown)
		record := envelope{term: term.(*raftTerm).id, first: 6}
		record.add(entry)
		r.machine.mu.Lock()
		r.machine.term = nil // so that it is read, as by another voter
		r.machine.mu.Unlock()
		_ = r.raft.Apply(record.seal(), 0)
		err := over(t, term)
		if err == nil || !strings.Contains(err.Error(), "upgrade this controller") {
			t.Errorf("the term is over: %v", err)
		}
		if _, again := r.Lead(t.Context()); !errors.Is(again, err) {
			t.Errorf("lead: %v", again)
		}
		closeAll(t, r)
		// The log is read while the journal opens: it never leads, whether that is found out before it is open or after.
		config := configure(t, dir, "c-0", (&mesh{}).join("c-0"), func(c *RaftConfig) { c.Log = quiet() }, bootstrapped)
		r, err = OpenRaft(config)
		if err == nil {
			_, err = r.Lead(t.Context())
			closeAll(t, r)
		}
		if err == nil || !strings.Contains(err.Error(), "upgrade this controller") {
			t.Errorf("after a restart: %v", err)
		}
	})
}

// What was proposed counts only on top of the state that its proposer saw.
func TestOnlyWhatContinuesTheTermCounts(t *testing.T) {
	record := func(term, first uint64, jobs ...int) []byte {
		e := envelope{term: term, first: first}
		for _, n := range jobs {
			b, err := encode(submission(n))
			if err != nil {
				t.Fatal(err)
			}
			e.add(b)
		}
		return e.seal()
	}
	begin := func(term uint64) []byte {
		e := envelope{term: term}
		b, err := encode(Entry{Commands: []state.Command{state.SetPolicy{Policy: policy}}})
		if err != nil {
			t.Fatal(err)
		}
		e.add(b)
		return e.seal()
	}
	for _, c := range []struct {
		name    string
		records [][]byte
		jobs    int
	}{
		{"in order", [][]byte{begin(7), record(7, 1, 0, 1), record(7, 3, 2)}, 3},
		{"of no term", [][]byte{record(7, 1, 0)}, 0},
		{"of the term before", [][]byte{begin(7), record(7, 1, 0), begin(8), record(7, 2, 1)}, 1},
		{"after one that failed", [][]byte{begin(7), record(7, 1, 0), record(7, 3, 2), record(7, 4, 3)}, 1},
		{"twice", [][]byte{begin(7), record(7, 1, 0), record(7, 1, 0), record(7, 2, 1)}, 2},
		{"of a new term", [][]byte{begin(7), record(7, 1, 0), begin(8), record(8, 1, 1), record(8, 2, 2)}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &machine{cluster: state.New(state.Policy{})}
			for _, b := range c.records {
				if _, err := m.apply(b); err != nil {
					t.Fatal(err)
				}
			}
			if n := jobsOf(t, m.cluster); n != c.jobs {
				t.Errorf("%d jobs, not %d", n, c.jobs)
			}
			s, err := m.restored()
			if err != nil {
				t.Fatal(err)
			}
			if n := jobsOf(t, s.cluster); n != c.jobs || s.fence != m.fence {
				t.Errorf("a snapshot has %d jobs and %+v, not %d and %+v", n, s.fence, c.jobs, m.fence)
			}
		})
	}
}

// restored is the machine that a snapshot makes.
func (m *machine) restored() (*machine, error) {
	var written memorySink
	if err := (machineSnapshot{fence: m.fence, state: m.cluster.Snapshot()}).Persist(&written); err != nil {
		return nil, err
	}
	s, err := openSnapshot(written.b)
	if err != nil {
		return nil, err
	}
	cluster, err := s.restore()
	return &machine{cluster: cluster, fence: s.fence}, err
}

type memorySink struct{ b []byte }

func (s *memorySink) Write(b []byte) (int, error) { s.b = append(s.b, b...); return len(b), nil }
func (s *memorySink) Close() error                { return nil }
func (s *memorySink) Cancel() error               { return nil }
func (s *memorySink) ID() string                  { return "" }

// A term that ends and another that begins in the same leadership: what was on its way either counts before or not
// at all.
func TestATermBeginsAnew(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := alone(t, t.TempDir())
		jobs := 0
		for range 20 {
			term := lead(t, r)
			n := jobsOf(t, term.State())
			if n < jobs {
				t.Fatalf("%d jobs are left of %d", n, jobs)
			}
			jobs = n
			propose(term, n, n+10)
			for term.Committed() == 0 {
				<-term.News()
			}
			term.End() // some are on their way
			jobs += int(term.Committed())
			if term.Err() == nil {
				t.Error("it is over without a reason")
			}
		}
		term := lead(t, r)
		if _, err := r.Lead(t.Context()); err == nil {
			t.Error("two terms at once")
		}
		term.End()
		closeAll(t, r)
	})
}

// An entry that is too large for one record is written in several, and counts as one.
func TestALargeEntryIsWrittenInPieces(t *testing.T) {
	dir := t.TempDir()
	inBubble(t, func(t *testing.T) {
		r := alone(t, dir)
		term := lead(t, r)
		large := Entry{At: time.Unix(1_900_000_000, 0)}
		for n := range 2 {
			large.Commands = append(large.Commands, state.SubmitJob{ID: jobID(n), Spec: &pb.JobSpec{
				Name: jobID(n), Environment: map[string]string{"BIG": strings.Repeat("x", maxRecord/2)},
			}})
		}
		term.Propose(large)
		propose(term, 2, 3)
		committed(t, term, 2)
		synctest.Wait()
		if term.Committed() != 2 {
			t.Errorf("%d proposals are committed of 2", term.Committed())
		}
		closeAll(t, r)
		r = alone(t, dir)
		if n := len(lead(t, r).State().Jobs()); n != 3 {
			t.Errorf("%d jobs are left of 3", n)
		}
		closeAll(t, r)
	})
}

func TestAnEntryIsSplitBetweenItsCommands(t *testing.T) {
	e := Entry{At: time.Unix(1_900_000_000, 5)}
	for n := range 37 {
		e.Commands = append(e.Commands, submission(n).Commands...)
	}
	pieces, err := split(e, 200)
	if err != nil || len(pieces) < 2 {
		t.Fatalf("%d pieces, %v", len(pieces), err)
	}
	c := state.New(policy)
	for _, p := range pieces {
		read, err := decode(p.bytes)
		if err != nil || len(p.bytes) > 200 || !read.At.Equal(e.At) {
			t.Errorf("a piece of %d bytes at %v: %v", len(p.bytes), read.At, err)
		}
		read.Apply(c)
	}
	if n := len(c.Jobs()); n != 37 {
		t.Errorf("%d jobs", n)
	}
	if pieces, err := split(e, 20); err == nil || !strings.Contains(err.Error(), "SubmitJob") {
		t.Errorf("%d pieces of at most 20 bytes: %v", len(pieces), err)
	}
}
