package runtime

import (
	"bytes"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// dieWithParent makes the kernel kill the command when the thread that started it ends; see Process.
func dieWithParent(a *syscall.SysProcAttr) {
	a.Pdeathsig = syscall.SIGKILL
}

// awaitExit waits until the process has ended, without reaping it, and reports whether the kernel could do that.
func awaitExit(pid int) bool {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return err == nil
		}
	}
}

// onlyZombies reports whether all processes of the group have ended, and only wait to be reaped.
func onlyZombies(group int) bool {
	proc, err := os.Open("/proc")
	if err != nil {
		return false
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return false
	}
	for _, name := range names {
		if _, err := strconv.Atoi(name); err != nil {
			continue
		}
		if state, of := processState(name); of == group && state != "Z" && state != "X" {
			return false
		}
	}
	return true
}

// processState returns the state and process group of a process; nothing if it is gone by now.
func processState(pid string) (state string, group int) {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return "", 0
	}
	// 42 (name, which may contain anything) S parent group …
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 3 {
		return "", 0
	}
	group, err = strconv.Atoi(string(fields[2]))
	if err != nil {
		return "", 0
	}
	return string(fields[0]), group
}
