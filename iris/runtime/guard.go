package runtime

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// guardScript waits for the end of its standard input, which is the end of the worker, and kills what is on the roll.
const guardScript = `
trap '' HUP INT QUIT TERM
read -r _
while read -r group; do
	[ -z "$group" ] || kill -s KILL -- "-$group"
done <&3
`

// guard kills process groups whose worker was killed. It is a shell that reads a pipe which the worker alone
// holds open; which groups run is in memory that both share. A guard that is killed itself is replaced when the next
// attempt starts; the new one guards what runs already, too.
type guard struct {
	turn  chan struct{} // held by whoever uses the fields below
	roll  *roll         // nil until it is needed, as is shell
	shell *exec.Cmd
	pipe  *os.File
}

func newGuard() *guard {
	return &guard{turn: make(chan struct{}, 1)}
}

// place makes sure that there is a guard, before there is a group for it, and finds room on its roll.
func (g *guard) place() (*place, error) {
	g.turn <- struct{}{}
	defer func() { <-g.turn }()
	if err := g.ensure(); err != nil {
		return nil, fmt.Errorf("the guard that ends attempts with their worker: %w (it needs a POSIX sh)", err)
	}
	return g.roll.take()
}

func (g *guard) close() error {
	g.turn <- struct{}{}
	defer func() { <-g.turn }()
	return errors.Join(g.end(), g.roll.close())
}

func (g *guard) ensure() error {
	if g.shell != nil && g.reads() {
		return nil
	}
	_ = g.end() // it is dead already
	if g.roll == nil {
		var err error
		if g.roll, err = newRoll(); err != nil {
			return err
		}
	}
	return g.begin()
}

// reads reports whether somebody has the other end of the pipe open, which a dead guard has not.
func (g *guard) reads() bool {
	fds := []unix.PollFd{{Fd: int32(g.pipe.Fd()), Events: unix.POLLOUT}}
	_, err := unix.Poll(fds, 0)
	return err != nil || fds[0].Revents&(unix.POLLERR|unix.POLLHUP) == 0 // interrupted: the next start looks again
}

func (g *guard) begin() error {
	in, out, err := os.Pipe()
	if err != nil {
		return err
	}
	shell := exec.Command("sh", "-c", guardScript)
	shell.Stdin = in
	shell.ExtraFiles = []*os.File{g.roll.file}
	shell.Dir = "/"
	shell.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a Ctrl-C for the worker is not for its guard
	if err := shell.Start(); err != nil {
		return errors.Join(err, in.Close(), out.Close())
	}
	g.shell, g.pipe = shell, out
	return in.Close()
}

// end lets the guard go without killing anything.
func (g *guard) end() error {
	if g.shell == nil {
		return nil
	}
	killed := g.shell.Process.Kill()
	if errors.Is(killed, os.ErrProcessDone) {
		killed = nil
	}
	err := errors.Join(killed, g.pipe.Close())
	_ = g.shell.Wait() // says how it died, which was just done to it
	g.shell, g.pipe = nil, nil
	return err
}
