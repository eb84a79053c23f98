package iris

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"iris/iris/cluster"
	"iris/iris/config"
	"iris/iris/network"
	"iris/iris/telemetry"
)

// docs/operations.md has the metrics as a cluster shows them.
func TestEveryMetricIsDocumented(t *testing.T) {
	var table strings.Builder
	table.WriteString("| metric | kind | labels | is |\n|---|---|---|---|\n")
	synctest.Test(t, func(t *testing.T) {
		description, err := config.Load("examples/autoscaled.yaml")
		if err != nil {
			t.Fatal(err)
		}
		registry := telemetry.NewRegistry()
		m, err := cluster.Start(cluster.MakeLocalConfig(description), cluster.Options{
			Network: &network.Memory{}, Metrics: registry, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second) // the least of its machines come
		families, err := registry.Gather()
		if err != nil {
			t.Error(err)
		}
		for _, f := range families {
			if !strings.HasPrefix(f.GetName(), "iris_") {
				continue
			}
			var labels []string
			for _, m := range f.Metric {
				for _, l := range m.Label {
					if l.GetName() != "participant" { // only where a process has several
						labels = append(labels, "`"+l.GetName()+"`")
					}
				}
			}
			slices.Sort(labels)
			fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", f.GetName(), strings.ToLower(f.GetType().String()),
				strings.Join(slices.Compact(labels), ", "), strings.TrimSuffix(f.GetHelp(), "."))
		}
		if err := m.Stop(); err != nil {
			t.Error(err)
		}
	})
	if !strings.Contains(read(t, "docs/operations.md"), table.String()+"\n") {
		t.Errorf("docs/operations.md does not have this table:\n%s", table.String())
	}
}
