package state

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"iris/iris/mutant"
	"iris/iris/vm"
)

// fleet is what a cluster knows of its scale groups and their slices.
type fleet struct {
	groups map[string]*ScaleGroup
	slices []*Slice // in the order in which they were asked for
	byID   map[string]*Slice
	gone   map[string]Gone
	events []SliceEvent // the last ones
}

func newFleet() fleet {
	return fleet{groups: map[string]*ScaleGroup{}, byID: map[string]*Slice{}, gone: map[string]Gone{}}
}

// Gone is a slice that is not there any more.
type Gone struct {
	ID, Group string
	At        time.Time
	Cause     string
	// Seen: the platform had it. Otherwise nobody knows whether it will yet arrive (FM-71).
	Seen bool
}

// goneFor is how long a slice that is gone is remembered: longer than any list is out of date.
const goneFor = time.Hour

// Refusal is why a platform did not create a slice.
type Refusal uint8

// The refusals. The first two are no fault of the group, and close its zone for a while.
const (
	RefusedQuota   Refusal = iota + 1 // the account may have no more in this zone
	RefusedStock                      // the zone has no such machines
	RefusedFailed                     // for another reason
	RefusedUnknown                    // it did not answer in time: there may be a slice
)

// Groups are all scale groups, by rank, then by name: those that are configured, and those that were and have slices.
func (c *Cluster) Groups() []*ScaleGroup {
	var all []*ScaleGroup
	for _, g := range c.fleet.groups {
		if !g.Removed || g.slices > 0 {
			all = append(all, g)
		}
	}
	slices.SortFunc(all, func(a, b *ScaleGroup) int { return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.Name, b.Name)) })
	return all
}

// HasGroups reports whether exactly these are configured.
func (c *Cluster) HasGroups(groups []Group) bool {
	configured := 0
	for _, g := range c.fleet.groups {
		if !g.Removed {
			configured++
		}
	}
	return configured == len(groups) && !slices.ContainsFunc(groups, func(g Group) bool {
		known := c.fleet.groups[g.Name]
		return known == nil || known.Removed || !known.Group.equal(g)
	})
}

// Group is the scale group of this name, or nil.
func (c *Cluster) Group(name string) *ScaleGroup { return c.fleet.groups[name] }

// GoneSlice is what is remembered of a slice that went lately; false: nothing.
func (c *Cluster) GoneSlice(id string) (Gone, bool) {
	g, known := c.fleet.gone[id]
	return g, known
}

// goneSlices are those that went lately, by id.
func (c *Cluster) goneSlices() []Gone {
	all := make([]Gone, 0, len(c.fleet.gone))
	for _, id := range slices.Sorted(maps.Keys(c.fleet.gone)) {
		all = append(all, c.fleet.gone[id])
	}
	return all
}

func (c *Cluster) setGroups(now time.Time, cmd SetGroups) {
	kept := map[string]bool{}
	for _, g := range cmd.Groups {
		kept[g.Name] = true
		known := c.fleet.groups[g.Name]
		if known == nil {
			known = &ScaleGroup{Blocked: map[string]Block{}}
			c.fleet.groups[g.Name] = known
		}
		known.Group, known.Removed = g, false
	}
	for name, g := range c.fleet.groups {
		if !kept[name] {
			g.Removed = true
		}
	}
	c.reviewAll(now)
}

func (c *Cluster) requestSlice(now time.Time, cmd RequestSlice) {
	g := c.fleet.groups[cmd.Group]
	if g == nil || g.Removed || g.slices >= g.MaxSlices {
		return
	}
	s := c.addSlice(&Slice{
		ID: sliceID(g.Name, g.Made), Group: g.Name, Zone: cmd.Zone, State: vm.Requesting, Since: now, Requested: now,
		Reason: valid(cmd.Reason),
	})
	g.Made++
	g.LastUp = now
	c.note(now, s, EventRequested, s.Reason)
	c.effects = append(c.effects, CreateSlice{s.ID, s.Group, s.Zone})
}

func (c *Cluster) addSlice(s *Slice) *Slice {
	s.workers = map[string]*Worker{}
	at, _ := slices.BinarySearchFunc(c.fleet.slices, s, sliceOrder)
	c.fleet.slices = slices.Insert(c.fleet.slices, at, s)
	c.fleet.byID[s.ID] = s
	c.fleet.groups[s.Group].slices++
	return s
}

