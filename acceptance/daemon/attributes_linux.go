package daemon

import "syscall"

// attributes put a daemon into a process group of its own, so that a terminal's ^C reaches the specs alone, and have it
// killed when the specs' process is.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
