package cluster_test

import (
	"path/filepath"
	"testing"

	"iris/iris/cluster"
	"iris/iris/config"
)

// local is the demo's description made fit for one machine.
func local(tb testing.TB, name string) config.Cluster {
	tb.Helper()
	c, err := config.Load(filepath.Join("..", "..", "examples", "demo.yaml"))
	if err != nil {
		tb.Fatal(err)
	}
	c = cluster.MakeLocalConfig(c)
	c.Name = name
	return c
}
