package chronos

import (
	"syscall"
	"time"
)

// ProcessorTime is how long this process has used processors, all together. Virtual time does not change it: what a run costs
// is the difference between two.
func ProcessorTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err) // of oneself it is always told
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
