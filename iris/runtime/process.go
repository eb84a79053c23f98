package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

// Process runs attempts as commands, each in a process group of its own. Make it with NewProcess.
//
// Nothing of an attempt outlives the attempt: when the command ends, the rest of its group is killed with
// SIGKILL, and Done waits until the group is empty.
//
// Nothing of it outlives the worker either, even if that is killed with SIGKILL and can do nothing any more:
//
//   - The command is killed by the kernel (Linux: PR_SET_PDEATHSIG). The kernel ties this to the *thread* that
//     started the command, and Go is free to end threads. So commands are started by a few threads that do nothing
//     else and last until Close.
//   - The command's children, to whom this does not apply, are killed by a guard: a small sh beside the worker,
//     one for each Process, that notices when the worker is gone. It starts with the first attempt, and knows of an
//     attempt's group within microseconds of its start. A guard that was killed itself is replaced with the next start.
//
// Elsewhere than on Linux the guard alone does this, and there is an instant between the end of a command and
// the kill of its group in which another group could, in theory, have been given the same number.
type Process struct {
	guard    *guard
	starters *starters

	mu     sync.Mutex
	users  int // attempts that run or are being started
	closed bool
}

// NewProcess returns a runtime for commands. It starts nothing yet.
func NewProcess() *Process {
	return &Process{guard: newGuard(), starters: newStarters()}
}

// Close ends the guard and the threads that start commands. Start fails after it. Call it when all tasks are done:
// while one still runs, it goes on, and the last one does the rest of the work.
func (r *Process) Close() error {
	r.mu.Lock()
	first, last := !r.closed, r.users == 0
	r.closed = true
	r.mu.Unlock()
	if first && last {
		return r.end()
	}
	return nil
}

// begin counts an attempt, done counts it out.
func (r *Process) begin() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return errClosed
	}
	r.users++
	return nil
}

func (r *Process) done() {
	r.mu.Lock()
	r.users--
	last := r.closed && r.users == 0
	r.mu.Unlock()
	if last {
		_ = r.end() // Close has returned; nobody is left to tell
	}
}

func (r *Process) end() error {
	r.starters.close()
	return r.guard.close()
}

var errClosed = errors.New("the runtime is closed")

// Start starts the command s.Argv. The error names the command and why it could not be started: not found, not
// executable, no such directory.
func (r *Process) Start(ctx context.Context, s Spec) (Task, error) {
	t, err := r.start(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("attempt %s: cannot start %s: %w", s.UID, quoted(s.Argv), err)
	}
	return t, nil
}

func (r *Process) start(ctx context.Context, s Spec) (started *processTask, err error) {
	if err := r.begin(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			r.done()
		}
	}()
	c, err := newCommand(s)
	if err != nil {
		return nil, err
	}
	place, err := r.guard.place()
	if err != nil {
		return nil, err
	}
	out, err := openOutput(s.Log)
	if err != nil {
		place.leave()
		return nil, err
	}
	child, err := r.startCommand(ctx, c, out, place)
	out.closeWriters()
	if err != nil {
		out.finish()
		place.leave()
		return nil, err
	}
	t := &processTask{child: child, done: make(chan struct{}), group: child.id.PID}
	go func() {
		defer r.done()
		defer close(t.done)
		t.run(out, place)
	}()
	return t, nil
}

// startCommand starts a command, again and again for a moment if its file is "text file busy": a process that was
// forked while the file was being written has it open until its own exec, a few milliseconds later. Fresh
// workspaces run into this.
func (r *Process) startCommand(ctx context.Context, c *command, out *output, place *place) (*child, error) {
	for pause := time.Millisecond; ; pause *= 2 {
		var started *child
		var err error
		if ended := r.starters.do(ctx, func() {
			if started, err = fork(c, out); err == nil {
				place.enter(started.id.PID)
			}
		}); ended != nil {
			return nil, ended
		}
		if err == nil || !errors.Is(err, syscall.ETXTBSY) || pause > time.Second {
			return started, explain(err, c)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// explain says of an error of exec what could not be executed, and what the error means where it misleads.
func explain(err error, c *command) error {
	if err == nil {
		return nil
	}
	_, missing := os.Stat(inDir(c.dir, c.path))
	switch err = (&os.PathError{Op: "fork/exec", Path: c.path, Err: err}); {
	case errors.Is(err, syscall.ENOENT) && missing == nil:
		return fmt.Errorf("%w (the file exists: does the interpreter that its first line names?)", err)
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf(`%w (a script needs a first line such as "#!/bin/sh")`, err)
	default:
		return err
	}
}

type processTask struct {
	child *child
	done  chan struct{}
	exit  Exit // written before done is closed

	mu       sync.Mutex  // held for a kill(2) at most
	group    int         // the process group to signal; 0 once it has been killed for good
	kill     *time.Timer // forces the end; nil until a first Stop
	deadline time.Time   // when kill fires
}

func (t *processTask) Done() <-chan struct{} { return t.done }
func (t *processTask) Exit() Exit            { return t.exit }

// Identity tells the command of a Process's task from others that get its number later; false: it is no such task.
func Identity(t Task) (ID, bool) {
	if p, ok := t.(*processTask); ok {
		return p.child.id, true
	}
	return ID{}, false
}

// run waits for the end of the command and leaves with nothing of it left.
func (t *processTask) run(out *output, place *place) {
	if t.child.awaitExit() { // not reaped yet: the group's number cannot have become another's
		t.endGroup()
		place.clear()
		t.exit = t.child.reap()
	} else {
		t.exit = t.child.reap()
		t.endGroup()
	}
	awaitEmpty(t.child.id.PID)
	place.leave()
	out.finish()
}

// endGroup kills what the command left behind. From here on Stop does nothing.
func (t *processTask) endGroup() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.signal(syscall.SIGKILL)
	t.group = 0
	if t.kill != nil {
		t.kill.Stop()
	}
}

// Stop implements Task.
func (t *processTask) Stop(grace time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	deadline := time.Now().Add(grace)
	switch {
	case t.group == 0:
	case grace <= 0:
		t.signal(syscall.SIGKILL)
	case t.kill == nil:
		t.signal(syscall.SIGTERM)
		t.deadline = deadline
		t.kill = time.AfterFunc(grace, func() { t.Stop(0) })
	case deadline.Before(t.deadline):
		t.deadline = deadline
		t.kill.Reset(grace)
	}
}

// signal is called with mu held, so that no signal can reach a group that has been given up. Its error would
// say that the group is empty already (ESRCH) or has changed to another user (EPERM): nothing that a second try
// could change, and Done tells when the group is gone.
func (t *processTask) signal(s syscall.Signal) {
	if t.group != 0 {
		_ = syscall.Kill(-t.group, s)
	}
}

// awaitEmpty returns when no process of the group runs any more. SIGKILL has been sent, so this takes a few
// polls; if a process is stuck in the kernel, one every 250 ms for as long as it is.
func awaitEmpty(group int) {
	const longest = 250 * time.Millisecond
	pause := time.Millisecond
	for !groupEmpty(group, pause > 10*time.Millisecond) {
		time.Sleep(pause)
		pause = min(2*pause, longest)
	}
}

// groupEmpty reports whether no process of the group runs. If thorough, processes that have ended and that
// nobody has reaped do not count: a container's init process often reaps nothing.
func groupEmpty(group int, thorough bool) bool {
	if errors.Is(syscall.Kill(-group, 0), syscall.ESRCH) {
		return true
	}
	return thorough && onlyZombies(group)
}
