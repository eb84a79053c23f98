package view

import (
	"fmt"
	"strings"
	"time"

	pb "iris/iris/proto"
	model "iris/iris/state"
)

// theCase is what a verdict is about.
type theCase struct {
	now   time.Time
	job   *pb.JobStatus
	tasks []*pb.TaskStatus
	task  *pb.TaskStatus // the one that matters most; nil: a job without tasks to tell of
	where string
}

type verdict struct {
	text   string
	advice []Advice
}

// try adds an advice; the words of the command are filled in, and stand for one that reaches the same controllers.
func (v verdict) try(c *theCase, what, verb, format string, args ...any) verdict {
	command := strings.TrimSpace(fmt.Sprintf("iris %s%s "+format, append([]any{verb, c.where}, args...)...))
	v.advice = append(v.advice, Advice{What: what, Command: clean(command)})
	return v
}

// ofJob is why a job is where it is.
func (c *theCase) ofJob() verdict {
	j := c.job
	switch j.State {
	case pb.JobState_JOB_STATE_SUCCEEDED:
		return c.succeeded()
	case pb.JobState_JOB_STATE_KILLED:
		return c.killed()
	case pb.JobState_JOB_STATE_FAILED, pb.JobState_JOB_STATE_WORKER_FAILED, pb.JobState_JOB_STATE_UNSCHEDULABLE:
		if c.task == nil || c.task.Error == "" || !strings.HasSuffix(j.Error, c.task.Error) {
			return verdict{text: sentence(fmt.Sprintf("The job is %s: %s", JobState(j.State), j.Error))}
		}
		v := c.badEnd()
		if j.NumTasks > 1 {
			v.text += " " + c.enough()
		}
		return v
	}
	if j.PendingReason != nil && c.task != nil {
		v := c.waits(c.subject(), j.PendingReason)
		if over := overOf(j); over+runningOf(j) > 0 {
			v.text += fmt.Sprintf(" %d of %d tasks are over, and %d run.", over, j.NumTasks, runningOf(j))
		}
		return v
	}
	text := fmt.Sprintf("Nothing stands in its way: %d of %s are over and %d run", overOf(j),
		model.CountText(int(j.NumTasks), "task"), runningOf(j))
	v := verdict{text: sentence(text, c.onTheWay())}
	return v.try(c, "Follow it.", "job attach", "%s", j.JobId)
}

// ofTask is why the task that was asked for is where it is.
func (c *theCase) ofTask() verdict {
	t := c.task
	switch t.State {
	case pb.TaskState_TASK_STATE_PENDING:
		return c.waits(c.subject(), t.PendingReason)
	case pb.TaskState_TASK_STATE_FAILED, pb.TaskState_TASK_STATE_WORKER_FAILED, pb.TaskState_TASK_STATE_UNSCHEDULABLE:
		return c.badEnd()
	case pb.TaskState_TASK_STATE_KILLED, pb.TaskState_TASK_STATE_COSCHED_FAILED:
		v := verdict{text: fmt.Sprintf("Task %d was ended with its job, not because of anything it did: %s.", t.TaskIndex, t.Error)}
		return v.try(c, "See why the job ended.", "job explain", "%s", c.job.JobId)
	case pb.TaskState_TASK_STATE_SUCCEEDED:
		return verdict{text: fmt.Sprintf("Task %d SUCCEEDED%s.", t.TaskIndex, afterBad(t))}
	}
	v := verdict{text: fmt.Sprintf("Nothing stands in its way: task %d is %s%s.", t.TaskIndex, TaskState(t.State), afterBad(t))}
	return v.try(c, "See what it writes.", "job logs", "%s --task %d", c.job.JobId, t.TaskIndex)
}

// subject is how the task is called in a sentence.
func (c *theCase) subject() string {
	if c.job.NumTasks == 1 {
		return "its task"
	}
	return fmt.Sprintf("task %d", c.task.TaskIndex)
}

func afterBad(t *pb.TaskStatus) string {
	if n := badAttempts(t); n > 0 {
		return fmt.Sprintf(" after %s that ended badly and %s run again", model.CountText(n, "attempt"), was(n))
	}
	return ""
}

