package main

import (
	"context"
	"errors"

	pb "iris/iris/proto"
)

// The exit codes of every verb.
const (
	exitDone          = 0
	exitFailed        = 1
	exitUsage         = 2
	exitUnschedulable = 3
	exitLost          = 4
	exitError         = 5
	exitInterrupted   = 130
)

// usageError is a mistake in what was asked: nothing was done.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// jobError is the bad end of a job.
type jobError struct {
	state pb.JobState
	text  string
}

func (e jobError) Error() string { return e.text }

// errInterrupted is a verb that was interrupted, after all was said.
var errInterrupted = errors.New("interrupted")

func exitCode(err error) int {
	usage, job := usageError{}, jobError{}
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &job):
		switch job.state {
		case pb.JobState_JOB_STATE_FAILED:
			return exitFailed
		case pb.JobState_JOB_STATE_UNSCHEDULABLE:
			return exitUnschedulable
		}
		return exitLost
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		return exitInterrupted
	}
	return exitError
}
