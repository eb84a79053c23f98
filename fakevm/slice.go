package fakevm

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"iris/iris/vm"
)

// slice implements vm.Slice. Its VMs and whether it is hidden are guarded by the manager's lock; the rest never changes.
type slice struct {
	m         *Manager
	id        string
	zone      string
	labels    map[string]string
	createdAt time.Time
	stuck     vm.State // the state that its VMs never leave by themselves; zero: none

	vms    []*instance
	hidden bool
}

// newSlice is a BOOTING slice, created at the manager's now. The caller holds the lock.
func newSlice(m *Manager, r vm.Request, mode FailureMode) *slice {
	s := &slice{m: m, id: r.ID, zone: r.Zone, labels: r.Labels, createdAt: m.now}
	for i := range m.vmsPerSlice {
		s.vms = append(s.vms, newInstance(s, i))
	}
	switch mode {
	case BootStuck:
		s.stuck = vm.Booting
	case InitStuck:
		s.stuck = vm.Initializing
	case CreatePartial:
		s.vms[len(s.vms)-1].end(vm.Failed, "the fake platform could not create it")
	}
	return s
}

func (s *slice) ID() string                { return s.id }
func (s *slice) Zone() string              { return s.zone }
func (s *slice) Group() string             { return s.m.cfg.Group.Name }
func (s *slice) CreatedAt() time.Time      { return s.createdAt }
func (s *slice) Labels() map[string]string { return maps.Clone(s.labels) }

func (s *slice) Status() vm.SliceStatus {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	return s.status()
}

// Terminate gives the slice back, and returns nil after the machines of its VMs have halted. The error is that of an ended
// ctx, or that the cloud is told to fail; then nothing has changed, except if ctx ended while another call was
// halting them.
func (s *slice) Terminate(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("terminate %s: %w", s.id, err)
	}
	err := s.m.change(func() error {
		if s.m.refuse > 0 {
			s.m.refuse--
			return fmt.Errorf("terminate %s: the fake platform is told to fail, and nothing has changed; call Terminate again", s.id)
		}
		s.end(vm.Terminated)
		return nil
	})
	if err != nil {
		return err
	}
	return s.halted(ctx)
}

// Logs has a line for each state that the VM was in, the oldest first, with the instant it entered it.
func (s *slice) Logs(ctx context.Context, vmID string, n int) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("logs of %s: %w", vmID, err)
	}
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	i := s.instance(vmID)
	if i == nil {
		return nil, fmt.Errorf("logs of %q: slice %s has no such VM", vmID, s.id)
	}
	var lines []string
	for _, v := range i.life[max(len(i.life)-max(n, 0), 0):] {
		lines = append(lines, line(v))
	}
	return lines, nil
}

// status is a copy. The caller holds the lock.
func (s *slice) status() vm.SliceStatus {
	var st vm.SliceStatus
	for _, i := range s.vms {
		st.VMs = append(st.VMs, i.is())
	}
	return st
}

// statusAt is the status as it was at an instant, without VMs if the slice did not exist then. The caller holds the lock.
func (s *slice) statusAt(t time.Time) vm.SliceStatus {
	var st vm.SliceStatus
	for _, i := range s.vms {
		if v, was := i.at(t); was {
			st.VMs = append(st.VMs, v)
		}
	}
	return st
}

// live says that the slice is not gone. The caller holds the lock.
func (s *slice) live() bool {
	return slices.ContainsFunc(s.vms, func(i *instance) bool { return !i.is().State.Terminal() })
}

// instance is the VM with that id, or nil.
func (s *slice) instance(vmID string) *instance {
	if i := slices.IndexFunc(s.vms, func(i *instance) bool { return i.is().ID == vmID }); i >= 0 {
		return s.vms[i]
	}
	return nil
}

// end moves the VMs that are not gone to a terminal state. The caller holds the lock.
func (s *slice) end(state vm.State) {
	for _, i := range s.vms {
		i.end(state, "")
	}
}
