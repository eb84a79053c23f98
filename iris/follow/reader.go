package follow

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/iris/client"
	pb "iris/iris/proto"
)

const (
	atOnce    = 16  // visits
	visitMost = 100 // logs in one
	readPause = 50 * time.Millisecond
	readRest  = time.Second // the longest pause between two looks at a log that does not grow
	readLimit = 5 * time.Second
	manyLines = 1000 // a page of so many has another behind it
)

// reader reads the logs of a job's tasks, a page at a time. It visits each worker on its own.
type reader struct {
	job      *client.Job
	observer Observer
	options  Options

	mu      sync.Mutex
	tasks   []*pb.TaskStatus
	over    bool // no attempt will follow
	begun   bool // a first list has come
	cursors map[int]*cursor
	visited map[string]bool // workers that are being asked
	news    chan struct{}
}

// cursor is how far the log of a task is read. While it is busy it belongs to a visit.
type cursor struct {
	attempt int
	line    int64
	placed  bool // it stands where reading is to begin
	read    bool // this attempt is read to its end
	busy    bool
	pause   time.Duration
	next    time.Time // not to be asked for before
	trouble string    // why the last request failed
}

// request is a log to read on in.
type request struct {
	*cursor
	task *pb.TaskStatus
}

func (q request) status() *pb.TaskAttempt { return q.task.Attempts[q.attempt] }

func (q request) source() Source {
	return Source{Task: int(q.task.TaskIndex), Attempt: q.attempt, Worker: q.status().WorkerId}
}

func newReader(job *client.Job, observer Observer, options Options) *reader {
	return &reader{
		job: job, observer: observer, options: options,
		cursors: map[int]*cursor{}, visited: map[string]bool{}, news: make(chan struct{}, 1),
	}
}

// know takes a new list of the tasks.
func (r *reader) know(tasks []*pb.TaskStatus) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tasks = tasks
	for _, t := range tasks {
		if r.options.Task != nil && *r.options.Task != int(t.TaskIndex) || len(t.Attempts) == 0 {
			continue
		}
		c := r.cursors[int(t.TaskIndex)]
		switch {
		case c == nil && r.begun:
			r.cursors[int(t.TaskIndex)] = &cursor{placed: true}
		case c == nil && r.options.LastAttempt:
			r.cursors[int(t.TaskIndex)] = &cursor{attempt: len(t.Attempts) - 1, placed: r.options.Tail == nil}
		case c == nil:
			r.cursors[int(t.TaskIndex)] = &cursor{placed: r.options.Tail == nil}
		}
	}
	r.begun = true
	r.wake()
}

// finish says that the list is final.
func (r *reader) finish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	r.wake()
}

func (r *reader) wake() {
	select {
	case r.news <- struct{}{}:
	default:
	}
}

// run reads until everything is read or ctx ends.
func (r *reader) run(ctx context.Context) {
	visits := sync.WaitGroup{}
	for {
		due, next, left := r.due(time.Now())
		for worker, requests := range due {
			visits.Go(func() { r.visit(ctx, worker, requests) })
		}
		if !left {
			visits.Wait()
			return
		}
		timer := time.NewTimer(max(0, time.Until(next)))
		select {
		case <-timer.C:
		case <-r.news:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			visits.Wait()
			r.leave()
			return
		}
	}
}

// due picks the logs that are to be asked for now, by worker, and says when the next one is and whether any is left.
func (r *reader) due(now time.Time) (due map[string][]request, next time.Time, left bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	due, next, left = map[string][]request{}, now.Add(time.Minute), !r.over
	for _, t := range r.tasks {
		c := r.cursors[int(t.TaskIndex)]
		if c == nil || c.busy {
			left = left || c != nil
			continue
		}
		if c.read && c.attempt+1 < len(t.Attempts) {
			*c = cursor{attempt: c.attempt + 1, placed: true}
		}
		if c.read {
			continue
		}
		left = true
		worker := t.Attempts[c.attempt].WorkerId
		switch {
		case r.visited[worker] || len(due[worker]) == visitMost || due[worker] == nil && len(r.visited)+len(due) >= atOnce:
			// the end of a visit wakes us
		case c.next.After(now):
			if c.next.Before(next) {
				next = c.next
			}
		default:
			due[worker] = append(due[worker], request{c, t})
		}
	}
	for worker, requests := range due {
		r.visited[worker] = true
		for _, q := range requests {
			q.busy = true
		}
	}
	return due, next, left
}

// visit reads some logs of one worker. One that does not answer is let be.
func (r *reader) visit(ctx context.Context, worker string, requests []request) {
	answers := true
	for _, q := range requests {
		if answers {
			answers = r.page(ctx, q)
		} else {
			q.rest()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range requests {
		q.busy = false
	}
	delete(r.visited, worker)
	r.wake()
}

// leave says what has not been read of a job that is over.
func (r *reader) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.over {
		return
	}
	for _, t := range r.tasks {
		c := r.cursors[int(t.TaskIndex)]
		if c == nil || c.read {
			continue
		}
		why := c.trouble
		if why == "" {
			why = "it was still growing"
		}
		q := request{c, t}
		r.observer.Gap(q.source(), "the rest of its log was not read: "+why)
		if q.status().State.Over() {
			r.end(q)
		}
	}
}

// end notes that the log of an attempt that is over is read.
func (r *reader) end(q request) {
	q.read = true
	r.observer.Ended(q.source(), q.status())
}

// page reads one page. It returns false if the worker did not answer.
func (r *reader) page(ctx context.Context, q request) bool {
	ended := q.status().State.Over() // known before the request: then nothing can follow what it brings
	out, err := r.ask(ctx, q)
	switch status.Code(err) {
	case codes.OK:
	case codes.NotFound, codes.FailedPrecondition: // the worker was started again, or is lost
		if ended {
			r.observer.Gap(q.source(), "its log is gone: "+status.Convert(err).Message())
			r.end(q)
		}
		q.rest()
		return true
	default:
		q.trouble = "its worker does not answer"
		q.rest()
		return false
	}
	q.trouble = ""
	if out.Dropped > 0 {
		r.observer.Gap(q.source(), fmt.Sprintf("%d lines of its log were dropped: its worker keeps the last ones only", out.Dropped))
	}
	for _, line := range out.Lines {
		r.observer.Line(q.source(), line)
	}
	q.line = max(q.line, out.NextLine) // an answer for want of a log begins at 0
	if out.Complete && ended {
		r.end(q)
	}
	if len(out.Lines) == 0 {
		q.rest()
	} else {
		q.pause, q.next = 0, time.Now()
		if len(out.Lines) < manyLines && !ended {
			q.next = q.next.Add(readPause)
		}
	}
	return true
}

// ask reads without retries, since the reader comes again anyway. At first it finds the place to begin.
func (r *reader) ask(ctx context.Context, q request) (*pb.FetchTaskLogsResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	attempt := int32(q.attempt)
	if !q.placed {
		end, err := r.job.LogPage(ctx, int(q.task.TaskIndex), &attempt, math.MaxInt64/2)
		if err != nil {
			return nil, err
		}
		q.line, q.placed = max(0, end.NextLine-*r.options.Tail), true
	}
	return r.job.LogPage(ctx, int(q.task.TaskIndex), &attempt, q.line)
}

// rest lets a log be for a while, longer each time.
func (c *cursor) rest() {
	c.pause = min(max(2*c.pause, readPause), readRest)
	c.next = time.Now().Add(c.pause)
}
