package view

import (
	"fmt"
	"io"
	"strings"
	"time"

	pb "iris/iris/proto"
)

// shownTasks is how many tasks Job lists.
const shownTasks = 20

// Job writes all there is to say about one job, with its first tasks; those that are over in peace come last.
func Job(w io.Writer, terminal Terminal, now time.Time, j *pb.JobStatus, tasks []*pb.TaskStatus) error {
	out := sheet{terminal: terminal, label: 10}
	field := out.field
	field("Job", j.JobId, plain)
	if name := nameOf(j); name != "" {
		field("Name", name, plain)
	}
	if j.ParentJobId != "" {
		field("Parent", j.ParentJobId, plain)
	}
	field("State", JobState(j.State), states[JobState(j.State)])
	field("Time", timesOf(j, now), plain)
	field("Tasks", tasksText(j), plain)
	if j.FailureCount+j.PreemptionCount > 0 {
		field("Attempts", fmt.Sprintf("%d failed, %d lost with their worker", j.FailureCount, j.PreemptionCount), plain)
	}
	if j.PendingReason != nil {
		field("Waits", j.PendingReason.Text, yellow)
	}
	if j.Error != "" {
		field("Error", j.Error, red)
	}
	if len(tasks) == 0 {
		return out.write(w)
	}
	out.WriteByte('\n')
	shown, more := foremost(tasks)
	if err := Tasks(&out, terminal, false, now, shown); err != nil {
		return err
	}
	if more > 0 {
		text := fmt.Sprintf("and %d more: iris task list %s", more, j.JobId)
		for _, line := range wrap(text, terminal.Width) {
			fmt.Fprintln(&out, terminal.paint(grey, line))
		}
	}
	return out.write(w)
}

// foremost picks the tasks to show: those that ended badly, those that wait, those that run, the others.
func foremost(tasks []*pb.TaskStatus) (shown []*pb.TaskStatus, more int) {
	if len(tasks) <= shownTasks {
		return tasks, 0
	}
	rank := func(t *pb.TaskStatus) int {
		switch t.State {
		case pb.TaskState_TASK_STATE_SUCCEEDED:
			return 3
		case pb.TaskState_TASK_STATE_ASSIGNED, pb.TaskState_TASK_STATE_BUILDING, pb.TaskState_TASK_STATE_RUNNING:
			return 2
		case pb.TaskState_TASK_STATE_PENDING:
			return 1
		}
		return 0
	}
	for r := range 4 {
		for _, t := range tasks {
			if rank(t) == r && len(shown) < shownTasks {
				shown = append(shown, t)
			}
		}
	}
	return shown, len(tasks) - len(shown)
}

func timesOf(j *pb.JobStatus, now time.Time) string {
	text := "submitted " + ago(j.SubmittedAt, now)
	switch {
	case j.FinishedAt != nil && j.StartedAt != nil:
		text += fmt.Sprintf(", ran %s, over since %s", between(j.StartedAt, j.FinishedAt, now), between(j.FinishedAt, nil, now))
	case j.FinishedAt != nil:
		text += fmt.Sprintf(", never ran, over since %s", between(j.FinishedAt, nil, now))
	case j.StartedAt != nil:
		text += ", runs for " + between(j.StartedAt, nil, now)
	}
	return text
}

// tasksText is "4: 3 SUCCEEDED, 1 FAILED".
func tasksText(j *pb.JobStatus) string {
	var texts []string
	for _, c := range inOrder(j.TaskStates) {
		texts = append(texts, fmt.Sprintf("%d %s", c.Count, TaskState(c.State)))
	}
	return fmt.Sprintf("%d: %s", j.NumTasks, strings.Join(texts, ", "))
}
