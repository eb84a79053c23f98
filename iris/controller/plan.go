package controller

import (
	"fmt"
	"slices"
	"strings"
	"time"

	pb "iris/iris/proto"
	"iris/iris/schedule"
	"iris/iris/state"
)

// plan looks for placements of everything that may be placed now, on the workers that take tasks.
func plan(now time.Time, c *state.Cluster, of func(worker string) standing) []state.Placement {
	queue := c.Queue()
	if len(queue) == 0 {
		return nil
	}
	view := schedule.View{Workers: taking(c, of)}
	if len(view.Workers) == 0 {
		return nil
	}
	var free state.Resources // of all workers together
	for i := range view.Workers {
		free.CPUMillis += max(0, view.Workers[i].Free.CPUMillis)
		free.MemoryBytes += max(0, view.Workers[i].Free.MemoryBytes)
	}
	for _, j := range queue {
		if !j.Gang() && !free.Fits(j.Need) {
			continue // most of a long queue
		}
		tasks, avoiding := ready(now, j, free)
		if len(tasks) == 0 {
			continue
		}
		r := requestOf(j)
		r.Tasks = tasks
		if !avoiding {
			r.Avoid = nil
		}
		view.Requests = append(view.Requests, r)
	}
	assignments := schedule.Plan(view)
	placements := make([]state.Placement, len(assignments))
	for i, a := range assignments {
		placements[i] = state.Placement(a)
	}
	return placements
}

// workers are the live ones as the scheduler sees them.
func workers(c *state.Cluster) []schedule.Worker {
	var live []schedule.Worker
	for _, w := range c.Workers() {
		if !w.Lost {
			live = append(live, schedule.Worker{ID: w.ID, Capacity: w.Capacity, Free: w.Free(), Attributes: w.Attributes})
		}
	}
	return live
}

// taking are those that take tasks.
func taking(c *state.Cluster, of func(worker string) standing) []schedule.Worker {
	return slices.DeleteFunc(workers(c), func(w schedule.Worker) bool { return of(w.ID) != takes })
}

// requestOf is a job's request; of the tasks only a gang's, since they matter to where there is room.
func requestOf(j *state.Job) schedule.Request {
	r := schedule.Request{
		Job: j.ID, Need: j.Need, Constraints: j.Spec.Constraints, GroupBy: j.Spec.GetCoscheduling().GetGroupBy(),
		Avoid: j.Avoided, Bounced: j.Bounced,
	}
	if j.Gang() {
		r.Tasks = j.Waiting()
	}
	return r
}

// ready are the tasks of a job that may be placed now: without those that pause or wait for a stop, and of the many that
// may wait no more than there can be room for if all workers together have this much free. A gang's are all or none.
func ready(now time.Time, j *state.Job, free state.Resources) (tasks []int32, avoiding bool) {
	held := func(i int32) bool { return j.NotBefore(i).After(now) || j.Stopping(i) }
	waiting := j.Waiting()
	if j.Gang() {
		if slices.ContainsFunc(waiting, held) {
			return nil, false
		}
		return waiting, len(j.Avoided(0)) > 0
	}
	for room := free.Slots(j.Need); room > 0 && len(waiting) > 0; waiting = waiting[1:] {
		i := waiting[0]
		if held(i) {
			continue
		}
		tasks = append(tasks, i)
		if len(j.Avoided(i)) > 0 {
			avoiding = true // it may have to leave the room to another
		} else {
			room--
		}
	}
	return tasks, avoiding
}

// waitingFor says why a task waits, given the live workers and what they are good for.
func waitingFor(now time.Time, live []schedule.Worker, of func(worker string) standing, j *state.Job, task int32) *pb.PendingReason {
	if pause := j.NotBefore(task).Sub(now); pause > 0 {
		return &pb.PendingReason{Kind: pb.PendingReason_KIND_BACKOFF,
			Text: "dispatch failed on every worker that can run it; the next round begins in " + text(pause.Round(time.Second))}
	}
	if j.Stopping(task) {
		return &pb.PendingReason{Kind: pb.PendingReason_KIND_STOPPING,
			Text: "it is exclusive, and its last attempt has not been confirmed stopped"}
	}
	return explain(live, of, j, task)
}

// explain is why no worker takes a task, as far as the workers are the reason.
func explain(live []schedule.Worker, of func(worker string) standing, j *state.Job, task int32) *pb.PendingReason {
	only := func(from []schedule.Worker, without standing) ([]schedule.Worker, schedule.Reason) {
		rest := slices.DeleteFunc(slices.Clone(from), func(w schedule.Worker) bool { return of(w.ID) == without })
		return rest, schedule.Explain(rest, requestOf(j), task)
	}
	reason := schedule.Explain(live, requestOf(j), task)
	possible := reason.Kind != pb.PendingReason_KIND_TOO_LARGE && reason.Kind != pb.PendingReason_KIND_CONSTRAINTS
	if possible && slices.ContainsFunc(live, func(w schedule.Worker) bool { return of(w.ID) == draining }) {
		staying, without := only(live, draining)
		if without.Kind != pb.PendingReason_KIND_NEXT_PASS && (len(staying) == 0 || reason.Kind == pb.PendingReason_KIND_NEXT_PASS) {
			return &pb.PendingReason{Kind: pb.PendingReason_KIND_NO_WORKERS, Text: drainingText(live, of, j.Need)}
		}
		live, reason = staying, without
	}
	if reason.Kind == pb.PendingReason_KIND_NEXT_PASS {
		if _, heard := only(live, silent); heard.Kind != pb.PendingReason_KIND_NEXT_PASS {
			return &pb.PendingReason{Kind: pb.PendingReason_KIND_NO_WORKERS,
				Text: "the workers that have room for it miss their heartbeats and get nothing new"}
		}
	}
	return &pb.PendingReason{Kind: reason.Kind, Text: reason.String()}
}

// drainingText names the workers that drain and have room, or all that drain: "w-0 is draining", "w-0, w-1 are draining",
// "w-0, w-1, w-2 and 5 more are draining".
func drainingText(live []schedule.Worker, of func(worker string) standing, need state.Resources) string {
	var all, roomy []string
	for _, w := range live {
		if of(w.ID) == draining {
			if all = append(all, w.ID); w.Free.Fits(need) {
				roomy = append(roomy, w.ID)
			}
		}
	}
	if len(roomy) > 0 {
		all = roomy
	}
	if len(all) == 1 {
		return all[0] + " is draining"
	}
	if more := len(all) - namesShown; more > 0 {
		return fmt.Sprintf("%s and %d more are draining", strings.Join(all[:namesShown], ", "), more)
	}
	return strings.Join(all, ", ") + " are draining"
}

const namesShown = 3 // of workers that drain

// neverFitted is why a job's untried tasks were not placed in time.
func neverFitted(now time.Time, l *loop, job string) string {
	j := l.cluster.Job(job)
	for _, i := range j.Waiting() {
		if len(j.Tasks[i].Attempts) == 0 {
			return l.scaling.explain(j.ID, waitingFor(now, workers(l.cluster), l.standing(now), j, i)).Text
		}
	}
	return ""
}
