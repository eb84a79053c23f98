package oracle

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"iris/iris/state"
)

// inTurn are calls of which the nth takes from 10n to 10n+5 ns, unless it says otherwise.
func inTurn(calls ...Call) []Call {
	for n := range calls {
		c := &calls[n]
		c.Job = "j"
		if c.Called == 0 {
			c.Called = int64(10 * n)
		}
		if c.Returned == 0 {
			c.Returned = int64(10*n + 5)
		}
	}
	return calls
}

var launch, stop, absentCall = Call{Kind: Launch}, Call{Kind: Stop}, Call{Kind: Status}

func says(s state.State) Call { return Call{Kind: Status, State: s} }

func (c Call) refused() Call         { c.Refused = true; return c }
func (c Call) unanswered() Call      { c.Unknown = true; return c }
func (c Call) until(at int64) Call   { c.Returned = at; return c }
func (c Call) since(at int64) Call   { c.Called = at; return c }
func (c Call) by(client int) Call    { c.Client = client; return c }
func (c Call) about(job string) Call { c.Job = job; return c }

func TestWhatClientsMayBeToldIsAccepted(t *testing.T) {
	for name, calls := range map[string][]Call{
		"nothing": inTurn(),
		"a life": inTurn(absentCall, launch, says(pending), says(running), says(pending), says(building),
			says(won), says(won)),
		"launched twice":              inTurn(launch, launch, says(running), launch, says(fell), launch, says(fell)),
		"stopped":                     inTurn(launch, stop, says(killed)),
		"stopped too late":            inTurn(launch, stop, says(won), stop, says(won)),
		"stopped when over":           inTurn(launch, says(gone), stop, says(gone)),
		"unknown to stop":             inTurn(stop.refused(), launch),
		"refused":                     inTurn(launch.refused(), absentCall),
		"launched while asked":        inTurn(launch.until(100), absentCall, says(running), says(running)),
		"lost launch":                 inTurn(launch.unanswered(), absentCall, absentCall),
		"late launch":                 inTurn(launch.unanswered(), absentCall, says(running)),
		"repeated after no answer":    inTurn(launch.unanswered(), launch, says(running)),
		"lost stop":                   inTurn(launch, stop.unanswered(), says(running), says(won)),
		"late stop":                   inTurn(launch, stop.unanswered(), says(running), says(killed)),
		"stop before launch, no news": inTurn(stop.unanswered(), launch, says(running)),
		"status without an answer":    inTurn(launch, absentCall.unanswered(), says(running)),
		"over while asked":            inTurn(launch, says(won).until(100), says(running), says(won)),
	} {
		if err := Linearizable(calls, time.Minute); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatNoOrderOfCallsExplainsIsRefused(t *testing.T) {
	for _, c := range []struct {
		why   string
		calls []Call
	}{
		{"client 0's status from 0s to 5ns: RUNNING; it could have been not found; before it: nothing", inTurn(says(running))},
		{"client 0's status from 10ns to 15ns: not found; it could have been PENDING or SUCCEEDED or FAILED or KILLED or " +
			"WORKER_FAILED or UNSCHEDULABLE; before it: client 0's launch from 0s to 5ns: done", inTurn(launch, absentCall)},
		{"client 2's status from 20ns to 25ns: RUNNING; it could have been SUCCEEDED; before it: client 0's launch from 0s to 5ns: " +
			"done, client 1's status from 10ns to 15ns: SUCCEEDED", inTurn(launch, says(won).by(1), says(running).by(2), says(won))},
		{"client 0's status from 20ns to 25ns: FAILED; it could have been SUCCEEDED; before it: client 0's launch from 0s to 5ns: " +
			"done, client 0's status from 10ns to 15ns: SUCCEEDED", inTurn(launch, says(won), says(fell))},
		{"client 0's status from 20ns to 25ns: RUNNING; it could have been SUCCEEDED or FAILED or KILLED or WORKER_FAILED or " +
			"UNSCHEDULABLE; before it: client 0's launch from 0s to 5ns: done, client 0's stop from 10ns to 15ns: done",
			inTurn(launch, stop, says(running))},
		{"client 0's launch from 10ns to 15ns: refused; it could have been done; before it: client 0's launch from 0s to 5ns: done",
			inTurn(launch, launch.refused())},
		{"client 0's stop from 10ns to 15ns: refused; it could have been done; before it: client 0's launch from 0s to 5ns: done",
			inTurn(launch, stop.refused())},
		{"client 0's stop from 0s to 5ns: done; it could have been refused; before it: nothing", inTurn(stop)},
		{"client 0's status from 20ns to 25ns: KILLED; it could have been not found; before it: client 0's launch from 0s to 5ns: " +
			"refused, client 0's stop from 10ns to 15ns: refused", inTurn(launch.refused(), stop.refused(), says(killed))},
		{"client 0's status from 30ns to 35ns: not found; it could have been PENDING or SUCCEEDED or FAILED or KILLED or " +
			"WORKER_FAILED or UNSCHEDULABLE; before it: client 0's status from 10ns to 15ns: not found, client 0's status from 20ns " +
			"to 25ns: RUNNING", inTurn(launch.unanswered(), absentCall, says(running), absentCall)},
		{"client 0's status from 5ns to 7ns: ASSIGNED; it could have been not found or PENDING or SUCCEEDED or FAILED or KILLED or " +
			"WORKER_FAILED or UNSCHEDULABLE; before it: client 0's launch from 0s to 5ns: done",
			inTurn(launch, says(assigned).since(5).until(7))},
	} {
		switch err := Linearizable(c.calls, time.Minute); {
		case err == nil:
			t.Errorf("accepted, instead of: %s", c.why)
		case err.Error() != "job j: "+c.why:
			t.Errorf("refused because\n\t%v\ninstead of\n\tjob j: %s", err, c.why)
		}
	}
}

func TestEachJobHasAnOrderOfItsOwn(t *testing.T) {
	calls := append(inTurn(launch, says(won)), says(running).about("k").since(30).until(35))
	if err := Linearizable(calls, time.Minute); err == nil || !strings.HasPrefix(err.Error(), "job k: ") {
		t.Errorf("job k was never launched, and runs: %v", err)
	}
	calls = append(calls, launch.about("k").since(20).until(25))
	if err := Linearizable(calls, time.Minute); err != nil {
		t.Error(err)
	}
}

func TestACheckThatDoesNotFinishIsAnError(t *testing.T) {
	calls := inTurn(launch)
	for range 40 {
		calls = append(calls, launch.about("j").since(10).until(1000), says(running).about("j").since(10).until(1000),
			stop.about("j").since(10).unanswered())
	}
	calls = append(calls, absentCall.about("j").since(2000).until(2001))
	err := Linearizable(calls, time.Nanosecond)
	if err == nil || err.Error() != "job j: whether its 122 calls are linearizable is not known after 1ns" {
		t.Error(err)
	}
}

// Calls of several clients at one true job, each of which takes effect somewhere between its beginning and its return, and of
// which some get no answer.
func TestCallsThatHappenedOneAtATimeAreAcceptedAndLiesAreNot(t *testing.T) {
	lies := 0
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 0))
		calls := truth(r)
		if err := Linearizable(calls, time.Minute); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if i := r.IntN(len(calls)); calls[i].Kind == Status && calls[i].State == won && !calls[i].Unknown {
			calls[i].State = fell // somebody else has seen it SUCCEEDED, or will
			if seen(calls, won) {
				if lies++; Linearizable(calls, time.Minute) == nil {
					t.Fatalf("seed %d: it was over in two ways: %v", seed, calls)
				}
			}
		}
	}
	if lies < 10 {
		t.Errorf("%d lies only", lies)
	}
}

