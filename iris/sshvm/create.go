package sshvm

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"time"

	"iris/iris/vm"
)

// CreateSlice looks at the pool and reserves hosts. It takes about a second, and up to twice ConnectTimeout if hosts do
// not answer. A creation whose ctx ends goes on.
func (m *Manager) CreateSlice(ctx context.Context, r vm.Request) (vm.Slice, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("create a slice of %s: %w", m.cfg.Group.Name, err)
	}
	r, err := m.complete(r)
	if err != nil {
		return nil, fmt.Errorf("%w for %s: %w", vm.ErrCreateFailed, m.cfg.Group.Name, err)
	}
	var made *slice
	done := make(chan struct{})
	if !m.run(func() {
		defer close(done)
		made, err = m.create(r)
	}) {
		return nil, fmt.Errorf("%w for %s: %w", vm.ErrCreateFailed, m.cfg.Group.Name, errClosed)
	}
	select {
	case <-done:
		if err != nil {
			return nil, err
		}
		return made, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("create slice %s of %s: %w; it may still come", r.ID, m.cfg.Group.Name, ctx.Err())
	}
}

// complete is the request with nothing left open.
func (m *Manager) complete(r vm.Request) (vm.Request, error) {
	if r.ID == "" {
		var random [6]byte
		_, _ = rand.Read(random[:]) // it never fails
		r.ID = m.cfg.Group.Name + "-" + hex.EncodeToString(random[:])
	}
	if r.Zone == "" {
		r.Zone = m.cfg.Group.Zones[0]
	}
	labels := maps.Clone(r.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, m.cfg.Labels)
	r.Labels = labels
	switch {
	case !validID.MatchString(r.ID):
		return r, fmt.Errorf("the id %q must begin with a letter or digit, then letters, digits, '-', '_' or '.', at most 200", r.ID)
	case !slices.Contains(m.cfg.Group.Zones, r.Zone):
		return r, fmt.Errorf("zone %q is none of the group's: %s", r.Zone, strings.Join(m.cfg.Group.Zones, ", "))
	}
	return r, nil
}

// Managers that want the same hosts at the same time get out of each other's way this often, and then give up.
const (
	rounds     = 5
	roundPause = 500 * time.Millisecond
)

// errTaken is why a creation begins anew: somebody else was faster.
var errTaken = errors.New("somebody else takes hosts at the same time")

func (m *Manager) create(r vm.Request) (*slice, error) {
	for round := range rounds {
		if round > 0 && !pause(m.ctx, roundPause/2+mathrand.N(roundPause)) {
			break
		}
		s, err := m.attempt(r)
		if !errors.Is(err, errTaken) {
			return s, err
		}
	}
	if m.ctx.Err() != nil {
		return nil, m.refuse(vm.ErrCreateFailed, r, "%w", errClosed)
	}
	return nil, m.refuse(vm.ErrStockout, r, "%w; try again", errTaken)
}

// attempt is one round of a creation.
func (m *Manager) attempt(r vm.Request) (*slice, error) {
	s, isNew, err := m.claim(r, nil)
	if s == nil && err == nil { // now it is worth a look
		var sights []sight
		if sights, err = m.see(m.ctx, r.ID); err != nil {
			return nil, m.refuse(vm.ErrCreateFailed, r, "%w", errClosed)
		}
		s, isNew, err = m.claim(r, sights)
	}
	if err != nil {
		return nil, err
	}
	if isNew {
		err := m.take(s)
		m.mu.Lock()
		defer m.mu.Unlock()
		if err == nil {
			s.accept()
			return s, nil
		}
		m.slices = slices.DeleteFunc(m.slices, func(other *slice) bool { return other == s })
		s.why = err
		close(s.settled)
		return nil, err
	}
	select {
	case <-s.settled:
	case <-m.ctx.Done():
		return nil, m.refuse(vm.ErrCreateFailed, r, "%w", errClosed)
	}
	if s.why != nil {
		return nil, s.why
	}
	return s, nil
}

// claim finds the slice that was asked for, which may be in the making, or begins it with hosts that the sights show as
// free. Without sights it begins nothing: it is nil then, if nothing speaks against the request.
func (m *Manager) claim(r vm.Request, sights []sight) (s *slice, isNew bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.find(r.ID); s != nil {
		return s, false, nil
	}
	if slices.Contains(m.buried, r.ID) || slices.ContainsFunc(sights, func(s sight) bool { return s.gone[r.ID] }) {
		return nil, false, fmt.Errorf("%w: %s of %s has been there before; choose another id", vm.ErrSliceGone, r.ID, m.cfg.Group.Name)
	}
	if live := m.live(); live >= m.cfg.Group.MaxSlices {
		return nil, false, m.refuse(vm.ErrMaxSlices, r, "%d of %d slices are live; terminate one or raise max_slices",
			live, m.cfg.Group.MaxSlices)
	}
	if sights == nil {
		return nil, false, nil
	}
	hosts, answer, err := m.choose(r, sights)
	if err != nil {
		return nil, false, err
	}
	s = m.newSlice(reservation{
		Slice: r.ID, Group: m.cfg.Group.Name, Zone: r.Zone, Labels: r.Labels, Hosts: hosts,
		Creation: rand.Text(), Created: time.Now().UTC().Round(0),
	})
	for i, v := range s.machines {
		v.answers = answer[i]
	}
	m.slices = append(m.slices, s)
	return s, true, nil
}

