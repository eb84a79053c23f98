package cluster_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"iris/iris/client"
	"iris/iris/cluster"
	"iris/iris/network"
	pb "iris/iris/proto"
	"iris/iris/runtime"
)

// BenchmarkThroughput is the way of 10 000 tasks that do nothing, from the first submission until all have SUCCEEDED, on
// the local cluster: two workers of 4 CPU, controller and client in the same process.
func BenchmarkThroughput(b *testing.B) {
	const tasks = 10_000
	small := client.Spec{Entrypoint: client.Function("nothing"), CPU: 0.01, Memory: 1 << 20}
	large := client.Spec{Entrypoint: client.Function("nothing"), CPU: 1, Memory: 1 << 20}
	networks := []struct {
		name string
		make func() network.Network
	}{
		{"tcp", func() network.Network { return network.TCP{} }},
		{"memory", func() network.Network { return &network.Memory{} }},
	}
	for _, n := range networks {
		b.Run("net="+n.name+"/jobs=1/slots=800", func(b *testing.B) { oneJob(b, n.make(), small, tasks) })
		b.Run("net="+n.name+"/jobs=1/slots=8", func(b *testing.B) { oneJob(b, n.make(), large, tasks) })
		b.Run("net="+n.name+"/jobs=10000/slots=800", func(b *testing.B) { manyJobs(b, n.make(), small, tasks) })
	}
}

func oneJob(b *testing.B, n network.Network, spec client.Spec, tasks int) {
	c := booted(b, n)
	spec.Replicas = tasks
	for b.Loop() {
		spec.Name = "many"
		succeed(b, c, spec)
	}
	b.ReportMetric(float64(tasks)*float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
}

// manyJobs submits from 64 goroutines at once. Each waits for its last job only, so that what is measured is the cluster
// and not the looking at it; the others must be over by then or soon after.
func manyJobs(b *testing.B, n network.Network, spec client.Spec, tasks int) {
	const clients = 64
	c := booted(b, n)
	round := 0
	for b.Loop() {
		round++
		var all sync.WaitGroup
		for g := range clients {
			all.Go(func() {
				var jobs []*client.Job
				for i := g; i < tasks; i += clients {
					own := spec
					own.Name = fmt.Sprintf("job-%d-%d", round, i)
					job, err := c.Submit(b.Context(), own)
					if err != nil {
						b.Error(err)
						return
					}
					jobs = append(jobs, job)
				}
				for _, job := range jobs {
					awaitSuccess(b, job)
				}
			})
		}
		all.Wait()
	}
	b.ReportMetric(float64(tasks)*float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
}

func succeed(b *testing.B, c *client.Client, spec client.Spec) {
	b.Helper()
	job, err := c.Submit(b.Context(), spec)
	if err != nil {
		b.Fatal(err)
	}
	awaitSuccess(b, job)
}

func awaitSuccess(b *testing.B, job *client.Job) {
	status, err := job.Wait(b.Context())
	if err != nil || status.State != pb.JobState_JOB_STATE_SUCCEEDED {
		b.Errorf("job %s: %v, %v", job.ID, status, err)
	}
}

// booted is a client of a new local cluster that runs the function "nothing".
func booted(b *testing.B, n network.Network) *client.Client {
	b.Helper()
	functions := runtime.NewFunc()
	functions.Register("nothing", func(context.Context, runtime.FuncTask) error { return nil })
	m, err := cluster.Start(local(b, "bench"), cluster.Options{
		Network: n, Functions: functions, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := m.Stop(); err != nil {
			b.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
	defer cancel()
	if err := m.Ready(ctx); err != nil {
		b.Fatal(err)
	}
	c, err := m.Connect()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	return c
}
