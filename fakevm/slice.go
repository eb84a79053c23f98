package fakevm

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"iris/iris/vm"
)

// slice implements vm.Slice. Its VMs are guarded by the manager's lock; the rest never changes.
type slice struct {
	m         *Manager
	id        string
	labels    map[string]string
	createdAt time.Time
	vms       []vm.VM
}

// newSlice is a BOOTING slice, created at the manager's now. The caller holds the lock.
func newSlice(m *Manager, id string, labels map[string]string) *slice {
	s := &slice{m: m, id: id, labels: labels, createdAt: m.now, vms: make([]vm.VM, m.vmsPerSlice)}
	for i := range s.vms {
		s.vms[i] = vm.VM{ID: fmt.Sprintf("%s-vm-%d", id, i), State: vm.Booting, ChangedAt: m.now}
	}
	return s
}

func (s *slice) ID() string                { return s.id }
func (s *slice) Zone() string              { return s.m.cfg.Group.Zones[0] }
func (s *slice) Group() string             { return s.m.cfg.Group.Name }
func (s *slice) CreatedAt() time.Time      { return s.createdAt }
func (s *slice) Labels() map[string]string { return maps.Clone(s.labels) }

func (s *slice) Status() vm.SliceStatus {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	st := s.status()
	return vm.SliceStatus{VMs: slices.Clone(st.VMs)}
}

// Terminate gives the slice back. The only error is that of an ended ctx; then nothing has changed.
func (s *slice) Terminate(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("terminate %s: %w", s.id, err)
	}
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.end(vm.Terminated)
	return nil
}

// status is the slice's own VMs, not a copy. The caller holds the lock.
func (s *slice) status() vm.SliceStatus { return vm.SliceStatus{VMs: s.vms} }

// advance moves the VMs to where they are at now. The caller holds the lock.
func (s *slice) advance(now time.Time) {
	for i := range s.vms {
		v := &s.vms[i]
		if booted := v.ChangedAt.Add(s.m.cfg.BootDelay); v.State == vm.Booting && !now.Before(booted) {
			v.State, v.ChangedAt = vm.Initializing, booted
			v.Address, v.InitPhase = v.ID+".invalid", "registration" // .invalid never resolves: RFC 2606
		}
		if ready := v.ChangedAt.Add(s.m.cfg.InitDelay); v.State == vm.Initializing && !now.Before(ready) {
			v.State, v.ChangedAt = vm.Ready, ready
			v.WorkerID, v.InitPhase = "worker-"+v.ID, ""
		}
	}
}

// end moves the VMs that are not gone to a terminal state. The caller holds the lock.
func (s *slice) end(state vm.State) {
	for i := range s.vms {
		if v := &s.vms[i]; !v.State.Terminal() {
			v.State, v.ChangedAt, v.InitPhase = state, s.m.now, ""
		}
	}
}

// Logs has one line for the state that the VM is in.
func (s *slice) Logs(_ context.Context, vmID string, _ int) ([]string, error) {
	for _, v := range s.Status().VMs {
		if v.ID == vmID {
			return []string{fmt.Sprintf("%s is %v", v.ID, v.State)}, nil
		}
	}
	return nil, fmt.Errorf("slice %s has no VM %q", s.id, vmID)
}
