package chaos_test

import (
	"context"
	"sync/atomic"
	"testing"

	"iris/chaos"
)

// perOp is the number of hits in one operation, so that the loop of the benchmark itself does not count.
const perOp = 1000

var (
	benchIdle  = chaos.NewSite("test.bench_idle", "idle in benchmarks", chaos.CanAll, "worker")
	benchArmed = chaos.NewSite("test.bench_armed", "armed in benchmarks", chaos.CanAll, "worker")

	direct   atomic.Pointer[[]*chaos.Rule]
	indirect = new(atomic.Pointer[[]*chaos.Rule]) // reached as a site is: through a package variable
)

// quiet is a worker whose labels cost nothing to ask for.
type quiet struct{ labels chaos.Labels }

func (q *quiet) ChaosLabels() chaos.Labels { return q.labels }

// measure runs op, which makes perOp hits and returns how many failed, and reports the time of one hit.
func measure(b *testing.B, want int, op func(context.Context, *quiet) int) {
	b.Helper()
	b.ReportAllocs()
	ctx, on := context.Background(), &quiet{w("w-0")}
	failed, ops := 0, 0
	for b.Loop() {
		failed += op(ctx, on)
		ops++
	}
	if failed != want*ops {
		b.Fatalf("%d of %d hits failed", failed, ops*perOp)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(ops)/perOp, "ns/hit")
}

func hitIdle(ctx context.Context, on *quiet) (failed int) {
	for range perOp {
		if benchIdle.Hit(ctx, on) != nil {
			failed++
		}
	}
	return failed
}

// BenchmarkAtomicLoad is what an idle site is compared with: an atomic load from a fixed address, and a nil check.
func BenchmarkAtomicLoad(b *testing.B) {
	measure(b, 0, func(context.Context, *quiet) (found int) {
		for range perOp {
			if direct.Load() != nil {
				found++
			}
		}
		return found
	})
}

// BenchmarkAtomicLoadThroughVariable adds the plain load of the package variable that points to it.
func BenchmarkAtomicLoadThroughVariable(b *testing.B) {
	measure(b, 0, func(context.Context, *quiet) (found int) {
		for range perOp {
			if indirect.Load() != nil {
				found++
			}
		}
		return found
	})
}

func BenchmarkIdleSite(b *testing.B) { measure(b, 0, hitIdle) }

func BenchmarkIdleSiteWhileOthersAreArmed(b *testing.B) {
	for _, s := range []*chaos.Site{plain, beat, start, benchArmed} {
		arm(b, s)
	}
	measure(b, 0, hitIdle)
}

// BenchmarkArmedSite passes one rule that matches, draws, and does not fire.
func BenchmarkArmedSite(b *testing.B) {
	arm(b, benchArmed, chaos.Match("worker", "w-0"), chaos.FailureRate(0), chaos.MayNotFire())
	measure(b, 0, func(ctx context.Context, on *quiet) (failed int) {
		for range perOp {
			if benchArmed.Hit(ctx, on) != nil {
				failed++
			}
		}
		return failed
	})
}
