package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"iris/iris/state"
)

// BenchmarkCommit measures how many entries a second one voter commits on disk, with so many outstanding. The
// baseline is a loop that does nothing but write and fsync.
func BenchmarkCommit(b *testing.B) {
	b.Run("baseline", func(b *testing.B) {
		f, err := os.Create(filepath.Join(b.TempDir(), "baseline"))
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		if err := allocate(f, 16<<20); err != nil {
			b.Fatal(err)
		}
		record := make([]byte, 128)
		for n := 0; b.Loop(); n++ {
			if _, err := f.WriteAt(record, int64(n)*128%(16<<20)); err != nil {
				b.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	})
	for _, outstanding := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("outstanding=%d", outstanding), func(b *testing.B) {
			r := alone(b, b.TempDir(), func(c *RaftConfig) { c.SegmentBytes = 0; c.Log = quiet() })
			defer closeAll(b, r)
			term := lead(b, r)
			done := 0
			for b.Loop() {
				term.Propose(registration(done))
				if done++; done >= outstanding {
					committed(b, term, done-outstanding+1)
				}
			}
			committed(b, term, done)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

// BenchmarkCommitOfThree is BenchmarkCommit for three voters on one disk, without a network between them.
func BenchmarkCommitOfThree(b *testing.B) {
	for _, outstanding := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("outstanding=%d", outstanding), func(b *testing.B) {
			m, edit := &mesh{}, func(c *RaftConfig) { c.SegmentBytes = 0; c.Log = quiet() }
			r := alone(b, b.TempDir(), edit, func(c *RaftConfig) { c.Streams = m.join("c-0") })
			defer closeAll(b, r)
			term := lead(b, r)
			for _, id := range ids[1:] {
				other, err := OpenRaft(configure(b, b.TempDir(), id, m.join(id), edit))
				if err != nil {
					b.Fatal(err)
				}
				defer closeAll(b, other)
				if err := r.AddVoter(b.Context(), id, id); err != nil {
					b.Fatal(err)
				}
			}
			done := 0
			for b.Loop() {
				term.Propose(registration(done))
				if done++; done >= outstanding {
					committed(b, term, done-outstanding+1)
				}
			}
			committed(b, term, done)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

// registration is an entry of the usual size that leaves the state as small as it is.
func registration(n int) Entry {
	return Entry{At: time.Unix(int64(1_900_000_000+n), 0), Commands: []state.Command{
		state.LoseWorker{
			ID: fmt.Sprintf("w-%d", n), Incarnation: "0197a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", Cause: "no heartbeat for 60s",
		},
	}}
}

// BenchmarkStart measures how long it takes to open a journal and lead, with 100,000 jobs that were submitted and
// finished.
func BenchmarkStart(b *testing.B) {
	const jobs = 100_000
	for _, c := range []struct {
		from string
		edit settings
	}{
		{"log", func(c *RaftConfig) { c.SnapshotEntries, c.SnapshotBytes = 1<<30, 1<<40 }},
		{"snapshot", func(c *RaftConfig) {}},
	} {
		b.Run("from="+c.from, func(b *testing.B) {
			dir := b.TempDir()
			edit := func(config *RaftConfig) { config.SegmentBytes, config.Log = 0, quiet(); c.edit(config) }
			fill(b, dir, jobs, c.from == "snapshot", edit)
			b.ResetTimer()
			for range b.N {
				r := alone(b, dir, edit)
				term := lead(b, r)
				b.StopTimer()
				if n := len(term.State().Jobs()); n != jobs {
					b.Fatalf("%d jobs", n)
				}
				term.End()
				closeAll(b, r)
				b.StartTimer()
			}
		})
	}
}

// fill runs so many jobs, a hundred in a turn, and lets the last turn end in a snapshot.
func fill(b *testing.B, dir string, jobs int, snapshot bool, edit settings) {
	r := alone(b, dir, edit)
	defer closeAll(b, r)
	term := lead(b, r)
	at := time.Unix(1_900_000_000, 0)
	proposals := 0
	turn := func(commands ...state.Command) {
		e := Entry{At: at, Commands: commands}
		at = at.Add(10 * time.Millisecond)
		e.Apply(term.State())
		term.Propose(e)
		if proposals++; proposals > MaxOutstanding {
			committed(b, term, proposals-MaxOutstanding)
		}
	}
	turn(worker())
	const batch = 100
	for n := 0; n < jobs; n += batch {
		var submit, finish []state.Command
		var assign state.Assign
		observe := state.Observe{Worker: "w-0", Incarnation: "1"}
		for i := n; i < n+batch; i++ {
			submit = append(submit, submission(i).Commands...)
			assign.Placements = append(assign.Placements, state.Placement{Job: jobID(i), Worker: "w-0"})
			observe.Reports = append(observe.Reports, state.Report{
				UID: jobID(i) + "/0/0", State: state.Succeeded, ExitCode: new(int32),
			})
		}
		turn(submit...)
		turn(assign)
		finish = append(finish, observe)
		turn(finish...)
	}
	committed(b, term, proposals)
	if snapshot {
		if err := r.raft.Snapshot().Error(); err != nil {
			b.Fatal(err)
		}
	}
	if j := term.State().Jobs()[jobs-1]; !j.State.Terminal() {
		b.Fatalf("the last job is %v", j.State)
	}
}

func worker() state.Command {
	return state.RegisterWorker{
		ID: "w-0", Incarnation: "1", Address: "w-0", Attributes: map[string]string{"worker": "w-0"},
		Capacity: state.Resources{CPUMillis: 1 << 40, MemoryBytes: 1 << 50},
	}
}
