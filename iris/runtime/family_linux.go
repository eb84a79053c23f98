package runtime

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Of identifies the process that has this number now. Of a child that has not been waited for this is the child: nobody
// else has its number. The error is that there is none, or that /proc does not say.
func Of(pid int) (ID, error) {
	s, err := readStatus(strconv.Itoa(pid))
	return s.id(), err
}

func (s procStatus) id() ID { return ID{PID: s.pid, From: s.started, To: s.started} }

// Poll reports whether the process runs. One that has ended is waited for if it was a child of this process; how it ended
// is returned then, once, and nil at any other time. The error is that /proc does not say; then nothing is known.
func (id ID) Poll() (runs bool, exit *Exit, err error) {
	s, err := readStatus(strconv.Itoa(id.PID))
	switch {
	case isGone(err):
		return false, nil, nil
	case err != nil:
		return false, nil, err
	case !id.is(s):
		return false, nil, nil
	case !s.ended():
		return true, nil, nil
	}
	var status syscall.WaitStatus
	switch got, err := syscall.Wait4(id.PID, &status, syscall.WNOHANG, nil); {
	case err == nil && got == id.PID:
		e := exitStatus(status)
		return false, &e, nil
	case err == nil, err == syscall.EINTR:
		return true, nil, nil // it is about to end
	default:
		return false, nil, nil // whoever started it will wait for it
	}
}

// Kill ends the process with SIGKILL. It leaves others alone that have been given its number since. That there is none is
// no error.
func (id ID) Kill() error {
	if id.PID <= 1 {
		return nil
	}
	p, err := os.FindProcess(id.PID) // it stands for this process, whoever gets the number later, where the kernel has pidfds
	if err != nil {
		return err
	}
	defer func() { _ = p.Release() }()
	s, err := readStatus(strconv.Itoa(id.PID))
	if isGone(err) || err == nil && !id.is(s) {
		return nil
	}
	if err == nil {
		err = p.Kill()
	}
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill process %d: %w", id.PID, err)
	}
	return nil
}

// Family are the processes that have been started with a TMPDIR of dir or below it, known ones that still run, and all
// that belong to one of these: their children, and the sessions and groups that they lead, or led. Iris hands TMPDIR on
// from a worker to its keeper, its guards and its tasks, so that it finds those that nobody has noted, whatever session
// they are in. It misses processes that have both another TMPDIR and no living relative, and those of other users. This
// process is never among them, nor are those that have ended and only wait to be reaped.
//
// A process that is just being started can hide from one look: ask twice, a moment apart, before you believe that there
// are none. The error is that /proc does not say; then nothing is known.
func Family(dir string, known []ID) ([]ID, error) {
	now := map[int]procStatus{}
	err := eachProcess(func(s procStatus, err error) error {
		now[s.pid] = s
		return err
	})
	self := os.Getpid()
	if _, shown := now[self]; err == nil && !shown {
		err = errors.New("it does not show this process; is it mounted?")
	}
	members := map[int]bool{}
	for _, id := range known {
		if s, exists := now[id.PID]; id.PID > 1 && (!exists || id.is(s)) {
			members[id.PID] = true // even if it is gone: while its session or group has a process, nobody else gets its number
		}
	}
	var rest, family []procStatus
	for _, s := range now {
		if s.pid == self || s.pid <= 1 || s.ended() {
			continue
		}
		if !members[s.pid] && err == nil {
			members[s.pid], err = temporaryWithin(s.pid, dir)
		}
		rest = append(rest, s)
	}
	if err != nil {
		return nil, fmt.Errorf("read /proc: %w", err)
	}
	for before := -1; before < len(family); {
		before = len(family)
		rest = slices.DeleteFunc(rest, func(s procStatus) bool {
			belongs := members[s.pid] || members[s.parent] || members[s.session] || members[s.group]
			if belongs {
				members[s.pid] = true
				family = append(family, s)
			}
			return belongs
		})
	}
	ids := make([]ID, len(family))
	for i, s := range family {
		ids[i] = s.id()
	}
	return ids, nil
}

// temporaryWithin reports whether a process was started with a TMPDIR of dir or below it.
func temporaryWithin(pid int, dir string) (bool, error) {
	environ, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if isGone(err) || errors.Is(err, os.ErrPermission) {
		return false, nil
	}
	for v := range bytes.SplitSeq(environ, []byte{0}) {
		if at, found := strings.CutPrefix(string(v), "TMPDIR="); found {
			return at == dir || strings.HasPrefix(at, dir+"/"), err
		}
	}
	return false, err
}