func seen(calls []Call, s state.State) bool {
	for _, c := range calls {
		if c.Kind == Status && c.State == s && !c.Unknown {
			return true
		}
	}
	return false
}

// truth is a random history of a job that is launched, runs, and is over in one way.
func truth(r *rand.Rand) (calls []Call) {
	is, end := absent, []state.State{won, won, killed}[r.IntN(3)]
	for at := int64(1000); len(calls) < 30; at += 10 {
		c := Call{
			Client: len(calls) % 4, Job: "j", Kind: []CallKind{Launch, Status, Status, Status, Status, Stop}[r.IntN(6)],
			Called: at - r.Int64N(40), Returned: at + r.Int64N(40),
		}
		c.Unknown = r.IntN(8) == 0
		happens := !c.Unknown || r.IntN(2) == 0
		switch {
		case !happens:
		case c.Kind == Launch && is == absent:
			is = pending
		case c.Kind == Stop && is == absent:
			c.Refused = !c.Unknown
		case c.Kind == Stop && (is == pending || is == running):
			is = killed
		case c.Kind == Status:
			c.State = is
		}
		calls = append(calls, c)
		switch {
		case is == pending && r.IntN(2) == 0:
			is = running
		case is == running && r.IntN(6) == 0:
			is = end
		}
	}
	return calls
}
