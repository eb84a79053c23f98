package oracle

import (
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "iris/iris/proto"
	"iris/iris/state"
)

// FromState writes what the core knows of a job into a Job, whose slices it uses again. Stopped and ParentEnded are what it
// does not know: they are false until the caller, who does, sets them.
func FromState(j *state.Job, into *Job) {
	*into = Job{
		ID: j.ID, State: j.State, Error: j.Error, Failures: j.Failures, Preemptions: j.Preemptions,
		Tasks: sized(into.Tasks, len(j.Tasks)),
	}
	for i := range j.Tasks {
		t, out := &j.Tasks[i], &into.Tasks[i]
		*out = Task{
			State: t.State, Error: t.Error, Failures: int(t.Failures), Preemptions: int(t.Preemptions),
			Attempts: sized(out.Attempts, len(t.Attempts)),
		}
		for n, a := range t.Attempts {
			out.Attempts[n] = Attempt{
				State: a.State, Worker: a.Worker, Error: a.Error, Began: !a.Started.IsZero(), Exit: a.ExitCode,
				Assigned: nanos(a.Assigned), Started: nanos(a.Started), Finished: nanos(a.Finished), Released: a.Released,
			}
		}
	}
}

// FromProto is what a controller told a client of a job and of all its tasks, in their order. Stopped and ParentEnded are as
// with [FromState].
func FromProto(status *pb.JobStatus, tasks []*pb.TaskStatus) Job {
	j := Job{
		ID: status.GetJobId(), State: state.State(status.GetState()), Error: status.GetError(),
		Failures: int(status.GetFailureCount()), Preemptions: int(status.GetPreemptionCount()), Tasks: make([]Task, len(tasks)),
	}
	for i, t := range tasks {
		out := Task{
			State: state.State(t.GetState()), Error: t.GetError(), Attempts: make([]Attempt, len(t.GetAttempts())),
			Failures: int(t.GetFailureCount()), Preemptions: int(t.GetPreemptionCount()),
		}
		for n, a := range t.GetAttempts() {
			s := state.State(a.GetState())
			out.Attempts[n] = Attempt{
				State: s, Worker: a.GetWorkerId(), Error: a.GetError(), Began: a.StartedAt != nil, Exit: a.ExitCode,
				Assigned: wireNanos(a.AssignedAt), Started: wireNanos(a.StartedAt), Finished: wireNanos(a.FinishedAt),
				Released: over(s) && !a.GetStopping(),
			}
		}
		j.Tasks[i] = out
	}
	return j
}

// sized is a slice of n, made of an old one if that is long enough; its elements may be anything.
func sized[T any](old []T, n int) []T { return slices.Grow(old[:0], n)[:n] }

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func wireNanos(t *timestamppb.Timestamp) int64 {
	if t == nil {
		return 0
	}
	return t.AsTime().UnixNano()
}
