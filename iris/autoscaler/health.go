package autoscaler

import (
	"slices"
	"time"

	"iris/iris/state"
	"iris/iris/vm"
)

// giveUp stops the slices that failed, and those that take too long. A limit that is not set is none.
func (p *pass) giveUp() {
	for i := range p.groups {
		g := &p.groups[i]
		ill := func(s *state.Slice) bool {
			stop, due := p.ill(g, s)
			if !due {
				return false
			}
			p.actions = append(p.actions, stop)
			g.staying--
			if s.ReadyAt.IsZero() || p.now.Sub(s.ReadyAt) < g.Pace.ShortLived {
				g.fails = stop.Cause
			}
			return true
		}
		g.pending = slices.DeleteFunc(g.pending, ill)
		g.broken = slices.DeleteFunc(g.broken, ill)
	}
}

// ill is how a slice is given up, if it is time to. If it is not yet, another look is taken when it is.
func (p *pass) ill(g *group, s *state.Slice) (Stop, bool) {
	stop := Stop{Slice: s.ID, Why: state.StopFailed}
	var limit time.Duration
	from := s.Since
	switch s.State {
	case vm.Failed:
		stop.Cause = failedText(s)
		return stop, true
	case vm.Preempted:
		stop.Why, stop.Cause = state.StopPreempted, failedText(s)
		return stop, true
	case vm.Requesting:
		limit = 2 * g.Pace.RequestingTimeout // who asks gives up after one
	case vm.Booting:
		limit = g.Pace.BootTimeout
	case vm.Initializing:
		limit = g.Pace.InitTimeout
	case vm.Unhealthy:
		stop.Why, limit = state.StopUnhealthy, g.Pace.UnhealthyTimeout
		if leaves := leaves(s); leaves.After(from) {
			from = leaves // what runs on it has its grace until then
		}
	}
	if limit <= 0 {
		return Stop{}, false
	}
	if end := from.Add(limit); end.After(p.now) {
		p.at(end)
		return Stop{}, false
	}
	stop.Cause = lateText(s, limit)
	return stop, true
}

// leaves is when the last of a slice's machines is taken away of which the platform gave notice; zero: of none.
func leaves(s *state.Slice) (last time.Time) {
	for _, v := range s.VMs {
		if v.State == vm.Stopping && v.LeavesAt.After(last) {
			last = v.LeavesAt
		}
	}
	return last
}

// trim stops what a group has too much of: what nothing runs on, the newest first. The others go when they are idle.
func (p *pass) trim() {
	for i := range p.groups {
		g := &p.groups[i]
		over := g.staying - g.max()
		if over <= 0 {
			continue
		}
		var spare []*state.Slice
		for _, all := range [][]*state.Slice{g.pending, g.idle, g.broken} {
			for _, s := range all {
				if idle(s) {
					spare = append(spare, s)
				}
			}
		}
		slices.SortStableFunc(spare, func(a, b *state.Slice) int { return b.Requested.Compare(a.Requested) })
		spare = spare[:min(over, len(spare))]
		gone, cause := make(map[*state.Slice]bool, len(spare)), surplusText(g)
		for _, s := range spare {
			gone[s] = true
			p.actions = append(p.actions, Stop{Slice: s.ID, Why: state.StopSurplus, Cause: cause})
			if g.staying--; s.State == vm.Ready {
				g.ready--
			}
		}
		stopped := func(s *state.Slice) bool { return gone[s] }
		g.pending = slices.DeleteFunc(g.pending, stopped)
		g.idle = slices.DeleteFunc(g.idle, stopped)
		g.broken = slices.DeleteFunc(g.broken, stopped)
	}
}
