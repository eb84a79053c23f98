//go:build !linux

package daemon

import "syscall"

// attributes put a daemon into a process group of its own, so that a terminal's ^C reaches the specs alone.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
