package oracle

import "iris/iris/state"

// Job is what the controller says of a job at one instant. Slices may be used again for the next one.
type Job struct {
	ID    string
	State state.State
	Error string
	// Failures and Preemptions count attempts over all tasks, as the controller does.
	Failures, Preemptions int
	// Stopped: somebody has asked to stop it, whether or not there was an answer.
	Stopped bool
	// ParentEnded: the job that it belongs to was over at that instant.
	ParentEnded bool
	Tasks       []Task
}

// Task is what the controller says of one of a job's tasks.
type Task struct {
	State                 state.State
	Error                 string
	Failures, Preemptions int
	Attempts              []Attempt // all of them, in order
}

// Attempt is what the controller says of one try to run a task.
type Attempt struct {
	State         state.State
	Worker, Error string
	// Began: BUILDING or RUNNING was reported, or an end, which implies them.
	Began bool
	// Exit is the exit code of its process; nil if it is not known.
	Exit *int32
	// Assigned, Started and Finished are in nanoseconds; the latter two are 0 until they happen. A gang's member that has
	// succeeded is Finished while it waits for the others (FM-55).
	Assigned, Started, Finished int64
	// Released: its worker confirmed that it stopped, or is lost.
	Released bool
}

// over reports whether nothing follows.
func over(s state.State) bool {
	switch s {
	case state.Pending, state.Assigned, state.Building, state.Running:
		return false
	}
	return true
}

// provisional reports whether an attempt has succeeded and waits for the rest of its gang.
func (a *Attempt) provisional() bool { return !over(a.State) && a.Finished != 0 }
