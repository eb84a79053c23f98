package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"iris/iris/client"
	"iris/iris/cluster"
	"iris/iris/config"
	"iris/iris/network"
	pb "iris/iris/proto"
	"iris/iris/runtime"
)

func TestACatalogueOfWorkersFollowsFromTheDescription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		description := config.Cluster{Name: "c", Groups: []config.Group{
			{Name: "cpu", CPU: 1.001, Memory: 1 << 30, MinSlices: 2, MaxSlices: 2, Zones: []string{"a"}, Attributes: map[string]string{"x": "y"}},
			{Name: "none", CPU: 1, Memory: 1, Platform: config.Local, MaxSlices: 1, Zones: []string{"a"}},
			{Name: "pair", CPU: 2, Memory: 2 << 30, MinSlices: 1, MaxSlices: 1, VMsPerSlice: 2, Zones: []string{"a"}},
		}}
		m, c := booted(t, description, cluster.Options{Network: &network.Memory{}})
		workers, err := c.Workers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, w := range workers {
			got = append(got, fmt.Sprintf("%s %s %d %d %s", w.WorkerId, w.Attributes["slice"], w.Capacity.CpuMillis,
				w.Capacity.MemoryBytes>>20, w.Attributes["x"]))
		}
		want := []string{"w-0 cpu-0 1001 1024 y", "w-1 cpu-1 1001 1024 y", "w-2 pair-0 2000 2048 ", "w-3 pair-0 2000 2048 "}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if m.Name != "c" {
			t.Errorf("its name is %s", m.Name)
		}
	})
}

// A bubble does not end before every goroutine started in it has.
func TestAfterStopNothingIsLeft(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	synctest.Test(t, func(t *testing.T) {
		m, c := booted(t, local(t, "c"), cluster.Options{Network: &network.Memory{}, Functions: functions()})
		if len(temporary(t)) != 1 {
			t.Errorf("while it runs there are %v", temporary(t))
		}
		for name, sleep := range map[string]string{"short": "1s", "long": "1h"} {
			job, err := c.Submit(t.Context(), client.Spec{Name: name, Entrypoint: client.Function("sleep", sleep)})
			if err != nil {
				t.Fatal(err)
			}
			if name == "long" {
				continue // it is running when the cluster stops
			}
			if s, err := job.Wait(t.Context()); err != nil || s.State != pb.JobState_JOB_STATE_SUCCEEDED {
				t.Errorf("the job is %v, %v", s, err)
			}
		}
		if err := m.Stop(); err != nil {
			t.Error(err)
		}
		if left := temporary(t); len(left) != 0 {
			t.Errorf("it left %v", left)
		}
	})
}

func TestADirectoryOfTheCallersStays(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		m, err := cluster.Start(local(t, "c"), quiet(cluster.Options{Network: &network.Memory{}, Dir: dir}))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Stop(); err != nil {
			t.Error(err)
		}
	})
	if _, err := os.Stat(filepath.Join(dir, "c-0", "bundles")); err != nil {
		t.Error(err)
	}
	if left := temporary(t); len(left) != 0 {
		t.Errorf("beside it there is %v", left)
	}
}

func TestTwoClustersDoNotMeet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &network.Memory{}
		first, a := booted(t, local(t, "c"), cluster.Options{Network: shared, Functions: functions()})
		second, b := booted(t, local(t, "c"), cluster.Options{Network: shared, Functions: functions()})
		spec := client.Spec{ID: "j", Name: "j", Entrypoint: client.Function("sleep", "1m")}
		job, err := a.Submit(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		if jobs, err := b.Jobs(t.Context(), ""); err != nil || len(jobs) != 0 {
			t.Errorf("the other one has %v, %v", jobs, err)
		}
		if err := second.Stop(); err != nil {
			t.Error(err)
		}
		if s, err := job.Wait(t.Context()); err != nil || s.State != pb.JobState_JOB_STATE_SUCCEEDED {
			t.Errorf("after the other's end the job is %v, %v", s, err)
		}
		if err := first.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// flaky is a network on which the nth address cannot be opened.
type flaky struct {
	network.Network
	mu sync.Mutex
	n  int
}

func (f *flaky) Listen(address string) (net.Listener, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n--; f.n == 0 {
		return nil, errors.New("no more addresses")
	}
	return f.Network.Listen(address)
}

func TestAFailedStartLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	bad := local(t, "c")
	bad.Groups[0].CPU = -1
	for name, c := range map[string]struct {
		description config.Cluster
		options     cluster.Options
		want        string
	}{
		"a wrong description": {bad, cluster.Options{Network: &network.Memory{}}, "cluster: groups[0] cpu: cpu is -1; it must be 0.001 to 100000 cores"},
		"no directory":        {local(t, "c"), cluster.Options{Network: &network.Memory{}, Dir: file}, "cluster c: "},
		"no controller":       {local(t, "c"), cluster.Options{Network: &flaky{Network: &network.Memory{}, n: 1}}, "cluster c: controller: no more addresses"},
		"no first worker":     {local(t, "c"), cluster.Options{Network: &flaky{Network: &network.Memory{}, n: 2}}, "cluster c: worker w-0: no more addresses"},
		"no second worker":    {local(t, "c"), cluster.Options{Network: &flaky{Network: &network.Memory{}, n: 3}}, "cluster c: worker w-1: no more addresses"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, err := cluster.Start(c.description, quiet(c.options))
				if err == nil {
					t.Fatal("it started", m.Stop())
				}
				if !strings.HasPrefix(err.Error(), c.want) {
					t.Errorf("error is %q, want %q", err, c.want)
				}
			})
			if left := temporary(t); len(left) != 0 {
				t.Errorf("it left %v", left)
			}
		})
	}
}

