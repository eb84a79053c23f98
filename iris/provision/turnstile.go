package provision

import (
	"context"
	"slices"
	"sync"
)

// turnstile lets a number of calls be under way at once; the others wait in the order in which they queued.
type turnstile struct {
	mu     sync.Mutex
	free   int
	queued []turn
}

// turn is closed when it has come.
type turn chan struct{}

// queue takes a place. It never blocks; pass or nobody else must follow.
func (t *turnstile) queue() turn {
	mine := make(turn)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.free > 0 {
		t.free--
		close(mine)
	} else {
		t.queued = append(t.queued, mine)
	}
	return mine
}

// pass waits for the turn; leave must follow. After an error, which is ctx's, the place is given up.
func (t *turnstile) pass(ctx context.Context, mine turn) error {
	select {
	case <-mine:
	case <-ctx.Done():
	}
	if err := ctx.Err(); err != nil {
		t.giveUp(mine)
		return err
	}
	return nil
}

func (t *turnstile) giveUp(mine turn) {
	t.mu.Lock()
	i := slices.Index(t.queued, mine)
	if i >= 0 {
		t.queued = slices.Delete(t.queued, i, i+1)
	}
	t.mu.Unlock()
	if i < 0 { // its turn had come
		t.leave()
	}
}

// leave lets the next one pass.
func (t *turnstile) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queued) == 0 {
		t.free++
		return
	}
	close(t.queued[0])
	t.queued = slices.Delete(t.queued, 0, 1)
}
