package controller

import (
	"slices"
	"time"

	pb "iris/iris/proto"
	"iris/iris/schedule"
	"iris/iris/state"
)

// plan looks for placements of everything that may be placed now.
func plan(now time.Time, c *state.Cluster) []state.Placement {
	queue := c.Queue()
	if len(queue) == 0 {
		return nil
	}
	view := schedule.View{Workers: workers(c)}
	if len(view.Workers) == 0 {
		return nil
	}
	for _, j := range queue {
		if r := requestOf(now, j); len(r.Tasks) > 0 {
			view.Requests = append(view.Requests, r)
		}
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

// requestOf is the part of a job that may be placed now: what pauses or waits for a stop is left out.
func requestOf(now time.Time, j *state.Job) schedule.Request {
	r := schedule.Request{
		Job: j.ID, Need: j.Need, Constraints: j.Spec.Constraints, GroupBy: j.Spec.GetCoscheduling().GetGroupBy(),
		Tasks: j.Waiting(), Bounced: j.Bounced,
	}
	held := func(i int32) bool { return j.NotBefore(i).After(now) || j.Stopping(i) }
	if slices.ContainsFunc(r.Tasks, held) {
		r.Tasks = slices.DeleteFunc(slices.Clone(r.Tasks), held)
		if j.Gang() {
			r.Tasks = nil
		}
	}
	if slices.ContainsFunc(r.Tasks, func(i int32) bool { return len(j.Avoided(i)) > 0 }) {
		r.Avoid = j.Avoided
	}
	return r
}

// waitingFor says why a task waits.
func waitingFor(now time.Time, live []schedule.Worker, j *state.Job, task int32) *pb.PendingReason {
	if pause := j.NotBefore(task).Sub(now); pause > 0 {
		return &pb.PendingReason{Kind: pb.PendingReason_KIND_BACKOFF,
			Text: "dispatch failed on every worker that can run it; the next round begins in " + text(pause.Round(time.Second))}
	}
	if j.Stopping(task) {
		return &pb.PendingReason{Kind: pb.PendingReason_KIND_STOPPING,
			Text: "it is exclusive, and its last attempt has not been confirmed stopped"}
	}
	r := requestOf(now, j)
	reason := schedule.Explain(live, r, task)
	return &pb.PendingReason{Kind: reason.Kind, Text: reason.String()}
}

// neverFitted is why a job's untried tasks were not placed in time.
func neverFitted(now time.Time, c *state.Cluster, job string) string {
	j := c.Job(job)
	for _, i := range j.Waiting() {
		if len(j.Tasks[i].Attempts) == 0 {
			return waitingFor(now, workers(c), j, i).Text
		}
	}
	return ""
}