// choose finds hosts that are free, first those that answer, and says which do. The caller holds the lock.
func (m *Manager) choose(r vm.Request, sights []sight) (hosts []string, answer []bool, err error) {
	var free, silent []string
	var refused []error
	inZone := 0
	for i, h := range m.hosts {
		if h.Zone != r.Zone {
			continue
		}
		inZone++
		switch seen := sights[i]; {
		case m.lent(h), seen.err == nil && seen.line != "":
		case seen.err == nil:
			free = append(free, h.Address)
		case errors.Is(seen.err, errDenied), errors.Is(seen.err, errDistrusted):
			refused = append(refused, seen.err)
		default:
			silent = append(silent, h.Address)
		}
	}
	hosts = append(free, silent...)
	if len(hosts) >= m.vms {
		hosts = hosts[:m.vms]
		for i := range hosts {
			answer = append(answer, i < len(free))
		}
		return hosts, answer, nil
	}
	if len(hosts)+len(refused) >= m.vms {
		return nil, nil, m.refuse(vm.ErrCreateFailed, r, "%w", errors.Join(refused...))
	}
	return nil, nil, m.refuse(vm.ErrStockout, r, "a slice needs %d hosts, and %d of %d are free; terminate a slice or add hosts",
		m.vms, len(hosts), inZone)
}

// lent reports whether a slice has a host, or is to have it. The caller holds the lock.
func (m *Manager) lent(h *host) bool {
	for _, s := range m.slices {
		for _, v := range s.machines {
			if v.host == h && (v.asked || !v.vm.State.Terminal()) {
				return true
			}
		}
	}
	return false
}

// take reserves the hosts that answer: all of them, or none. The first one alone, so that of two managers that want the
// same hosts, one gives up before it has any.
func (m *Manager) take(s *slice) error {
	var wanted []*machine
	for _, v := range s.machines {
		if v.answers {
			wanted = append(wanted, v)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	errs := make([]error, len(wanted))
	errs[0] = wanted[0].take(m.ctx)
	if errs[0] == nil {
		each(len(wanted)-1, func(i int) { errs[i+1] = wanted[i+1].take(m.ctx) })
	}
	err := errors.Join(errs...)
	if err == nil {
		return nil
	}
	r := vm.Request{ID: s.held.Slice, Zone: s.held.Zone}
	each(len(wanted), func(i int) { errs[i] = wanted[i].giveBack(context.WithoutCancel(m.ctx)) })
	if left := errors.Join(errs...); left != nil {
		return m.refuse(vm.ErrCreateFailed, r, "%v; and a host stays reserved until the slice is listed and terminated: %w", err, left)
	}
	if m.ctx.Err() != nil {
		err = errClosed
	}
	switch {
	case errors.Is(err, errTaken), errors.Is(err, vm.ErrSliceGone):
		return err
	default:
		return m.refuse(vm.ErrCreateFailed, r, "%w", err)
	}
}

// take reserves the VM's host. One that has stopped answering is waited for as the VM boots.
func (v *machine) take(ctx context.Context) error {
	got, err := v.reserve(ctx)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, errDenied), errors.Is(err, errDistrusted):
		return err
	case err != nil:
		return nil
	case got.word == "gone":
		return fmt.Errorf("%w: %s has been on host %s before; choose another id", vm.ErrSliceGone, v.slice.held.Slice, v.host.Address)
	case got.word == "reserved":
		return nil
	default:
		return fmt.Errorf("host %s: %w: %s", v.host.Address, errTaken, holder(got.rest))
	}
}

// giveBack undoes take.
func (v *machine) giveBack(ctx context.Context) error {
	v.slice.m.mu.Lock()
	asked := v.asked
	v.slice.m.mu.Unlock()
	if !asked {
		return nil
	}
	got, err := v.host.last(ctx, io.Discard, "drop", v.line)
	if err == nil && got.word == "begun" {
		err = fmt.Errorf("host %s: another manager has begun to use it for slice %s", v.host.Address, v.slice.held.Slice)
	}
	return err
}

// refuse is why there is no slice.
func (m *Manager) refuse(kind error, r vm.Request, format string, args ...any) error {
	return fmt.Errorf("%w for %s in %s: "+format, append([]any{kind, m.cfg.Group.Name, r.Zone}, args...)...)
}
