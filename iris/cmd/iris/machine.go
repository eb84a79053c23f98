package main

import (
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// machine is what this machine can offer: the cores that this process may use, and the memory less a sixteenth, which is
// left to the system and to Iris. Zero is what the system does not say.
func machine() (cores float64, bytes int64) {
	bytes = physicalMemory()
	if limit := groupMemory(); limit > 0 && (bytes == 0 || limit < bytes) {
		bytes = limit
	}
	return float64(runtime.GOMAXPROCS(0)), bytes - bytes/16
}

// groupMemory is the limit of the control group that this process is in, as a container sees it; 0: none.
func groupMemory() int64 {
	text, err := os.ReadFile("/sys/fs/cgroup/memory.max")
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n <= 0 || n == math.MaxInt64 { // "max": no limit
		return 0
	}
	return n
}
