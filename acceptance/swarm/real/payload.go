package real

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"iris/acceptance/swarm/story"
	"iris/iris/runtime"
)

// stubbornness is how long a stubborn task goes on after it was told to stop, as a process that ignores SIGTERM does until
// SIGKILL comes. It is shorter than any beat, so that an exclusive attempt, which ends a beat or more before the lease of
// its worker does, ends before it.
const stubbornness = 4 * time.Second

// payloads are the runs of the story's function, on all workers.
type payloads struct {
	epoch time.Time

	mu   sync.Mutex
	runs []run
}

// run is one of them. Times are since the epoch.
type run struct {
	job, worker   string
	task, attempt int
	began, ended  time.Duration // ended 0: it runs
	exit          int
	stopped       bool // it was told to stop before it ended
}

func (r run) String() string {
	return fmt.Sprintf("attempt %s/%d/%d on %s since %v", r.job, r.task, r.attempt, r.worker, r.began)
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
	number, r := p.begin(t.Env)
	byItself := wait(ctx, lasts)
	if rest := lasts - p.since(r.began); !byItself && t.Args[2] != "" {
		time.Sleep(min(rest, stubbornness))
		byItself = rest <= stubbornness
	}
	switch {
	case !byItself:
		err = ctx.Err()
	case r.attempt < fails:
		err = runtime.ExitError(1)
	}
	p.end(number, err, ctx.Err() != nil)
	return err
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

func (p *payloads) since(at time.Duration) time.Duration { return time.Since(p.epoch) - at }

func (p *payloads) begin(env map[string]string) (number int, r run) {
	task, taskErr := strconv.Atoi(env["IRIS_TASK_INDEX"])
	attempt, attemptErr := strconv.Atoi(env["IRIS_ATTEMPT_ID"])
	if err := errors.Join(taskErr, attemptErr); err != nil {
		panic(err) // the worker says both
	}
	r = run{job: env["IRIS_JOB_ID"], worker: env["IRIS_WORKER_ID"], task: task, attempt: attempt, began: time.Since(p.epoch)}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.runs = append(p.runs, r)
	return len(p.runs) - 1, r
}

func (p *payloads) end(number int, err error, stopped bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := &p.runs[number]
	r.ended, r.stopped = time.Since(p.epoch), stopped
	if err != nil {
		r.exit = 1
	}
}

// running are those that have not ended.
func (p *payloads) running() []run {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []run
	for _, r := range p.runs {
		if r.ended == 0 {
			all = append(all, r)
		}
	}
	return all
}
