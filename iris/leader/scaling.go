package leader

import (
	"slices"
	"time"

	"iris/iris/autoscaler"
	pb "iris/iris/proto"
	"iris/iris/state"
)

// listPatience is how long decisions wait for the first list of every group: what a platform has must be known before more is
// asked for.
const listPatience = 30 * time.Second

// scaling is how a leader grows and shrinks its cluster.
type scaling struct {
	groups   []state.Group
	interval time.Duration // the least between two decisions
	set      bool          // the cluster knows the groups
	began    time.Time
	listed   map[string]bool      // groups whose platform was heard of in this term
	missing  map[string]time.Time // since when all lists lack a slice
	at       time.Time            // of the last decision
	due      time.Time            // of the next one if nothing happens; zero: none
	stirred  bool                 // something happened that may matter
	last     autoscaler.Decision
	waits    map[string]autoscaler.Wait // of the last decision, by job
}

func newScaling(groups []state.Group, interval time.Duration) scaling {
	return scaling{groups: groups, interval: interval, listed: map[string]bool{}, missing: map[string]time.Time{}}
}

func (s *scaling) begin(now time.Time) { s.began, s.stirred = now, true }

// configure has the cluster know the groups that are configured.
func (s *scaling) configure(c *state.Cluster) []state.Command {
	if s.set {
		return nil
	}
	s.set = true
	if c.HasGroups(s.groups) {
		return nil
	}
	return []state.Command{state.SetGroups{Groups: s.groups}}
}

// scale decides whether to grow or to shrink, if it is time, on the cluster as it is once all that fits is placed.
func (l *Leader) scale(now time.Time) []state.Command {
	s := &l.scaling
	if at, ok := s.next(); !ok || now.Before(at) {
		return nil
	}
	s.at, s.stirred = now, false
	view := autoscaler.View{
		Groups: l.cluster.Groups(), Slices: l.cluster.Slices(), Demand: demand(now, l.cluster),
		Workers: l.taking(now, nil),
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
			l.replan = true // for what still ran there there may be room elsewhere, and this step has placed already
		}
	}
	return commands
}

// next is when the next decision is to be made; false: not before something happens.
func (s *scaling) next() (time.Time, bool) {
	if len(s.groups) == 0 {
		return time.Time{}, false
	}
	at := s.due
	if soon := s.at.Add(s.interval); s.stirred && (at.IsZero() || soon.Before(at)) {
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

// NextScaling is when the next decision about slices is due; false: not before something happens. It is part of Next.
func (l *Leader) NextScaling() (time.Time, bool) { return l.scaling.next() }

func (s *scaling) allListed() bool {
	return !slices.ContainsFunc(s.groups, func(g state.Group) bool { return !s.listed[g.Name] })
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

// Scaled is the last decision about slices, and when it was made. Zero: none was in this term.
func (l *Leader) Scaled() (at time.Time, decided autoscaler.Decision) {
	return l.scaling.at, l.scaling.last
}
