package cluster_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"iris/iris/client"
	"iris/iris/cluster"
	"iris/iris/config"
	"iris/iris/network"
	"iris/iris/telemetry"
)

// All participants of a cluster are measured in one place, each under its id; one that is started again too.
func TestEveryParticipantIsMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := telemetry.NewRegistry()
		m, c := booted(t, local(t, "c"), cluster.Options{Network: &network.Memory{}, Functions: functions(), Metrics: registry})
		job, err := c.Submit(t.Context(), client.Spec{Name: "j", Entrypoint: client.Function("nothing")})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := job.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := func(when, metric, participants string) {
			t.Helper()
			if got := strings.Join(participantsOf(t, registry, metric), " "); got != participants {
				t.Errorf("%s %s is there for %q, want %q", when, metric, got, participants)
			}
		}
		want("at first", "iris_jobs_ended_total", "c-0")
		want("at first", "iris_rpc_made_total", "c-0 w-0 w-1")
		want("at first", "iris_worker_registrations_total", "w-0 w-1")
		if err := m.Kill("w-1"); err != nil {
			t.Fatal(err)
		}
		want("without a worker", "iris_worker_registrations_total", "w-0")
		if err := m.Revive("w-1"); err != nil {
			t.Fatal(err)
		}
		want("with a new one", "iris_worker_registrations_total", "w-0 w-1")
		if err := m.Stop(); err != nil {
			t.Error(err)
		}
		want("afterwards", "iris_rpc_made_total", "")
	})
}

func participantsOf(t *testing.T, from prometheus.Gatherer, metric string) []string {
	t.Helper()
	all, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, f := range all {
		for _, m := range f.Metric {
			for _, l := range m.Label {
				id := l.GetValue()
				if f.GetName() == metric && l.GetName() == "participant" {
					ids = append(ids, id)
				}
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// So is a worker whose machine came with the work, until the machine goes.
func TestAWorkerThatComesAndGoesIsMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := telemetry.NewRegistry()
		group := scaled("a")
		group.MinSlices = 1
		m, _ := booted(t, cluster.MakeLocalConfig(config.Cluster{Name: "c", Groups: []config.Group{group}}), cluster.Options{
			Network: &network.Memory{}, Functions: functions(), Metrics: registry,
		})
		want := func(when, participants string) {
			t.Helper()
			if got := strings.Join(participantsOf(t, registry, "iris_rpc_made_total"), " "); got != participants {
				t.Errorf("%s calls are measured of %q, want %q", when, got, participants)
			}
		}
		time.Sleep(5 * time.Second)
		want("at first", "worker-a-0-vm-0")
		slices := m.Cloud("a").Live()
		if err := m.Cloud("a").Preempt(slices[0].ID()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		want("without a machine", "")
		time.Sleep(time.Minute)
		want("with a new one", "worker-a-1-vm-0")
		if err := m.Stop(); err != nil {
			t.Error(err)
		}
		want("afterwards", "")
	})
}
