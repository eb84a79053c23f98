package swarm

import (
	"fmt"
	"slices"
	"strings"

	"iris/acceptance/swarm/exact"
)

// reachable are the commands, each with the states of what it is about in which a leader can give it, those included that
// another command of the same step has just left. A report that is no news is none, so that of most pairs of states there is
// nothing to see.
var reachable = []struct {
	command string
	states  []string
}{
	{"SubmitJob", jobStates},
	{"CancelJob", jobStates},
	{"ForgetJobs", []string{"SUCCEEDED", "FAILED", "KILLED", "WORKER_FAILED", "UNSCHEDULABLE"}},
	{"RegisterWorker", []string{"unknown", "live", "live, older", "live, newer", "lost"}},
	{"LoseWorker", []string{"live"}},
	{"ForgetWorkers", []string{"lost"}},
	{"Assign", []string{"PENDING"}},
	{"Observe BUILDING", []string{"ASSIGNED"}},
	{"Observe RUNNING", []string{"ASSIGNED", "BUILDING"}},
	{"Observe SUCCEEDED", []string{"ASSIGNED", "BUILDING", "RUNNING", "FAILED", "KILLED", "WORKER_FAILED", "COSCHED_FAILED"}},
	{"Observe FAILED", []string{"ASSIGNED", "BUILDING", "RUNNING", "FAILED", "KILLED", "WORKER_FAILED", "COSCHED_FAILED"}},
	{"Observe KILLED", []string{"ASSIGNED", "BUILDING", "RUNNING", "FAILED", "KILLED", "WORKER_FAILED", "COSCHED_FAILED"}},
	{"FailDispatch", []string{"ASSIGNED", "BUILDING", "RUNNING", "SUCCEEDED", "FAILED", "KILLED", "WORKER_FAILED", "COSCHED_FAILED", "unknown"}},
	{"Expire scheduling", []string{"PENDING", "BUILDING", "RUNNING", "FAILED", "KILLED", "WORKER_FAILED"}},
	{"Expire timeout", []string{"PENDING", "BUILDING", "RUNNING", "FAILED", "KILLED", "WORKER_FAILED", "UNSCHEDULABLE"}},
	{"Expire stranded", []string{"PENDING", "RUNNING", "KILLED"}},
	{"SetPolicy", []string{""}},
	{"SetGroups", []string{""}},
	{"RequestSlice", []string{""}},
	{"RefuseSlice", []string{"REQUESTING", "STOPPING", "unknown"}},
	{"ObserveSlice", []string{"unknown", "REQUESTING", "BOOTING", "INITIALIZING", "READY", "UNHEALTHY", "FAILED", "PREEMPTED"}},
	{"StopSlice", []string{"REQUESTING", "BOOTING", "INITIALIZING", "READY", "UNHEALTHY", "FAILED", "PREEMPTED"}},
	{"EndSlice", []string{"STOPPING", "BOOTING", "INITIALIZING", "UNHEALTHY"}},
}

var jobStates = []string{"unknown", "PENDING", "BUILDING", "RUNNING", "SUCCEEDED", "FAILED", "KILLED", "WORKER_FAILED", "UNSCHEDULABLE"}

// Unmet are the pairs that can be reached and were not, as "FailDispatch of BUILDING".
func (r *Report) Unmet() (unmet []string) {
	for _, c := range reachable {
		for _, s := range c.states {
			if r.Met[exact.Pair{Command: c.command, State: s}] == 0 {
				unmet = append(unmet, strings.TrimSuffix(fmt.Sprintf("%s of %s", c.command, s), " of "))
			}
		}
	}
	return unmet
}

// Unforeseen are the pairs that were met though nobody thinks that they can be: the table is wrong, or Iris is.
func (r *Report) Unforeseen() (unforeseen []string) {
	for pair := range r.Met {
		if !slices.ContainsFunc(reachable, func(c struct {
			command string
			states  []string
		}) bool {
			return c.command == pair.Command && slices.Contains(c.states, pair.State)
		}) {
			unforeseen = append(unforeseen, fmt.Sprintf("%s of %s", pair.Command, pair.State))
		}
	}
	slices.Sort(unforeseen)
	return unforeseen
}

// beyond are the rows 1 to 62 of the catalogue of failure modes that random stories of the pure core do not come to, and why.
// The others are counted: see [Report.Rows].
var beyond = map[int]string{
	25: "there is one predicate of what a worker is good for, and nothing else to disagree with it",
	30: "of how loops are written: the real generator runs them, and a loop that dies is a story that does not heal",
	31: "as 30",
	32: "as 30; under the race detector",
	33: "the state is changed in one place, by commands",
	35: "of how errors are handled: the linters look for them",
	36: "of locks and disks: the pure core has neither",
	38: "of time that calls to a platform take; package provision has its tests",
	39: "news are logged in batches; benchmarks of the controller measure it",
	40: "there is no database",
	41: "the real generator: a story that leaves a goroutine behind is a violation",
	43: "what waits and what there is are looked at in one step",
	48: "nothing that runs is evicted for something more urgent",
	57: "budgets are for the life of a job, as the design says",
	62: "no job depends on another but as its child",
}

// Unreached are the rows that stories should have come to and did not.
func (r *Report) Unreached() (rows []int) {
	for row := 1; row <= 62; row++ {
		if _, not := beyond[row]; !not && r.Rows[row] == 0 {
			rows = append(rows, row)
		}
	}
	return rows
}
