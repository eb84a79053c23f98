package view

import (
	"fmt"
	"io"
	"time"

	pb "iris/iris/proto"
)

// Jobs writes a table of jobs. Wide adds columns and cuts nothing.
func Jobs(w io.Writer, terminal Terminal, wide bool, now time.Time, jobs []*pb.JobStatus) error {
	t := table{columns: []column{
		{title: "ID", good: 20, least: 12}, {title: "NAME", good: 12, least: 8, drop: 6}, {title: "STATE"},
		{title: "TASKS", drop: 3, right: true}, {title: "AGE", drop: 4, right: true}, {title: "RAN", drop: 5, right: true},
		{title: "WHY", good: 32, least: 16, drop: 2},
	}}
	if wide {
		terminal.Width = 0
		t.columns = append(t.columns, column{title: "RETRIES", right: true}, column{title: "PARENT"})
	}
	for _, j := range jobs {
		row := []cell{
			text(j.JobId), text(nameOf(j)), state(JobState(j.State)), text(doneOf(j)),
			text(between(j.SubmittedAt, nil, now)), text(between(j.StartedAt, j.FinishedAt, now)), text(why(j)),
		}
		if wide {
			row = append(row, text(fmt.Sprint(j.FailureCount+j.PreemptionCount)), text(j.ParentJobId))
		}
		t.add(row...)
	}
	return t.write(w, terminal)
}

// nameOf is a job's name, unless that is its id.
func nameOf(j *pb.JobStatus) string {
	if j.Name == j.JobId {
		return ""
	}
	return j.Name
}

// doneOf is how many tasks are over: "3/4".
func doneOf(j *pb.JobStatus) string {
	return fmt.Sprintf("%d/%d", overOf(j), j.NumTasks)
}

func overOf(j *pb.JobStatus) int32 { return j.NumTasks - waitingOf(j) - runningOf(j) }

func waitingOf(j *pb.JobStatus) int32 { return count(j, pb.TaskState_TASK_STATE_PENDING) }

func runningOf(j *pb.JobStatus) int32 {
	return count(j, pb.TaskState_TASK_STATE_ASSIGNED) + count(j, pb.TaskState_TASK_STATE_BUILDING) +
		count(j, pb.TaskState_TASK_STATE_RUNNING)
}

func count(j *pb.JobStatus, s pb.TaskState) int32 {
	for _, c := range j.TaskStates {
		if c.State == s {
			return c.Count
		}
	}
	return 0
}

// why is what went wrong, or why the job's first waiting task waits.
func why(j *pb.JobStatus) string {
	if j.Error != "" {
		return j.Error
	}
	return j.PendingReason.GetText()
}
