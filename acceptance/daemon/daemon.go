// Package daemon runs real daemons: processes of the iris binary, which it builds, starts, kills, starts again and ends.
//
//	path, err := daemon.Build(ctx, root, dir) // once
//	fleet, err := daemon.NewFleet(daemon.Config{Binary: path, …})
//	err = fleet.Start(ctx)
//	defer fleet.Stop()
//	fleet.Workers[0].Kill() // as kill -9 does
//	err = fleet.Workers[0].Start() // as its supervisor would
//
// Once Stop has returned without an error nothing of a fleet is left: no daemon, no task of one, no directory.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Daemon is one participant: a process, or a series of them with the same command line and data, one at a time. Its
// methods may be called from any goroutine.
type Daemon struct {
	Name string

	binary string
	args   []string
	env    []string // set before Start
	log    io.Writer

	mu      sync.Mutex
	current *process
	alive   sync.WaitGroup // processes, and readers of what they say
}

// process is one process of a daemon.
type process struct {
	cmd    *exec.Cmd
	ready  chan struct{} // closed when it serves
	exited chan struct{} // closed when it has ended
	silent chan struct{} // closed when it, and all that it started, can say nothing more

	mu      sync.Mutex
	ended   bool   // by the harness
	address string // where it serves
	last    string // what it said last
}

// Start starts a process; the one before must have ended.
func (d *Daemon) Start() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.current != nil && !over(d.current.exited) {
		return fmt.Errorf("%s runs already", d.Name)
	}
	p := &process{ready: make(chan struct{}), exited: make(chan struct{}), silent: make(chan struct{})}
	p.cmd = exec.Command(d.binary, d.args...)
	p.cmd.Env = d.env
	p.cmd.SysProcAttr = attributes()
	// The pipes are the harness's own, so that a task that still holds one does not hold up the wait for the daemon.
	out, err := d.pipe(&p.cmd.Stdout, p.serves, func() {})
	if err != nil {
		return err
	}
	defer out.Close()
	log, err := d.pipe(&p.cmd.Stderr, p.says, func() { close(p.silent) })
	if err != nil {
		return err
	}
	defer log.Close()
	started := make(chan error)
	d.alive.Go(func() { p.run(started) })
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", d.Name, err)
	}
	d.current = p
	return nil
}

// run is the life of the process. It stays on one thread: the kernel ends the process with the thread that started it.
func (p *process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err == nil {
		_ = p.cmd.Wait() // its state says how it ended
		close(p.exited)
	}
}

// Ready waits until the current process serves, or has ended.
func (d *Daemon) Ready(ctx context.Context) error {
	p := d.process()
	if p == nil {
		return fmt.Errorf("%s was not started", d.Name)
	}
	select {
	case <-p.ready:
		return nil
	case <-p.exited:
		return fmt.Errorf("%s ended before it served: %v: %s", d.Name, p.cmd.ProcessState, p.lastSaid())
	case <-ctx.Done():
		return fmt.Errorf("%s does not serve: %w: %s", d.Name, ctx.Err(), p.lastSaid())
	}
}

// Address is where the current process serves; "" while it does not.
func (d *Daemon) Address() string {
	p := d.process()
	if p == nil {
		return ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.address
}

// Kill ends the current process as kill -9 does, if one runs, and waits until it is gone. What it had started lives on. A
// process that had ended by itself is an error.
func (d *Daemon) Kill() error {
	p, err := d.running()
	if p == nil || err != nil {
		return err
	}
	return d.end(p, syscall.SIGKILL, time.Minute)
}

// Terminate asks the current process to end, if one runs, and waits until it has, with exit status 0. One that does not
// within the time is killed, which is an error, and so is one that had ended by itself.
func (d *Daemon) Terminate(patience time.Duration) error {
	p, err := d.running()
	if p == nil || err != nil {
		return err
	}
	if err := d.end(p, syscall.SIGTERM, patience); err != nil {
		return errors.Join(err, d.end(p, syscall.SIGKILL, time.Minute))
	}
	if !p.cmd.ProcessState.Success() {
		return fmt.Errorf("%s ended with %v: %s", d.Name, p.cmd.ProcessState, p.lastSaid())
	}
	return nil
}

// running is the current process, unless it was ended.
func (d *Daemon) running() (*process, error) {
	p := d.process()
	switch {
	case p == nil || p.wasEnded():
		return nil, nil
	case over(p.exited):
		return nil, fmt.Errorf("%s ended by itself: %v: %s", d.Name, p.cmd.ProcessState, p.lastSaid())
	}
	return p, nil
}

// end sends a signal and waits for the process.
func (d *Daemon) end(p *process, signal syscall.Signal, patience time.Duration) error {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%v to %s: %w", signal, d.Name, err)
	}
	select {
	case <-p.exited:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("%s runs on, %v after %v: %s", d.Name, patience, signal, p.lastSaid())
	}
}

func (d *Daemon) process() *process {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.current
}

// pipe is the writing end for a stream of a process; its lines are logged under the daemon's name.
func (d *Daemon) pipe(stream *io.Writer, heard func(string), end func()) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", d.Name, err)
	}
	*stream = w
	d.alive.Go(func() {
		defer r.Close()
		defer end()
		eachLine(r, func(line string) {
			fmt.Fprintf(d.log, "%s | %s\n", d.Name, line)
			heard(line)
		})
	})
	return w, nil
}

// serves looks for the line that says where a process serves.
func (p *process) serves(line string) {
	_, address, found := strings.Cut(line, " serves at ")
	if !found || over(p.ready) {
		return
	}
	p.mu.Lock()
	p.address = address
	p.mu.Unlock()
	close(p.ready)
}

func (p *process) says(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = line
}

// lastSaid waits a moment for what a process that has ended wrote before.
func (p *process) lastSaid() string {
	select {
	case <-p.silent:
	case <-time.After(time.Second):
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == "" {
		return "it said nothing"
	}
	return "it said last: " + p.last
}

func (p *process) wasEnded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

func over(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// set gives a variable of an environment a value, in place of any it has.
func set(env []string, name, value string) []string {
	env = slices.DeleteFunc(slices.Clone(env), func(v string) bool { return strings.HasPrefix(v, name+"=") })
	return append(env, name+"="+value)
}
