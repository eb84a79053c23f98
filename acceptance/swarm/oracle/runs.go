package oracle

import (
	"cmp"
	"fmt"
	"slices"

	pb "iris/iris/proto"
	"iris/iris/state"
)

// Run is a process that a worker really started for an attempt.
type Run struct {
	Job           string
	Task, Attempt int
	Worker        string
	// Began and Ended are in nanoseconds. Ended is 0 while it runs.
	Began, Ended int64
	// Exit is its exit code, once it has ended.
	Exit int
	// Stopped: it did not end by itself.
	Stopped bool
}

// Runs judges what workers really ran by what the controller said at the end. Specs has the specs of jobs; jobs are all that
// are not forgotten; runs are all there were, in any order. The caller has given workers the time that they may take to stop
// what the controller ended: nothing of it runs any more.
//
// No attempt runs twice, not even when its worker or its controller is started again (FM-3): a new try is a new attempt. A
// success is that of a process, an exit code is its own, and runs of an exclusive task do not overlap (design §4).
func Runs(specs func(job string) *pb.JobSpec, jobs []Job, runs []Run) error {
	runs = slices.Clone(runs)
	slices.SortFunc(runs, func(a, b Run) int { return cmp.Or(a.compare(b), cmp.Compare(a.Began, b.Began)) })
	known := make(map[string]*Job, len(jobs))
	for i := range jobs {
		known[jobs[i].ID] = &jobs[i]
	}
	for i := range runs {
		r := &runs[i]
		err := r.of(known[r.Job])
		if err == nil && i > 0 && r.compare(runs[i-1]) == 0 {
			err = fmt.Errorf("it ran twice, on %s and on %s", runs[i-1].Worker, r.Worker)
		}
		if err != nil {
			return fmt.Errorf("job %s: task %d: attempt %d: %w", r.Job, r.Task, r.Attempt, err)
		}
	}
	if err := apart(specs, runs); err != nil {
		return err
	}
	for i := range jobs {
		if err := ran(&jobs[i], specs(jobs[i].ID), runs); err != nil {
			return err
		}
	}
	return nil
}

// compare orders runs by attempt.
func (r Run) compare(other Run) int {
	return cmp.Or(cmp.Compare(r.Job, other.Job), cmp.Compare(r.Task, other.Task), cmp.Compare(r.Attempt, other.Attempt))
}

// of is about a run and its attempt. Its job may have been forgotten, then it has ended.
func (r *Run) of(j *Job) error {
	switch {
	case j == nil && r.Ended == 0:
		return fmt.Errorf("it runs on %s, and nobody knows its job", r.Worker)
	case j == nil:
		return nil
	case r.Task < 0 || r.Task >= len(j.Tasks) || r.Attempt < 0 || r.Attempt >= len(j.Tasks[r.Task].Attempts):
		return fmt.Errorf("it ran on %s, and it was never made", r.Worker)
	}
	switch a := &j.Tasks[r.Task].Attempts[r.Attempt]; {
	case r.Worker != a.Worker:
		return fmt.Errorf("it ran on %s, and it was for %s", r.Worker, a.Worker)
	case r.Began < a.Assigned:
		return fmt.Errorf("it began to run at %d ns, and was assigned at %d ns", r.Began, a.Assigned)
	case r.Ended == 0 && (over(a.State) || a.provisional()):
		return fmt.Errorf("it still runs on %s, and the controller says that it ended at %d ns: %v", r.Worker, a.Finished, a.State)
	}
	return nil
}

// apart is about the runs of exclusive tasks, given all runs in order of their attempts.
func apart(specs func(job string) *pb.JobSpec, runs []Run) error {
	for i := 1; i < len(runs); i++ {
		before, r := &runs[i-1], &runs[i]
		if before.Job != r.Job || before.Task != r.Task || !specs(r.Job).GetExclusive() {
			continue
		}
		if before.Ended == 0 || r.Began < before.Ended {
			return fmt.Errorf("job %s: task %d: it is exclusive, and its attempts %d on %s and %d on %s ran at once, at %d ns",
				r.Job, r.Task, before.Attempt, before.Worker, r.Attempt, r.Worker, r.Began)
		}
	}
	return nil
}

// ran is about the ends that the controller knows, each of which is that of a run.
func ran(j *Job, spec *pb.JobSpec, runs []Run) error {
	gang := rulesOf(spec).gang
	for i := range j.Tasks {
		for n := range j.Tasks[i].Attempts {
			a := &j.Tasks[i].Attempts[n]
			succeeded := a.State == state.Succeeded || gang && a.provisional()
			if !succeeded && (a.State != state.Failed || a.Exit == nil) {
				continue
			}
			err := fmt.Errorf("it is %v, and it never ran", a.State)
			at, found := slices.BinarySearchFunc(runs, Run{Job: j.ID, Task: i, Attempt: n}, Run.compare)
			if found {
				err = runs[at].endedAs(a, succeeded)
			}
			if err != nil {
				return fmt.Errorf("job %s: task %d: attempt %d: %w", j.ID, i, n, err)
			}
		}
	}
	return nil
}

// endedAs is about a run that has ended and what the controller knows of that.
func (r *Run) endedAs(a *Attempt, succeeded bool) error {
	switch {
	case succeeded && r.Stopped:
		return fmt.Errorf("it has succeeded, and on %s it was stopped", r.Worker)
	case succeeded && r.Exit != 0:
		return fmt.Errorf("it has succeeded, and on %s it ended with exit code %d", r.Worker, r.Exit)
	case !succeeded && r.Exit != int(*a.Exit):
		return fmt.Errorf("it is FAILED with exit code %d, and on %s it ended with %d", *a.Exit, r.Worker, r.Exit)
	case a.Finished < r.Ended:
		return fmt.Errorf("it is %v since %d ns, and on %s it ended at %d ns", a.State, a.Finished, r.Worker, r.Ended)
	}
	return nil
}
