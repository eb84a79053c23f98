package runtime

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// guardScript keeps the list of the groups that run. When its standard input ends, the worker is gone, and what
// is still on the list is killed.
const guardScript = `
trap '' HUP INT QUIT TERM
live=' '
while read -r op group; do
	case "$op$live" in
	+*) live="$live$group " ;;
	-*" $group "*) live="${live%% $group *} ${live#* $group }" ;;
	esac
done
for group in $live; do kill -s KILL -- "-$group"; done
`

// guard kills process groups whose worker was killed. It is a shell that reads a pipe which the worker alone
// holds open. A guard that is killed itself is replaced when the next attempt starts; attempts that were
// running then keep what the kernel gives them.
type guard struct {
	turn   chan struct{} // held by whoever uses the fields below
	shell  *exec.Cmd     // nil until it is needed
	pipe   *os.File
	closed bool
}

func newGuard() *guard {
	return &guard{turn: make(chan struct{}, 1)}
}

var errGuardClosed = errors.New("the runtime is closed")

// ready makes sure that there is a guard, before there is a group to put on its list.
func (g *guard) ready() error {
	g.turn <- struct{}{}
	defer func() { <-g.turn }()
	return g.ensure()
}

// add puts a group on the list.
func (g *guard) add(group int) error {
	g.turn <- struct{}{}
	defer func() { <-g.turn }()
	if g.shell != nil {
		if g.send("+ %d\n", group) == nil {
			return nil
		}
		_ = g.end() // it is dead already
	}
	if err := g.ensure(); err != nil {
		return err
	}
	return g.send("+ %d\n", group)
}

// remove takes a group from the list. If there is no guard any more, there is no list either.
func (g *guard) remove(group int) {
	g.turn <- struct{}{}
	defer func() { <-g.turn }()
	if g.shell != nil {
		_ = g.send("- %d\n", group)
	}
}

func (g *guard) close() error {
	g.turn <- struct{}{}
	defer func() { <-g.turn }()
	g.closed = true
	return g.end()
}

// send writes a line of far less than PIPE_BUF, so it arrives whole. A guard that has not read for so long that
// its pipe is full counts as dead.
func (g *guard) send(format string, group int) error {
	if err := g.pipe.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	_, err := fmt.Fprintf(g.pipe, format, group)
	return err
}

func (g *guard) ensure() error {
	if g.closed {
		return errGuardClosed
	}
	if g.shell != nil {
		return nil
	}
	if err := g.begin(); err != nil {
		return fmt.Errorf("the guard that ends attempts with their worker: %w (it needs a POSIX sh)", err)
	}
	return nil
}

func (g *guard) begin() error {
	in, out, err := os.Pipe()
	if err != nil {
		return err
	}
	shell := exec.Command("sh", "-c", guardScript)
	shell.Stdin = in
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
