package runtime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"
)

// Func runs attempts as Go functions in the worker's own process: for tests, for demos, and for everything
// that shall happen in virtual time. Make it with NewFunc.
type Func struct {
	mu    sync.Mutex
	funcs map[string]func(context.Context, FuncTask) error
}

// NewFunc returns a runtime that knows no function yet.
func NewFunc() *Func {
	return &Func{funcs: make(map[string]func(context.Context, FuncTask) error)}
}

// Register makes f available as name. An attempt's exit code is 0 if f returns nil; an error means 1, or what
// the error's ExitCode() int says (see ExitError); a panic means 2 and the error "panic: …", with the stack
// on stderr. f should return soon after its context is cancelled: there is no way to kill it.
//
// Register panics if the name is empty or taken: both are mistakes of the program.
func (r *Func) Register(name string, f func(ctx context.Context, t FuncTask) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, taken := r.funcs[name]; taken || name == "" || f == nil {
		panic(fmt.Sprintf("runtime: cannot register function %q: empty or taken name, or no function", name))
	}
	r.funcs[name] = f
}

// Start runs the function s.Func in a goroutine. The function's context is cancelled by Stop, not by ctx. An
// unknown name is an error that lists the known ones.
func (r *Func) Start(ctx context.Context, s Spec) (Task, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("attempt %s: function %q was not started: %w", s.UID, s.Func, err)
	}
	f, err := r.lookup(s.Func)
	if err != nil {
		return nil, fmt.Errorf("attempt %s: %w", s.UID, err)
	}
	running, cancel := context.WithCancel(context.Background())
	t := &funcTask{cancel: cancel, done: make(chan struct{})}
	log := &funcLog{emit: s.Log, turn: make(chan struct{}, 1)}
	go t.run(running, f, FuncTask{Args: slices.Clone(s.Args), Env: maps.Clone(s.Env), Dir: s.Dir, log: log})
	return t, nil
}

func (r *Func) lookup(name string) (func(context.Context, FuncTask) error, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f, ok := r.funcs[name]; ok {
		return f, nil
	}
	known := "no function is registered on this worker"
	if len(r.funcs) > 0 {
		known = "known: " + strings.Join(slices.Sorted(maps.Keys(r.funcs)), ", ")
	}
	return nil, fmt.Errorf("unknown function %q (%s)", name, known)
}

// FuncTask is what a function is given.
type FuncTask struct {
	Args []string          // the task's arguments
	Env  map[string]string // the task's environment, and nothing of the worker's
	Dir  string            // the task's working directory, if it has one; the worker's own is not changed

	log *funcLog
}

// Printf logs to stdout. Each call ends its line; text with newlines is several lines. It may be called from
// several goroutines, but what is logged after the function has returned is dropped: its attempt is over.
func (t FuncTask) Printf(format string, args ...any) {
	t.log.print(Stdout, fmt.Sprintf(format, args...))
}

// funcLog lets one goroutine at a time log. The turn is a channel, not a mutex, because Log may wait, and only
// a wait on a channel lets virtual time go on.
type funcLog struct {
	emit   func(stream, line string)
	turn   chan struct{}
	closed bool // guarded by turn
}

func (l *funcLog) print(stream, text string) {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	if l.closed {
		return
	}
	cut := lines{emit: func(line string) { l.emit(stream, line) }}
	cut.Write([]byte(strings.TrimSuffix(text, "\n") + "\n"))
}

func (l *funcLog) close() {
	l.turn <- struct{}{}
	l.closed = true
	<-l.turn
}

type funcTask struct {
	cancel context.CancelFunc
	done   chan struct{}
	exit   Exit // written before done is closed
}

func (t *funcTask) Done() <-chan struct{} { return t.done }
func (t *funcTask) Exit() Exit            { return t.exit }

// Stop cancels the function's context; no grace can make it return.
func (t *funcTask) Stop(time.Duration) { t.cancel() }

func (t *funcTask) run(ctx context.Context, f func(context.Context, FuncTask) error, task FuncTask) {
	defer close(t.done)
	defer task.log.close()
	defer t.cancel()

	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil {
			t.exit = Exit{Code: 2, Err: fmt.Errorf("panic: %v", v)}
			task.log.print(Stderr, fmt.Sprintf("panic: %v\n\n%s", v, debug.Stack()))
			return
		}
		t.exit = Exit{Code: 2, Err: errGoexit}
	}()
	t.exit = exitOf(f(ctx, task))
	returned = true
}

// errGoexit is how a function ends that neither returns nor panics, as a failed t.Fatal in one does.
var errGoexit = errors.New("the function ended its goroutine (runtime.Goexit)")