func (c *Cluster) refuseSlice(now time.Time, cmd RefuseSlice) {
	s := c.fleet.byID[cmd.ID]
	if s == nil || s.State != vm.Requesting {
		return
	}
	g, cause := c.fleet.groups[s.Group], valid(cmd.Cause)
	switch cmd.Why {
	case RefusedQuota, RefusedStock:
		short := map[Refusal]string{RefusedQuota: "quota exceeded", RefusedStock: "no machines in stock"}[cmd.Why]
		g.Blocked[s.Zone] = Block{Until: after(now, g.Pace.QuotaTimeout), Cause: short}
		c.note(now, s, EventRefused, cause)
	case RefusedUnknown:
		c.stopSlice(now, StopSlice{ID: s.ID, Why: StopFailed, Cause: cause}) // it may exist, or come yet
		return
	default:
		c.note(now, s, EventRefused, cause)
		c.failed(now, g, cause)
	}
	c.removeSlice(now, s, cause, false)
}

// failed notes that a slice of a group failed: the group backs off. What fails while it does, of slices that were asked for
// before, is part of the same failure. Failures before a good slice, or a long peace, count no more.
func (c *Cluster) failed(now time.Time, g *ScaleGroup, cause string) {
	g.Failure = cause
	if g.BackoffUntil.After(now) {
		return
	}
	good := func(s *Slice) bool {
		return s.Group == g.Name && s.ReadyAt.After(g.FailedAt) && now.Sub(s.ReadyAt) >= g.Pace.ShortLived
	}
	peace := 2*g.Pace.BackoffMax + g.Pace.BootTimeout + g.Pace.InitTimeout
	if now.Sub(g.FailedAt) > peace || slices.ContainsFunc(c.fleet.slices, good) {
		g.Failures = 0
	}
	pause := g.Pace.BackoffMax
	if g.Failures < 32 {
		pause = min(pause, g.Pace.BackoffInitial<<g.Failures)
	}
	if pause <= 0 { // it overflowed
		pause = g.Pace.BackoffMax
	}
	g.Failures++
	g.FailedAt, g.BackoffUntil = now, after(now, pause)
}

func (c *Cluster) observeSlice(now time.Time, cmd ObserveSlice) {
	if !c.SliceNews(cmd) || len(cmd.VMs) == 0 {
		return
	}
	s, g := c.fleet.byID[cmd.ID], c.fleet.groups[cmd.Group]
	if s == nil {
		s = c.adopt(now, cmd, g)
	} else if s.State == vm.Requesting {
		c.note(now, s, EventCreated, "in "+s.Zone)
	}
	s.VMs = slices.Clone(cmd.VMs)
	for i := range s.VMs {
		v := &s.VMs[i]
		v.ChangedAt, v.LeavesAt = wall(v.ChangedAt), wall(v.LeavesAt)
		v.InitError, v.InitPhase = valid(v.InitError), valid(v.InitPhase)
	}
	for _, v := range s.VMs {
		if w := s.workerOf(v); w != nil && v.State.Terminal() {
			c.loseWorker(now, w, fmt.Sprintf("its machine is %v", v.State))
		}
	}
	c.settleSlice(now, s)
}

// adopt takes a slice in that nobody asked for: a platform has it, because a controller asked that lost its log, or because
// it arrived after it was given up. What the group may not have is given back at once.
func (c *Cluster) adopt(now time.Time, cmd ObserveSlice, g *ScaleGroup) *Slice {
	gone, late := c.fleet.gone[cmd.ID]
	full := g.Removed || g.slices >= g.MaxSlices
	s := c.addSlice(&Slice{
		ID: cmd.ID, Group: g.Name, Zone: cmd.Zone, State: vm.Booting, Since: now, Requested: now, Reason: "found on its platform",
	})
	g.Made = max(g.Made, sliceNumber(s.ID)+1)
	delete(c.fleet.gone, s.ID)
	for _, w := range c.sorted {
		if w.Attributes[AttributeSlice] == s.ID {
			c.enlist(now, w)
		}
	}
	c.note(now, s, EventAdopted, s.Reason)
	switch {
	case late && gone.Seen:
		c.stopSlice(now, StopSlice{ID: s.ID, Why: StopOrphan, Cause: "its platform has it again; it was given back before"})
	case full:
		c.stopSlice(now, StopSlice{ID: s.ID, Why: StopOrphan, Cause: fmt.Sprintf("group %s may not have it", g.Name)})
	}
	return s
}

