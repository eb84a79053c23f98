package telemetry_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"iris/chaos"
	"iris/iris/telemetry"
)

var site = chaos.NewSite("telemetry.test", "in a test of what is measured of chaos", chaos.CanFail)

func TestARegistryHasTheProcessAndItsFaults(t *testing.T) {
	registry := telemetry.NewRegistry()
	for _, name := range []string{"go_goroutines", "process_resident_memory_bytes", "go_build_info"} {
		if n, err := testutil.GatherAndCount(registry, name); err != nil || n != 1 {
			t.Errorf("%s is there %d times, %v", name, n, err)
		}
	}
	families := func() map[string]float64 {
		all, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		values := map[string]float64{}
		for _, f := range all {
			for _, m := range f.Metric {
				if len(m.Label) == 1 && m.Label[0].GetValue() == site.Name() {
					values[f.GetName()] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
				}
			}
		}
		return values
	}
	before := float64(site.Fired()) // by an earlier run of this test
	if got := families(); got["iris_chaos_armed"] != 0 || got["iris_chaos_firings_total"] != before || len(got) != 2 {
		t.Errorf("of an idle site there is %v", got)
	}
	defer chaos.Reset()
	if _, err := site.Enable(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if site.Hit(t.Context(), nil) == nil {
			t.Fatal("it does not fire")
		}
	}
	if got := families(); got["iris_chaos_armed"] != 1 || got["iris_chaos_firings_total"] != before+3 {
		t.Errorf("of an armed site there is %v", got)
	}
	chaos.Reset()
	if got := families(); got["iris_chaos_armed"] != 0 || got["iris_chaos_firings_total"] != before+3 {
		t.Errorf("after the reset there is %v", got)
	}
}
