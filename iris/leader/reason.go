package leader

import (
	"fmt"
	"slices"
	"strings"
	"time"

	pb "iris/iris/proto"
	"iris/iris/schedule"
	"iris/iris/state"
)

// Waits says why pending tasks wait: it returns what answers for each task of a job, as things are now and until the next
// step. The scale groups' part in it is as of their last evaluation.
func (l *Leader) Waits(now time.Time) func(j *state.Job, task int32) *pb.PendingReason {
	var live []schedule.Worker // looked at when it is first asked
	looked, of := false, l.standing(now)
	return func(j *state.Job, task int32) *pb.PendingReason {
		if !looked {
			live, looked = workers(l.cluster), true
		}
		return l.scaling.explain(j.ID, waitingFor(now, live, of, j, task))
	}
}

// neverFitted is why a job's untried tasks were not placed in time.
func (l *Leader) neverFitted(now time.Time, job string) string {
	j := l.cluster.Job(job)
	for _, i := range j.Waiting() {
		if len(j.Tasks[i].Attempts) == 0 {
			return l.Waits(now)(j, i).Text
		}
	}
	return ""
}

// waitingFor says why a task waits, given the live workers and what they are good for.
func waitingFor(now time.Time, live []schedule.Worker, of func(worker string) Standing, j *state.Job, task int32) *pb.PendingReason {
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
func explain(live []schedule.Worker, of func(worker string) Standing, j *state.Job, task int32) *pb.PendingReason {
	only := func(from []schedule.Worker, without Standing) ([]schedule.Worker, schedule.Reason) {
		rest := slices.DeleteFunc(slices.Clone(from), func(w schedule.Worker) bool { return of(w.ID) == without })
		return rest, schedule.Explain(rest, requestOf(j, true), task)
	}
	reason := schedule.Explain(live, requestOf(j, true), task)
	possible := reason.Kind != pb.PendingReason_KIND_TOO_LARGE && reason.Kind != pb.PendingReason_KIND_CONSTRAINTS
	if possible && slices.ContainsFunc(live, func(w schedule.Worker) bool { return of(w.ID) == Draining }) {
		staying, without := only(live, Draining)
		if without.Kind != pb.PendingReason_KIND_NEXT_PASS && (len(staying) == 0 || reason.Kind == pb.PendingReason_KIND_NEXT_PASS) {
			return &pb.PendingReason{Kind: pb.PendingReason_KIND_NO_WORKERS, Text: drainingText(live, of, j.Need)}
		}
		live, reason = staying, without
	}
	if reason.Kind == pb.PendingReason_KIND_NEXT_PASS {
		if _, heard := only(live, Silent); heard.Kind != pb.PendingReason_KIND_NEXT_PASS {
			return &pb.PendingReason{Kind: pb.PendingReason_KIND_NO_WORKERS,
				Text: "the workers that have room for it miss their heartbeats and get nothing new"}
		}
	}
	return &pb.PendingReason{Kind: reason.Kind, Text: reason.String()}
}

// drainingText names the workers that drain and have room, or all that drain: "w-0 is draining", "w-0, w-1 are draining",
// "w-0, w-1, w-2 and 5 more are draining".
func drainingText(live []schedule.Worker, of func(worker string) Standing, need state.Resources) string {
	var all, roomy []string
	for _, w := range live {
		if of(w.ID) == Draining {
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
