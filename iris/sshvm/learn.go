package sshvm

import (
	"slices"
	"time"

	"iris/iris/vm"
)

// learn takes in what the hosts of the pool have shown, in their order: slices that nobody here knew, and what became of
// the others.
func (m *Manager) learn(sights []sight, wanted string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := m.discover(sights, wanted)
	for _, s := range slices.Clone(m.slices) {
		if !s.accepted && !slices.Contains(found, s) || s.ending != nil && !s.ending.over() {
			continue // what is seen changes as one looks
		}
		for _, v := range s.machines {
			if at := slices.Index(m.hosts, v.host); at >= 0 && sights[at].err == nil {
				v.learn(sights[at])
			}
		}
	}
	for _, s := range found {
		m.takeOver(s, sights)
	}
	for _, s := range slices.Clone(m.slices) {
		if s.accepted && s.lost() {
			m.bury(s)
		}
	}
}

// halves are slices that have some of their hosts only, by their creation, and when that was seen first. Another manager may be
// about to take the others, or to give these back; one that has not done so after some time is gone.
type halves map[string]time.Time

// young reports whether a slice may still be in the making.
func (m *Manager) young(s *slice, sights []sight, was halves) bool {
	for i, h := range m.hosts {
		at := slices.Index(s.held.Hosts, h.Address)
		seen := sights[i]
		if at < 0 || seen.err != nil || seen.line == s.machines[at].line || seen.gone[s.held.Slice] {
			continue
		}
		first, known := was[s.held.Creation]
		if !known {
			first = seen.at
		}
		m.halves[s.held.Creation] = first
		return seen.at.Sub(first) < 4*m.cfg.ConnectTimeout // to try, to try another, to give back; and some more
	}
	return false
}

// discover makes the slices that have hosts, and are not known.
func (m *Manager) discover(sights []sight, wanted string) []*slice {
	var found []*slice
	was := m.halves
	m.halves = halves{}
	for _, seen := range sights {
		id := seen.held.Slice
		if seen.err != nil || seen.line == "" || seen.stranger || slices.Contains(m.buried, id) {
			continue
		}
		switch s := m.find(id); {
		case s == nil:
			s = m.newSlice(seen.held)
			for _, other := range sights { // word for word, even if another version of Iris has written it
				r := other.held
				if other.err == nil && r.Slice == id && r.Creation == s.held.Creation && !other.stranger && r.VM < len(s.machines) {
					s.machines[r.VM].line = other.line
				}
			}
			if id != wanted && m.young(s, sights, was) {
				continue
			}
			m.slices = append(m.slices, s)
			found = append(found, s)
		case s.held.Creation != seen.held.Creation && s.accepted:
			m.cfg.Log.Warn("a host has another creation of a slice that is known; terminate the slice, then what is left",
				"slice", id, "known", s.held.Hosts, "other", seen.held.Hosts)
		}
	}
	return found
}

// takeOver goes on with a slice that another manager has created.
func (m *Manager) takeOver(s *slice, sights []sight) {
	stopping := false
	for _, v := range s.machines {
		at := slices.Index(m.hosts, v.host)
		switch {
		case v.host == nil:
			v.become(vm.Failed, "", "its host "+s.held.Hosts[v.index]+" is no longer in the pool")
		case sights[at].err != nil:
			v.asked = true // nobody knows
		case sights[at].line == v.line:
			stopping = stopping || sights[at].stopping
			if why := sights[at].failed; why != "" {
				v.become(vm.Failed, "", why)
			}
		}
	}
	if stopping {
		for _, v := range s.machines {
			v.become(vm.Stopping, "", "")
		}
	}
	m.cfg.Log.Info("taking over a slice", "slice", s.held.Slice, "hosts", s.held.Hosts, "created", s.held.Created)
	s.accept()
}

// learn takes in what the VM's host has shown. The caller holds the lock.
func (v *machine) learn(seen sight) {
	if seen.line == v.line {
		if v.since.IsZero() {
			v.asked, v.since = true, seen.at
		}
		switch {
		case seen.stopping:
			v.become(vm.Stopping, "", "")
		case seen.dead && v.vm.State == vm.Ready && v.vm.ChangedAt.Before(seen.at):
			v.become(vm.Unhealthy, "", "")
		}
		return
	}
	if v.left || v.since.IsZero() || !v.since.Before(seen.at) {
		return // it did not have the host yet when somebody looked
	}
	v.asked, v.left = false, true
	if seen.gone[v.slice.held.Slice] {
		v.become(vm.Terminated, "", "")
	} else {
		v.become(vm.Preempted, "", "")
	}
}

// lost reports whether others have taken all hosts from the slice. The caller holds the lock.
func (s *slice) lost() bool {
	return !slices.ContainsFunc(s.machines, func(v *machine) bool { return !v.left && v.vm.State != vm.Terminated })
}
