package runtime

import (
	"os/exec"
	goruntime "runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// concurrently spreads b.N runs of f over twice as many loops as there are processors, and reports their rate.
func concurrently(b *testing.B, f func()) {
	b.Helper()
	spent := processorTime()
	var left atomic.Int64
	left.Store(int64(b.N))
	var loops sync.WaitGroup
	for range 2 * goruntime.GOMAXPROCS(0) {
		loops.Go(func() {
			for left.Add(-1) >= 0 {
				f()
			}
		})
	}
	loops.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
	b.ReportMetric(float64((processorTime()-spent).Microseconds())/float64(b.N), "cpu-µs/op")
}

// processorTime is what this process and its children have used.
func processorTime() time.Duration {
	var sum time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var usage syscall.Rusage
		if err := syscall.Getrusage(who, &usage); err != nil {
			panic(err)
		}
		sum += time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	return sum
}

func BenchmarkRateBareExec(b *testing.B) {
	concurrently(b, func() {
		if err := exec.Command("/bin/true").Run(); err != nil {
			b.Error(err)
		}
	})
}

func BenchmarkRateBareSyscall(b *testing.B) {
	concurrently(b, func() {
		pid, err := syscall.ForkExec("/bin/true", []string{"true"}, &syscall.ProcAttr{Files: []uintptr{0, 1, 2}})
		if err != nil {
			b.Error(err)
			return
		}
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil || !status.Exited() {
			b.Error(err)
		}
	})
}

func BenchmarkRateProcess(b *testing.B) {
	r := NewProcess()
	defer r.Close()
	concurrently(b, func() {
		task, err := r.Start(b.Context(), Spec{Argv: []string{"/bin/true"}, Log: func(string, string) {}})
		if err != nil {
			b.Error(err)
			return
		}
		<-task.Done()
	})
}
