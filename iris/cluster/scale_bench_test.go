package cluster_test

import (
	"fmt"
	"testing"
	"time"

	"iris/iris/client"
	"iris/iris/cluster"
	"iris/iris/config"
	"iris/iris/network"
	pb "iris/iris/proto"
)

// BenchmarkScaleUp is the time from the decision to ask for slices until all their workers are READY, over TCP. Wanted: a
// second at the most.
func BenchmarkScaleUp(b *testing.B) {
	for _, shape := range []struct {
		slices  int
		variant string
	}{{1, ""}, {16, ""}, {1, "v5litepod-64"}, {4, "v5litepod-64"}} {
		b.Run(fmt.Sprintf("slices=%d/variant=%s", shape.slices, shape.variant), func(b *testing.B) {
			var took time.Duration
			for b.Loop() {
				took += scaleUp(b, shape.slices, shape.variant)
			}
			b.ReportMetric(float64(took.Microseconds())/1000/float64(b.N), "ms-to-ready/op")
		})
	}
}

func scaleUp(b *testing.B, slices int, variant string) (took time.Duration) {
	b.Helper()
	description := cluster.MakeLocalConfig(config.Cluster{Name: "bench", Groups: []config.Group{{
		Name: "group", Platform: config.Local, Variant: variant, CPU: 1, Memory: 1 << 30, MaxSlices: slices, Zones: []string{"here"},
	}}})
	_, c := booted(b, description, cluster.Options{Network: network.TCP{}, Functions: functions()})
	spec := client.Spec{Name: "job", Entrypoint: client.Function("nothing"), CPU: 1, Memory: 1 << 20}
	if variant == "" {
		spec.Replicas = slices
	} else {
		spec.Replicas, spec.GroupBy = 16, "slice"
	}
	for i := range slices {
		spec.Name = fmt.Sprintf("job-%d", i)
		if variant == "" && i > 0 {
			break
		}
		if _, err := c.Submit(b.Context(), spec); err != nil {
			b.Fatal(err)
		}
	}
	for ready := 0; ready < slices; time.Sleep(time.Millisecond) {
		fleet, err := c.Fleet(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		ready = 0
		for _, s := range fleet.Slices {
			if s.State == pb.VmState_VM_STATE_READY {
				ready++
				took = max(took, s.ReadyAt.AsTime().Sub(s.RequestedAt.AsTime()))
			}
		}
	}
	return took
}
