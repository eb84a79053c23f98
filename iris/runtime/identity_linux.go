package runtime

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// ticks is the time since the machine was started, as /proc tells the start of processes.
func ticks() uint64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0
	}
	return uint64(now.Nano()) / 1e7 // 100 a second, whatever the kernel counts in
}

// Self is this process, and whether it leads a session.
func Self() (id ID, leader bool, err error) {
	s, ok := statusOf(strconv.Itoa(os.Getpid()))
	if !ok {
		return ID{}, false, fmt.Errorf("read /proc/%d/stat: is /proc mounted?", os.Getpid())
	}
	return ID{PID: s.pid, From: s.started, To: s.started}, s.session == s.pid, nil
}

// is reports whether the process is the one that was meant.
func (id ID) is(s procStatus) bool {
	return s.pid == id.PID && id.From <= s.started && s.started <= id.To
}

// KillGroup kills with SIGKILL what is left of the process group that id leads or led, and reports whether anything was.
// Call it again until nothing is. It leaves others alone that have been given its number since: the leader is known by
// when it was started. If the leader is gone, its children are known by the session they are in, whose leader, now dead,
// is given as well; unless that was a process that led none (the zero ID): then they are left alone.
func (id ID) KillGroup(session ID) (left bool) {
	if id.PID <= 1 || id.To == 0 {
		return false
	}
	leader, exists := statusOf(strconv.Itoa(id.PID))
	if exists && !id.is(leader) {
		return false // the number is another's by now, so that nothing is left of this one
	}
	if !exists && !ledBy(session) {
		return false
	}
	for _, s := range processes() {
		if s.group == id.PID && !s.ended() && (exists || s.session == session.PID) {
			left = true
		}
	}
	if left {
		_ = syscall.Kill(-id.PID, syscall.SIGKILL) // what is gone by now needs no kill
	}
	return left
}

// ledBy reports whether processes of a session with the leader's number are of this session. While one of them is left,
// nobody else is given the number.
func ledBy(session ID) bool {
	if session.PID <= 1 || session.To == 0 {
		return false
	}
	s, exists := statusOf(strconv.Itoa(session.PID))
	return !exists || session.is(s)
}

// onlyZombies reports whether all processes of the group have ended, and only wait to be reaped.
func onlyZombies(group int) bool {
	for _, s := range processes() {
		if s.group == group && !s.ended() {
			return false
		}
	}
	return true
}

// processes are all that there are, as far as that can be told.
func processes() []procStatus {
	var all []procStatus
	_ = eachProcess(func(s procStatus, err error) error {
		if err == nil {
			all = append(all, s)
		}
		return nil
	})
	return all
}

// eachProcess hands out all processes, or why one could not be looked at. It returns the first error of see, or that there
// is no list of processes.
func eachProcess(see func(procStatus, error) error) error {
	proc, err := os.Open("/proc")
	if err != nil {
		return err
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := strconv.Atoi(name); err != nil {
			continue
		}
		s, err := readStatus(name)
		if isGone(err) {
			continue
		}
		if err := see(s, err); err != nil {
			return err
		}
	}
	return nil
}

// procStatus is what /proc says of a process.
type procStatus struct {
	state                       string
	pid, parent, group, session int
	threads                     int
	started                     uint64 // in ticks
}

// ended reports whether the process only waits to be reaped. The state is that of its first thread; while others run, it
// does.
func (s procStatus) ended() bool { return (s.state == "Z" || s.state == "X") && s.threads <= 1 }

// statusOf looks at a process; false: it is gone by now.
func statusOf(pid string) (procStatus, bool) {
	s, err := readStatus(pid)
	return s, err == nil
}

// readStatus looks at a process. The error is one of isGone, or that nothing is known.
func readStatus(pid string) (procStatus, error) {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return procStatus{}, err
	}
	// 42 (name, which may contain anything) S parent group session …; the start is the 22nd of them all
	name := bytes.LastIndexByte(stat, ')')
	fields := bytes.Fields(stat[name+1:])
	if name < 0 || len(fields) < 20 {
		return procStatus{}, fmt.Errorf("/proc/%s/stat is not understood: %q", pid, stat)
	}
	s := procStatus{state: string(fields[0])}
	for to, text := range map[*int]string{
		&s.pid: pid, &s.parent: string(fields[1]), &s.group: string(fields[2]), &s.session: string(fields[3]),
		&s.threads: string(fields[17]),
	} {
		if *to, err = strconv.Atoi(text); err != nil {
			return procStatus{}, err
		}
	}
	s.started, err = strconv.ParseUint(string(fields[19]), 10, 64)
	return s, err
}

// isGone reports whether a look at a process found that there is none, maybe since a moment ago.
func isGone(err error) bool { return errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ESRCH) }
