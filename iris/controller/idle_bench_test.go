package controller_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"iris/iris/bundle"
	"iris/iris/controller"
	"iris/iris/journal"
	"iris/iris/network"
	"iris/iris/peers"
	pb "iris/iris/proto"
	"iris/iris/state"
)

// idleChild marks the process that is only the controller of BenchmarkIdleController.
const idleChild = "IRIS_TEST_IDLE_CONTROLLER"

// BenchmarkIdleController is what a controller costs that has 1 000 registered workers and nothing to do: the share of one
// core that their heartbeats take, and the memory of its process. The controller is a process of its own, over TCP, with
// its log on disk.
func BenchmarkIdleController(b *testing.B) {
	const (
		workers  = 1000
		interval = 10 * time.Second // between heartbeats
		watched  = 2 * interval
	)
	address, pid := startIdle(b)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	var beating sync.WaitGroup
	var registered sync.WaitGroup
	for i := range workers {
		registered.Add(1)
		beating.Go(func() {
			keepBeating(ctx, b, address, fmt.Sprintf("w-%d", i), interval, registered.Done)
		})
	}
	registered.Wait()
	time.Sleep(interval) // what registering left to be done
	for b.Loop() {
		before, began := cpu(b, pid), time.Now()
		time.Sleep(watched)
		share := float64(cpu(b, pid)-before) / float64(time.Since(began))
		b.ReportMetric(100*share, "%core")
		b.ReportMetric(memory(b, pid), "MiB")
	}
	cancel()
	beating.Wait()
}

// startIdle starts the controller's process and returns its address and pid.
func startIdle(b *testing.B) (address string, pid int) {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestIdleController$")
	cmd.Env = append(os.Environ(), idleChild+"=yes")
	cmd.Stderr = os.Stderr
	hold, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = hold.Close() // that ends it
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line), cmd.Process.Pid
}

// TestIdleController is the other process of BenchmarkIdleController; by itself it does nothing.
func TestIdleController(t *testing.T) {
	if os.Getenv(idleChild) == "" {
		return
	}
	listener, err := network.TCP{}.Listen("") // the log must know the address before it is served
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	store, err := bundle.NewStore(t.TempDir(), bundle.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	others, quiet, policy := peers.New(network.TCP{}, store), slog.New(slog.DiscardHandler), controller.Policy(state.Policy{})
	log, err := journal.OpenRaft(journal.RaftConfig{
		Dir: t.TempDir(), ID: "c-0", Address: address, Bootstrap: true, Policy: policy, Streams: others, Log: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := controller.Start(controller.Config{Address: address, Journal: log, Policy: policy, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(c.Address())
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // until the other process ends
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
}

// keepBeating is a worker that does nothing but live, with a connection of its own.
func keepBeating(ctx context.Context, b *testing.B, address, id string, interval time.Duration, registered func()) {
	registered = sync.OnceFunc(registered)
	defer registered()
	conn, err := network.Client(network.TCP{}, address)
	if err != nil {
		b.Error(err)
		return
	}
	defer func() { _ = conn.Close() }()
	rpc := pb.NewRegistryServiceClient(conn)
	if _, err := rpc.Register(ctx, &pb.RegisterRequest{
		WorkerId: id, Incarnation: "1", Address: id, Capacity: &pb.Resources{CpuMillis: 4000, MemoryBytes: 16 << 30},
		Attributes: map[string]string{"device-type": "cpu"},
	}); err != nil {
		b.Error(err)
		return
	}
	registered()
	for {
		select {
		case <-time.After(interval):
		case <-ctx.Done():
			return
		}
		_, err := rpc.Heartbeat(ctx, &pb.HeartbeatRequest{WorkerId: id, Incarnation: "1"})
		if err != nil && ctx.Err() == nil {
			b.Error(err)
		}
	}
}

// cpu is the processor time that a process has used.
func cpu(b *testing.B, pid int) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(stat)[strings.LastIndexByte(string(stat), ')')+1:])
	const tick = 10 * time.Millisecond // USER_HZ is 100 on Linux
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err1 != nil || err2 != nil {
		b.Fatal(err1, err2)
	}
	return time.Duration(user+system) * tick
}

// memory is what a process has in memory, in MiB.
func memory(b *testing.B, pid int) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kib / 1024
		}
	}
	b.Fatal("no VmRSS")
	return 0
}
