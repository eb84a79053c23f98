package controller

import (
	"context"
	"math"
	"slices"
	"time"

	"iris/iris/autoscaler"
	pb "iris/iris/proto"
	"iris/iris/provision"
	"iris/iris/schedule"
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

// listPatience is how long decisions wait for the first list of every group: what a platform has must be known before more is
// asked for.
const listPatience = 30 * time.Second

// scaling is how the loop grows and shrinks its cluster.
type scaling struct {
	config  Scaling
	fleet   *provision.Provisioner // nil without groups
	set     bool                   // the cluster knows the groups
	began   time.Time
	listed  map[string]bool      // groups whose platform was heard of in this term
	missing map[string]time.Time // since when all lists lack a slice
	at      time.Time            // of the last decision
	due     time.Time            // of the next one if nothing happens; zero: none
	stirred bool                 // something happened that may matter
	last    autoscaler.Decision
	waits   map[string]autoscaler.Wait // of the last decision, by job
}

// newScaling makes it, and a provisioner, whose owner is the loop.
func newScaling(config Config, tell func(context.Context, func(*loop) []state.Command)) scaling {
	s := scaling{config: config.Scaling, listed: map[string]bool{}, missing: map[string]time.Time{}}
	if len(s.config.Groups) == 0 {
		return s
	}
	s.fleet = provision.New(provision.Config{
		Cluster: config.Cluster, Managers: s.config.Managers, RequestTimeouts: requestTimeouts(s.config.Groups),
		ListInterval: s.config.ListInterval, Log: config.Log,
	}, func(ctx context.Context, news provision.News) {
		tell(ctx, func(l *loop) []state.Command { return l.scaling.hear(l.cluster, news) })
	})
	return s
}

// requestTimeouts are how long platforms may take to answer.
func requestTimeouts(groups []state.Group) map[string]time.Duration {
	all := map[string]time.Duration{}
	for _, g := range groups {
		all[g.Name] = g.Pace.RequestingTimeout
	}
	return all
}

// configure has the cluster know the groups that are configured.
func (s *scaling) configure(c *state.Cluster) []state.Command {
	if s.set {
		return nil
	}
	s.set = true
	if c.HasGroups(s.config.Groups) {
		return nil
	}
	return []state.Command{state.SetGroups{Groups: s.config.Groups}}
}

func (s *scaling) close() {
	if s.fleet != nil {
		s.fleet.Close()
	}
}

// act hands effects to the platforms.
func (s *scaling) act(effects []state.Effect) {
	if s.fleet == nil {
		return
	}
	for _, effect := range effects {
		switch e := effect.(type) {
		case state.CreateSlice:
			s.fleet.Create(provision.Order{ID: e.ID, Group: e.Group, Zone: e.Zone})
		case state.TerminateSlice:
			s.fleet.Terminate(provision.Order{ID: e.ID, Group: e.Group, Zone: e.Zone})
		}
	}
}

// came has the platform of a worker that has registered tell about its machine: it is further than was known.
func (s *scaling) came(w *state.Worker) {
	if slice := w.Slice(); slice != nil && s.fleet != nil {
		s.fleet.Poke(slice.Group)
	}
}

// hear turns what a platform says into what is to be done about it.
func (s *scaling) hear(c *state.Cluster, news provision.News) []state.Command {
	switch n := news.(type) {
	case provision.Created:
		return seen(c, n.Order.Group, n.Slice)
	case provision.Refused:
		return []state.Command{state.RefuseSlice{ID: n.Order.ID, Why: refusals[n.Why], Cause: clipped(n.Cause)}}
	case provision.Terminated:
		delete(s.missing, n.Order.ID)
		return []state.Command{state.EndSlice{ID: n.Order.ID, Cause: "it was terminated"}}
	case provision.Listed:
		return s.list(c, n)
	}
	return nil
}

// refusals are what the state calls them.
var refusals = map[provision.Refusal]state.Refusal{
	provision.Quota: state.RefusedQuota, provision.Stock: state.RefusedStock, provision.Failed: state.RefusedFailed,
	provision.Full: state.RefusedFailed, provision.Gone: state.RefusedFailed, provision.Unknown: state.RefusedUnknown,
}

// seen is what a platform shows of a slice, if that is news.
func seen(c *state.Cluster, group string, slice provision.Sight) []state.Command {
	shown := state.ObserveSlice{ID: slice.ID, Group: group, Zone: slice.Zone, VMs: slice.VMs}
	if len(slice.VMs) == 0 || !c.SliceNews(shown) {
		return nil
	}
	return []state.Command{shown}
}

// list compares what a platform has with what it should have.
func (s *scaling) list(c *state.Cluster, n provision.Listed) []state.Command {
	if !s.listed[n.Group] {
		s.listed[n.Group], s.stirred = true, true
	}
	var commands []state.Command
	there := map[string]bool{}
	for _, slice := range n.Slices {
		there[slice.ID] = true
		if gone, known := c.GoneSlice(slice.ID); known && gone.Seen && n.Began.Sub(gone.At) < vm.ListLag {
			continue // the list may be older than the news that it is gone
		}
		commands = append(commands, seen(c, n.Group, slice)...)
	}
	for _, slice := range c.Slices() {
		if slice.Group != n.Group {
			continue
		}
		if there[slice.ID] || slice.Live() > 0 || slice.State == vm.Requesting || slice.State == vm.Stopping {
			delete(s.missing, slice.ID) // it is there, or should not be, or may not be yet
			continue
		}
		since, missed := s.missing[slice.ID]
		if !missed {
			s.missing[slice.ID] = n.Began
			continue
		}
		if n.Began.Sub(since) >= vm.ListLag {
			delete(s.missing, slice.ID)
			commands = append(commands, state.EndSlice{ID: slice.ID, Cause: "its platform does not have it any more"})
		}
	}
	return commands
}

// scale decides whether to grow or to shrink, if it is time, on the cluster as it is once all that fits is placed.
func (l *loop) scale(now time.Time) []state.Command {
	s := &l.scaling
	if at, ok := s.next(); !ok || now.Before(at) {
		return nil
	}
	s.at, s.stirred = now, false
	view := autoscaler.View{
		Groups: l.cluster.Groups(), Slices: l.cluster.Slices(), Demand: demand(now, l.cluster),
		Workers: taking(l.cluster, l.standing(now)),
	}
	view.Groups = slices.DeleteFunc(view.Groups, func(g *state.ScaleGroup) bool { return !s.listed[g.Name] && !g.Removed })
	s.last = autoscaler.Decide(now, view)
	s.due = s.last.Next
	s.waits = make(map[string]autoscaler.Wait, len(s.last.Waits))
	for _, w := range s.last.Waits {
		s.waits[w.Job] = w
	}
	var commands []state.Command
	for _, action := range s.last.Actions {
		switch a := action.(type) {
		case autoscaler.Create:
			commands = append(commands, state.RequestSlice{Group: a.Group, Zone: a.Zone, Reason: a.Reason})
		case autoscaler.Stop:
			commands = append(commands, state.StopSlice{ID: a.Slice, Why: a.Why, Cause: a.Cause})
		}
	}
	return commands
}

// next is when the next decision is to be made; false: not before something happens.
func (s *scaling) next() (time.Time, bool) {
	if s.fleet == nil {
		return time.Time{}, false
	}
	at := s.due
	if soon := s.at.Add(s.config.EvaluationInterval); s.stirred && (at.IsZero() || soon.Before(at)) {
		at = soon
	}
	if at.IsZero() {
		return at, false
	}
	if known := s.began.Add(listPatience); at.Before(known) && !s.allListed() {
		at = known
	}
	return at, true
}

func (s *scaling) allListed() bool {
	return !slices.ContainsFunc(s.config.Groups, func(g state.Group) bool { return !s.listed[g.Name] })
}

// explain adds to the reason why no worker takes a task what the scale groups do about it.
func (s *scaling) explain(job string, reason *pb.PendingReason) *pb.PendingReason {
	w, asked := s.waits[job]
	switch reason.Kind {
	case pb.PendingReason_KIND_BACKOFF, pb.PendingReason_KIND_STOPPING, pb.PendingReason_KIND_NEXT_PASS:
		return reason
	}
	if asked {
		reason.Text += "; " + w.Text
	}
	return reason
}

// demand is what was not placed although nothing but the workers keeps it from being placed.
func demand(now time.Time, c *state.Cluster) []schedule.Request {
	endless := state.Resources{CPUMillis: math.MaxInt64, MemoryBytes: math.MaxInt64}
	var all []schedule.Request
	for _, j := range c.Queue() {
		if tasks, _ := ready(now, j, endless); len(tasks) > 0 {
			r := requestOf(j)
			r.Tasks = tasks
			all = append(all, r)
		}
	}
	return all
}
