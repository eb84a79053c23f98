package fakevm_test

import (
	"fmt"
	"slices"
	"time"

	"iris/fakevm"
	"iris/iris/vm"
)

// model is what a cloud should be like, told in another way than the cloud does it: not step by step, but as what each VM is
// at an instant, given what was done to it.
type model struct {
	cfg  fakevm.Config
	now  time.Time
	tick int // how many there have been

	mode    fakevm.FailureMode
	quota   map[string]int
	soldOut map[string]bool
	refuse  int
	lag     time.Duration

	slices []*modelSlice
	late   []modelLate
}

type modelLate struct {
	vm.Request
	due time.Time
}

type modelSlice struct {
	id, zone string
	created  time.Time
	hidden   bool
	vms      []*modelVM
}

type modelVM struct {
	stuck    vm.State
	created  happened
	noticed  happened
	leaves   time.Time
	ended    happened
	end      vm.State
	wasReady bool
}

// happened is an instant, and how many ticks there had been: what has no delay left happens at the next one.
type happened struct {
	at   time.Time
	tick int
}

func (h happened) by(t time.Time) bool { return !h.at.IsZero() && !t.Before(h.at) }

// at is what a VM is, or was, at an instant; false if it did not exist then.
func (m *model) at(v *modelVM, t time.Time) (vm.State, bool) {
	boot, init := v.created.at.Add(m.cfg.BootDelay), v.created.at.Add(m.cfg.BootDelay+m.cfg.InitDelay)
	switch {
	case !v.created.by(t):
		return 0, false
	case v.ended.by(t):
		return v.end, true
	case v.noticed.by(t) && m.tick > v.noticed.tick && !t.Before(v.leaves):
		return vm.Preempted, true
	case v.noticed.by(t):
		return vm.Stopping, true
	case m.tick == v.created.tick || v.stuck == vm.Booting || t.Before(boot):
		return vm.Booting, true
	case v.stuck == vm.Initializing || t.Before(init):
		return vm.Initializing, true
	}
	return vm.Ready, true
}

// states are those of the VMs of a slice at an instant, none if it did not exist, and whether it lived.
func (m *model) states(s *modelSlice, t time.Time) (all []vm.State, live bool) {
	for _, v := range s.vms {
		if state, exists := m.at(v, t); exists {
			all = append(all, state)
			live = live || !state.Terminal()
		}
	}
	return all, live
}

// live counts the slices of a zone, or of all if it is empty, that live at an instant.
func (m *model) live(zone string, t time.Time) int {
	n := 0
	for _, s := range m.slices {
		if _, live := m.states(s, t); live && (zone == "" || s.zone == zone) {
			n++
		}
	}
	return n
}

func (m *model) find(id string) *modelSlice {
	for _, s := range m.slices {
		if s.id == id {
			return s
		}
	}
	return nil
}

// request is what a creation should return: the id, or an error, or that it hangs.
func (m *model) request(r vm.Request) (id string, err error, hangs bool) {
	if r.Zone == "" {
		r.Zone = m.cfg.Group.Zones[0]
	}
	if !slices.Contains(m.cfg.Group.Zones, r.Zone) {
		return "", vm.ErrCreateFailed, false
	}
	if m.mode == fakevm.CreateHangs && (m.find(r.ID) != nil || m.live("", m.now) < m.cfg.Group.MaxSlices) {
		m.late = append(m.late, modelLate{r, m.now.Add(m.cfg.LateBy)})
		return "", nil, true
	}
	id, err = m.create(r, m.mode, happened{m.now, m.tick})
	return id, err, false
}

func (m *model) create(r vm.Request, mode fakevm.FailureMode, when happened) (string, error) {
	if s := m.find(r.ID); s != nil {
		if _, live := m.states(s, when.at); live {
			return s.id, nil
		}
		return "", vm.ErrSliceGone
	}
	quota, bound := m.quota[r.Zone]
	switch {
	case m.live("", when.at) >= m.cfg.Group.MaxSlices:
		return "", vm.ErrMaxSlices
	case mode == fakevm.CreateFails:
		return "", vm.ErrCreateFailed
	case mode == fakevm.QuotaExceeded:
		return "", vm.ErrQuotaExceeded
	case mode == fakevm.Stockout:
		return "", vm.ErrStockout
	case bound && quota >= 0 && m.live(r.Zone, when.at) >= quota:
		return "", vm.ErrQuotaExceeded
	case m.soldOut[r.Zone]:
		return "", vm.ErrStockout
	}
	for n := len(m.slices); r.ID == "" || m.find(r.ID) != nil; n++ {
		r.ID = fmt.Sprintf("fake-slice-%s-%d", m.cfg.Group.Name, n)
	}
	s := &modelSlice{id: r.ID, zone: r.Zone, created: when.at}
	for range m.cfg.Group.VMsPerSlice {
		s.vms = append(s.vms, &modelVM{created: when})
	}
	for i, v := range s.vms {
		switch {
		case mode == fakevm.BootStuck:
			v.stuck = vm.Booting
		case mode == fakevm.InitStuck:
			v.stuck = vm.Initializing
		case mode == fakevm.CreatePartial && i == len(s.vms)-1:
			v.ended, v.end = when, vm.Failed
		}
	}
	m.slices = append(m.slices, s)
	return s.id, nil
}

// moved is a tick.
func (m *model) moved(now time.Time) {
	m.now = now
	before := m.tick
	m.tick++
	slices.SortStableFunc(m.late, func(a, b modelLate) int { return a.due.Compare(b.due) })
	for len(m.late) > 0 && !m.late[0].due.After(now) {
		_, _ = m.create(m.late[0].Request, fakevm.None, happened{m.late[0].due, before})
		m.late = m.late[1:]
	}
	for _, s := range m.slices {
		for _, v := range s.vms {
			if state, _ := m.at(v, now); state == vm.Ready {
				v.wasReady = true
			}
		}
	}
}

func (m *model) ends(v *modelVM, state vm.State) {
	if is, _ := m.at(v, m.now); !is.Terminal() {
		v.ended, v.end = happened{m.now, m.tick}, state
	}
}

func (m *model) notice(v *modelVM, grace time.Duration) {
	if is, _ := m.at(v, m.now); !is.Terminal() && is != vm.Stopping {
		v.noticed, v.leaves = happened{m.now, m.tick}, m.now.Add(grace)
	}
}

// bill is what a slice has cost.
func (m *model) bill(s *modelSlice) time.Duration {
	var cost time.Duration
	for _, v := range s.vms {
		end := m.now
		switch state, _ := m.at(v, m.now); {
		case v.end != 0:
			end = v.ended.at
		case state == vm.Preempted:
			end = v.leaves
		}
		cost += end.Sub(s.created)
	}
	return cost
}

// told is what the machine of a VM should have been told.
func (m *model) told(v *modelVM) []string {
	if !v.wasReady {
		return nil
	}
	calls := []string{"start"}
	if !v.noticed.at.IsZero() {
		calls = append(calls, "warn")
	}
	if state, _ := m.at(v, m.now); state.Terminal() {
		calls = append(calls, "halt")
	}
	return calls
}
