package fakevm

import (
	"context"
	"slices"
	"time"
)

// Tick moves time to now, and everything to where it then is. A VM is BOOTING until its boot delay is over, INITIALIZING
// until its init delay, counted from the instant booting ended, is over, then READY; under notice it is STOPPING until it
// leaves. An instant before the last changes nothing.
func (m *Manager) Tick(now time.Time) {
	_ = m.change(func() error {
		if !now.Before(m.now) {
			m.advance(now)
		}
		return nil
	})
}

// Next is when something happens by itself next, if nobody changes anything before; false: never.
func (m *Manager) Next() (at time.Time, more bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, more := m.next()
	return e.at, more
}

// Run moves time by itself until ctx ends, and blocks as long: it is time.Now, and what is due happens at once. If the last
// tick is ahead of time.Now, time stands still until that has caught up. It starts no goroutine. Tick meanwhile is
// harmless, and so is a second Run. When Run returns, the machines have been told of all it did; time then moves by
// Tick again.
func (m *Manager) Run(ctx context.Context) {
	m.runs(1)
	defer m.runs(-1)
	for ctx.Err() == nil {
		due, changed := m.catchUp()
		select {
		case <-due:
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// runs counts the calls of Run that are under way.
func (m *Manager) runs(delta int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running += delta
}

// catchUp does what is due by now. Then Run waits for the instant at which something is due, which may be never, and for
// the next change.
func (m *Manager) catchUp() (due <-chan time.Time, changed <-chan struct{}) {
	m.mu.Lock()
	defer m.release()
	m.advance(m.clock())
	if e, more := m.next(); more {
		due = time.After(time.Until(e.at))
	}
	if m.changed == nil {
		m.changed = make(chan struct{})
	}
	return due, m.changed
}

// wake has every Run look again at what is due. The caller holds the lock.
func (m *Manager) wake() {
	if m.changed != nil {
		close(m.changed)
		m.changed = nil
	}
}

// clock is what time it is. The caller holds the lock.
func (m *Manager) clock() time.Time {
	if now := time.Now(); m.running > 0 && now.After(m.now) {
		return now
	}
	return m.now
}

// advance does everything that is due until an instant not before the manager's now, each at its own instant, and makes
// that the now. The caller holds the lock.
func (m *Manager) advance(until time.Time) {
	for {
		e, more := m.next()
		if !more || e.at.After(until) {
			break
		}
		m.now = e.at
		if e.vm != nil {
			e.vm.step(e.at)
		} else {
			r := m.late[e.late].Request
			m.late = slices.Delete(m.late, e.late, e.late+1)
			m.arrive(r)
		}
	}
	m.now = until
}

// event is what happens by itself: a VM takes its next step, or else a request that hung is carried out.
type event struct {
	at   time.Time
	vm   *instance
	late int // index into Manager.late
}

// next is the earliest event that is to come; false if there is none. Of those at the same instant the VMs of older slices
// come first, and the requests last. The caller holds the lock.
func (m *Manager) next() (first event, more bool) {
	for _, s := range m.slices {
		for _, i := range s.vms {
			if at, will := i.due(); will && (!more || at.Before(first.at)) {
				first, more = event{at: at, vm: i}, true
			}
		}
	}
	for n, l := range m.late {
		if !more || l.due.Before(first.at) {
			first, more = event{at: l.due, late: n}, true
		}
	}
	return first, more
}
