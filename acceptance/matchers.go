package acceptance

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/onsi/gomega"
	"github.com/onsi/gomega/format"
	"github.com/onsi/gomega/gcustom"
	"github.com/onsi/gomega/types"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "iris/iris/proto"
)

// The states, short enough for a sentence.
const (
	PENDING       = pb.JobState_JOB_STATE_PENDING
	RUNNING       = pb.JobState_JOB_STATE_RUNNING
	SUCCEEDED     = pb.JobState_JOB_STATE_SUCCEEDED
	FAILED        = pb.JobState_JOB_STATE_FAILED
	KILLED        = pb.JobState_JOB_STATE_KILLED
	UNSCHEDULABLE = pb.JobState_JOB_STATE_UNSCHEDULABLE
	WORKERFAILED  = pb.JobState_JOB_STATE_WORKER_FAILED
	ASSIGNED      = pb.JobState(pb.TaskState_TASK_STATE_ASSIGNED) // of attempts
	COSCHEDFAILED = pb.JobState(pb.TaskState_TASK_STATE_COSCHED_FAILED)
)

// HaveState matches a job's status. A job that ended otherwise is an error, which ends an Eventually at once; so do not
// negate HaveState.
func HaveState(want pb.JobState) types.GomegaMatcher { return &stateMatcher{want} }

type stateMatcher struct{ want pb.JobState }

func (m *stateMatcher) Match(actual any) (bool, error) {
	job, ok := actual.(*pb.JobStatus)
	if !ok {
		return false, fmt.Errorf("HaveState wants a *pb.JobStatus, not %T", actual)
	}
	if job.GetState() != m.want && job.GetState().Over() {
		// Eventually asks a matcher's MatchMayChangeInTheFuture only about values, not about what a function returns.
		return false, gomega.StopTrying(m.FailureMessage(actual))
	}
	return job.GetState() == m.want, nil
}

func (m *stateMatcher) FailureMessage(actual any) string {
	return "Expected job\n" + describeJob(actual) + "\nto be " + name(m.want)
}

func (m *stateMatcher) NegatedFailureMessage(actual any) string {
	return "Expected job\n" + describeJob(actual) + "\nnot to be " + name(m.want)
}

func name(s pb.JobState) string {
	return strings.TrimPrefix(pb.TaskState(s).String(), "TASK_STATE_")
}

func describeJob(actual any) string {
	job, ok := actual.(*pb.JobStatus)
	if !ok || job == nil {
		return format.Object(actual, 1)
	}
	text := fmt.Sprintf("    %s %q is %s", job.JobId, job.Name, name(job.State))
	if job.Error != "" {
		text += ": " + job.Error
	}
	if job.PendingReason != nil {
		text += "\n    waits: " + job.PendingReason.Text
	}
	return text + current.told(job.JobId, job.Name)
}

// ofTask is what a failed match of a task has to say.
type ofTask struct{ Want any }

// Describe is the task, and what happened to its job.
func (ofTask) Describe(task *pb.TaskStatus) string {
	text := fmt.Sprintf("    %s is %s", task.TaskId, name(pb.JobState(task.State)))
	if task.Error != "" {
		text += ": " + task.Error
	}
	return text + current.told(task.JobId, "", attemptsOf(task)...)
}

// attemptsOf are the events that a task's status still tells of.
func attemptsOf(task *pb.TaskStatus) []*pb.Event {
	var events []*pb.Event
	for _, a := range task.Attempts {
		tell := func(at *timestamppb.Timestamp, state pb.TaskState, text string) {
			events = append(events, &pb.Event{At: at, Kind: pb.EventKind_EVENT_KIND_ATTEMPT, JobId: task.JobId, TaskIndex: &task.TaskIndex,
				AttemptId: &a.AttemptId, WorkerId: a.WorkerId, State: state, Text: text})
		}
		if a.AssignedAt != nil {
			tell(a.AssignedAt, pb.TaskState_TASK_STATE_ASSIGNED, "")
		}
		if a.StartedAt != nil {
			tell(a.StartedAt, pb.TaskState_TASK_STATE_RUNNING, "")
		}
		tell(cmp.Or(a.FinishedAt, a.StartedAt, a.AssignedAt), a.State, a.Error)
	}
	return events
}

