package runtime

import (
	"fmt"
	"os"
	"sync"
	"syscall"
)

// child is a command that was started, the leader of its group.
type child struct {
	command *command
	id      ID
	watch   *os.File // becomes readable at its end; nil if the kernel has nothing like it
}

// fork starts a command with empty standard input. The thread that calls it must outlive the command.
func fork(c *command, out *output) (*child, error) {
	null, err := devNull()
	if err != nil {
		return nil, err
	}
	attributes, watch := attributes()
	id := ID{From: ticks()}
	id.PID, err = syscall.ForkExec(c.path, c.argv, &syscall.ProcAttr{
		Dir: c.dir, Env: c.env, Files: []uintptr{null.Fd(), out.stdout, out.stderr}, Sys: attributes,
	})
	if err != nil {
		return nil, err
	}
	id.To = ticks()
	return &child{command: c, id: id, watch: watch()}, nil
}

// devNull is opened once. It is never closed.
var devNull = sync.OnceValues(func() (*os.File, error) { return os.Open(os.DevNull) })

// reap collects the command's exit status. It waits for it.
func (c *child) reap() Exit {
	if c.watch != nil {
		_ = c.watch.Close() // nothing was written to it
	}
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(c.id.PID, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return Exit{Code: 1, Err: fmt.Errorf("waiting for %s: %w", c.command.path, err)}
		}
		return exitStatus(status)
	}
}

func exitStatus(status syscall.WaitStatus) Exit {
	if status.Signaled() {
		return Exit{Code: 128 + int(status.Signal()), Signal: status.Signal()}
	}
	return Exit{Code: status.ExitStatus()}
}
