package chaos

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
)

// watchKept is how many firings a Watch keeps for whoever reads it.
const watchKept = 1024

// watches are those that are on; nil while there are none, which is all that a firing pays for then. Changed
// under registry.mu, never in place.
var watches atomic.Pointer[[]*Watch]

var errWatchStopped = errors.New("chaos: the watch was stopped")

// Watch hands out firings as they happen, to one reader. It keeps the last 1024 that were not read yet and
// tells how many it had to drop. Make it with [Scope.Watch] or [Scope.WatchAll]; end it with [Watch.Stop].
type Watch struct {
	scope Scope
	room  int // for unread events

	mu      sync.Mutex // taken after a rule's, and never held while waiting
	unread  []Event    // oldest first
	missed  int        // dropped since the last one that was read
	stopped bool
	woken   chan struct{} // made by the reader while it waits, closed to wake it
}

// Event is a firing as a Watch hands it out.
type Event struct {
	Firing Firing
	By     *Rule
	Missed int // firings before this one, and after the one read before, that were too many to keep
}

// Watch begins to watch the scope's rules, those armed later too: every firing from now on.
func (c Scope) Watch() *Watch { return c.watch(false) }

// WatchAll is Watch from the last Reset on: it begins with the log of [Scope.Firings]. Between the log and
// what follows nothing is lost, and nothing comes twice.
func (c Scope) WatchAll() *Watch { return c.watch(true) }

func (c Scope) watch(all bool) *Watch {
	w := &Watch{scope: c, room: watchKept}
	registry.mu.Lock()
	defer registry.mu.Unlock()
	if all {
		for _, r := range registry.rules {
			if c.holds(r) {
				r.mu.Lock()
				defer r.mu.Unlock() // not before the watch is on, so that none of them fires in between
			}
		}
		w.unread = c.past()
		w.room += len(w.unread)
	}
	on := []*Watch{w}
	if before := watches.Load(); before != nil {
		on = append(slices.Clone(*before), w)
	}
	watches.Store(&on)
	return w
}

// past is the log of the scope's rules, oldest first. The caller holds registry.mu and the mutex of each.
func (c Scope) past() []Event {
	var log []entry
	missed := 0
	for _, r := range registry.rules {
		if c.holds(r) {
			log = append(log, r.firings...)
			missed += r.counts.Fired - len(r.firings)
		}
	}
	slices.SortFunc(log, func(a, b entry) int { return cmp.Compare(a.order, b.order) })
	events := make([]Event, len(log))
	for i, e := range log {
		events[i] = e.event
	}
	if missed > 0 { // by a rule that has others left
		events[0].Missed = missed
	}
	return events
}

// tell hands a firing to every watch that sees it. The caller holds the mutex of its rule.
func tell(e Event) {
	on := watches.Load()
	if on == nil {
		return
	}
	for _, w := range *on {
		if w.scope.holds(e.By) {
			w.push(e)
		}
	}
}

func (w *Watch) push(e Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.unread) == w.room {
		w.missed += 1 + w.unread[0].Missed
		w.unread = w.unread[1:]
	}
	w.unread = append(w.unread, e)
	w.wake()
}

// wake lets the reader look again. The caller holds w.mu.
func (w *Watch) wake() {
	if w.woken != nil {
		close(w.woken)
		w.woken = nil
	}
}

// Next returns the oldest firing that was not read yet, and waits for one if there is none. It returns an
// error once the watch is stopped, or if ctx ends before there is one (errors.Is finds ctx.Err()). It is for
// one goroutine at a time.
func (w *Watch) Next(ctx context.Context) (Event, error) {
	for {
		w.mu.Lock()
		switch {
		case w.stopped:
			w.mu.Unlock()
			return Event{}, errWatchStopped
		case len(w.unread) > 0:
			e := w.unread[0]
			e.Missed += w.missed
			w.unread, w.missed = w.unread[1:], 0
			w.mu.Unlock()
			return e, nil
		}
		woken := make(chan struct{})
		w.woken = woken
		w.mu.Unlock()

		select {
		case <-woken:
		case <-ctx.Done():
			w.mu.Lock()
			w.woken = nil // nothing is left behind of a finished synctest bubble
			w.mu.Unlock()
			return Event{}, ctx.Err()
		}
	}
}

// Stop ends the watch; a Next that waits returns an error. Stopping again does nothing.
func (w *Watch) Stop() {
	registry.mu.Lock()
	if before := watches.Load(); before != nil {
		on := slices.DeleteFunc(slices.Clone(*before), func(other *Watch) bool { return other == w })
		watches.Store(&on)
		if len(on) == 0 {
			watches.Store(nil)
		}
	}
	registry.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped, w.unread = true, nil
	w.wake()
}
