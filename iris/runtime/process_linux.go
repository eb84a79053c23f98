package runtime

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes put a command into a group of its own, make the kernel kill it when the thread that starts it ends (see
// Process), and ask for a file that tells of its end, which watch returns.
func attributes() (a *syscall.SysProcAttr, watch func() *os.File) {
	pidfd := -1
	a = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, PidFD: &pidfd}
	return a, func() *os.File {
		if pidfd < 0 {
			return nil // Linux before 5.3
		}
		if err := syscall.SetNonblock(pidfd, true); err != nil {
			_ = syscall.Close(pidfd)
			return nil
		}
		return os.NewFile(uintptr(pidfd), "pidfd")
	}
}

// awaitExit waits until the process has ended, without reaping it, and reports whether the kernel could do that.
func (c *child) awaitExit() bool {
	return c.watch != nil && readable(c.watch) || awaitExit(c.id.PID)
}

// awaitExit does it with a thread, where the poller cannot.
func awaitExit(pid int) bool {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return err == nil
		}
	}
}

// readable waits for something to read, and reports whether that could be waited for.
func readable(f *os.File) bool {
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	return nil == raw.Read(func(fd uintptr) bool {
		n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return n > 0
	})
}

// memoryFile is a file that is nowhere but in memory.
func memoryFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("iris-guard", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), "memfd:iris-guard"), nil
}

// newPipe is a pipe whose reading end waits in the poller. The writing end is for a command.
func newPipe() (r *os.File, w uintptr, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, 0, os.NewSyscallError("pipe2", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return nil, 0, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fds[0]), "pipe"), uintptr(fds[1]), nil
}

func closePipe(w uintptr) error { return unix.Close(int(w)) }
