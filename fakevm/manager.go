package fakevm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"iris/iris/vm"
)

// FailureMode is what happens to the creations that follow.
type FailureMode int

// The failure modes.
const (
	None          FailureMode = iota // slices are created
	CreateFails                      // refused with vm.ErrCreateFailed
	QuotaExceeded                    // refused with vm.ErrQuotaExceeded
)

// Config is what New needs. The zero value of all but Group is usable: no delays, no failures.
type Config struct {
	Group     vm.GroupConfig
	BootDelay time.Duration // from creation to INITIALIZING; 0 means at the first tick
	InitDelay time.Duration // from the end of booting to READY; 0 means in the same tick
	Failure   FailureMode   // the mode to begin with
}

// Manager is a [vm.Manager] whose machines are made up.
type Manager struct {
	cfg         Config
	vmsPerSlice int

	mu     sync.Mutex
	mode   FailureMode
	now    time.Time // zero until the first tick or creation; never goes back
	slices []*slice  // every slice ever made, oldest first; index is the n of its id
}

var _ vm.Manager = (*Manager)(nil)

// New makes a manager without slices. The error names every mistake in the config, each on its own line.
func New(cfg Config) (*Manager, error) {
	mistakes := []error{cfg.Group.Validate()}
	if cfg.BootDelay < 0 {
		mistakes = append(mistakes, fmt.Errorf("boot delay is %v; it must not be negative", cfg.BootDelay))
	}
	if cfg.InitDelay < 0 {
		mistakes = append(mistakes, fmt.Errorf("init delay is %v; it must not be negative", cfg.InitDelay))
	}
	if err := errors.Join(mistakes...); err != nil {
		return nil, err
	}
	n, err := cfg.Group.VMCount()
	if err != nil {
		return nil, err
	}
	return &Manager{cfg: cfg, vmsPerSlice: n, mode: cfg.Failure}, nil
}

// SetFailureMode decides what happens to the creations that follow. Slices that exist are not touched.
func (m *Manager) SetFailureMode(mode FailureMode) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mode = mode
}

// CreateSlice makes a slice fake-slice-{group}-{n} of VMs {slice}-vm-{i}, all BOOTING. A refused creation uses up
// no n.
//
// It is created at the instant of the last tick, since time moves only by Tick. Before the first tick that is
// time.Now of the first creation: a test that ticks a calendar of its own ticks once before it creates anything.
func (m *Manager) CreateSlice(ctx context.Context, r vm.Request) (vm.Slice, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("create a slice of %s: %w", m.cfg.Group.Name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.refusal(); err != nil {
		return nil, err
	}
	if m.now.IsZero() {
		m.now = time.Now()
	}
	id := r.ID
	if id == "" {
		id = fmt.Sprintf("fake-slice-%s-%d", m.cfg.Group.Name, len(m.slices))
	}
	s := newSlice(m, id, maps.Clone(r.Labels))
	m.slices = append(m.slices, s)
	return s, nil
}

// refusal is why no slice may be created now, or nil. The caller holds the lock.
func (m *Manager) refusal() error {
	name, zone := m.cfg.Group.Name, m.cfg.Group.Zones[0]
	if live := len(m.live()); live >= m.cfg.Group.MaxSlices {
		return fmt.Errorf("%w for %s in %s: %d of %d slices are live; terminate one or raise max_slices",
			vm.ErrMaxSlices, name, zone, live, m.cfg.Group.MaxSlices)
	}
	switch m.mode {
	case None:
		return nil
	case CreateFails:
		return fmt.Errorf("%w for %s in %s: the fake platform is told to refuse; "+
			"retry after SetFailureMode(None)", vm.ErrCreateFailed, name, zone)
	case QuotaExceeded:
		return fmt.Errorf("%w for %s in %s: ask for more quota, or retry when other slices have been terminated",
			vm.ErrQuotaExceeded, name, zone)
	default:
		return fmt.Errorf("%w for %s in %s: FailureMode(%d) is none of None, CreateFails, QuotaExceeded",
			vm.ErrCreateFailed, name, zone, m.mode)
	}
}

// ListSlices is the live slices, oldest first. The only error is that of an ended ctx.
func (m *Manager) ListSlices(ctx context.Context) ([]vm.Slice, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("list the slices of %s: %w", m.cfg.Group.Name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.live(), nil
}

// Slices is every slice ever made, gone or not, oldest first.
func (m *Manager) Slices() []vm.Slice {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]vm.Slice, len(m.slices))
	for i, s := range m.slices {
		all[i] = s
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

// Tick moves time to now, and every VM to where it then is: BOOTING until its boot delay is over, INITIALIZING until
// its init delay, counted from the instant booting ended, is over, then READY. An instant before the last changes
// nothing.
func (m *Manager) Tick(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now.Before(m.now) {
		return
	}
	m.now = now
	for _, s := range m.slices {
		s.advance(now)
	}
}

// Preempt takes a slice away: its VMs become PREEMPTED, except those already gone. The error is that there never was
// such a slice.
func (m *Manager) Preempt(sliceID string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.find(sliceID)
	if s == nil {
		return fmt.Errorf("preempt %q: scale group %s has had no such slice; Slices lists all",
			sliceID, m.cfg.Group.Name)
	}
	s.end(vm.Preempted)
	return nil
}

// live is the slices that are not gone. The caller holds the lock.
func (m *Manager) live() []vm.Slice {
	var live []vm.Slice
	for _, s := range m.slices {
		if !s.status().Terminal() {
			live = append(live, s)
		}
	}
	return live
}

// find is the slice with that id, or nil. The caller holds the lock.
func (m *Manager) find(id string) *slice {
	for _, s := range m.slices {
		if s.id == id {
			return s
		}
	}
	return nil
}
