package mutant

import "slices"

// Mutant names a deliberate bug. The constants are all there are; [All] says what each of them does.
type Mutant string

// Mutants of iris/state: budgets, and what attempts leave behind.
const (
	FailureBudgetOffByOne Mutant = "failure-budget-off-by-one"
	TaskFailuresOffByOne  Mutant = "task-failures-off-by-one"
	NeverBegunCharged     Mutant = "never-begun-charged"
	DispatchCharged       Mutant = "dispatch-charged"
	AvoidListForgotten    Mutant = "avoid-list-forgotten"
	AvoidListNeverReset   Mutant = "avoid-list-never-reset"
	CapacityReleasedEarly Mutant = "capacity-released-early"
	PortsKept             Mutant = "ports-kept"
	ExclusiveOverlaps     Mutant = "exclusive-overlaps"
	TimeoutOfSilentWorker Mutant = "timeout-of-silent-worker"
	SchedulingTimeoutLate Mutant = "scheduling-timeout-late"
)

// Mutants of iris/state: reports, stops and workers.
const (
	StaleReportAccepted   Mutant = "stale-report-accepted"
	LateReportMisdirected Mutant = "late-report-misdirected"
	WorkerStopEndsJob     Mutant = "worker-stop-ends-job"
	StopNotRepeated       Mutant = "stop-not-repeated"
	UnreportedKept        Mutant = "unreported-kept"
	EvictionKeepsAttempts Mutant = "eviction-keeps-attempts"
	CommitNotValidated    Mutant = "commit-not-validated"
	StrandedForgotten     Mutant = "stranded-forgotten"
)

// Mutants of iris/state: gangs, families and snapshots.
const (
	GangMemberKept         Mutant = "gang-member-kept"
	GangSuccessKept        Mutant = "gang-success-kept"
	GangSuccessAtOnce      Mutant = "gang-success-at-once"
	ChildrenOutliveParent  Mutant = "children-outlive-parent"
	SecondStopChangesJob   Mutant = "second-stop-changes-job"
	SnapshotForgetsAvoid   Mutant = "snapshot-forgets-avoid"
	SnapshotForgetsHeld    Mutant = "snapshot-forgets-held"
	SnapshotForgetsTimeout Mutant = "snapshot-forgets-timeout"
)

// Mutants of the other deciders: machines, the order of work, liveness.
const (
	BusySliceStopped     Mutant = "busy-slice-stopped"
	GoneSliceKeepsLive   Mutant = "gone-slice-keeps-live"
	HeadOfLineBlocks     Mutant = "head-of-line-blocks"
	BouncedGangStarves   Mutant = "bounced-gang-starves"
	WorkerNeverLost      Mutant = "worker-never-lost"
	LostEarlyAfterChange Mutant = "lost-early-after-change"
)

// Mutants of the shells around the deciders.
const (
	AnswerBeforeCommit Mutant = "answer-before-commit"
	OrderRunsTwice     Mutant = "order-runs-twice"
	LateOrderRunsAgain Mutant = "late-order-runs-again"
	ResultForgotten    Mutant = "result-forgotten"
	LeaseNotLookedAt   Mutant = "lease-not-looked-at"
	EarlyStopForgotten Mutant = "early-stop-forgotten"
)

// Where says what runs a mutant's line.
type Where uint8

// The places.
const (
	// Core: a decider. A simulation of the deciders alone can see it, and so can what runs the production code.
	Core Where = iota + 1
	// Shell: the controller's shell or the worker. Only what runs the production code can see it.
	Shell
	// Commands: a decider, and no leader gives the command that shows it. Only who applies commands of its own making can.
	Commands
)

// String is the place in one word: "core".
func (w Where) String() string {
	switch w {
	case Core:
		return "core"
	case Shell:
		return "shell"
	case Commands:
		return "commands"
	}
	return "nowhere"
}

// Description says what a mutant does.
type Description struct {
	Mutant Mutant
	Where  Where
	Wrong  string // what is wrong, in words for a table
	Breaks string // the rule that says so: a section of the design, a failure mode, the letter of an invariant
}

