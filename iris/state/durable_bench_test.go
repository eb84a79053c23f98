package state

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pb "iris/iris/proto"
)

// history is a cluster that has run for long: a hundred thousand jobs, of which one in a hundred waits, and a hundred
// workers.
func history(tb testing.TB) *Cluster {
	const jobs, workers = 100_000, 100
	wire, err := proto.Marshal(correctSpec(running("python", "-m", "train"), variable("DATA", "gs://bucket/data"),
		variable("EPOCHS", "100"), variable("LOG_LEVEL", "info")))
	if err != nil {
		tb.Fatal(err)
	}
	c, now := New(policy), epoch
	apply := func(cmd Command) {
		if _, err := c.Apply(now, cmd); err != nil {
			tb.Fatal(err)
		}
	}
	for i := range workers {
		cmd := fleetWorker(i)
		cmd.Incarnation = fmt.Sprintf("019400c2-7d3f-7000-8000-%012d", i)
		apply(cmd)
	}
	for i := range jobs {
		now = now.Add(time.Second)
		spec := fromWire(tb, wire)
		spec.Name = fmt.Sprintf("train-%d", i)
		id := fmt.Sprintf("train-%d-4c2f9a1be07d", i)
		apply(SubmitJob{ID: id, Spec: spec})
		if i%100 == 0 {
			continue
		}
		worker := c.Worker(fmt.Sprintf("w-%d", i%workers))
		apply(Assign{[]Placement{{id, 0, worker.ID}}})
		uid := plainUID(id, 0, 0)
		apply(Observe{worker.ID, worker.Incarnation, []Report{{UID: uid, State: Running}}})
		now = now.Add(time.Second)
		apply(Observe{worker.ID, worker.Incarnation, []Report{{UID: uid, State: Succeeded, ExitCode: proto.Int32(0)}}})
	}
	return c
}

// BenchmarkHistoryMemory measures the heap that a job takes, nearly all of them being over: as they were launched, and as
// they are restored.
func BenchmarkHistoryMemory(b *testing.B) {
	var launched, restored float64
	for b.Loop() {
		before := heapInUse()
		c := history(b)
		jobs := float64(len(c.Jobs()))
		launched = float64(heapInUse()-before) / jobs
		before = heapInUse()
		again, err := Restore(throughBytes(b, c.Snapshot()))
		if err != nil {
			b.Fatal(err)
		}
		restored = float64(heapInUse()-before) / jobs
		runtime.KeepAlive(c)
		runtime.KeepAlive(again)
	}
	b.ReportMetric(launched, "B/job")
	b.ReportMetric(restored, "B/restored-job")
}

// BenchmarkSnapshot is what it takes to write down a long history and to read it back, step by step.
func BenchmarkSnapshot(b *testing.B) {
	c := history(b)
	taken := c.Snapshot()
	wire, err := proto.Marshal(taken)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("take", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c.Snapshot()
		}
	})
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			if _, err := proto.Marshal(taken); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(wire))/float64(len(c.Jobs())), "B/job")
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := proto.Unmarshal(wire, &pb.Snapshot{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("restore", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Restore(taken); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkExpired is the controller's question what to forget, when that is nothing and when it is a lot, and what it
// takes to forget a batch.
func BenchmarkExpired(b *testing.B) {
	c := history(b)
	last := c.over[len(c.over)-1].Finished.Add(MinAge)
	for name, keep := range map[string]Retention{
		"nothing": {Jobs: len(c.over), Age: 1000 * time.Hour, WorkerAge: time.Hour},
		"a batch": {Jobs: 10},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				c.Expired(last, keep)
			}
		})
	}
	b.Run("forget a batch", func(b *testing.B) {
		taken := c.Snapshot()
		for b.Loop() {
			commands := c.Expired(last, Retention{Jobs: 10})
			if commands == nil {
				b.StopTimer()
				var err error
				if c, err = Restore(taken); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				continue
			}
			c.Apply(last, commands[0])
		}
	})
}

// BenchmarkCommandBytes is a report of one attempt's end, to its bytes and back.
func BenchmarkCommandBytes(b *testing.B) {
	commands := []Command{Observe{"w-17", "019400c2-7d3f-7000-8000-000000000017", []Report{
		{UID: "train-17-4c2f9a1be07d/0/0", State: Succeeded, ExitCode: proto.Int32(0)}}}}
	b.ReportAllocs()
	for b.Loop() {
		wire, err := proto.Marshal(EncodeEntry(epoch, commands))
		if err != nil {
			b.Fatal(err)
		}
		e := &pb.Entry{}
		if err := proto.Unmarshal(wire, e); err != nil {
			b.Fatal(err)
		}
		if _, _, err := DecodeEntry(e); err != nil {
			b.Fatal(err)
		}
	}
}