// cut is a network on which nobody can be dialled while it is down.
type cut struct {
	network.Network
	down atomic.Bool
}

func (c *cut) Dial(ctx context.Context, address string) (net.Conn, error) {
	if c.down.Load() {
		return nil, errors.New("the cable is cut")
	}
	return c.Network.Dial(ctx, address)
}

func TestReadyWaitsForEveryWorkerAndNamesOneThatIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &cut{Network: &network.Memory{}}
		n.down.Store(true)
		m, err := cluster.Start(local(t, "c"), quiet(cluster.Options{Network: n}))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err = m.Ready(ctx)
		if err == nil || err.Error() != "cluster c: worker w-0 has not registered: context deadline exceeded" {
			t.Errorf("error is %v", err)
		}
		n.down.Store(false)
		if err := m.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		if err := m.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// On the wall clock, over TCP, with real processes.
func TestAStoppedClusterLeavesNoProcess(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	m, c := booted(t, local(t, "c"), cluster.Options{})
	job, err := c.Submit(t.Context(), client.Spec{
		Name: "endless", Replicas: 4, Entrypoint: client.Command("sh", "-c", "sleep 1000 & echo up; wait"),
	})
	if err != nil {
		t.Fatal(err)
	}
	for task := range 4 {
		for {
			lines, err := job.Logs(t.Context(), task)
			if err != nil {
				t.Fatal(err)
			}
			if len(lines) == 1 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	if n := len(family(t)); n < 8 {
		t.Errorf("while it runs there are %d processes", n)
	}
	if err := m.Stop(); err != nil {
		t.Error(err)
	}
	if left := family(t); len(left) != 0 {
		t.Errorf("it left %v", left)
	}
	if left := temporary(t); len(left) != 0 {
		t.Errorf("it left %v", left)
	}
}

// booted is a cluster that is ready, and a client of it. The caller may stop it; else the test's end does.
func booted(tb testing.TB, description config.Cluster, options cluster.Options) (*running, *client.Client) {
	tb.Helper()
	m, err := cluster.Start(description, quiet(options))
	if err != nil {
		tb.Fatal(err)
	}
	r := &running{Manager: m}
	tb.Cleanup(func() {
		if err := r.Stop(); err != nil {
			tb.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(tb.Context(), 30*time.Second)
	defer cancel()
	if err := m.Ready(ctx); err != nil {
		tb.Fatal(err)
	}
	c, err := m.Connect()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Close(); err != nil {
			tb.Error(err)
		}
	})
	return r, c
}

// running is a cluster that is stopped once, however often it is asked to.
type running struct {
	*cluster.Manager
	once sync.Once
	err  error
}

func (r *running) Stop() error {
	r.once.Do(func() { r.err = r.Manager.Stop() })
	return r.err
}

func quiet(options cluster.Options) cluster.Options {
	options.Log = slog.New(slog.DiscardHandler)
	return options
}

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

func functions() *runtime.Func {
	f := runtime.NewFunc()
	f.Register("nothing", func(context.Context, runtime.FuncTask) error { return nil })
	f.Register("sleep", func(ctx context.Context, task runtime.FuncTask) error {
		d, err := time.ParseDuration(task.Args[0])
		if err != nil {
			return err
		}
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	return f
}

// temporary is what stands in the directory for temporary files.
func temporary(t *testing.T) []string {
	t.Helper()
	all, err := os.ReadDir(os.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range all {
		names = append(names, e.Name())
	}
	return names
}

// family are the processes that run below a temporary directory of this test or are children of this process.
func family(t *testing.T) []string {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended since
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		dir, _ := os.Readlink(filepath.Join(filepath.Dir(path), "cwd")) // none: it has ended, or is somebody else's
		child := strings.Fields(rest)[1] == fmt.Sprint(os.Getpid())
		if !strings.HasPrefix(rest, "Z") && (child || strings.HasPrefix(dir, os.TempDir()+"/")) {
			found = append(found, string(stat))
		}
	}
	return found
}
