package state

import (
	"math"
	"strconv"

	pb "iris/iris/proto"
)

// Resources are what a task needs or a worker has. Whole numbers, so that sums are exact.
type Resources struct {
	CPUMillis   int64 // thousandths of a core
	MemoryBytes int64
}

// ResourcesOf reads the wire form; nil is nothing.
func ResourcesOf(r *pb.Resources) Resources {
	return Resources{CPUMillis: r.GetCpuMillis(), MemoryBytes: r.GetMemoryBytes()}
}

// Millis are cores in thousandths, rounded to the nearest.
func Millis(cores float64) int64 { return int64(math.Round(cores * 1000)) }

// Proto is the wire form.
func (r Resources) Proto() *pb.Resources {
	return &pb.Resources{CpuMillis: r.CPUMillis, MemoryBytes: r.MemoryBytes}
}

// Add is r + s.
func (r Resources) Add(s Resources) Resources {
	return Resources{r.CPUMillis + s.CPUMillis, r.MemoryBytes + s.MemoryBytes}
}

// Sub is r - s.
func (r Resources) Sub(s Resources) Resources {
	return Resources{r.CPUMillis - s.CPUMillis, r.MemoryBytes - s.MemoryBytes}
}

// Fits reports whether r leaves room for need.
func (r Resources) Fits(need Resources) bool {
	return need.CPUMillis <= r.CPUMillis && need.MemoryBytes <= r.MemoryBytes
}

// Slots is how many times need fits into r. A need of nothing fits once.
func (r Resources) Slots(need Resources) int64 {
	slots := int64(-1)
	for _, dimension := range [...][2]int64{{r.CPUMillis, need.CPUMillis}, {r.MemoryBytes, need.MemoryBytes}} {
		have, want := dimension[0], dimension[1]
		if want <= 0 {
			continue
		}
		if n := max(have, 0) / want; slots < 0 || n < slots {
			slots = n
		}
	}
	if slots < 0 {
		return 1
	}
	return slots
}

// String is "4 CPU and 16 GiB".
func (r Resources) String() string {
	return CPUText(r.CPUMillis) + " and " + BytesText(r.MemoryBytes)
}

// CPUText writes thousandths of a core for people: "0.5 CPU".
func CPUText(millis int64) string {
	return strconv.FormatFloat(float64(millis)/1000, 'f', -1, 64) + " CPU"
}

// BytesText writes a size for people, in the largest binary unit that leaves at most one decimal: "1.5 GiB".
func BytesText(n int64) string {
	units := [...]string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	size, unit := float64(n), 0
	for size >= 1024 && unit < len(units)-1 {
		size, unit = size/1024, unit+1
	}
	return strconv.FormatFloat(float64(int64(size*10))/10, 'f', -1, 64) + " " + units[unit]
}

// CountText writes a number of things for people: "1 task", "2 tasks".
func CountText(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
