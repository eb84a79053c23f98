package autoscaler

import (
	"time"

	"iris/iris/schedule"
	"iris/iris/state"
)

// View is what Decide decides on.
type View struct {
	// Groups are by rank, then by name.
	Groups []*state.ScaleGroup
	// Slices are all that are not gone, in the order in which they were asked for.
	Slices []*state.Slice
	// Demand is what the scheduler has just failed to place on the workers there are, in its order.
	Demand []schedule.Request
	// Workers are the live ones that take tasks, by id, with what they have free now. They tell how much room there is on a
	// slice of which some workers are there already and how much a gang finds outside the slices under way, and whether the
	// machines of a group are as large as configured. Without them they are, and those workers count as empty.
	Workers []schedule.Worker
}

// Action is something to be done about a slice.
type Action interface{ action() }

// Create has a slice asked for.
type Create struct {
	Group, Zone string
	Reason      string // "2 tasks of job a wait"
}

// Stop has a slice given back.
type Stop struct {
	Slice string
	Why   Why
	Cause string // "idle for 5m0s"
}

// Why a slice is given back.
type Why = state.StopWhy

// Decision is what to do now, and why.
type Decision struct {
	// Actions are first what must go, then what is asked for, then what is not needed.
	Actions []Action
	// Groups say how each group stands, in the order of the view.
	Groups []Standing
	// Waits say of each request in the demand what its tasks wait for, in the order of the view.
	Waits []Wait
	// Next is when another look is worth it though nothing changes; zero: never. Carrying out an action is a change.
	Next time.Time
}

// Standing is how a group stands.
type Standing struct {
	Group        string
	Availability Availability
	// Demand is how many slices of it what waits takes, among them those that are under way.
	Demand int
	// Text is why slices were asked for, or why not.
	Text string
}

// Wait is what the unplaced tasks of a job wait for.
type Wait struct {
	Job   string
	Group string // that is to run them; empty: none can
	Text  string // "slice tpu-a-3 is BOOTING", "quota exceeded in us-1 until 12:03:04"
}

// Availability is whether a group takes demand.
type Availability uint8

// The availabilities: the first three take demand, from the others it goes on to the next group.
const (
	Available     Availability = iota
	Cooldown                   // slices were asked for lately
	Requesting                 // as many slices are being asked for as may be at a time
	Backoff                    // slices failed
	QuotaExceeded              // no zone may be asked
	AtMax                      // there are MaxSlices, or the group is not configured any more
)

// maxRequesting is how many slices of a group the platform is asked for at a time.
const maxRequesting = 32

func (Create) action() {}
func (Stop) action()   {}

// Decide looks at everything anew.
func Decide(now time.Time, v View) Decision {
	p := newPass(now, v)
	p.giveUp()  // what failed or takes too long
	p.trim()    // what there is too much of
	p.hold()    // what waits for slices under way
	p.spread()  // what is left, over the groups
	p.request() // what that takes, and what is kept ready
	p.shrink()  // what nobody needs
	return Decision{Actions: p.actions, Groups: p.standings(), Waits: p.waits(), Next: p.next}
}
