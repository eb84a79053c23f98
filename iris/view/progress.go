package view

import (
	"fmt"
	"slices"
	"time"

	pb "iris/iris/proto"
)

// Trouble is what has gone wrong with a job that is not over.
type Trouble struct {
	// Attempts is how many ended FAILED or with their worker. The other fields are of the last of them.
	Attempts int
	Title    string // which it was, and where
	Cause    string
	Line     string // the last one that it wrote; empty: none
}

// Progress is a job in a few lines, none wider than the terminal: one line while it has one task, else a bar for each state
// its tasks are in. A job that waits says why, and one that has had trouble what the last was; nil: it has had none.
func Progress(terminal Terminal, now time.Time, j *pb.JobStatus, trouble *Trouble) []string {
	if j == nil {
		return nil
	}
	elapsed := between(j.SubmittedAt, j.FinishedAt, now)
	word := terminal.cut(JobState(j.State), terminal.Width)
	head, room := terminal.paint(states[JobState(j.State)], word), terminal.Width-len(word)
	rest := " " + elapsed + gap
	if j.NumTasks > 1 {
		rest += fmt.Sprintf("%s of %s", doneOf(j), clean(j.JobId))
	} else {
		rest += clean(j.JobId)
	}
	if room > 0 {
		head += terminal.cut(rest, room)
	}
	lines := []string{head}
	if j.NumTasks > 1 {
		lines = append(lines, bars(terminal, j)...)
	}
	some := func(c colour, text string, most int) {
		wrapped := wrap(clean(text), terminal.Width)
		for _, line := range wrapped[:min(len(wrapped), most)] {
			lines = append(lines, terminal.paint(c, line))
		}
	}
	if reason := WaitsFor(j); reason != "" {
		some(yellow, "waits: "+reason, reasonLines)
	}
	if trouble != nil {
		text := trouble.Title + ": " + trouble.Cause
		if trouble.Attempts > 1 {
			text = fmt.Sprintf("%d attempts ended badly, the last was %s", trouble.Attempts, text)
		}
		some(red, text, reasonLines)
		if trouble.Line != "" {
			lines = append(lines, terminal.cut("  | "+clean(trouble.Line), terminal.Width))
		}
	}
	return lines
}

// reasonLines is how many lines a reason gets.
const reasonLines = 3

// WaitsFor is why a job waits; empty if none of its tasks does, or only for the next pass.
func WaitsFor(j *pb.JobStatus) string {
	if j.PendingReason == nil || j.PendingReason.Kind == pb.PendingReason_KIND_NEXT_PASS {
		return ""
	}
	return j.PendingReason.Text
}

// bars are one line for each state that a task is in.
func bars(terminal Terminal, j *pb.JobStatus) []string {
	label, digits := 0, len(fmt.Sprint(j.NumTasks))
	for _, c := range j.TaskStates {
		label = max(label, len(TaskState(c.State)))
	}
	const least, most = 4, 60
	width := min(terminal.Width-2-label-1-digits-1, most)
	var lines []string
	for _, c := range inOrder(j.TaskStates) {
		word := TaskState(c.State)
		line := fmt.Sprintf("%s%-*s %*d", gap, label, word, digits, c.Count)
		if width >= least {
			line += " " + terminal.paint(states[word], bar(terminal, int64(c.Count), int64(j.NumTasks), width))
		} else {
			line = terminal.cut(line, terminal.Width)
		}
		lines = append(lines, line)
	}
	return lines
}

// inOrder sorts by the order in which a task goes through its states; how it may end comes last.
func inOrder(counts []*pb.TaskStateCount) []*pb.TaskStateCount {
	rank := func(c *pb.TaskStateCount) int {
		early := []pb.TaskState{pb.TaskState_TASK_STATE_PENDING, pb.TaskState_TASK_STATE_ASSIGNED, pb.TaskState_TASK_STATE_BUILDING,
			pb.TaskState_TASK_STATE_RUNNING}
		if i := slices.Index(early, c.State); i >= 0 {
			return i
		}
		return len(early) + int(c.State)
	}
	return slices.SortedFunc(slices.Values(counts), func(a, b *pb.TaskStateCount) int { return rank(a) - rank(b) })
}

// Standing is how a job is, in a line: "PENDING: needs 16 CPU, …", "RUNNING: 412 of 1000 tasks are over, 88 run".
func Standing(j *pb.JobStatus) string {
	text, reason := JobState(j.State), WaitsFor(j)
	if j.NumTasks > 1 {
		text += fmt.Sprintf(": %d of %d tasks are over, %d run", overOf(j), j.NumTasks, runningOf(j))
		if n := waitingOf(j); n > 0 {
			text += fmt.Sprintf(", %d wait", n)
		}
	}
	if reason != "" {
		text += ": " + clean(reason)
	}
	return text
}

// Failing is the last trouble in a line: "task 3, attempt 0 on w-1: exit code 3 | its last line".
func Failing(t *Trouble) string {
	text := clean(t.Title + ": " + t.Cause)
	if t.Line != "" {
		text += " | " + clean(t.Line)
	}
	return text
}

// Ending is how a job ended: "SUCCEEDED after 3.2s", "FAILED after 3.2s: exit code 3".
func Ending(j *pb.JobStatus) string {
	text := JobState(j.State) + " after " + between(j.SubmittedAt, j.FinishedAt, time.Time{})
	if j.Error != "" {
		text += ": " + clean(j.Error)
	}
	if j.FailureCount+j.PreemptionCount > 0 {
		text += fmt.Sprintf(" (attempts: %d failed, %d lost with their worker)", j.FailureCount, j.PreemptionCount)
	}
	return text
}
