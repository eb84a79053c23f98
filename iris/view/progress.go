package view

import (
	"fmt"
	"slices"
	"strings"
	"time"

	pb "iris/iris/proto"
)

// Progress is a job in a few lines, none wider than the terminal: one line while it has one task, else a bar for each state
// its tasks are in. A job that waits says why.
func Progress(terminal Terminal, now time.Time, j *pb.JobStatus) []string {
	if j == nil {
		return nil
	}
	elapsed := between(j.SubmittedAt, j.FinishedAt, now)
	head := terminal.paint(states[JobState(j.State)], JobState(j.State)) + " " + elapsed
	room := terminal.Width - len(JobState(j.State)) - 1 - len(elapsed) - len(gap)
	if j.NumTasks > 1 {
		head += gap + terminal.cut(fmt.Sprintf("%s of %s", doneOf(j), clean(j.JobId)), room)
	} else {
		head += gap + terminal.cut(clean(j.JobId), room)
	}
	lines := []string{head}
	if j.NumTasks > 1 {
		lines = append(lines, bars(terminal, j)...)
	}
	if reason := WaitsFor(j); reason != "" {
		wrapped := wrap("waits: "+clean(reason), terminal.Width)
		for _, line := range wrapped[:min(len(wrapped), reasonLines)] {
			lines = append(lines, terminal.paint(yellow, line))
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
	const least, most = 4, 50
	width := min(terminal.Width-2-label-1-digits-1, most)
	var lines []string
	for _, c := range inOrder(j.TaskStates) {
		word := TaskState(c.State)
		line := fmt.Sprintf("%s%-*s %*d", gap, label, word, digits, c.Count)
		if width >= least {
			full := "█"
			if !terminal.Unicode {
				full = "#"
			}
			n := max(1, int(int64(width)*int64(c.Count)/int64(j.NumTasks)))
			line += " " + terminal.paint(states[word], strings.Repeat(full, n))
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
