package story

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"iris/acceptance/fault"
)

// Limits are how large a drawn story is at the most.
type Limits struct {
	Workers     int
	Controllers int // 1, 3 or 5
	Groups      int
	Length      time.Duration
	Jobs        int // an hour
}

// Draw makes the story of a seed. It draws as swarm tests do: each story has a random part of all features, and each of these
// at a random intensity, so that none hides behind another for ever.
func Draw(seed uint64, most Limits) Story {
	d := &draw{Rand: rand.New(rand.NewPCG(seed, 0x5ca1ab1e)), has: map[string]bool{}}
	d.s.Seed = seed
	d.s.Length = fault.Span(most.Length/4 + time.Duration(d.Int64N(int64(most.Length*3/4)+1))).Round()
	d.cluster(most)
	d.faults()
	d.jobs(most)
	return d.s
}

// draw is a story in the making.
type draw struct {
	*rand.Rand
	s   Story
	has map[string]bool // features that were decided about
}

// with reports whether the story has a feature. Half of them do.
func (d *draw) with(feature string) bool {
	has, decided := d.has[feature]
	if !decided {
		has = d.IntN(2) == 0
		d.has[feature] = has
	}
	return has
}

// now and then: a feature that the story has is used for one of n things.
func (d *draw) sometimes(feature string, n int) bool { return d.with(feature) && d.IntN(n) == 0 }

func pick[T any](d *draw, from ...T) T { return from[d.IntN(len(from))] }

// between is a length of time, short ones being as likely as long ones.
func (d *draw) between(least, most time.Duration) fault.Span {
	span := float64(least)
	for step := float64(most) / float64(least); ; {
		if factor := 1 + d.Float64()*(step-1); d.IntN(2) == 0 || step < 2 {
			return fault.Span(span * factor).Round()
		}
		step /= 2
	}
}

func (d *draw) cluster(most Limits) {
	c := &d.s.Cluster
	c.Controllers = 1
	if most.Controllers > 1 && d.with("voters") {
		c.Controllers = pick(d, 3, min(5, most.Controllers))
	}
	c.Beat = pick[fault.Span](d, 5, 10, 10, 30) * second
	c.Grace = pick(d, 20*second, 2*minute, 10*minute)
	c.Rounds = pick(d, 1, 2, 5)
	c.Keep = pick(d, 0, 2, 20)
	c.Keepers = d.with("keepers")
	if most.Groups > 0 && d.with("groups") {
		for i := range 1 + d.IntN(most.Groups) {
			c.Groups = append(c.Groups, Group{
				Name: fmt.Sprintf("g-%d", i), CPU: pick(d, 2, 4, 8), Pod: pick(d, "", "p"), VMs: pick(d, 1, 1, 2, 4), Min: pick(d, 0, 0, 1), Max: 1 + d.IntN(4),
				Boot: d.between(time.Second, time.Minute),
			})
		}
	}
	workers := 1 + d.IntN(4)
	if d.IntN(4) == 0 {
		workers = 1 + d.IntN(most.Workers)
	}
	if len(c.Groups) > 0 && d.IntN(2) == 0 {
		workers = 0
	}
	for i := range min(workers, most.Workers) {
		c.Workers = append(c.Workers, Worker{CPU: pick(d, 2, 4, 4, 8), Pod: []string{"p", "p", "q", ""}[i%4]})
	}
}

const (
	second = fault.Span(time.Second)
	minute = fault.Span(time.Minute)
)

func (d *draw) jobs(most Limits) {
	hours := time.Duration(d.s.Length).Hours()
	n := 1 + d.IntN(max(1, int(float64(most.Jobs)*hours)))
	for range n {
		d.s.Jobs = append(d.s.Jobs, Job{At: d.instant()})
	}
	slices.SortStableFunc(d.s.Jobs, func(a, b Job) int { return int(a.At - b.At) })
	longest := pick(d, 10*time.Second, time.Minute, 20*time.Minute)
	for i := range d.s.Jobs {
		d.job(i, &d.s.Jobs[i], longest)
	}
}

// instant is when a job is launched: at any time, or just when a fault has begun.
func (d *draw) instant() fault.Span {
	if len(d.s.Faults) > 0 && d.sometimes("bursts", 2) {
		return min(pick(d, d.s.Faults...).Begins+d.between(100*time.Millisecond, 5*time.Second), d.s.Length)
	}
	return fault.Span(d.Int64N(int64(d.s.Length))).Round()
}

func (d *draw) job(number int, j *Job, longest time.Duration) {
	j.Tasks, j.CPU, j.Runs = 1, 1, d.between(time.Second, longest)
	if d.sometimes("many tasks", 2) {
		j.Tasks = 1 + d.IntN(8)
	}
	if d.sometimes("large tasks", 3) {
		j.CPU = pick(d, 2, 4, 8, 9)
	}
	if d.sometimes("gangs", 3) {
		j.GroupBy, j.Tasks = pick(d, "pod", "pod", "worker", "slice"), 1+d.IntN(5)
	}
	if d.sometimes("constraints", 4) {
		j.Pod = pick(d, "p", "q", "!p", "none")
	}
	j.Exclusive = d.sometimes("exclusive", 3)
	j.Stubborn = d.sometimes("stubborn", 6)
	j.Builds = d.sometimes("bundles", 3)
	j.Ports = d.sometimes("ports", 4)
	j.Twice = d.sometimes("twice", 5)
	if d.sometimes("bands", 2) {
		j.Band = 1 + d.IntN(3)
	}
	budget := func(feature string) *int32 {
		if !d.sometimes(feature, 2) {
			return nil
		}
		n := d.Int32N(3)
		return &n
	}
	j.Failures, j.Preemptions, j.TaskFailures = budget("failures"), budget("preemptions"), budget("task failures")
	if d.sometimes("failing tasks", 3) {
		j.Fails = 1 + d.IntN(3)
	}
	if d.sometimes("timeouts", 4) {
		j.Timeout = max(second, (j.Runs / fault.Span(1+d.IntN(3))).Round())
	}
	if d.sometimes("scheduling timeouts", 4) {
		j.Scheduling = d.between(time.Second, 5*time.Minute)
	}
	if number > 0 && d.sometimes("parents", 3) {
		j.Parent = 1 + max(0, number-1-d.IntN(4))
	}
	if d.sometimes("names", 4) {
		j.Name = pick(d, "train", "evaluate")
	}
	if d.sometimes("stops", 5) {
		j.Stopped = j.At + d.between(time.Second, 10*time.Minute)
	}
}
