package state

import (
	"time"

	pb "iris/iris/proto"
	"iris/iris/vm"
)

// Command is one decision, as it stands in the log. Commands that no longer apply (a stale report, a second
// cancellation) change nothing; those a caller must be told about return an *Error.
type Command interface{ command() }

// SubmitJob launches a job. The spec has passed [Validate]. Submitting the same id and spec again changes nothing
// (FM-60).
type SubmitJob struct {
	ID   string
	Spec *pb.JobSpec
	// Trace is the trace that the launch is part of, a W3C traceparent; empty: none. That of a repeated launch is ignored.
	Trace string
}

// CancelJob ends a job and its children as KILLED.
type CancelJob struct {
	ID     string
	Reason string
}

// RegisterWorker makes a worker known, or known again. Reports are everything it runs or has finished: attempts of an
// earlier incarnation that it does not report are lost (FM-17).
type RegisterWorker struct {
	ID, Incarnation, Address string
	Capacity                 Resources
	Attributes               map[string]string
	Reports                  []Report
}

// LoseWorker marks a worker lost and fails what it ran. Ignored unless the incarnation is the current one.
type LoseWorker struct {
	ID, Incarnation string
	Cause           string // "no heartbeat for 60s"
}

// Assign creates attempts and takes their capacity, before anything is sent (FM-2). Placements that no longer hold are
// left out; a gang is placed whole or left out whole (FM-45).
type Assign struct {
	Placements []Placement
}

// Placement puts one task on one worker.
type Placement struct {
	Job    string
	Task   int32
	Worker string
}

// Observe is what a worker reported, reduced to what is news (see [Cluster.News]).
type Observe struct {
	Worker, Incarnation string
	Reports             []Report
}

// Report is what a worker says of one attempt.
type Report struct {
	UID      string
	State    State // Building, Running, Succeeded, Failed, or Killed: stopped, or never ran
	Error    string
	ExitCode *int32
	Ports    map[string]int32 // its named ports, if it is Running
}

// FailDispatch ends an attempt whose delivery was given up. An attempt its worker has reported meanwhile goes on (FM-3).
type FailDispatch struct {
	UID   string
	Cause string // "dispatch to w-1 failed 4 times: …"
}

// Expire acts on a deadline that was due. Reason is why a task never fitted, for SchedulingDeadline.
type Expire struct {
	Deadline Deadline
	Reason   string
}

// SetPolicy changes the rules from now on. A deadline that was set under the old ones stands.
type SetPolicy struct {
	Policy Policy
}

// ForgetJobs drops jobs as if they had never been launched: those that are over together with all their family, whose
// attempts have all been released, and whose children are dropped with them or were before. Others stay.
type ForgetJobs struct {
	IDs []string
}

// ForgetWorkers drops lost workers that hold nothing (FM-27). Others stay. One that comes back is new.
type ForgetWorkers struct {
	IDs []string
}

// SetGroups makes these the scale groups from now on. What is known of one that stays is kept; one that is left out is
// removed, and goes with its last slice.
type SetGroups struct {
	Groups []Group
}

// RequestSlice has a group's next slice asked for. Ignored if the group is not there or has all the slices it may have.
type RequestSlice struct {
	Group, Zone string
	Reason      string // "2 tasks of job train wait"
}

// RefuseSlice notes that a platform did not create a slice that was asked for. Ignored if it is not REQUESTING.
type RefuseSlice struct {
	ID    string
	Why   Refusal
	Cause string
}

// ObserveSlice is what a platform shows of a slice, if it is news (see [Cluster.SliceNews]). One that nobody asked for, or
// that was given up, is adopted if its group may have it, and given back if not (FM-66, FM-71).
type ObserveSlice struct {
	ID, Group, Zone string
	VMs             []vm.VM
}

// StopSlice has a slice given back: what still runs on it ends with it. Ignored if it is being given back already, or if
// the reason is that it is not needed and it runs something (FM-64).
type StopSlice struct {
	ID    string
	Why   StopWhy
	Cause string // "idle for 5m0s"
}

// EndSlice notes that a slice is gone, and its workers with it.
type EndSlice struct {
	ID    string
	Cause string
}

func (SetGroups) command()      {}
func (RequestSlice) command()   {}
func (RefuseSlice) command()    {}
func (ObserveSlice) command()   {}
func (StopSlice) command()      {}
func (EndSlice) command()       {}
func (SubmitJob) command()      {}
func (CancelJob) command()      {}
func (RegisterWorker) command() {}
func (LoseWorker) command()     {}
func (Assign) command()         {}
func (Observe) command()        {}
func (FailDispatch) command()   {}
func (Expire) command()         {}
func (SetPolicy) command()      {}
func (ForgetJobs) command()     {}
func (ForgetWorkers) command()  {}

// Effect is something to do now that a command has been applied.
type Effect interface{ effect() }

// Run asks for an attempt to be sent to its worker.
type Run struct{ Attempt *Attempt }

// Stop asks a worker to stop an attempt, known to it or not.
type Stop struct{ Worker, UID string }

// CreateSlice asks for a slice to be created.
type CreateSlice struct{ ID, Group, Zone string }

// TerminateSlice asks for a slice to be given back, until that is done.
type TerminateSlice struct{ ID, Group, Zone string }

func (Run) effect()            {}
func (Stop) effect()           {}
func (CreateSlice) effect()    {}
func (TerminateSlice) effect() {}

// Kind classifies why a command was refused.
type Kind uint8

// The kinds, named after the gRPC codes they become.
const (
	InvalidArgument Kind = iota + 1
	NotFound
	AlreadyExists
	FailedPrecondition
	Unavailable // as things are; it may be asked again later
)

// Error is a refused command: nothing was changed.
type Error struct {
	Kind Kind
	Text string
}

// Error is the text, which says what was refused and what to do.
func (e *Error) Error() string { return e.Text }

// Policy are the rules that a cluster's configuration sets. They are part of its state: see [SetPolicy].
type Policy struct {
	// NoWorkerGrace is how long a task that lost its worker waits while no live worker could ever run it.
	NoWorkerGrace time.Duration
	// DispatchRounds is how often every worker that could run a task is tried before the task fails.
	DispatchRounds int
	// DispatchPause is the pause after the first round; it doubles with each round, up to 16 times.
	DispatchPause time.Duration
	// TimeoutSlack is how long after an attempt's timeout the controller ends it itself, its worker being silent.
	TimeoutSlack time.Duration
}
