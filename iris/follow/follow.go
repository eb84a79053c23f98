// Package follow watches a job until it is over: the states it goes through, and what all its attempts write.
//
//	end, err := follow.Job(ctx, job, observer, follow.Options{Logs: true})
//
// # Guarantees
//
//   - A new state is seen within half a second while the controller answers, and a job that waits is looked at as often.
//   - Every line that an attempt's worker still has is passed on once, in the order of the attempt, attempts of a task one
//     after the other. What is missing is said: lines that were dropped, a worker that is lost or does not answer.
//   - A controller that is away for a while ends nothing: the client is as patient as it was made.
//   - However many tasks there are, at most 16 requests for logs are under way at once, and one for each worker: one that
//     does not answer delays the logs of its own tasks only.
package follow

import (
	"context"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"iris/iris/client"
	pb "iris/iris/proto"
)

// Observer is told what happens. Its methods are called by several goroutines, and must return soon.
type Observer interface {
	// Status is how the job is now; called after each look, news or not.
	Status(*pb.JobStatus)
	// Line is what an attempt wrote.
	Line(Source, *pb.LogLine)
	// Gap says what of an attempt's log is missing, and why.
	Gap(Source, string)
	// Ended is how an attempt ended whose log is read; called once, after all that there is of the log.
	Ended(Source, *pb.TaskAttempt)
}

// Source is the attempt that a line comes from.
type Source struct {
	Task, Attempt int
	Worker        string
}

// Options are what to watch.
type Options struct {
	// Logs are read, all or none.
	Logs bool
	// Task alone is read; nil: all of them.
	Task *int
	// LastAttempt begins with the attempts that are the last ones now; otherwise with the first ones.
	LastAttempt bool
	// Tail skips all but so many lines of the attempts that are there now; nil skips none.
	Tail *int64
}

const (
	firstLook = 20 * time.Millisecond  // after the first; each pause is half as long again as the one before
	nextLook  = 500 * time.Millisecond // at most
	listEvery = 2 * time.Second        // the tasks are listed so often even if the job looks the same
	drainTime = 5 * time.Second        // for what is left of the logs when the job is over
)

// Job watches a job until it is over and returns its last status. The error is the context's, or why the controller does
// not say how the job is.
func Job(ctx context.Context, job *client.Job, observer Observer, options Options) (*pb.JobStatus, error) {
	w := &watch{job: job, observer: observer}
	if !options.Logs {
		return w.states(ctx)
	}
	reading, stop := context.WithCancel(ctx)
	w.reader = newReader(job, observer, options)
	read := sync.WaitGroup{}
	read.Go(func() { w.reader.run(reading) })
	defer read.Wait()
	defer stop()
	end, err := w.states(ctx)
	if err != nil {
		return end, err
	}
	w.reader.finish()
	rest := time.AfterFunc(drainTime, stop)
	defer rest.Stop()
	read.Wait()
	return end, ctx.Err()
}

// watch is the part that looks at the job.
type watch struct {
	job      *client.Job
	observer Observer
	reader   *reader // nil: no logs
	listed   time.Time
	cost     time.Duration // of the last list
}

// states looks until the job is over.
func (w *watch) states(ctx context.Context) (*pb.JobStatus, error) {
	var before *pb.JobStatus
	for pause := firstLook; ; pause = min(pause*3/2, nextLook) {
		now, err := w.job.Status(ctx)
		if err != nil {
			return before, err
		}
		w.observer.Status(now)
		over := now.State.Over()
		if over || w.stale(before, now) {
			if err := w.list(ctx); err != nil {
				return now, err
			}
		}
		if over {
			return now, nil
		}
		before = now
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return now, ctx.Err()
		}
	}
}

// stale reports whether the tasks are to be listed anew: something is different, or it is time. A list that takes long, for
// a job of many tasks, is not asked for all the time.
func (w *watch) stale(before, now *pb.JobStatus) bool {
	if w.reader == nil {
		return false
	}
	since := time.Since(w.listed)
	return before == nil || since > 20*w.cost && (since > listEvery || !proto.Equal(before, now))
}

func (w *watch) list(ctx context.Context) error {
	if w.reader == nil {
		return nil
	}
	began := time.Now()
	tasks, err := w.job.Tasks(ctx)
	if err != nil {
		return err
	}
	w.reader.know(tasks)
	w.listed, w.cost = time.Now(), time.Since(began)
	return nil
}
