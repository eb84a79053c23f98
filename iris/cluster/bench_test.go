package cluster_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"iris/iris/client"
	"iris/iris/cluster"
	"iris/iris/network"
	pb "iris/iris/proto"
)

// BenchmarkThroughput is the way of 10 000 tasks that do nothing, from the first submission until all have SUCCEEDED, on
// the local cluster: two workers of 4 CPU, controller and client in the same process.
func BenchmarkThroughput(b *testing.B) {
	const tasks = 10_000
	small := client.Spec{Entrypoint: client.Function("nothing"), CPU: 0.01, Memory: 1 << 20}
	large := client.Spec{Entrypoint: client.Function("nothing"), CPU: 1, Memory: 1 << 20}
	for _, how := range []struct {
		name    string
		options func() cluster.Options
	}{
		{"net=tcp", func() cluster.Options { return cluster.Options{Network: network.TCP{}} }},
		{"net=memory", func() cluster.Options { return cluster.Options{Network: &network.Memory{}} }},
		{"net=tcp/log=disk", func() cluster.Options { return cluster.Options{Network: network.TCP{}, Durable: true} }},
		{"net=memory/log=disk", func() cluster.Options { return cluster.Options{Network: &network.Memory{}, Durable: true} }},
	} {
		b.Run(how.name+"/jobs=1/slots=800", func(b *testing.B) { oneJob(b, how.options(), small, tasks) })
		b.Run(how.name+"/jobs=1/slots=8", func(b *testing.B) { oneJob(b, how.options(), large, tasks) })
		b.Run(how.name+"/jobs=10000/slots=800", func(b *testing.B) { manyJobs(b, how.options(), small, tasks) })
	}
}

func oneJob(b *testing.B, options cluster.Options, spec client.Spec, tasks int) {
	options.Functions = functions()
	_, c := booted(b, local(b, "bench"), options)
	spec.Replicas = tasks
	round := 0
	for b.Loop() {
		round++
		spec.Name = fmt.Sprintf("%d-", round)
		if _, err := c.Submit(b.Context(), spec); err != nil {
			b.Fatal(err)
		}
		awaitSuccess(b, c, spec.Name, 1)
	}
	b.ReportMetric(float64(tasks)*float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
}

// manyJobs submits from 64 goroutines at once.
func manyJobs(b *testing.B, options cluster.Options, spec client.Spec, tasks int) {
	const clients = 64
	options.Functions = functions()
	_, c := booted(b, local(b, "bench"), options)
	round := 0
	for b.Loop() {
		round++
		var all sync.WaitGroup
		for g := range clients {
			all.Go(func() {
				for i := g; i < tasks; i += clients {
					own := spec
					own.Name = fmt.Sprintf("%d-%d", round, i)
					if _, err := c.Submit(b.Context(), own); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
		awaitSuccess(b, c, fmt.Sprintf("%d-", round), tasks)
	}
	b.ReportMetric(float64(tasks)*float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
}

// awaitSuccess returns once that many jobs of a name have SUCCEEDED. It looks often, and at one job at a time, so that the
// cluster is measured and not the looking.
func awaitSuccess(b *testing.B, c *client.Client, prefix string, jobs int) {
	b.Helper()
	unfinished := &pb.ListJobsRequest{NamePrefix: prefix, PageSize: 1, States: []pb.JobState{
		pb.JobState_JOB_STATE_PENDING, pb.JobState_JOB_STATE_BUILDING, pb.JobState_JOB_STATE_RUNNING,
	}}
	for {
		page, err := c.RPC().ListJobs(b.Context(), unfinished)
		if err != nil {
			b.Fatal(err)
		}
		if len(page.Jobs) == 0 {
			break
		}
		time.Sleep(2 * time.Millisecond)
	}
	b.StopTimer()
	defer b.StartTimer()
	all, err := c.Jobs(b.Context(), prefix)
	if err != nil {
		b.Fatal(err)
	}
	for _, job := range all {
		if job.State != pb.JobState_JOB_STATE_SUCCEEDED {
			b.Fatalf("job %s: %v", job.JobId, job)
		}
	}
	if len(all) != jobs {
		b.Fatalf("%d jobs, want %d", len(all), jobs)
	}
}

// BenchmarkStart is the time from nothing to a cluster that is ready, and back.
func BenchmarkStart(b *testing.B) {
	for name, n := range map[string]func() network.Network{
		"tcp":    func() network.Network { return network.TCP{} },
		"memory": func() network.Network { return &network.Memory{} },
	} {
		b.Run("net="+name, func(b *testing.B) {
			var ready time.Duration
			for b.Loop() {
				began := time.Now()
				m, err := cluster.Start(local(b, "bench"), quiet(cluster.Options{Network: n()}))
				if err != nil {
					b.Fatal(err)
				}
				if err := m.Ready(b.Context()); err != nil {
					b.Fatal(err)
				}
				ready += time.Since(began)
				if err := m.Stop(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(ready.Microseconds())/1000/float64(b.N), "ms-to-ready/op")
		})
	}
}
