package main

import (
	"context"
	"fmt"
	"math"
	"strings"

	"iris/iris/client"
	"iris/iris/follow"
	pb "iris/iris/proto"
	"iris/iris/view"
)

// lastLines is how much of a failed attempt's log is shown again.
const lastLines = 20

// failure is the attempt that made a job end badly, and the end of what it wrote.
type failure struct {
	task    *pb.TaskStatus
	attempt *pb.TaskAttempt
	lines   []*pb.LogLine
	missing string // why there are none
}

func (f *failure) source() follow.Source {
	return follow.Source{Task: int(f.task.TaskIndex), Attempt: int(f.attempt.AttemptId), Worker: f.attempt.WorkerId}
}

// report says how a job ended. The error is a jobError unless it SUCCEEDED.
func (a *app) report(ctx context.Context, m *monitor, job *client.Job, end *pb.JobStatus) error {
	m.note(fmt.Sprintf("job %s %s", end.JobId, view.Ending(end)))
	if end.State == pb.JobState_JOB_STATE_SUCCEEDED {
		return nil
	}
	f, err := explain(ctx, job, end)
	switch {
	case err != nil:
		m.note("which attempt it was could not be learnt: " + words(err))
	case f != nil && m.json:
		_ = m.screen.Print(failureEvent(f))
	case f != nil:
		a.tell(m, f)
	}
	return silent{jobError{end.State, fmt.Sprintf("job %s %s", end.JobId, view.JobState(end.State))}}
}

func (a *app) tell(m *monitor, f *failure) {
	text := fmt.Sprintf("task %d, attempt %d on %s", f.task.TaskIndex, f.attempt.AttemptId, f.attempt.WorkerId)
	if f.attempt.ExitCode != nil {
		text += fmt.Sprintf(", exit code %d", f.attempt.GetExitCode())
	}
	if f.attempt.Error != "" && !strings.HasSuffix(text, f.attempt.Error) {
		text += ": " + f.attempt.Error
	}
	m.note(text)
	switch {
	case f.missing != "" && m.gaps[f.source()]: // was said
	case f.missing != "":
		m.note(f.missing)
	case len(f.lines) == 0:
		m.note("it wrote nothing")
	default:
		m.note("the last lines it wrote:")
		for _, line := range f.lines {
			_ = m.screen.Note("  | " + line.Text)
		}
	}
}

// explain finds the attempt that made a job end badly; nil if it was none.
func explain(ctx context.Context, job *client.Job, end *pb.JobStatus) (*failure, error) {
	tasks, err := job.Tasks(ctx)
	if err != nil {
		return nil, err
	}
	f := culprit(tasks, pb.TaskState(end.State))
	if f == nil {
		return nil, nil
	}
	index, attempt := int(f.task.TaskIndex), f.attempt.AttemptId
	page, err := job.LogPage(ctx, index, &attempt, math.MaxInt64/2) // where it ends
	if err == nil {
		page, err = job.LogPage(ctx, index, &attempt, max(0, page.NextLine-lastLines))
	}
	if err != nil {
		f.missing = "its log cannot be read: " + wrong(err, "hand", 0).Error()
		return f, nil
	}
	f.lines = page.Lines
	return f, nil
}

// culprit is the attempt that ended first of those that ended their tasks, and with them the job, in its state.
func culprit(tasks []*pb.TaskStatus, state pb.TaskState) (first *failure) {
	for _, t := range tasks {
		if t.State != state || len(t.Attempts) == 0 {
			continue
		}
		last := t.Attempts[len(t.Attempts)-1]
		if last.State != state || last.FinishedAt == nil {
			continue
		}
		if first == nil || last.FinishedAt.AsTime().Before(first.attempt.FinishedAt.AsTime()) {
			first = &failure{task: t, attempt: last}
		}
	}
	return first
}
