package view

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	pb "iris/iris/proto"
	model "iris/iris/state"
)

const topBar = 10 // columns of a bar in a list

// workerList has the lost ones first, then those that drain and those that are silent.
func (s Snapshot) workerList(terminal Terminal, now time.Time) list {
	rank := func(w *pb.WorkerStatus) int {
		switch {
		case w.State == pb.WorkerState_WORKER_STATE_LOST:
			return 0
		case w.Draining:
			return 1
		case w.Silent:
			return 2
		}
		return 3
	}
	sorted := slices.SortedStableFunc(slices.Values(s.Workers), func(a, b *pb.WorkerStatus) int { return rank(a) - rank(b) })
	l := list{all: "iris worker list", table: table{columns: []column{
		{title: "WORKER", good: 24, least: 8}, {title: "STATE"}, {title: "HEARD", drop: 1, right: true}, {title: "CPU", drop: 2, right: true},
		{title: "", drop: 4}, {title: "MEMORY", drop: 5, right: true}, {title: "", drop: 6}, {title: "TASKS", drop: 3, right: true},
		{title: "TIMES LOST", drop: 7, right: true},
	}}}
	for _, w := range sorted {
		heard := text(ago(w.LastHeartbeatAt, now))
		if rank(w) == 0 || w.Silent {
			heard.colour = yellow
		}
		lost := ""
		if w.TimesLost > 0 {
			lost = fmt.Sprint(w.TimesLost)
		}
		l.add(text(w.WorkerId), state(standing(w)), heard, text(cpuOf(w)),
			cell{bar(terminal, w.Committed.GetCpuMillis(), w.Capacity.GetCpuMillis(), topBar), cyan}, text(memoryOf(w)),
			cell{bar(terminal, w.Committed.GetMemoryBytes(), w.Capacity.GetMemoryBytes(), topBar), cyan},
			text(strconv.Itoa(len(w.AttemptUids))), cell{lost, yellow})
	}
	return l
}

// groupList has those first that cannot have what they want, then those that want something.
func (s Snapshot) groupList(now time.Time) list {
	rank := func(g *pb.ScaleGroupStatus) int {
		switch g.Availability {
		case pb.ScaleGroupStatus_AVAILABILITY_BACKOFF:
			return 0
		case pb.ScaleGroupStatus_AVAILABILITY_QUOTA_EXCEEDED:
			return 1
		}
		if g.Demand > 0 {
			return 2
		}
		return 3
	}
	l := list{all: "iris cluster groups", table: table{columns: []column{
		{title: "GROUP", good: 24, least: 8}, {title: "SLICES"}, {title: "STATES", drop: 4}, {title: "DEMAND", drop: 3, right: true},
		{title: "AVAILABILITY", good: 40, least: 12, drop: 1}, {title: "WHY", good: 32, least: 16, drop: 2},
	}}}
	sorted := slices.SortedStableFunc(slices.Values(s.Fleet.GetGroups()), func(a, b *pb.ScaleGroupStatus) int { return rank(a) - rank(b) })
	for _, g := range sorted {
		l.add(text(g.Name), text(slicesOf(s.Fleet, g)), text(stateCounts(s.Fleet, g)), text(fmt.Sprint(g.Demand)),
			cell{availabilityOf(g, now), states[Availability(g)]}, text(Growth(s.Fleet, g)))
	}
	return l
}

// jobList has those first that wait for what may never come, then the others that wait, and those that have had trouble.
func (s Snapshot) jobList(terminal Terminal, now time.Time) list {
	rank := func(j *pb.JobStatus) int {
		switch j.PendingReason.GetKind() {
		case pb.PendingReason_KIND_TOO_LARGE, pb.PendingReason_KIND_CONSTRAINTS, pb.PendingReason_KIND_NO_WORKERS:
			return 0
		case pb.PendingReason_KIND_BACKOFF:
			return 1
		case pb.PendingReason_KIND_UNSPECIFIED, pb.PendingReason_KIND_NEXT_PASS:
			if j.FailureCount+j.PreemptionCount > 0 {
				return 3
			}
			return 4
		}
		return 2
	}
	l := list{all: "iris job list --state pending,building,running", table: table{columns: []column{
		{title: "JOB", good: 28, least: 12}, {title: "STATE"}, {title: "DONE", drop: 2, right: true}, {title: "", drop: 6}, {title: "RUN", drop: 4, right: true},
		{title: "RETRIES", drop: 5, right: true}, {title: "AGE", drop: 3, right: true}, {title: "WAITS", good: 32, least: 16, drop: 1},
	}}}
	sorted := slices.SortedStableFunc(slices.Values(s.Jobs), func(a, b *pb.JobStatus) int { return cmp.Compare(rank(a), rank(b)) })
	for _, j := range sorted {
		retries := ""
		if n := j.FailureCount + j.PreemptionCount; n > 0 {
			retries = fmt.Sprint(n)
		}
		l.add(text(j.JobId), state(JobState(j.State)), text(doneOf(j)), cell{bar(terminal, int64(overOf(j)), int64(j.NumTasks), topBar), green},
			text(fmt.Sprint(runningOf(j))), cell{retries, yellow}, text(between(j.SubmittedAt, nil, now)), cell{clean(WaitsFor(j)), yellow})
	}
	return l
}

// bar is a part of a whole as so many columns; something is never shown as nothing.
func bar(terminal Terminal, part, whole int64, width int) string {
	full, rest := "█", "░"
	if !terminal.Unicode {
		full, rest = "#", "."
	}
	n := 0
	if whole > 0 {
		n = int(float64(min(part, whole)) / float64(whole) * float64(width))
	}
	if n == 0 && part > 0 {
		n = min(1, width)
	}
	return strings.Repeat(full, max(n, 0)) + strings.Repeat(rest, max(width-n, 0))
}

// cores are without their unit: "1.5".
func cores(millis int64) string { return strings.TrimSuffix(model.CPUText(millis), " CPU") }