// HaveAttempts matches a task's status by the states of its attempts, in order and complete.
func HaveAttempts(want ...pb.JobState) types.GomegaMatcher {
	return gcustom.MakeMatcher(func(task *pb.TaskStatus) (bool, error) {
		return slices.EqualFunc(task.Attempts, want, func(a *pb.TaskAttempt, s pb.JobState) bool {
			return pb.JobState(a.State) == s
		}), nil
	}).WithTemplate("Expected task\n{{.Data.Describe .Actual}}\n{{.To}} have had the attempts\n{{format .Data.Want 1}}", ofTask{names(want)})
}

func names(states []pb.JobState) []string {
	out := make([]string, len(states))
	for i, s := range states {
		out[i] = name(s)
	}
	return out
}

// HaveAttemptError matches a task's status by the error of one attempt.
func HaveAttemptError(attempt int, want types.GomegaMatcher) types.GomegaMatcher {
	return gcustom.MakeMatcher(func(task *pb.TaskStatus) (bool, error) {
		if attempt >= len(task.Attempts) {
			return false, fmt.Errorf("the task has had %d attempts", len(task.Attempts))
		}
		return want.Match(task.Attempts[attempt].Error)
	}).WithTemplate("Expected task\n{{.Data.Describe .Actual}}\n{{.To}} have the error\n{{format .Data.Want 1}}", ofTask{want})
}

// EqualProto matches a message that is the same in all fields.
func EqualProto(want proto.Message) types.GomegaMatcher {
	return gcustom.MakeMatcher(func(got proto.Message) (bool, error) { return proto.Equal(got, want), nil }).
		WithTemplate("Expected\n{{.FormattedActual}}\n{{.To}} equal\n{{format .Data 1}}", want)
}

// HaveError matches a job's status by its error.
func HaveError(want string) types.GomegaMatcher {
	return gcustom.MakeMatcher(func(job *pb.JobStatus) (bool, error) {
		return job.Error == want, nil
	}).WithTemplate("Expected job\n{{.FormattedActual}}\n{{.To}} have the error\n{{format .Data 1}}", want)
}

// WaitBecause matches a job's status that is PENDING with this reason.
func WaitBecause(kind pb.PendingReason_Kind, text string) types.GomegaMatcher {
	reason := fmt.Sprintf("%v: %s", kind, text)
	return gcustom.MakeMatcher(func(job *pb.JobStatus) (bool, error) {
		return job.State == PENDING && job.PendingReason.GetKind() == kind && job.PendingReason.GetText() == text, nil
	}).WithTemplate("Expected job\n{{.FormattedActual}}\n{{.To}} wait because\n{{format .Data 1}}", reason)
}

// BeEmptyWorker matches a worker's status that has all its capacity free.
func BeEmptyWorker() types.GomegaMatcher {
	return gcustom.MakeMatcher(func(w *pb.WorkerStatus) (bool, error) {
		return len(w.AttemptUids) == 0 && w.Committed.GetCpuMillis() == 0 && w.Committed.GetMemoryBytes() == 0, nil
	}).WithMessage("have all its capacity free")
}

// BeLive matches a worker's status that is LIVE and has been lost this many times.
func BeLive(timesLost int) types.GomegaMatcher {
	return gcustom.MakeMatcher(func(w *pb.WorkerStatus) (bool, error) {
		return w.State == pb.WorkerState_WORKER_STATE_LIVE && int(w.TimesLost) == timesLost, nil
	}).WithMessage(fmt.Sprintf("be LIVE and to have been lost %d times", timesLost))
}

// BeLost matches a worker's status that is LOST.
func BeLost() types.GomegaMatcher {
	return gcustom.MakeMatcher(func(w *pb.WorkerStatus) (bool, error) {
		return w.State == pb.WorkerState_WORKER_STATE_LOST, nil
	}).WithMessage("be LOST")
}
