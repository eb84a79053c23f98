package fakevm

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"iris/iris/vm"
)

// Manager is a [vm.Manager] whose machines are made up.
type Manager struct {
	cfg         Config
	vmsPerSlice int

	mu      sync.Mutex
	now     time.Time     // zero until the first tick or creation; never goes back
	slices  []*slice      // every slice ever made, oldest first
	late    []late        // requests that hang: their slices are still to come
	running int           // calls of Run
	changed chan struct{} // closed by the next change; nil unless a Run waits for it
	calls   []call        // what Machines is to be told of the change that is under way

	mode    FailureMode
	quota   map[string]int  // live slices by zone; none or negative: no bound
	soldOut map[string]bool // by zone
	refuse  int             // terminations still to fail
	lag     time.Duration   // of lists
}

var _ vm.Manager = (*Manager)(nil)

// change does one change of the cloud under the lock, and outside it tells the machines what came of it. While Run runs
// the change happens now, after everything that is due by now.
func (m *Manager) change(do func() error) error {
	m.mu.Lock()
	if m.running > 0 {
		m.advance(m.clock())
	}
	err := do()
	m.wake()
	m.release()
	return err
}

// release ends a change: it unlocks, and makes the calls that the change gave rise to. The caller holds the lock.
func (m *Manager) release() {
	calls := m.calls
	m.calls = nil
	m.mu.Unlock()
	for _, c := range calls {
		c.tell(m.cfg.Machines)
	}
}

// Slices is every slice ever made, gone or not, oldest first.
func (m *Manager) Slices() []vm.Slice {
	return m.all(func(*slice) bool { return true })
}

// Live is the slices that are not gone, oldest first: the truth, which lists may lack.
func (m *Manager) Live() []vm.Slice {
	return m.all((*slice).live)
}

func (m *Manager) all(which func(*slice) bool) []vm.Slice {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []vm.Slice
	for _, s := range m.slices {
		if which(s) {
			all = append(all, s)
		}
	}
	return all
}

// Slice is the slice with that id, gone or not; false if there never was one.
func (m *Manager) Slice(id string) (vm.Slice, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.find(id); s != nil {
		return s, true
	}
	return nil, false
}

// find is the slice with that id, or nil. The caller holds the lock.
func (m *Manager) find(id string) *slice {
	if i := slices.IndexFunc(m.slices, func(s *slice) bool { return s.id == id }); i >= 0 {
		return m.slices[i]
	}
	return nil
}

// must is find for a method that needs the slice: the error says what it could not do. The caller holds the lock.
func (m *Manager) must(verb, id string) (*slice, error) {
	if s := m.find(id); s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("%s %q: scale group %s has had no such slice; Slices lists all", verb, id, m.cfg.Group.Name)
}

// liveIn counts the live slices of a zone, or of all if it is empty. The caller holds the lock.
func (m *Manager) liveIn(zone string) int {
	n := 0
	for _, s := range m.slices {
		if s.live() && (zone == "" || s.zone == zone) {
			n++
		}
	}
	return n
}
