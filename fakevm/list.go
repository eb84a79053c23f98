package fakevm

import (
	"context"
	"fmt"
	"time"

	"iris/iris/vm"
)

// ListSlices is the live slices, oldest first, those that are hidden left out; with a lag, as they were that long ago. The
// only error is that of an ended ctx.
func (m *Manager) ListSlices(ctx context.Context) ([]vm.Slice, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("list the slices of %s: %w", m.cfg.Group.Name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []vm.Slice
	for _, s := range m.slices {
		switch {
		case s.hidden:
		case m.lag == 0 && s.live():
			list = append(list, s)
		case m.lag > 0 && seen(s.statusAt(m.clock().Add(-m.lag))):
			list = append(list, stale{s, m.lag})
		}
	}
	return list, nil
}

// seen says that a slice with that status is one that a list has.
func seen(st vm.SliceStatus) bool { return len(st.VMs) > 0 && !st.Terminal() }

// SetListLag makes lists show the cloud as it was d ago: a new slice is missing, one that is gone is there, and VMs are in
// the state that they were in. What a slice out of such a list says of its VMs stays d behind, whenever it is asked; the
// rest of it, Terminate above all, acts now. With 0 or less lists are right, as they are at first.
func (m *Manager) SetListLag(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lag = max(d, 0)
}

// Hide takes a slice out of the lists that follow, and back in. It lives on, and its handle works. The error is that there
// never was such a slice.
func (m *Manager) Hide(sliceID string, hidden bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.must("hide", sliceID)
	if err == nil {
		s.hidden = hidden
	}
	return err
}

// stale is a slice as a list with a lag shows it.
type stale struct {
	*slice
	lag time.Duration
}

func (s stale) Status() vm.SliceStatus {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	return s.statusAt(s.m.clock().Add(-s.lag))
}
