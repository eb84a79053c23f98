package runtime

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// Exit is how an attempt ended.
type Exit struct {
	// Code is 0 for success alone. A process that was killed by a signal has 128 + the signal's number, as in a
	// shell.
	Code int

	// Err is a function's error or panic, or why a process could not be run to an end. A process that ended
	// by itself or by a signal has none.
	Err error

	// Signal is what killed a process, 0 if nothing did.
	Signal syscall.Signal
}

// Text describes the exit in the words of an attempt's error: "exit code 3", "killed by SIGKILL (exit code
// 137)", the text of a function's error. It is empty for success.
func (e Exit) Text() string {
	switch {
	case e.Code == 0 && e.Err == nil:
		return ""
	case e.Err != nil && e.Err.Error() != "":
		return e.Err.Error()
	case e.Signal != 0:
		return fmt.Sprintf("killed by %s (exit code %d)", signalName(e.Signal), e.Code)
	default:
		return fmt.Sprintf("exit code %d", e.Code)
	}
}

func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", int(s)) // a real-time signal
}

// ExitError is an error for a function to return when it wants to end with an exit code, as a process would.
// Its text is "exit code N". ExitError(0) is nil, and so success.
func ExitError(code int) error {
	if code == 0 {
		return nil
	}
	return exitError(code)
}

type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }
func (e exitError) ExitCode() int { return int(e) }

// exitOf turns what a function returned into an exit. An error is never a success, whatever code it claims.
func exitOf(err error) Exit {
	if err == nil {
		return Exit{}
	}
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) && 0 < coded.ExitCode() && coded.ExitCode() < 256 {
		return Exit{Code: coded.ExitCode(), Err: err}
	}
	return Exit{Code: 1, Err: err}
}