// All are the mutants there are.
var All = []Description{
	{FailureBudgetOffByOne, Core, "a task is retried once more than max_retries_failure", "design §3"},
	{TaskFailuresOffByOne, Core, "a job ends when max_task_failures tasks have failed, not with one more", "design §3, FM-58"},
	{NeverBegunCharged, Core, "attempts that never began are charged as preemptions", "FM-2, (e)"},
	{DispatchCharged, Core, "a failed dispatch is charged as a preemption", "design §3, FM-2, (e)"},
	{AvoidListForgotten, Core, "after a failed dispatch the task goes to the same worker again, and no round ever ends", "design §3, FM-1"},
	{AvoidListNeverReset, Core, "the next round of dispatch avoids the workers of the last one still", "design §3, (f)"},
	{CapacityReleasedEarly, Core, "capacity is free when the controller ends an attempt, not when its worker confirms", "design §3, FM-9"},
	{PortsKept, Core, "an attempt that ended badly still has its ports", "FM-61, (j)"},
	{ExclusiveOverlaps, Core, "an exclusive task starts again before its last attempt is confirmed stopped", "design §4"},
	{TimeoutOfSilentWorker, Core, "the controller leaves timeouts to the workers, silent ones included", "design §3"},
	{SchedulingTimeoutLate, Core, "scheduling_timeout ends tasks too that had an attempt and wait for another", "design §3, FM-49"},

	{StaleReportAccepted, Core, "a report of an earlier incarnation of the worker counts", "design §4, FM-12"},
	{LateReportMisdirected, Core, "a late report of an ended attempt counts for the task's newer one", "design §4, FM-12"},
	{WorkerStopEndsJob, Core, "an attempt that its worker stopped by itself counts as stopped by the user", "FM-52"},
	{StopNotRepeated, Core, "a stop is sent once: no heartbeat is answered with it", "design §1, FM-8, (g)"},
	{UnreportedKept, Core, "a restarted worker keeps the attempts it has not reported", "design §3, FM-17"},
	{EvictionKeepsAttempts, Core, "a worker whose address went to another is lost without its attempts", "FM-24, (a)"},
	{CommitNotValidated, Commands, "placements are not held against the free capacity when they are committed", "FM-45, (a)"},
	{StrandedForgotten, Core, "jobs that wait already are not looked at again when a worker is lost", "design §3, FM-1, (f)"},

	{GangMemberKept, Core, "a gang member that has not begun stays when its gang is sent back", "design §3, (h)"},
	{GangSuccessKept, Core, "a gang member that had succeeded stays so when its gang is sent back", "FM-55, (h)"},
	{GangSuccessAtOnce, Core, "a gang member's success counts before the whole gang has succeeded", "FM-55"},
	{ChildrenOutliveParent, Core, "children are ended with their parent only if that was stopped", "design §3, FM-56"},
	{SecondStopChangesJob, Core, "stopping a job that was stopped before changes when and why it ended", "design §3, (c)"},
	{SnapshotForgetsAvoid, Core, "a snapshot forgets where the dispatch of a task failed", "design §1"},
	{SnapshotForgetsHeld, Core, "a snapshot forgets that ended attempts are not confirmed stopped", "design §1, FM-9"},
	{SnapshotForgetsTimeout, Core, "a snapshot forgets when a running attempt is timed out", "design §1"},

	{BusySliceStopped, Core, "a slice is given back as idle though it runs something", "FM-64"},
	{GoneSliceKeepsLive, Core, "the workers of a slice that is gone stay live", "FM-63"},
	{HeadOfLineBlocks, Core, "a job that does not fit keeps those behind it from being placed", "design §4, FM-47"},
	{BouncedGangStarves, Core, "nothing is kept free for a gang that was sent back", "design §4, FM-47"},
	{WorkerNeverLost, Core, "a worker that falls silent is never lost", "design §3"},
	{LostEarlyAfterChange, Core, "after a change of the leader workers are lost in half the time", "FM-22"},

	{AnswerBeforeCommit, Shell, "answers and orders leave before the log has committed what they are about", "design §4, FM-14"},
	{OrderRunsTwice, Shell, "an order that is repeated while its attempt runs starts it again", "design §4, FM-3"},
	{LateOrderRunsAgain, Shell, "an order that arrives after its attempt was acknowledged runs it again", "design §4, FM-3"},
	{ResultForgotten, Shell, "a worker reports a result once, and no heartbeat carries it", "design §4, FM-11"},
	{LeaseNotLookedAt, Shell, "exclusive attempts go on when the lease has run out", "design §4, FM-19"},
	{EarlyStopForgotten, Shell, "a stop for an attempt that has not come yet is forgotten", "FM-5, (g)"},
}

// Find is what is said of a mutant; false if there is none of this name.
func Find(m Mutant) (Description, bool) {
	i := slices.IndexFunc(All, func(d Description) bool { return d.Mutant == m })
	if i < 0 {
		return Description{}, false
	}
	return All[i], true
}
