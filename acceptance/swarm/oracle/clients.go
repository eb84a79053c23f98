package oracle

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"iris/iris/state"
)

// Call is one call of a client about a job, and what it was answered.
type Call struct {
	Client int
	Kind   CallKind
	Job    string
	// Called and Returned are in nanoseconds. Calls that touch, at one instant, count as concurrent.
	Called, Returned int64
	// Unknown: there was no answer. It may have happened at any time since, or it will, or never.
	Unknown bool
	// State is what a Status said of the job; 0: not found.
	State state.State
	// Refused: the answer was an error of this call, such as NOT_FOUND; an error of the network is Unknown.
	Refused bool
}

// CallKind is what a client calls.
type CallKind uint8

// The kinds of calls.
const (
	Launch CallKind = iota + 1
	Status
	Stop
)

// The model of one job is a [state.State]: absent, alive, or how it is over. A job that is alive may be over before the next
// call; nobody knows until one says so.
const (
	absent = state.State(0)
	alive  = state.Pending
)

// ends are how a job may be over.
var ends = []state.State{state.Succeeded, state.Failed, state.Killed, state.WorkerFailed, state.Unschedulable}

// Linearizable judges what clients were told: as if calls had happened one at a time, each between its beginning and its
// return, whichever controller answered. A job is absent until it is launched, then alive in any order of PENDING, BUILDING
// and RUNNING, then over, in one way for ever. Launching it again changes nothing (FM-60) and is not refused; once it was
// launched it is found, once it was stopped it is over, and once anybody has seen it over nobody sees it alive.
//
// Calls are in any order, launches of one id have one spec, and none of the jobs is forgotten meanwhile. Timeout is how long
// the checker may take for one job, 0: for ever. That it does not finish is an error too.
func Linearizable(calls []Call, timeout time.Duration) error {
	byJob := map[string][]Call{}
	for _, c := range calls {
		byJob[c.Job] = append(byJob[c.Job], c)
	}
	for _, job := range slices.Sorted(maps.Keys(byJob)) {
		all := byJob[job]
		switch check(all, timeout) {
		case porcupine.Unknown:
			return fmt.Errorf("job %s: whether its %d calls are linearizable is not known after %v", job, len(all), timeout)
		case porcupine.Illegal:
			return fmt.Errorf("job %s: %s", job, explain(all, timeout))
		}
	}
	return nil
}

// model is that of one job: calls are partitioned before.
var model = (&porcupine.NondeterministicModel{
	Init: func() []any { return []any{absent} },
	Step: func(s, call, _ any) []any {
		var next []any
		for _, to := range call.(Call).from(s.(state.State)) {
			next = append(next, to)
		}
		return next
	},
}).ToModel()

// from are the states that a job may be in after a call that it met in this one. None: the answer is wrong.
func (c Call) from(s state.State) []state.State {
	stays := []state.State{s}
	switch {
	case c.Kind == Launch && c.Refused, c.Kind == Stop && c.Refused:
		if s == absent { // for its spec, its name or its parent; or there is nothing to stop
			return stays
		}
		return nil
	case c.Kind == Launch && s == absent:
		if c.Unknown {
			return []state.State{absent, alive}
		}
		return []state.State{alive}
	case c.Kind == Stop && s == absent:
		if c.Unknown {
			return stays
		}
		return nil
	case c.Kind == Stop && s == alive: // it may have been over already
		if c.Unknown {
			return []state.State{alive, state.Killed}
		}
		return ends
	case c.Kind == Status && !c.Unknown:
		seen := c.seen()
		if s == seen || s == alive && slices.Contains(ends, seen) {
			return []state.State{seen}
		}
		return nil
	}
	return stays
}

// seen is what a Status says, in the states of the model.
func (c Call) seen() state.State {
	if c.State == state.Building || c.State == state.Running {
		return alive
	}
	return c.State
}

func check(calls []Call, timeout time.Duration) porcupine.CheckResult {
	ops := make([]porcupine.Operation, len(calls))
	for i, c := range calls {
		ops[i] = porcupine.Operation{ClientId: c.Client, Input: c, Call: c.Called, Return: c.ended()}
	}
	return porcupine.CheckOperationsTimeout(model, ops, timeout)
}

// explain names the first call whose answer does not fit the calls until then, whatever their order was; what it could have
// been answered; and the calls before it.
func explain(calls []Call, timeout time.Duration) string {
	slices.SortStableFunc(calls, func(a, b Call) int {
		return cmp.Or(cmp.Compare(a.ended(), b.ended()), cmp.Compare(a.Called, b.Called))
	})
	n := sort.Search(len(calls)-1, func(i int) bool { return check(until(calls, i, calls[i]), timeout) == porcupine.Illegal })
	var could, before []string
	for _, other := range calls[n].others() {
		if check(until(calls, n, other), timeout) == porcupine.Ok {
			could = append(could, other.answer())
		}
	}
	const most = 8
	for _, c := range calls[max(n-most, 0):n] {
		before = append(before, c.String())
	}
	return fmt.Sprintf("%v; it could have been %s; before it: %s",
		calls[n], strings.Join(could, " or "), cmp.Or(strings.Join(before, ", "), "nothing"))
}

// until are the calls as they were when the nth had returned, with this answer: those under way had no answer yet.
func until(calls []Call, n int, nth Call) []Call {
	all := append(slices.Clone(calls[:n]), nth)
	for _, c := range calls[n+1:] {
		if c.Called <= nth.Returned {
			c.Unknown, c.Refused = true, false
			all = append(all, c)
		}
	}
	return all
}

// others are the call with each other answer that there is.
func (c Call) others() (all []Call) {
	if c.Kind != Status {
		c.Refused = !c.Refused
		return []Call{c}
	}
	for _, s := range append([]state.State{absent, alive}, ends...) {
		if s != c.seen() {
			c.State = s
			all = append(all, c)
		}
	}
	return all
}

// ended is when the call returned, or the end of time.
func (c Call) ended() int64 {
	if c.Unknown {
		return math.MaxInt64
	}
	return c.Returned
}

// String is the call and its answer: "client 2's status from 1s to 2s: RUNNING".
func (c Call) String() string {
	called, returned := time.Duration(c.Called), time.Duration(c.Returned)
	kind := map[CallKind]string{Launch: "launch", Status: "status", Stop: "stop"}[c.Kind]
	if c.Unknown {
		return fmt.Sprintf("client %d's %s from %v: no answer", c.Client, kind, called)
	}
	return fmt.Sprintf("client %d's %s from %v to %v: %s", c.Client, kind, called, returned, c.answer())
}

func (c Call) answer() string {
	switch {
	case c.Refused:
		return "refused"
	case c.Kind != Status:
		return "done"
	case c.State == absent:
		return "not found"
	}
	return c.State.String()
}