func (c *Cluster) stopSlice(now time.Time, cmd StopSlice) {
	s := c.fleet.byID[cmd.ID]
	if s == nil || s.State == vm.Stopping || cmd.Why.needless() && s.held > 0 && !mutant.On(mutant.BusySliceStopped) {
		return
	}
	g, cause := c.fleet.groups[s.Group], valid(cmd.Cause)
	s.State, s.Since, s.Cause, s.Leaving = vm.Stopping, now, cause, true
	c.note(now, s, stopEvents[cmd.Why], cause)
	switch cmd.Why {
	case StopIdle:
		g.LastDown, g.NextDown = now, g.Pace.NextDown(now, g.NextDown)
	case StopFailed, StopUnhealthy, StopPreempted:
		if s.ReadyAt.IsZero() || now.Sub(s.ReadyAt) < g.Pace.ShortLived {
			c.failed(now, g, cause)
		} else {
			g.Failures = 0 // it was good for long
		}
	}
	c.effects = append(c.effects, TerminateSlice{s.ID, s.Group, s.Zone})
	c.evict(now, s, fmt.Sprintf("slice %s is given back: %s", s.ID, cause))
}

// evict ends what runs on a slice. Its capacity is free when the workers confirm, or are gone (FM-9).
func (c *Cluster) evict(now time.Time, s *Slice, cause string) {
	var ending []*Attempt
	for _, id := range slices.Sorted(maps.Keys(s.workers)) {
		for _, a := range s.workers[id].Held() {
			if !a.State.Terminal() {
				ending = append(ending, a)
			}
		}
	}
	c.endLost(now, ending, cause)
}

func (c *Cluster) endSlice(now time.Time, cmd EndSlice) {
	s := c.fleet.byID[cmd.ID]
	if s == nil {
		return
	}
	cause := s.Cause
	if s.State != vm.Stopping {
		cause = valid(cmd.Cause)
	}
	c.note(now, s, EventGone, cause)
	c.removeSlice(now, s, cause, len(s.VMs) > 0)
}

// removeSlice drops a slice with its workers, and remembers it for a while.
func (c *Cluster) removeSlice(now time.Time, s *Slice, cause string, seen bool) {
	for _, id := range slices.Sorted(maps.Keys(s.workers)) {
		if w := s.workers[id]; !w.Lost && !mutant.On(mutant.GoneSliceKeepsLive) {
			c.loseWorker(now, w, fmt.Sprintf("its slice %s is gone: %s", s.ID, cause))
		}
	}
	for _, w := range s.workers {
		w.slice = nil
	}
	at, _ := slices.BinarySearchFunc(c.fleet.slices, s, sliceOrder)
	c.fleet.slices = slices.Delete(c.fleet.slices, at, at+1)
	delete(c.fleet.byID, s.ID)
	c.fleet.groups[s.Group].slices--
	maps.DeleteFunc(c.fleet.gone, func(_ string, g Gone) bool { return now.Sub(g.At) > goneFor })
	c.fleet.gone[s.ID] = Gone{ID: s.ID, Group: s.Group, At: now, Cause: cause, Seen: seen}
}

// EventKind is what happened to a slice.
type EventKind uint8

// The kinds of events.
const (
	EventRequested EventKind = iota + 1
	EventCreated
	EventRefused
	EventReady
	EventAdopted
	EventIdle
	EventSurplus
	EventFailed
	EventUnhealthy
	EventPreempted
	EventOrphan
	EventGone
)

// stopEvents are what it is called when a slice is given back.
var stopEvents = map[StopWhy]EventKind{
	StopIdle: EventIdle, StopSurplus: EventSurplus, StopFailed: EventFailed, StopUnhealthy: EventUnhealthy,
	StopPreempted: EventPreempted, StopOrphan: EventOrphan,
}

// SliceEvent is something that happened to a slice.
type SliceEvent struct {
	At           time.Time
	Kind         EventKind
	Group, Slice string
	Text         string
}

// maxEvents is how many are kept.
const maxEvents = 100

// SliceEvents are the last hundred, oldest first. The caller must not keep or change the slice.
func (c *Cluster) SliceEvents() []SliceEvent { return c.fleet.events }

func (c *Cluster) note(now time.Time, s *Slice, kind EventKind, text string) {
	if len(c.fleet.events) == maxEvents {
		c.fleet.events = slices.Delete(c.fleet.events, 0, 1)
	}
	e := SliceEvent{now, kind, s.Group, s.ID, text}
	c.fleet.events = append(c.fleet.events, e)
	c.tellSlice(e)
}
