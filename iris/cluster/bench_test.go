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
	} {
		b.Run(how.name+"/jobs=1/slots=800", func(b *testing.B) { oneJob(b, how.options(), small, tasks) })
		b.Run(how.name+"/jobs=1/slots=8", func(b *testing.B) { oneJob(b, how.options(), large, tasks) })
		b.Run(how.name+"/jobs=10000/slots=800", func(b *testing.B) { manyJobs(b, how.options(), small, tasks) })
	}
}

// BenchmarkDurable is what the log on disk costs: the same work on two clusters that differ in their log alone, in turns,
// since machines are noisy. The ratio is what counts.
func BenchmarkDurable(b *testing.B) {
	const tasks = 10_000
	shapes := []struct {
		name string
		cpu  float64
		run  func(*testing.B, *client.Client, client.Spec, int)
	}{
		{"jobs=1/slots=800", 0.01, runOneJob}, {"jobs=1/slots=8", 1, runOneJob}, {"jobs=10000/slots=800", 0.01, runManyJobs},
	}
	for _, shape := range shapes {
		b.Run(shape.name, func(b *testing.B) {
			spec := client.Spec{Entrypoint: client.Function("nothing"), CPU: shape.cpu, Memory: 1 << 20}
			options := cluster.Options{Network: network.TCP{}, Functions: functions()}
			_, memory := booted(b, local(b, "memory"), options)
			options.Durable = true
			_, disk := booted(b, local(b, "disk"), options)
			var inMemory, onDisk time.Duration
			for round := 0; b.Loop(); round++ {
				spec.Name = fmt.Sprintf("%d-", round)
				inMemory += timed(func() { shape.run(b, memory, spec, tasks) })
				onDisk += timed(func() { shape.run(b, disk, spec, tasks) })
			}
			n := float64(tasks * b.N)
			b.ReportMetric(n/inMemory.Seconds(), "memory-tasks/s")
			b.ReportMetric(n/onDisk.Seconds(), "disk-tasks/s")
			b.ReportMetric(100*inMemory.Seconds()/onDisk.Seconds(), "%of-memory")
		})
	}
}

func timed(do func()) time.Duration {
	began := time.Now()
	do()
	return time.Since(began)
}

func oneJob(b *testing.B, options cluster.Options, spec client.Spec, tasks int) {
	throughput(b, options, spec, tasks, runOneJob)
}

func manyJobs(b *testing.B, options cluster.Options, spec client.Spec, tasks int) {
	throughput(b, options, spec, tasks, runManyJobs)
}

func throughput(b *testing.B, options cluster.Options, spec client.Spec, tasks int,
	run func(*testing.B, *client.Client, client.Spec, int)) {
	options.Functions = functions()
	_, c := booted(b, local(b, "bench"), options)
	for round := 0; b.Loop(); round++ {
		spec.Name = fmt.Sprintf("%d-", round)
		run(b, c, spec, tasks)
	}
	b.ReportMetric(float64(tasks)*float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
}

func runOneJob(b *testing.B, c *client.Client, spec client.Spec, tasks int) {
	b.Helper()
	spec.Replicas = tasks
	if _, err := c.Submit(b.Context(), spec); err != nil {
		b.Fatal(err)
	}
	awaitSuccess(b, c, spec.Name, 1)
}

// runManyJobs submits from 64 goroutines at once.
func runManyJobs(b *testing.B, c *client.Client, spec client.Spec, tasks int) {
	b.Helper()
	const clients = 64
	var all sync.WaitGroup
	for g := range clients {
		all.Go(func() {
			for i := g; i < tasks; i += clients {
				own := spec
				own.Name = fmt.Sprintf("%s%d", spec.Name, i)
				if _, err := c.Submit(b.Context(), own); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	awaitSuccess(b, c, spec.Name, tasks)
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
