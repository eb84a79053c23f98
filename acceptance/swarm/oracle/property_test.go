package oracle

import (
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	pb "iris/iris/proto"
	"iris/iris/state"
)

// rapids are dice that rapid can shrink.
type rapids struct{ *rapid.T }

func (r rapids) IntN(n int) int { return rapid.IntRange(0, n-1).Draw(r.T, "of") }

func TestTheCoreKeepsTheRulesOfOutcomes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapids{t})
		var job Job
		for range rapid.IntRange(1, 150).Draw(t, "steps") {
			w.step()
			for _, j := range w.c.Jobs() {
				w.read(j, &job)
				if err := Outcome(j.Spec, job); err != nil {
					t.Fatalf("%v\n%s", err, w.c.Describe(w.now))
				}
			}
		}
	})
}

// The worlds of some seeds have the place for each bug many times, and each is seen every time.
func TestEveryBugThatIsPlantedInAnOutcomeIsSeen(t *testing.T) {
	planted := map[string]int{}
	for seed := range uint64(300) {
		w := newWorld(rand.New(rand.NewPCG(seed, 0)))
		for range 200 {
			w.step()
		}
		for _, j := range w.c.Jobs() {
			for name, plant := range bugs {
				var job Job
				w.read(j, &job)
				spec := proto.Clone(j.Spec).(*pb.JobSpec)
				if !plant(spec, &job) {
					continue
				}
				if planted[name]++; Outcome(spec, job) == nil {
					t.Fatalf("seed %d: %s was not seen in %s: %+v\n%s", seed, name, j.ID, job, w.c.Describe(w.now))
				}
			}
		}
	}
	for name := range bugs {
		if planted[name] < 10 {
			t.Errorf("%s: planted %d times only", name, planted[name])
		}
	}
}

func TestARightOutcomeCostsNoAllocation(t *testing.T) {
	w := newWorld(rand.New(rand.NewPCG(1, 0)))
	for range 400 {
		w.step()
	}
	var job Job
	for _, j := range w.c.Jobs() {
		w.read(j, &job)
		if n := testing.AllocsPerRun(10, func() {
			w.read(j, &job)
			_ = Outcome(j.Spec, job)
		}); n > 0 {
			t.Errorf("%v allocations for %+v", n, job)
		}
	}
}

func BenchmarkOutcome(b *testing.B) {
	spec, job := &pb.JobSpec{Name: "j"}, one(state.Succeeded, "", succeeded())
	b.ReportAllocs()
	for b.Loop() {
		if err := Outcome(spec, job); err != nil {
			b.Fatal(err)
		}
	}
}
