package worker

import (
	"cmp"
	"context"
	"sync"
	"time"
)

// lease is how long the controller can be trusted to still count on this worker.
type lease struct {
	mu      sync.Mutex
	from    time.Time // when the last answered heartbeat was sent
	length  time.Duration
	renewed chan struct{} // closed with the next renewal; nil: nobody waits for it
}

// renew counts it from an instant on; a length of 0 is that of before.
func (l *lease) renew(from time.Time, length time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.from, l.length = from, cmp.Or(length, l.length)
	if l.renewed != nil {
		close(l.renewed)
		l.renewed = nil
	}
}

// end is when the controller may give the worker's exclusive tasks to others.
func (l *lease) end() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.from.Add(l.length)
}

// endAfter is what the end would be after renew.
func (l *lease) endAfter(from time.Time, length time.Duration) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return from.Add(cmp.Or(length, l.length))
}

// look is the end, and a channel that is closed when there is a new one.
func (l *lease) look() (end time.Time, renewed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.renewed == nil {
		l.renewed = make(chan struct{})
	}
	return l.from.Add(l.length), l.renewed
}

// await waits until more than this is left of the lease, and reports whether it is. The order for an attempt may come before
// the answer that has the lease, but not long before: it gives up after the time that a call takes.
func (l *lease) await(ctx context.Context, left time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for {
		end, renewed := l.look()
		if time.Until(end) > left {
			return true
		}
		select {
		case <-renewed:
		case <-ctx.Done():
			return false
		}
	}
}