func was(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

// onTheWay is what went wrong and was made good.
func (c *theCase) onTheWay() string {
	f, p := int(c.job.FailureCount-count(c.job, pb.TaskState_TASK_STATE_FAILED)), int(c.job.PreemptionCount)
	again := ", and the tasks were tried again"
	if c.job.NumTasks == 1 {
		again = ", and it was tried again"
	}
	switch {
	case f > 0 && p > 0:
		return fmt.Sprintf("%s failed, %d %s lost with a worker%s", model.CountText(f, "attempt"), p, was(p), again)
	case f > 0:
		return fmt.Sprintf("%s failed%s", model.CountText(f, "attempt"), again)
	case p > 0:
		return fmt.Sprintf("%s %s lost with a worker%s", model.CountText(p, "attempt"), was(p), again)
	}
	return ""
}

func (c *theCase) succeeded() verdict {
	failed := int(count(c.job, pb.TaskState_TASK_STATE_FAILED))
	if failed == 0 {
		text := fmt.Sprintf("All %d tasks SUCCEEDED", c.job.NumTasks)
		if c.job.NumTasks == 1 {
			text = "Its task SUCCEEDED"
		}
		return verdict{text: sentence(text, c.onTheWay())}
	}
	v := verdict{text: sentence(fmt.Sprintf("%d of %d tasks FAILED, which is within what the job tolerates (--max-task-failures), and the others SUCCEEDED",
		failed, c.job.NumTasks), c.onTheWay())}
	return v.try(c, "See which tasks failed.", "task list", "%s", c.job.JobId)
}

func (c *theCase) killed() verdict {
	if parent, ok := strings.CutPrefix(c.job.Error, "its parent job "); ok && c.job.ParentJobId != "" {
		v := verdict{text: fmt.Sprintf("It ended because its parent job %s: a job ends with the one that it belongs to.", parent)}
		return v.try(c, "See why its parent ended.", "job explain", "%s", c.job.ParentJobId)
	}
	v := verdict{text: fmt.Sprintf("It was ended on purpose (%s), and not because of anything its tasks did.", c.job.Error)}
	return v.try(c, "See how far its tasks had come.", "task list", "%s", c.job.JobId)
}

// badEnd is why a task ended for good.
func (c *theCase) badEnd() verdict {
	t, job := c.task, c.job.JobId
	title := fmt.Sprintf("Task %d", t.TaskIndex)
	if c.job.NumTasks == 1 {
		title = "Its task"
	}
	var last *pb.TaskAttempt
	if n := len(t.Attempts); n > 0 {
		last = t.Attempts[n-1]
	}
	switch {
	case t.State == pb.TaskState_TASK_STATE_UNSCHEDULABLE:
		v := verdict{text: fmt.Sprintf("%s never had an attempt: it was %s. --scheduling-timeout bounds that wait.", title, t.Error)}
		v = v.try(c, "See how large and how busy the workers are.", "worker list", "")
		return v.try(c, "Ask for what a worker has, or wait for longer.", "job run", "--cpu CPU --memory MEMORY --scheduling-timeout TIME -- COMMAND")
	case strings.HasPrefix(t.Error, "dispatch failed on every worker that can run it"):
		v := verdict{text: fmt.Sprintf("%s FAILED without having begun: %s. Iris tried them all, in as many rounds as it is set to.", title, t.Error)}
		v = v.try(c, "See whether the workers are heard of.", "worker list", "")
		return v.try(c, "See each try, with what the workers answered.", "task list", "%s --output wide", job)
	case strings.HasSuffix(t.Error, "no worker left to run it"):
		v := verdict{text: fmt.Sprintf("%s FAILED because nobody could run it any more: %s. Iris waited for one to come back, and gave up.", title, t.Error)}
		v = v.try(c, "See which workers are lost, and since when.", "worker list", "")
		return v.try(c, "See whether machines can come.", "cluster groups", "")
	case strings.Contains(t.Error, "attempts ended before they began"):
		v := verdict{text: fmt.Sprintf("%s FAILED because no worker survives it: %s.", title, t.Error)}
		return v.try(c, "See each attempt, with its worker.", "task list", "%s --output wide", job)
	case last != nil && last.State == pb.TaskState_TASK_STATE_WORKER_FAILED:
		v := verdict{text: fmt.Sprintf("%s was lost with its worker %s, and --max-retries-preemption allows %s.",
			title, times(t.PreemptionCount), used(t.PreemptionCount-1))}
		v = v.try(c, "See how the workers are.", "worker list", "")
		return v.try(c, "Allow for more losses.", "job run", "--max-retries-preemption %d -- COMMAND", 2*t.PreemptionCount)
	case last != nil && last.State == pb.TaskState_TASK_STATE_FAILED:
		return c.outOfFailures(title, last)
	}
	return verdict{text: fmt.Sprintf("%s is %s: %s.", title, TaskState(t.State), t.Error)}
}

// outOfFailures is why a task FAILED whose attempts did.
func (c *theCase) outOfFailures(title string, last *pb.TaskAttempt) verdict {
	t, job := c.task, c.job.JobId
	often := ""
	if t.FailureCount > 1 {
		often = " " + times(t.FailureCount) + ", the last time"
	}
	v := verdict{text: fmt.Sprintf("%s FAILED%s because of: %s. --max-retries-failure allows %s.", title, often, last.Error, used(t.FailureCount-1))}
	v = v.try(c, "Read what the last attempt wrote.", "job logs", "%s --task %d --attempt %d", job, t.TaskIndex, last.AttemptId)
	switch {
	case strings.HasPrefix(last.Error, "timed out after "):
		return v.try(c, "Give it more time.", "job run", "--timeout TIME -- COMMAND")
	case strings.HasPrefix(last.Error, "killed by SIGKILL"):
		v.text += " A SIGKILL that Iris did not send often means that the machine ran out of memory."
		return v.try(c, "Ask for more memory, so that fewer tasks share a worker.", "job run", "--memory MEMORY -- COMMAND")
	}
	return v.try(c, "Once what failed is mended, run it again; allow for failures if they pass.", "job run",
		"--max-retries-failure %d -- COMMAND", t.FailureCount+1)
}

// enough is why the end of a task was the end of its job.
func (c *theCase) enough() string {
	failed := count(c.job, pb.TaskState_TASK_STATE_FAILED)
	switch {
	case c.job.State == pb.JobState_JOB_STATE_UNSCHEDULABLE, c.job.State == pb.JobState_JOB_STATE_WORKER_FAILED:
		return "That ends a job, with all its other tasks."
	case count(c.job, pb.TaskState_TASK_STATE_COSCHED_FAILED) > 0:
		return "A gang ends with any of its tasks."
	case failed <= 1:
		return "One such task ends the job, with all its other tasks (--max-task-failures 0)."
	}
	return fmt.Sprintf("It was one of %d such tasks, and the job tolerates %d (--max-task-failures %d).", failed, failed-1, failed-1)
}

func times(n int32) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return fmt.Sprintf("%d times", n)
}

// used is a budget of retries that was used up. It is one less than what happened: the first too many ends a task.
func used(n int32) string {
	switch n {
	case 0:
		return "no retry"
	case 1:
		return "1 retry, which is used up"
	}
	return fmt.Sprintf("%d retries, which are used up", n)
}
