package state

import "testing"

func TestExitZeroEndsAttemptTaskAndJob(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j")
	s.run("j/0@w-0")
	s.is("j", Running, "")
	s.report("j/0/0", Succeeded)
	s.is("j/0/0", Succeeded, "")
	s.is("j/0", Succeeded, "")
	s.is("j", Succeeded, "")
	s.free("w-0", 4)
}

func TestFailureIsFinalByDefault(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j")
	s.run("j/0@w-0")
	s.report("j/0/0", Failed, "exit code 3")
	s.is("j/0/0", Failed, "exit code 3")
	s.is("j/0", Failed, "exit code 3")
	s.is("j", Failed, "exit code 3")
}

func TestTwoRetriesAreThreeAttempts(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j", retries(2))
	for _, uid := range []string{"j/0/0", "j/0/1"} {
		s.run("j/0@w-0")
		s.report(uid, Failed, "exit code 3")
		s.is("j/0", Pending, "")
		s.is("j", Pending, "")
	}
	s.run("j/0@w-0")
	s.report("j/0/2", Failed, "exit code 4")
	s.history("j/0", Failed, Failed, Failed)
	s.is("j", Failed, "exit code 4")
}

func TestFaultsBeforeTheProcessUseTheFailureBudget(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j", retries(1))
	s.assign("j/0@w-0")
	s.report("j/0/0", Building)
	s.is("j", Building, "")
	s.report("j/0/0", Failed, "bundle 0f: not found")
	s.is("j/0", Pending, "")
	s.assign("j/0@w-0")
	s.report("j/0/1", Failed, "container: no space left")
	s.is("j", Failed, "container: no space left")
}

func TestPreemptionsHaveABudgetOfTheirOwn(t *testing.T) {
	s := tell(t)
	s.workers("w-0", "w-1", "w-2")
	s.submit("j", preemptions(1), retries(1))
	s.run("j/0@w-0")
	s.report("j/0/0", Failed, "exit code 1")
	s.run("j/0@w-0")
	s.lose("w-0")
	s.is("j/0", Pending, "")
	s.run("j/0@w-1")
	s.lose("w-1")
	s.history("j/0", Failed, WorkerFailed, WorkerFailed)
	s.is("j/0", WorkerFailed, "lost worker w-1: no heartbeat for 60s")
	s.is("j", WorkerFailed, "lost worker w-1: no heartbeat for 60s")
}

func TestPreemptionOfWhatNeverStartedIsFree(t *testing.T) {
	s := tell(t)
	s.workers("w-0", "w-1")
	s.submit("j", preemptions(0))
	s.assign("j/0@w-0")
	s.lose("w-0")
	s.is("j/0/0", WorkerFailed, "lost worker w-0: no heartbeat for 60s")
	s.is("j/0", Pending, "")
	s.run("j/0@w-1")
	s.lose("w-1")
	s.is("j", WorkerFailed, "lost worker w-1: no heartbeat for 60s")
}

func TestAHundredPreemptionsAreRetriedByDefault(t *testing.T) {
	s := tell(t)
	s.submit("j")
	for range 100 {
		s.register("w-0", "1")
		s.run("j/0@w-0")
		s.lose("w-0")
		s.is("j/0", Pending, "")
	}
	s.register("w-0", "1")
	s.run("j/0@w-0")
	s.lose("w-0")
	s.is("j", WorkerFailed, "lost worker w-0: no heartbeat for 60s")
}

func TestTaskFailuresAreToleratedUpToTheirBudget(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j", replicated(3), taskFailures(1))
	s.run("j/0@w-0", "j/1@w-0", "j/2@w-0")
	s.report("j/0/0", Failed, "exit code 1")
	s.is("j", Running, "")
	s.report("j/1/0", Failed, "exit code 2")
	s.is("j", Failed, "task 1: exit code 2")
	s.is("j/2", Killed, "its job ended FAILED")
}

func TestAJobSucceedsWithTasksThatItTolerates(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j", replicated(2), taskFailures(1))
	s.run("j/0@w-0", "j/1@w-0")
	s.report("j/1/0", Failed, "exit code 1")
	s.report("j/0/0", Succeeded)
	s.is("j/1", Failed, "exit code 1")
	s.is("j", Succeeded, "")
}
