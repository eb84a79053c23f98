package main

import "errors"

// The exit codes of every verb.
const (
	exitDone  = 0
	exitUsage = 2 // the command line, a setting or a job's description is wrong; nothing was done
	exitError = 5 // Iris could not do what was asked
)

// usageError is a mistake in what was asked.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func exitCode(err error) int {
	usage := usageError{}
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		return exitUsage
	}
	return exitError
}
