package cluster_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iris/iris/cluster"
	"iris/iris/config"
	"iris/iris/state"
)

func TestALocalClusterScalesInSeconds(t *testing.T) {
	c := cluster.MakeLocalConfig(config.Cluster{Name: "c", Groups: []config.Group{scaled("a")}})
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	if a := c.Autoscaler; a.EvaluationInterval != 500*time.Millisecond || a.ListInterval != time.Second {
		t.Errorf("it looks every %v and lists every %v", a.EvaluationInterval, a.ListInterval)
	}
	want := state.Pace{
		ScaleUpCooldown: time.Second, ScaleDownCooldown: 5 * time.Second, ScaleDownRate: 10, IdleThreshold: 30 * time.Second,
		BackoffInitial: time.Second, BackoffMax: 30 * time.Second, QuotaTimeout: 10 * time.Second,
		RequestingTimeout: 30 * time.Second, BootTimeout: 30 * time.Second, InitTimeout: time.Minute,
		UnhealthyTimeout: 15 * time.Second, ShortLived: 30 * time.Second,
	}
	if diff := cmp.Diff(want, c.ScaleGroups()[0].Pace); diff != "" {
		t.Error(diff)
	}
}

// A description that is valid stays so: one bound of the backoff is filled in so that it goes with the other.
func TestALocalClusterKeepsThePaceThatIsWrittenDown(t *testing.T) {
	b := scaled("b")
	b.Pace = config.Pace{IdleThreshold: time.Hour, BackoffInitial: 2 * time.Minute}
	c := cluster.MakeLocalConfig(config.Cluster{
		Name: "c", Groups: []config.Group{scaled("a"), b},
		Autoscaler: config.Autoscaler{
			EvaluationInterval: time.Minute, ListInterval: time.Hour,
			Pace: config.Pace{BackoffInitial: time.Minute, QuotaTimeout: time.Minute},
		},
	})
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	if a := c.Autoscaler; a.EvaluationInterval != time.Minute || a.ListInterval != time.Hour {
		t.Errorf("it looks every %v and lists every %v", a.EvaluationInterval, a.ListInterval)
	}
	of := func(g state.Group) []time.Duration {
		return []time.Duration{g.Pace.BackoffInitial, g.Pace.BackoffMax, g.Pace.QuotaTimeout, g.Pace.IdleThreshold}
	}
	want := [][]time.Duration{
		{time.Minute, time.Minute, time.Minute, 30 * time.Second},
		{2 * time.Minute, 2 * time.Minute, time.Minute, time.Hour},
	}
	groups := c.ScaleGroups()
	if diff := cmp.Diff(want, [][]time.Duration{of(groups[0]), of(groups[1])}); diff != "" {
		t.Error(diff)
	}
}

func scaled(name string) config.Group {
	return config.Group{Name: name, Platform: config.Local, CPU: 1, Memory: 1 << 30, MaxSlices: 1, Zones: []string{"z"}}
}
