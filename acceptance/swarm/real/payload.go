package real

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"iris/acceptance/swarm/oracle"
	"iris/acceptance/swarm/story"
	"iris/iris/runtime"
)

// stubbornness is how long a stubborn task goes on after it was told to stop, as a process that ignores SIGTERM does until
// SIGKILL comes. It is shorter than any beat, so that an exclusive attempt, which ends a beat or more before the lease of
// its worker does, ends before it.
const stubbornness = 4 * time.Second

// blink is how often a stubborn task looks whether its machine is still there.
const blink = 100 * time.Millisecond

// payloads are the runs of the story's function, on all workers.
type payloads struct {
	// gone reports whether a worker's machine has ended, which no process survives. A function would, until it returns.
	gone func(worker string) bool

	mu   sync.Mutex
	runs []oracle.Run
}

func (p *payloads) functions() *runtime.Func {
	f := runtime.NewFunc()
	f.Register(story.Payload, p.play)
	return f
}

// play is the function. Its arguments are how long it runs, how many attempts fail, and whether it is stubborn (see
// [story.Job]).
func (p *payloads) play(ctx context.Context, t runtime.FuncTask) error {
	lasts, err := time.ParseDuration(t.Args[0])
	if err != nil {
		return err
	}
	fails, err := strconv.Atoi(t.Args[1])
	if err != nil {
		return err
	}
	began := time.Now()
	number, attempt := p.begin(t.Env)
	byItself := wait(ctx, lasts)
	if !byItself && t.Args[2] != "" {
		byItself = p.persist(t.Env["IRIS_WORKER_ID"], lasts-time.Since(began))
	}
	switch {
	case !byItself:
		err = ctx.Err()
	case attempt < fails:
		err = runtime.ExitError(1)
	}
	p.end(number, err, !byItself)
	return err
}

// persist goes on with what is left of a stubborn task that was told to stop, and reports whether it came to its end.
func (p *payloads) persist(worker string, left time.Duration) bool {
	for end := time.Now().Add(min(left, stubbornness)); !p.gone(worker); time.Sleep(min(blink, time.Until(end))) {
		if !time.Now().Before(end) {
			return left <= stubbornness
		}
	}
	return false
}

// wait lets d pass and reports whether it did, before the context ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (p *payloads) begin(env map[string]string) (number, attempt int) {
	task, taskErr := strconv.Atoi(env["IRIS_TASK_INDEX"])
	attempt, attemptErr := strconv.Atoi(env["IRIS_ATTEMPT_ID"])
	if err := errors.Join(taskErr, attemptErr); err != nil {
		panic(err) // the worker says both
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.runs = append(p.runs, oracle.Run{
		Job: env["IRIS_JOB_ID"], Task: task, Attempt: attempt, Worker: env["IRIS_WORKER_ID"], Began: time.Now().UnixNano(),
	})
	return len(p.runs) - 1, attempt
}

func (p *payloads) end(number int, err error, stopped bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := &p.runs[number]
	r.Ended, r.Stopped = time.Now().UnixNano(), stopped
	if err != nil {
		r.Exit = 1
	}
}

// all are the runs so far.
func (p *payloads) all() []oracle.Run {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.runs)
}
