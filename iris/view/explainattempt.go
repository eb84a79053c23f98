package view

import (
	"fmt"
	"strings"
	"time"

	pb "iris/iris/proto"
)

// attemptSentence says what became of an attempt, and what it cost (design §3, "What ends an attempt").
func attemptSentence(a *pb.TaskAttempt, now time.Time) string {
	name, took := fmt.Sprintf("Attempt %d", a.AttemptId), between(a.StartedAt, a.FinishedAt, now)
	ran := fmt.Sprintf("%s ran on %s for %s", name, a.WorkerId, took)
	if took == "" {
		ran = fmt.Sprintf("%s was on its way to %s", name, a.WorkerId)
	}
	stopping := ""
	if a.Stopping {
		stopping = a.WorkerId + " has not confirmed yet that it has stopped, so its room there is still taken"
	}
	switch a.State {
	case pb.TaskState_TASK_STATE_ASSIGNED:
		return sentence(fmt.Sprintf("%s has been on its way to %s for %s", name, a.WorkerId, between(a.AssignedAt, nil, now)))
	case pb.TaskState_TASK_STATE_BUILDING:
		return sentence(fmt.Sprintf("%s has been in preparation on %s for %s", name, a.WorkerId, took))
	case pb.TaskState_TASK_STATE_RUNNING:
		return sentence(fmt.Sprintf("%s has run on %s for %s", name, a.WorkerId, took))
	case pb.TaskState_TASK_STATE_SUCCEEDED:
		return sentence(ran + " and SUCCEEDED")
	case pb.TaskState_TASK_STATE_FAILED:
		return sentence(ran+failedBecause(a), "that is one failure", stopping)
	case pb.TaskState_TASK_STATE_WORKER_FAILED:
		if text, ok := undelivered(a); ok {
			return sentence(name+" "+text, "that is free of charge", stopping)
		}
		charge := "that is one preemption"
		if a.StartedAt == nil {
			charge = "it had not begun, so that is free of charge"
		}
		return sentence(ran+lostBecause(a), charge, stopping)
	case pb.TaskState_TASK_STATE_COSCHED_FAILED:
		return sentence(ran+" and was ended with its gang, because "+a.Error, "that is free of charge", stopping)
	case pb.TaskState_TASK_STATE_KILLED:
		return sentence(ran+stoppedBecause(a.Error), stopping)
	}
	return sentence(fmt.Sprintf("%s on %s is %s", name, a.WorkerId, TaskState(a.State)), a.Error)
}

func failedBecause(a *pb.TaskAttempt) string {
	switch {
	case strings.HasPrefix(a.Error, "timed out after "): // its command has an exit code, of what ended it
		return " and was ended, because it " + a.Error
	case a.ExitCode != nil && strings.HasPrefix(a.Error, "killed by "):
		return ", when its command was " + a.Error
	case a.ExitCode != nil:
		return fmt.Sprintf(", when its command ended with exit code %d", a.GetExitCode())
	}
	return " and failed: " + a.Error
}

// undelivered is about an attempt that its worker did not take.
func undelivered(a *pb.TaskAttempt) (text string, ok bool) {
	rest, ok := strings.CutPrefix(a.Error, "dispatch to "+a.WorkerId+" failed ")
	if !ok {
		return "", false
	}
	times, cause, _ := strings.Cut(rest, ": ")
	if times == "1 time" {
		return fmt.Sprintf("did not begin, because %s refused it: %s", a.WorkerId, cause), true
	}
	return fmt.Sprintf("did not begin, because %s could not be reached, tried %s: %s", a.WorkerId, times, cause), true
}

// lostBecause is why an attempt ended with its worker.
func lostBecause(a *pb.TaskAttempt) string {
	cause, lost := strings.CutPrefix(a.Error, "lost worker "+a.WorkerId+": ")
	switch {
	case lost && strings.HasPrefix(cause, "its machine is "):
		return ", when the platform said of its machine that it is " + strings.TrimPrefix(cause, "its machine is ")
	case lost:
		return ", when its worker was lost: " + cause
	case strings.HasSuffix(a.Error, " was restarted"):
		return ", when its worker was started again, and no longer had it"
	case strings.HasSuffix(a.Error, " was drained"):
		return ", when its worker was drained to be ended"
	case strings.HasPrefix(a.Error, "slice "):
		return " and was ended, because " + a.Error
	}
	return ", when its worker stopped it without being asked to: " + a.Error
}

func stoppedBecause(cause string) string {
	if cause == "terminated by a user" {
		return ", until a user stopped the job"
	}
	return " and was stopped, because " + cause
}
