package journal

import (
	"errors"
	"fmt"
	"sync"

	"iris/chaos"
)

// ErrClosed is why a journal is over that was closed.
var ErrClosed = errors.New("the journal is closed")

// ending is the end of a journal, whoever brings it about: Close, a fault that it does not survive, or chaos. From
// then on it writes, applies and sends nothing.
type ending struct {
	done chan struct{}     // closed at the end
	last func(cause error) // what to do then; it must not wait

	mu    sync.Mutex
	cause error
}

// over is why the journal is over; nil while it is not.
func (e *ending) over() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.cause
}

// end ends the journal, unless it is over. The first cause counts.
func (e *ending) end(cause error) {
	e.mu.Lock()
	first := e.cause == nil
	if first {
		e.cause = cause
	}
	e.mu.Unlock()
	if first {
		close(e.done)
		e.last(cause)
	}
}

// crash ends the journal if err is a failure that chaos injected at a site, and reports whether it is.
func (e *ending) crash(site *chaos.Site, err error) bool {
	if !errors.Is(err, chaos.ErrInjected) {
		return false
	}
	e.end(fmt.Errorf("%w at %s: %w", ErrCrashed, site.Name(), err))
	return true
}
