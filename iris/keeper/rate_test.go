package keeper_test

import (
	"fmt"
	"os"
	"os/exec"
	goruntime "runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"iris/iris/runtime"
)

// BenchmarkRate is how many /bin/true a second twice as many loops as there are processors get through: bare, as
// processes of the runtime, and in a keeper. The three take turns, each for a moment, so that whatever else the machine
// does falls on all of them; % says what is left of the bare rate.
func BenchmarkRate(b *testing.B) {
	processes := runtime.NewProcess()
	defer processes.Close()
	dir := folder(b)
	c := open(b, dir)
	var uids atomic.Int64
	task := func(r runtime.Runtime) func() {
		return func() {
			uid := strconv.FormatInt(uids.Add(1), 10)
			t, err := r.Start(b.Context(), runtime.Spec{UID: uid, Argv: []string{"/bin/true"}, Log: func(string, string) {}})
			if err != nil {
				b.Error(err)
				return
			}
			<-t.Done()
			if t.Exit() != (runtime.Exit{}) {
				b.Error(t.Exit().Text())
			}
			c.Forget(uid)
		}
	}
	kinds := []struct {
		name        string
		run         func()
		took, spent time.Duration
	}{
		{name: "bare", run: func() {
			if err := exec.Command("/bin/true").Run(); err != nil {
				b.Error(err)
			}
		}},
		{name: "process", run: task(processes)},
		{name: "keeper", run: task(c)},
	}
	const turn = 100
	for _, k := range kinds {
		concurrently(turn, k.run) // whatever is made with the first one
	}
	keeperPID := keeperOf(dir)
	runs := 0
	for b.Loop() {
		for i := range kinds {
			began, spent := time.Now(), processorTime(b, keeperPID)
			concurrently(turn, kinds[i].run)
			kinds[i].took += time.Since(began)
			kinds[i].spent += processorTime(b, keeperPID) - spent
		}
		runs += turn
	}
	for _, k := range kinds {
		b.ReportMetric(float64(runs)/k.took.Seconds(), k.name+"/s")
		b.ReportMetric(100*kinds[0].took.Seconds()/k.took.Seconds(), k.name+"%")
		b.ReportMetric(float64(k.spent.Microseconds())/float64(runs), k.name+"-cpu-µs")
	}
	b.ReportMetric(0, "ns/op")
	shutDown(b, c)
}

// concurrently spreads n runs of f over the loops.
func concurrently(n int64, f func()) {
	var left atomic.Int64
	left.Store(n)
	var loops sync.WaitGroup
	for range 2 * goruntime.GOMAXPROCS(0) {
		loops.Go(func() {
			for left.Add(-1) >= 0 {
				f()
			}
		})
	}
	loops.Wait()
}

// processorTime is what this process and the keeper have used, with the children that they have reaped.
func processorTime(b *testing.B, keeper int) time.Duration {
	b.Helper()
	var sum time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var usage syscall.Rusage
		if err := syscall.Getrusage(who, &usage); err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", keeper))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	for _, ticks := range strings.Fields(rest)[11:15] { // of its own, and of the children that it has reaped
		n, err := strconv.Atoi(ticks)
		if err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(n) * 10 * time.Millisecond
	}
	return sum
}
