package controller

import (
	"context"
	"time"

	"iris/iris/leader"
	"iris/iris/provision"
	"iris/iris/state"
	"iris/iris/vm"
)

// Scaling is how a controller gets machines. Without groups it takes the workers that come.
type Scaling struct {
	// Groups are the scale groups.
	Groups []state.Group
	// Managers are their platforms, by group. Nil for all: slices are decided about and nobody makes them.
	Managers map[string]vm.Manager
	// EvaluationInterval is the least time between two decisions. Default 10 s.
	EvaluationInterval time.Duration
	// ListInterval is the time between two lists of what a platform has. Default 10 s.
	ListInterval time.Duration
}

func (s *Scaling) setDefaults() {
	setDefault(&s.EvaluationInterval, 10*time.Second)
	setDefault(&s.ListInterval, 10*time.Second)
}

// platforms are where the loop's orders about slices go, and whose news come back to it.
type platforms struct {
	fleet *provision.Provisioner // nil without groups
}

// newPlatforms starts a provisioner, whose owner is the loop.
func newPlatforms(config Config, tell func(context.Context, leader.Ask)) platforms {
	s := config.Scaling
	if len(s.Groups) == 0 {
		return platforms{}
	}
	return platforms{provision.New(provision.Config{
		Cluster: config.Cluster, Managers: s.Managers, RequestTimeouts: requestTimeouts(s.Groups),
		ListInterval: s.ListInterval, Log: config.Log,
	}, func(ctx context.Context, news provision.News) {
		tell(ctx, func(l *leader.Leader) []state.Command { return hear(l, news) })
	})}
}

// requestTimeouts are how long platforms may take to answer.
func requestTimeouts(groups []state.Group) map[string]time.Duration {
	all := map[string]time.Duration{}
	for _, g := range groups {
		all[g.Name] = g.Pace.RequestingTimeout
	}
	return all
}

func (p platforms) close() {
	if p.fleet != nil {
		p.fleet.Close()
	}
}

// act hands effects to the platforms.
func (p platforms) act(effects []state.Effect) {
	if p.fleet == nil {
		return
	}
	for _, effect := range effects {
		switch e := effect.(type) {
		case state.CreateSlice:
			p.fleet.Create(provision.Order{ID: e.ID, Group: e.Group, Zone: e.Zone})
		case state.TerminateSlice:
			p.fleet.Terminate(provision.Order{ID: e.ID, Group: e.Group, Zone: e.Zone})
		}
	}
}

// came has the platform of a worker that has registered tell about its machine: it is further than was known.
func (p platforms) came(w *state.Worker) {
	if slice := w.Slice(); slice != nil && p.fleet != nil {
		p.fleet.Poke(slice.Group)
	}
}

// hear turns what a platform says into what is to be done about it.
func hear(l *leader.Leader, news provision.News) []state.Command {
	switch n := news.(type) {
	case provision.Created:
		return l.Seen(shown(n.Order.Group, n.Slice))
	case provision.Refused:
		return []state.Command{state.RefuseSlice{ID: n.Order.ID, Why: refusals[n.Why], Cause: clipped(n.Cause)}}
	case provision.Terminated:
		return l.Terminated(n.Order.ID)
	case provision.Listed:
		all := make([]state.ObserveSlice, len(n.Slices))
		for i, slice := range n.Slices {
			all[i] = shown(n.Group, slice)
		}
		return l.Listed(n.Group, n.Began, all)
	}
	return nil
}

func shown(group string, slice provision.Sight) state.ObserveSlice {
	return state.ObserveSlice{ID: slice.ID, Group: group, Zone: slice.Zone, VMs: slice.VMs}
}

// refusals are what the state calls them.
var refusals = map[provision.Refusal]state.Refusal{
	provision.Quota: state.RefusedQuota, provision.Stock: state.RefusedStock, provision.Failed: state.RefusedFailed,
	provision.Full: state.RefusedFailed, provision.Gone: state.RefusedFailed, provision.Unknown: state.RefusedUnknown,
}
