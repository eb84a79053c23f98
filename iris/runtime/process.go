package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	goruntime "runtime"
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
//     started the command, and Go is free to end threads. So one goroutine starts the command, waits for it and
//     stays locked to its thread in between; that thread would have been blocked in the wait anyway.
//   - The command's children, to whom this does not apply, are killed by a guard: a small sh beside the worker,
//     one for each Process, that notices when the worker is gone. It starts with the first attempt. A child
//     that was forked in the millisecond before the guard heard of its group is not covered.
//
// Elsewhere than on Linux the guard alone does this, and there is an instant between the end of a command and
// the kill of its group in which another group could, in theory, have been given the same number.
type Process struct {
	guard *guard
}

// NewProcess returns a runtime for commands. It starts nothing yet.
func NewProcess() *Process {
	return &Process{guard: newGuard()}
}

// Close ends the guard. Call it when all tasks are done: one that still runs goes on, but its children could
// outlive a worker that is killed. Start fails after it.
func (r *Process) Close() error {
	return r.guard.close()
}

// Start starts the command s.Argv. The error names the command and why it could not be started: not found, not
// executable, no such directory.
func (r *Process) Start(ctx context.Context, s Spec) (Task, error) {
	t, err := r.start(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("attempt %s: cannot start %s: %w", s.UID, quoted(s.Argv), err)
	}
	return t, nil
}

func (r *Process) start(ctx context.Context, s Spec) (*processTask, error) {
	cmd, err := command(s)
	if err != nil {
		return nil, err
	}
	if err := r.guard.ready(); err != nil {
		return nil, err
	}
	out, err := openOutput(s.Log)
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = out.stdout, out.stderr

	t := &processTask{done: make(chan struct{})}
	started := make(chan error)
	go t.run(ctx, cmd, out, r.guard, started)
	if err := <-started; err != nil {
		<-t.done
		return nil, err
	}
	return t, nil
}

type processTask struct {
	done chan struct{}
	exit Exit // written before done is closed

	mu       sync.Mutex  // held for a kill(2) at most
	group    int         // the process group to signal; 0 before it exists and once it has been killed for good
	kill     *time.Timer // forces the end; nil until a first Stop
	deadline time.Time   // when kill fires
}

func (t *processTask) Done() <-chan struct{} { return t.done }
func (t *processTask) Exit() Exit            { return t.exit }

// run is the whole life of the attempt, on one thread; see Process for why.
func (t *processTask) run(ctx context.Context, cmd *exec.Cmd, out *output, g *guard, started chan<- error) {
	goruntime.LockOSThread()
	defer goruntime.UnlockOSThread()
	defer close(t.done)

	err := startCommand(ctx, cmd)
	out.closeWriters()
	if err != nil {
		out.finish()
		started <- err
		return
	}
	group := cmd.Process.Pid
	t.setGroup(group)
	guarded := g.add(group)
	if guarded != nil {
		t.Stop(0)
	} else {
		started <- nil
	}

	if awaitExit(group) { // not reaped yet: the group's number cannot have become another's
		t.endGroup()
		t.exit = reap(cmd)
	} else {
		t.exit = reap(cmd)
		t.endGroup()
	}
	awaitEmpty(group)
	g.remove(group)
	out.finish()
	if guarded != nil {
		started <- guarded
	}
}

func (t *processTask) setGroup(group int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.group = group
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

// reap collects the command's exit status.
func reap(cmd *exec.Cmd) Exit {
	err := cmd.Wait()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		return Exit{Code: 1, Err: fmt.Errorf("waiting for %s: %w", cmd.Path, err)}
	}
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return Exit{Code: 128 + int(status.Signal()), signal: status.Signal()}
	}
	return Exit{Code: status.ExitStatus()}
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

// startCommand starts cmd, again and again for a moment if its file is "text file busy": a process that was
// forked while the file was being written has it open until its own exec, a few milliseconds later. Fresh
// workspaces run into this.
func startCommand(ctx context.Context, cmd *exec.Cmd) error {
	fresh := *cmd
	for pause := time.Millisecond; ; pause *= 2 {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := cmd.Start()
		if err == nil || !errors.Is(err, syscall.ETXTBSY) || pause > time.Second {
			return explain(err, cmd)
		}
		time.Sleep(pause)
		*cmd = fresh
	}
}

// explain adds to an error of exec what it means, where it misleads.
func explain(err error, cmd *exec.Cmd) error {
	switch _, missing := os.Stat(inDir(cmd.Dir, cmd.Path)); {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOENT) && missing == nil:
		return fmt.Errorf("%w (the file exists: does the interpreter that its first line names?)", err)
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf(`%w (a script needs a first line such as "#!/bin/sh")`, err)
	default:
		return err
	}
}
