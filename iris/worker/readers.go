package worker

import (
	"context"
	"sync"
	"time"
)

const (
	readersPause  = 500 * time.Millisecond // in which whoever follows a log comes again
	lingerTimeout = 5 * time.Second        // for whoever follows a log of a worker that is otherwise done
)

// readers are those who read logs here.
type readers struct {
	mu     sync.Mutex
	inside int
	left   time.Time // when the last one did; zero: nobody was ever here
}

// enter notes a call; leave, that it is answered.
func (r *readers) enter() (leave func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inside++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.inside--
		r.left = time.Now()
	}
}

// pause is how long it takes to know that nobody follows a log any more; 0: nobody does.
func (r *readers) pause() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.inside > 0:
		return readersPause
	case r.left.IsZero():
		return 0
	}
	return max(0, readersPause-time.Since(r.left))
}

// linger lets those who follow logs read them to the end (FM-81), which goes fast: nothing writes any more.
func (w *Worker) linger(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lingerTimeout)
	defer cancel()
	for pause := w.readers.pause(); pause > 0; pause = w.readers.pause() {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		case <-w.ctx.Done():
			return
		}
	}
}
