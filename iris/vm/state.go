package vm

import "fmt"

// State is where a VM is in its life. The numbers are the ones of the wire.
type State int

// The states of a VM.
const (
	Unspecified  State = 0 // the zero value: nothing is known
	Booting      State = 1 // the platform is starting the machine
	Initializing State = 2 // the machine runs; its worker is being started
	Ready        State = 3 // the worker runs and is registered
	Unhealthy    State = 4 // the worker stopped answering
	Stopping     State = 5 // termination has begun
	Terminated   State = 6 // stopped because Iris asked for it
	Failed       State = 7 // will never be READY; VM.InitError says why
	Preempted    State = 8 // taken away by the platform
	Requesting   State = 9 // asked for; the platform has not answered yet
)

var stateNames = [...]string{
	Unspecified:  "UNSPECIFIED",
	Booting:      "BOOTING",
	Initializing: "INITIALIZING",
	Ready:        "READY",
	Unhealthy:    "UNHEALTHY",
	Stopping:     "STOPPING",
	Terminated:   "TERMINATED",
	Failed:       "FAILED",
	Preempted:    "PREEMPTED",
	Requesting:   "REQUESTING",
}

// String is the state's name in capitals, or State(n) for a number that names none.
func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return fmt.Sprintf("State(%d)", int(s))
	}
	return stateNames[s]
}

// Terminal says that the VM is gone for good: TERMINATED, FAILED or PREEMPTED. A terminal state never changes.
func (s State) Terminal() bool {
	return s == Terminated || s == Failed || s == Preempted
}
