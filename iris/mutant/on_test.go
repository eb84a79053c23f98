//go:build mutants

package mutant_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"iris/iris/mutant"
)

// kills names, for each mutant, a test that fails because of it: a package below iris and a function. Nil would be said of one
// that no test sees and the generators alone can find.
var kills = map[mutant.Mutant]*kill{
	mutant.FailureBudgetOffByOne: {"state", "TestTwoRetriesAreThreeAttempts"},
	mutant.TaskFailuresOffByOne:  {"state", "TestTaskFailuresAreToleratedUpToTheirBudget"},
	mutant.NeverBegunCharged:     {"state", "TestPreemptionOfWhatNeverStartedIsFree"},
	mutant.DispatchCharged:       {"state", "TestFailedDispatchIsFreeOfCharge"},
	mutant.AvoidListForgotten:    {"state", "TestATaskAvoidsAWorkerUntilAllOthersWereTried"},
	mutant.AvoidListNeverReset:   {"state", "TestATaskAvoidsAWorkerUntilAllOthersWereTried"},
	mutant.CapacityReleasedEarly: {"state", "TestCapacityReturnsOnlyWhenTheWorkerConfirms"},
	mutant.PortsKept:             {"state", "TestAnAttemptThatIsOverHasNoPorts"},
	mutant.ExclusiveOverlaps:     {"state", "TestAnExclusiveTaskWaitsForItsEarlierAttemptToStop"},
	mutant.TimeoutOfSilentWorker: {"state", "TestTheControllerEndsWhatASilentWorkerDoesNot"},
	mutant.SchedulingTimeoutLate: {"state", "TestTheSchedulingTimeoutIsForFirstAttempts"},

	mutant.StaleReportAccepted:   {"state", "TestReportsOfOthersAreNoNews"},
	mutant.LateReportMisdirected: {"state", "TestRepeatedReportsAreNoNews"},
	mutant.WorkerStopEndsJob:     {"state", "TestAWorkerThatStopsAnAttemptUnaskedDoesNotKillTheJob"},
	mutant.StopNotRepeated:       {"state", "TestAnAttemptTheControllerEndedIsStoppedAtEachHeartbeat"},
	mutant.UnreportedKept:        {"state", "TestARestartLosesWhatTheWorkerNoLongerHas"},
	mutant.EvictionKeepsAttempts: {"state", "TestAnAddressBelongsToItsLastWorker"},
	mutant.CommitNotValidated:    {"state", "TestPlacementsThatNoLongerHoldAreLeftOut"},
	mutant.StrandedForgotten:     {"state", "TestTheGraceEndsWhenAWorkerReturns"},

	mutant.GangMemberKept:         {"state", "TestAFailedDispatchSendsTheGangElsewhere"},
	mutant.GangSuccessKept:        {"state", "TestAGangsSuccessIsProvisional"},
	mutant.GangSuccessAtOnce:      {"state", "TestAGangsSuccessIsProvisional"},
	mutant.ChildrenOutliveParent:  {"state", "TestTheEndOfAJobEndsItsChildrenAndTheirs"},
	mutant.SecondStopChangesJob:   {"state", "TestACancelledJobIsKilled"},
	mutant.SnapshotForgetsAvoid:   {"state", "TestARoundOfDispatchOutlivesARestore"},
	mutant.SnapshotForgetsHeld:    {"state", "TestARestoredClusterIsTheOneItWasTakenOf"},
	mutant.SnapshotForgetsTimeout: {"state", "TestARestoredClusterIsTheOneItWasTakenOf"},

	mutant.BusySliceStopped:     {"autoscaler", "TestMinAndBufferAreKept"},
	mutant.GoneSliceKeepsLive:   {"state", "TestTheWorkersOfASliceThatIsGoneAreForgottenSoon"},
	mutant.HeadOfLineBlocks:     {"schedule", "TestPlan"},
	mutant.BouncedGangStarves:   {"schedule", "TestPlanForABouncedGang"},
	mutant.WorkerNeverLost:      {"controller", "TestAWorkerIsLostAtExactlyTheTimeout"},
	mutant.LostEarlyAfterChange: {"controller", "TestAReplayedWorkerIsLostAfterTheTimeout"},

	mutant.AnswerBeforeCommit: {"controller", "TestNothingIsRevealedBeforeItIsCommitted"},
	mutant.OrderRunsTwice:     {"worker", "TestAnAttemptRunsOnceHoweverOftenItIsOrdered"},
	mutant.LateOrderRunsAgain: {"worker", "TestAStopBeforeTheOrderIsConfirmedAndKept"},
	mutant.ResultForgotten:    {"worker", "TestAResultIsKeptUntilItIsAcknowledged"},
	mutant.LeaseNotLookedAt:   {"worker", "TestOnlyAnExclusiveAttemptEndsWithItsLease"},
	mutant.EarlyStopForgotten: {"worker", "TestAStopDuringTheOrderIsKept"},
}

