//go:build unix && !linux

package runtime

import (
	"os"
	"syscall"
)

// attributes put a command into a group of its own. Only Linux can tie a process to its parent; the guard remains.
func attributes() (a *syscall.SysProcAttr, watch func() *os.File) {
	return &syscall.SysProcAttr{Setpgid: true}, func() *os.File { return nil }
}

// awaitExit cannot wait without reaping: reap has to do both.
func (c *child) awaitExit() bool { return false }

// onlyZombies cannot tell, and need not: init reaps.
func onlyZombies(int) bool { return false }

// memoryFile is a file that has no name any more.
func memoryFile() (*os.File, error) {
	file, err := os.CreateTemp("", "iris-guard-*")
	if err != nil {
		return nil, err
	}
	return file, os.Remove(file.Name())
}

// newPipe is a pipe whose reading end waits in the poller. The writing end is for a command.
func newPipe() (r *os.File, w uintptr, err error) {
	r, out, err := os.Pipe()
	if err != nil {
		return nil, 0, err
	}
	defer out.Close()
	copied, err := dup(out)
	if err != nil {
		r.Close()
		return nil, 0, err
	}
	return r, copied, nil
}

// dup copies a descriptor, so that it outlives its file, and makes it block, as commands expect.
func dup(f *os.File) (uintptr, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		return 0, os.NewSyscallError("dup", err)
	}
	syscall.CloseOnExec(fd)
	return uintptr(fd), syscall.SetNonblock(fd, false)
}

func closePipe(w uintptr) error { return syscall.Close(int(w)) }
