package state

import (
	"fmt"
	"slices"

	pb "iris/iris/proto"
)

// State is where a job, a task or an attempt is. The numbers are those of the wire (design §3).
type State uint8

// The states. A job is never Assigned or CoschedFailed; an attempt is never Pending or Unschedulable.
const (
	Pending       = State(pb.TaskState_TASK_STATE_PENDING)
	Building      = State(pb.TaskState_TASK_STATE_BUILDING)
	Running       = State(pb.TaskState_TASK_STATE_RUNNING)
	Succeeded     = State(pb.TaskState_TASK_STATE_SUCCEEDED)
	Failed        = State(pb.TaskState_TASK_STATE_FAILED)
	Killed        = State(pb.TaskState_TASK_STATE_KILLED)
	WorkerFailed  = State(pb.TaskState_TASK_STATE_WORKER_FAILED)
	Unschedulable = State(pb.TaskState_TASK_STATE_UNSCHEDULABLE)
	Assigned      = State(pb.TaskState_TASK_STATE_ASSIGNED)
	CoschedFailed = State(pb.TaskState_TASK_STATE_COSCHED_FAILED)
	numStates     = CoschedFailed + 1
)

// States are all of them, in the order of a task's life.
var States = []State{
	Pending, Assigned, Building, Running,
	Succeeded, Failed, Killed, WorkerFailed, Unschedulable, CoschedFailed,
}

// String is the state's name in capitals: "WORKER_FAILED".
func (s State) String() string {
	const prefix = len("TASK_STATE_")
	name, ok := pb.TaskState_name[int32(s)]
	if !ok {
		return fmt.Sprintf("State(%d)", uint8(s))
	}
	return name[prefix:]
}

// Terminal reports whether nothing follows.
func (s State) Terminal() bool {
	switch s {
	case Succeeded, Failed, Killed, WorkerFailed, Unschedulable, CoschedFailed:
		return true
	}
	return false
}

// Moves lists every legal move of a job, a task or an attempt: from each state, where to (design §3).
type Moves [numStates][]State

var (
	// AttemptMoves are the legal moves of an attempt, which begins Assigned. Reports may be lost or coalesced, so a phase
	// may be skipped, never revisited.
	AttemptMoves = Moves{
		Assigned: {Building, Running, Succeeded, Failed, Killed, WorkerFailed, CoschedFailed},
		Building: {Running, Succeeded, Failed, Killed, WorkerFailed, CoschedFailed},
		Running:  {Succeeded, Failed, Killed, WorkerFailed, CoschedFailed},
	}
	// TaskMoves are the legal moves of a task, which begins Pending and returns there for each retry.
	TaskMoves = Moves{
		Pending:  {Assigned, Failed, Killed, WorkerFailed, Unschedulable, CoschedFailed},
		Assigned: {Pending, Building, Running, Succeeded, Failed, Killed, WorkerFailed, CoschedFailed},
		Building: {Pending, Running, Succeeded, Failed, Killed, WorkerFailed, CoschedFailed},
		Running:  {Pending, Succeeded, Failed, Killed, WorkerFailed, CoschedFailed},
	}
	// JobMoves are the legal moves of a job, which begins Pending and follows its furthest task until it ends.
	JobMoves = Moves{
		Pending:  {Building, Running, Succeeded, Failed, Killed, WorkerFailed, Unschedulable},
		Building: {Pending, Running, Succeeded, Failed, Killed, WorkerFailed, Unschedulable},
		Running:  {Pending, Building, Succeeded, Failed, Killed, WorkerFailed, Unschedulable},
	}
)

// IllegalMoveError is a move that is not in the table: a bug in this package, never bad input.
type IllegalMoveError struct {
	What     string // "task j-1/0"
	From, To State
}

// Error names the move.
func (e *IllegalMoveError) Error() string {
	return fmt.Sprintf("illegal move of %s: %v to %v", e.What, e.From, e.To)
}

// A stateSet tells which states there are, by number.
type stateSet [numStates]bool

var jobStates, taskStates, attemptStates = JobMoves.states(), TaskMoves.states(), AttemptMoves.states()

// states are all that the table has.
func (m Moves) states() (all stateSet) {
	for from, tos := range m {
		all[from] = all[from] || len(tos) > 0
		for _, to := range tos {
			all[to] = true
		}
	}
	return all
}

func (s *stateSet) know(number int32) bool { return number >= 0 && number < int32(len(s)) && s[number] }

// move changes *s. It panics with an IllegalMoveError: going on would corrupt the log's meaning.
func (m *Moves) move(s *State, to State, what func() string) {
	if *s == to {
		return
	}
	if !slices.Contains(m[*s], to) {
		panic(&IllegalMoveError{What: what(), From: *s, To: to})
	}
	*s = to
}
