package fakevm

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"iris/iris/vm"
)

// late is a request that hangs. At due it is carried out.
type late struct {
	vm.Request
	due time.Time
}

// CreateSlice makes a slice of VMs {slice}-vm-{i}, all BOOTING. Without an id in the request it is
// fake-slice-{group}-{n}; a refused creation uses up no n. The id of a live slice gets that slice, however full the group
// is and whatever fails; only while creations hang, this one does too.
//
// It is created at the instant of the last tick, or now while Run runs. Before the first tick that is time.Now of the
// first creation: a test that ticks a calendar of its own ticks once before it creates anything.
func (m *Manager) CreateSlice(ctx context.Context, r vm.Request) (vm.Slice, error) {
	group := m.cfg.Group
	if r.Zone == "" {
		r.Zone = group.Zones[0]
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("create a slice of %s in %s: %w", group.Name, r.Zone, err)
	}
	if !slices.Contains(group.Zones, r.Zone) {
		return nil, fmt.Errorf("%w for %s in %q: the zones of the group are %q; ask for one of them",
			vm.ErrCreateFailed, group.Name, r.Zone, group.Zones)
	}
	r.Labels = maps.Clone(r.Labels)
	var s *slice
	err := m.change(func() (err error) {
		if m.now.IsZero() {
			m.now = time.Now()
		}
		if err = m.room(r); err != nil {
			return err
		}
		if m.mode == CreateHangs {
			m.late = append(m.late, late{r, m.now.Add(m.cfg.LateBy)})
			return nil
		}
		s, err = m.create(r, m.mode)
		return err
	})
	if err != nil {
		return nil, err
	}
	if s == nil {
		<-ctx.Done()
		return nil, fmt.Errorf("create a slice of %s in %s: the fake platform does not answer, and the slice may come late: %w",
			group.Name, r.Zone, ctx.Err())
	}
	return s, nil
}

// room is ErrMaxSlices if the group is full, unless the request is for a slice that was made already. The caller holds
// the lock.
func (m *Manager) room(r vm.Request) error {
	live, limit := m.liveIn(""), m.cfg.Group.MaxSlices
	if live < limit || m.find(r.ID) != nil {
		return nil
	}
	return fmt.Errorf("%w for %s in %s: %d of %d slices are live; terminate one or raise max_slices",
		vm.ErrMaxSlices, m.cfg.Group.Name, r.Zone, live, limit)
}

// create is what the platform does with a request: it makes the slice, finds it, or refuses. The caller holds the lock.
func (m *Manager) create(r vm.Request, mode FailureMode) (*slice, error) {
	switch known := m.find(r.ID); {
	case known == nil:
	case known.live():
		return known, nil
	default:
		return nil, fmt.Errorf("%w: %s of %s was created at %v; take an id that was never used",
			vm.ErrSliceGone, r.ID, m.cfg.Group.Name, known.createdAt)
	}
	if err := m.refusal(r.Zone, mode); err != nil {
		return nil, err
	}
	for n := len(m.slices); r.ID == ""; n++ {
		if id := fmt.Sprintf("fake-slice-%s-%d", m.cfg.Group.Name, n); m.find(id) == nil {
			r.ID = id
		}
	}
	s := newSlice(m, r, mode)
	m.slices = append(m.slices, s)
	return s, nil
}

// arrive carries out a request that hung, as far as there is room by then: nobody waits for the answer any more. The
// caller holds the lock.
func (m *Manager) arrive(r vm.Request) {
	if m.room(r) == nil {
		_, _ = m.create(r, None)
	}
}
