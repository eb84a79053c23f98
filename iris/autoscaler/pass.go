package autoscaler

import (
	"math"
	"slices"
	"strings"
	"time"

	"iris/iris/mutant"
	"iris/iris/schedule"
	"iris/iris/state"
	"iris/iris/vm"
)

// A pass is the working state of one Decide.
type pass struct {
	now     time.Time
	view    View
	groups  []group
	kinds   []kind
	most    []state.Resources // by kind: no VM of its boxes has more room
	models  []int32           // the first kind of each
	useless []bool            // by model, once shrink has found out: no class could use its slices, unless it names one
	asks    []ask
	columns map[string]*column
	classes []*class
	names   map[string]*box     // by the ids of slices and workers; nil: not made yet
	pins    map[string][]*class // those that name a slice or a worker, by which; nil: not made yet

	boxed    []int32 // the kinds that have boxes, ascending
	open     []int32 // the kinds of which there may be more slices, ascending
	headroom int     // of all groups
	epoch    int     // counts whenever a box has more room than before
	grown    []int32 // kinds that got another box in this epoch
	repair   repair
	looks    int // at workers, for gangs across slices

	actions []Action
	next    time.Time

	openings []opening // scratch of put
}

// A group is a scale group and what the pass knows of its slices.
type group struct {
	*state.ScaleGroup
	availability Availability
	fails        string // why a slice of it is given up in this decision, if the group is to back off because of that

	live       int // slices that are not gone, those included that are being given back
	staying    int // of them those that are not, nor will be by this decision
	requesting int
	ready      int
	pending    []*state.Slice // REQUESTING, BOOTING or INITIALIZING
	idle       []*state.Slice // READY, without an attempt
	broken     []*state.Slice // UNHEALTHY, FAILED or PREEMPTED
	sample     *state.Slice   // a READY one

	zones    []string // configured, and others that slices are in
	kinds    int32    // the first of p.kinds; there is one for each zone
	headroom int      // slices that may yet be asked for because of the demand
	fresh    []*box   // those that the demand takes
	created  int      // slices asked for in this decision
	short    int      // slices that are kept ready and not there, nor asked for because of the demand
	returned int      // idle slices given back in this decision
}

func newPass(now time.Time, v View) *pass {
	p := &pass{now: now, view: v, groups: make([]group, len(v.Groups))}
	byName := make(map[string]*group, len(v.Groups))
	for i, g := range v.Groups {
		p.groups[i] = group{ScaleGroup: g, zones: g.Zones}
		byName[g.Name] = &p.groups[i]
	}
	var g *group
	for _, s := range v.Slices {
		if g == nil || g.Name != s.Group {
			if g = byName[s.Group]; g == nil {
				continue
			}
		}
		g.add(s)
	}
	return p
}

func (g *group) add(s *state.Slice) {
	g.live++
	switch s.State {
	case vm.Stopping:
		return
	case vm.Requesting:
		g.requesting++
		g.pending = append(g.pending, s)
	case vm.Booting, vm.Initializing:
		g.pending = append(g.pending, s)
	case vm.Ready:
		g.ready++
		g.sample = s
		if idle(s) {
			g.idle = append(g.idle, s)
		}
	default:
		g.broken = append(g.broken, s)
	}
	g.staying++
}

// idle reports whether nothing runs on a slice.
func idle(s *state.Slice) bool {
	if mutant.On(mutant.BusySliceStopped) {
		return true
	}
	return s.Held() == 0 && (s.ReadyAt.IsZero() && s.State != vm.Ready || !s.IdleSince.IsZero())
}

// max is how many slices the group may have.
func (g *group) max() int {
	if g.Removed {
		return 0
	}
	return g.MaxSlices
}

// at has another look taken at this instant, if that is still to come.
func (p *pass) at(t time.Time) {
	if t.After(p.now) && (p.next.IsZero() || t.Before(p.next)) {
		p.next = t
	}
}

// worker is the live worker with this id, or nil.
func (p *pass) worker(id string) *schedule.Worker {
	i, ok := slices.BinarySearchFunc(p.view.Workers, id, func(w schedule.Worker, id string) int {
		return strings.Compare(w.ID, id)
	})
	if !ok {
		return nil
	}
	return &p.view.Workers[i]
}

// slots is how many tasks of this need there is room for. A worker takes any number of tasks that need nothing, but one of
// each gang.
func slots(room, need state.Resources, gang bool) int64 {
	switch {
	case !room.Fits(need):
		return 0
	case need == state.Resources{}:
		if gang {
			return 1
		}
		return math.MaxInt32
	}
	left := room.Sub(need)
	for n := range int64(3) { // mostly it is few, and a division costs as much as all this
		if left = left.Sub(need); !left.Fits(state.Resources{}) {
			return n + 1
		}
	}
	return min(room.Slots(need), math.MaxInt32)
}
