package sshvm

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"iris/iris/vm"
)

// slice implements vm.Slice. The manager's lock guards what changes.
type slice struct {
	m        *Manager
	held     reservation // without VM
	machines []*machine

	accepted bool          // CreateSlice has answered, or will, that there is this slice
	settled  chan struct{} // closed when it is accepted, or why says that it is not
	why      error

	ctx    context.Context // since it is accepted; ends when the VMs are no longer to come up
	halt   context.CancelFunc
	coming sync.WaitGroup // VMs that come up
	ending *ending        // the last attempt to terminate it
	over   bool           // it has no hosts any more
}

var _ vm.Slice = (*slice)(nil)

// newSlice is a slice whose VMs are BOOTING.
func (m *Manager) newSlice(r reservation) *slice {
	s := &slice{m: m, held: r, settled: make(chan struct{})}
	for i, address := range r.Hosts {
		v := &machine{slice: s, index: i, host: m.host(address), line: r.line(i)}
		v.vm = vm.VM{ID: fmt.Sprintf("%s-vm-%d", r.Slice, i), State: vm.Booting, ChangedAt: r.Created}
		s.machines = append(s.machines, v)
	}
	return s
}

func (s *slice) ID() string                { return s.held.Slice }
func (s *slice) Group() string             { return s.held.Group }
func (s *slice) Zone() string              { return s.held.Zone }
func (s *slice) Labels() map[string]string { return maps.Clone(s.held.Labels) }
func (s *slice) CreatedAt() time.Time      { return s.held.Created }

func (s *slice) Status() vm.SliceStatus {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	return s.status()
}

// status is Status for who holds the lock.
func (s *slice) status() vm.SliceStatus {
	all := make([]vm.VM, len(s.machines))
	for i, v := range s.machines {
		all[i] = v.vm
	}
	return vm.SliceStatus{VMs: all}
}

// accept makes it a slice that has been created, and has its VMs come up. The caller holds the lock.
func (s *slice) accept() {
	s.accepted = true
	s.ctx, s.halt = context.WithCancel(s.m.ctx)
	close(s.settled)
	if s.m.closed {
		return
	}
	for _, v := range s.machines {
		if v.vm.State == vm.Booting {
			s.coming.Add(1)
			s.m.owned.Go(func() {
				defer s.coming.Done()
				v.come(s.ctx)
			})
		}
	}
}

// logMost is how many lines Logs returns at most.
const logMost = 10_000

// Logs has what the bootstrap script said to this manager, and, once it is READY, then what the worker says, from its host.
func (s *slice) Logs(ctx context.Context, vmID string, n int) ([]string, error) {
	at := slices.IndexFunc(s.machines, func(v *machine) bool { return v.vm.ID == vmID })
	if at < 0 {
		return nil, fmt.Errorf("logs of %s: slice %s has no such VM", vmID, s.held.Slice)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("logs of %s: %w", vmID, err)
	}
	v, n := s.machines[at], min(max(n, 0), logMost)
	s.m.mu.Lock()
	lines, up := slices.Clone(v.lines), v.vm.State == vm.Ready || v.vm.State == vm.Unhealthy
	s.m.mu.Unlock()
	if up && n > 0 {
		said := &lineWriter{most: n}
		if _, err := v.host.last(ctx, said, "logs", v.line, fmt.Sprint(n)); ctx.Err() != nil {
			return nil, fmt.Errorf("logs of %s: %w", vmID, context.Cause(ctx))
		} else if err != nil {
			lines = append(lines, "the worker's own log cannot be had: "+err.Error())
		}
		said.flush()
		lines = append(lines, said.lines...)
	}
	if over := s.gone(); len(lines) == 0 && over {
		return nil, fmt.Errorf("logs of %s: the slice is gone, and nothing is kept of it", vmID)
	}
	return lines[max(0, len(lines)-n):], nil
}

func (s *slice) gone() bool {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	return s.over
}