type kill struct{ pkg, test string }

// A mutant that no test and no generator finds shows nothing: it might be as good as the original.
func TestEveryMutantIsABug(t *testing.T) {
	looksAtSources(t)
	dir := t.TempDir()
	tests := map[string][]string{} // by package
	for _, d := range mutant.All {
		k, told := kills[d.Mutant]
		if !told {
			t.Errorf("%s has no row in kills", d.Mutant)
		} else if k != nil && !slices.Contains(tests[k.pkg], k.test) {
			tests[k.pkg] = append(tests[k.pkg], k.test)
		}
	}
	for pkg, names := range tests {
		build := exec.Command("go", "test", "-c", "-tags", "mutants", "-o", filepath.Join(dir, pkg), "iris/iris/"+pkg)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(build.Args, " "), err, out)
		}
		out := run(t, dir, pkg, "", names...)
		for _, name := range names {
			if !strings.Contains(out, "--- PASS: "+name+" ") {
				t.Errorf("without a mutant %s is not there, or fails:\n%s", name, out)
			}
		}
	}
	for _, d := range mutant.All {
		k := kills[d.Mutant]
		if k == nil {
			continue
		}
		t.Run(string(d.Mutant), func(t *testing.T) {
			if out := run(t, dir, k.pkg, d.Mutant, k.test); !strings.Contains(out, "--- FAIL: "+k.test+" ") {
				t.Errorf("%s does not fail though %s:\n%s", k.test, d.Wrong, out)
			}
		})
	}
}

// run is what a package's test program says when it runs some tests, in its folder, with a mutant switched on; empty: none.
func run(t *testing.T, dir, pkg string, m mutant.Mutant, tests ...string) string {
	t.Helper()
	all := exec.Command(filepath.Join(dir, pkg), "-test.v", "-test.timeout=60s",
		fmt.Sprintf("-test.run=^(%s)$", strings.Join(tests, "|")))
	all.Dir = filepath.Join("..", pkg)
	all.Env = append(os.Environ(), mutant.Variable+"="+string(m))
	out, err := all.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out)
}

func TestOneMutantIsOnAtATime(t *testing.T) {
	off := mutant.Switch(mutant.PortsKept)
	if !mutant.On(mutant.PortsKept) || mutant.On(mutant.StopNotRepeated) {
		t.Error("another mutant is on than the one that was switched on")
	}
	wantPanic(t, "mutant: stop-not-repeated cannot be switched on while ports-kept is", mutant.StopNotRepeated)
	off()
	if mutant.On(mutant.PortsKept) {
		t.Error("it is still on")
	}
	again := mutant.Switch(mutant.StopNotRepeated)
	off() // of the one before
	if !mutant.On(mutant.StopNotRepeated) {
		t.Error("what was switched off before switches off another")
	}
	again()
}

func TestAMutantThatIsNotThereIsRefusedWithTheList(t *testing.T) {
	wantPanic(t, `mutant: there is no "no-such-mutant"; there are failure-budget-off-by-one, task-failures-off-by-one, `, "no-such-mutant")
}

func wantPanic(t *testing.T, says string, m mutant.Mutant) {
	t.Helper()
	defer func() {
		t.Helper()
		if p := fmt.Sprint(recover()); !strings.HasPrefix(p, says) {
			t.Errorf("it panics with %s, want %s", p, says)
		}
	}()
	mutant.Switch(m)
}

// Were there none in a program that is built with the tag, that there are none without it would show nothing.
func TestAProgramWithMutantsHasThem(t *testing.T) {
	if n := traces(t, "-tags", "mutants"); n < len(mutant.All) {
		t.Errorf("iris, built with the tag, has %d traces of mutants", n)
	}
}

func BenchmarkAnIdleMutant(b *testing.B) {
	for b.Loop() {
		if mutant.On(mutant.FailureBudgetOffByOne) {
			b.Fatal("it is on")
		}
	}
}
