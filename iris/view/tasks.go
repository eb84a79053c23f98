package view

import (
	"fmt"
	"io"
	"slices"
	"time"

	pb "iris/iris/proto"
)

// Tasks writes a table of a job's tasks with the last attempt of each. Wide has a line for every attempt, and cuts nothing.
func Tasks(w io.Writer, terminal Terminal, wide bool, now time.Time, tasks []*pb.TaskStatus) error {
	t := table{columns: []column{
		{title: "TASK", right: true}, {title: "STATE"}, {title: "ATTEMPT", drop: 4, right: true},
		{title: "WORKER", good: 16, least: 8, drop: 1}, {title: "EXIT", drop: 3, right: true}, {title: "RAN", drop: 5, right: true},
		{title: "WHY", good: 32, least: 12, drop: 2},
	}}
	if wide {
		terminal.Width = 0
	}
	ports := slices.ContainsFunc(tasks, func(t *pb.TaskStatus) bool {
		n := len(t.Attempts)
		return n > 0 && len(t.Attempts[n-1].Endpoints) > 0
	})
	if ports {
		t.columns = append(t.columns, column{title: "PORTS", good: 24, least: 12, drop: 6})
	}
	row := func(endpoints map[string]string, cells ...cell) {
		if ports {
			cells = append(cells, text(pairs(endpoints)))
		}
		t.add(cells...)
	}
	for _, task := range tasks {
		last := len(task.Attempts) - 1
		for n, a := range task.Attempts {
			if wide || n == last && !waiting(task) {
				row(a.Endpoints, text(fmt.Sprint(task.TaskIndex)), state(TaskState(a.State)), text(fmt.Sprint(a.AttemptId)), text(a.WorkerId),
					text(exitCode(a)), text(between(a.StartedAt, a.FinishedAt, now)), text(attemptText(task, a, n == last)))
			}
		}
		if last < 0 || waiting(task) {
			row(nil, text(fmt.Sprint(task.TaskIndex)), state(TaskState(task.State)), text(""), text(""), text(""), text(""),
				text(taskText(task)))
		}
	}
	return t.write(w, terminal)
}

func waiting(t *pb.TaskStatus) bool { return t.State == pb.TaskState_TASK_STATE_PENDING }

func exitCode(a *pb.TaskAttempt) string {
	if a.ExitCode == nil {
		return ""
	}
	return fmt.Sprint(a.GetExitCode())
}

// attemptText is what is to be said of an attempt; of the last one, if it ended in peace, what is to be said of its task.
func attemptText(t *pb.TaskStatus, a *pb.TaskAttempt, last bool) string {
	switch {
	case a.Error == "" && last:
		return t.Error
	case a.Stopping:
		return a.Error + " (stopping)"
	}
	return a.Error
}

// taskText is why a task waits, and what happened to its last attempt.
func taskText(t *pb.TaskStatus) string {
	why := t.PendingReason.GetText()
	if t.Error != "" {
		why = t.Error
	}
	if n := len(t.Attempts); n > 0 && t.Attempts[n-1].Error != "" {
		return fmt.Sprintf("%s (attempt %d: %s)", why, n-1, t.Attempts[n-1].Error)
	}
	return why
}
