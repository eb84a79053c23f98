//go:build unix && !linux

package runtime

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// Of identifies the process that has this number now. The error is that there is none.
func Of(pid int) (ID, error) { return ID{PID: pid}, syscall.Kill(pid, 0) }

// Poll reports whether the process runs: this process's child, or one with its number that leads a session. One that has
// ended is waited for if it was a child of this process; how it ended is returned then, once, and nil at any other time.
func (id ID) Poll() (runs bool, exit *Exit, err error) {
	var status syscall.WaitStatus
	switch got, err := syscall.Wait4(id.PID, &status, syscall.WNOHANG, nil); {
	case err == syscall.EINTR, err == nil && got == 0:
		return true, nil, nil
	case err == nil && got == id.PID:
		e := exitStatus(status)
		return false, &e, nil
	}
	session, gone := unix.Getsid(id.PID)
	return gone == nil && session == id.PID, nil, nil
}

// Kill ends the process's group with SIGKILL.
func (id ID) Kill() error {
	if id.PID <= 1 {
		return nil
	}
	if err := syscall.Kill(-id.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill process group %d: %w", id.PID, err)
	}
	return nil
}

// Family are those of the known processes whose group is not empty. Others cannot be found here: the keeper of a worker
// and what it runs are left to end by themselves.
func Family(_ string, known []ID) ([]ID, error) {
	var family []ID
	for _, id := range known {
		if id.PID > 1 && syscall.Kill(-id.PID, 0) == nil {
			family = append(family, id)
		}
	}
	return family, nil
}
