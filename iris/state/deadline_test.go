package state

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
)

func TestTheWorkersTimeoutUsesTheFailureBudget(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j", timeout(5*time.Second), retries(1))
	s.run("j/0@w-0")
	s.pass(5 * time.Second)
	s.report("j/0/0", Failed, TimeoutText(5*time.Second))
	s.is("j/0", Pending, "")
	s.run("j/0@w-0")
	s.pass(5 * time.Second)
	s.report("j/0/1", Failed, TimeoutText(5*time.Second))
	s.is("j", Failed, "timed out after 5s")
}

func TestTheControllerEndsWhatASilentWorkerDoesNot(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j", timeout(5*time.Second))
	s.run("j/0@w-0")
	s.pass(5*time.Second + policy.TimeoutSlack - 1)
	s.is("j/0/0", Running, "")
	s.pass(1)
	s.did("stop j/0/0 on w-0")
	s.is("j", Failed, "timed out after 5s")
	s.free("w-0", 3)
}

func TestATimeoutBeginsWithThePhaseThatRuns(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j", timeout(5*time.Second))
	s.assign("j/0@w-0")
	s.pass(time.Hour)
	s.report("j/0/0", Building)
	s.pass(time.Hour)
	s.report("j/0/0", Running)
	s.pass(5 * time.Second)
	s.is("j/0/0", Running, "")
}

func TestALongTimeoutIsNotAShortOne(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j", timing(&durationpb.Duration{Seconds: 315_576_000_000}, nil))
	s.run("j/0@w-0")
	s.pass(time.Hour)
	s.is("j/0/0", Running, "")
}

func TestAnAttemptThatEndedDoesNotTimeOut(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j", timeout(5*time.Second), replicated(2))
	s.run("j/0@w-0", "j/1@w-0")
	s.report("j/0/0", Succeeded)
	s.lose("w-0")
	if _, ok := s.c.Next(); !ok {
		t.Error("the grace of the lost task is not awaited")
	}
	s.register("w-0", "1")
	if at, ok := s.c.Next(); ok {
		t.Errorf("something is due at %v", at)
	}
}

func TestWithoutAnyWorkerToReturnToATaskFailsAfterTheGrace(t *testing.T) {
	s := tell(t)
	s.workers("w-0", "w-1", "small")
	s.submit("j", where(AttributeWorker, ne, "small"))
	s.run("j/0@w-0")
	s.lose("w-0")
	s.pass(policy.NoWorkerGrace)
	s.is("j/0", Pending, "") // w-1 could run it
	s.lose("w-1")
	s.pass(policy.NoWorkerGrace - 1)
	s.is("j/0", Pending, "")
	s.pass(1)
	s.is("j", Failed, "lost w-0, w-1 (no heartbeat for 60s); no worker left to run it")
}

func TestTheGraceEndsWhenAWorkerReturns(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j")
	s.run("j/0@w-0")
	s.lose("w-0")
	s.pass(policy.NoWorkerGrace - 1)
	s.register("w-1", "1")
	s.pass(policy.NoWorkerGrace)
	s.is("j/0", Pending, "")
	s.lose("w-1") // and begins anew
	s.pass(policy.NoWorkerGrace - 1)
	s.is("j/0", Pending, "")
	s.pass(1)
	s.is("j", Failed, "lost w-0, w-1 (no heartbeat for 60s); no worker left to run it")
}

func TestAGraceThatWasInterruptedDoesNotCount(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j")
	s.run("j/0@w-0")
	s.lose("w-0")
	s.pass(policy.NoWorkerGrace / 2)
	s.register("w-0", "1")
	s.lose("w-0")
	s.pass(policy.NoWorkerGrace - 1)
	s.is("j/0", Pending, "")
	s.pass(1)
	s.is("j", Failed, "lost w-0 (no heartbeat for 60s); no worker left to run it")
}

func TestTheGraceIsForTasksThatLostTheirWorker(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j", replicated(2), taskFailures(1))
	s.run("j/0@w-0")
	s.lose("w-0")
	s.pass(policy.NoWorkerGrace)
	s.is("j/0", Failed, "lost w-0 (no heartbeat for 60s); no worker left to run it")
	s.is("j/1", Pending, "") // it waits for its first worker
	s.is("j", Running, "")
}

func TestAGangWithoutEnoughWorkersFailsWhole(t *testing.T) {
	s := tell(t)
	s.workers("w-0", "w-1")
	s.submit("g", gang(2), needing(4000, 1))
	s.run("g/0@w-0", "g/1@w-1")
	s.lose("w-0")
	s.pass(policy.NoWorkerGrace)
	s.is("g", Failed, "task 0: lost w-0 (no heartbeat for 60s); no worker left to run it")
	s.is("g/1", CoschedFailed, "its job ended FAILED")
}

func TestATaskNeverTriedBecomesUnschedulable(t *testing.T) {
	s := tell(t)
	s.submit("j", schedulingTimeout(10*time.Second))
	s.pass(10*time.Second - 1)
	s.is("j", Pending, "")
	s.pass(1)
	s.is("j", Unschedulable, "not scheduled within 10s: no worker has a GPU")
	s.is("j/0", Unschedulable, "not scheduled within 10s: no worker has a GPU")
}

func TestTheSchedulingTimeoutIsForFirstAttempts(t *testing.T) { // FM-49
	s := tell(t)
	s.workers("w-0")
	s.submit("j", schedulingTimeout(10*time.Second), retries(1))
	s.run("j/0@w-0")
	s.report("j/0/0", Failed, "exit code 1")
	s.pass(time.Hour)
	s.is("j", Pending, "")
}

func TestAGangIsUnschedulableWhole(t *testing.T) {
	s := tell(t)
	s.submit("g", gang(2), schedulingTimeout(10*time.Second))
	s.pass(10 * time.Second)
	s.is("g", Unschedulable, "task 0: not scheduled within 10s: no worker has a GPU")
	s.is("g/1", CoschedFailed, "its job ended UNSCHEDULABLE")
}

func TestADeadlineThatHasNotComeOrNoLongerStandsIsIgnored(t *testing.T) {
	s := tell(t)
	s.submit("j", schedulingTimeout(10*time.Second))
	early := Deadline{At: s.now.Add(10 * time.Second), Kind: SchedulingDeadline, Job: "j"}
	s.apply(Expire{Deadline: early})
	s.is("j", Pending, "")
	s.workers("w-0")
	s.run("j/0@w-0")
	s.now = early.At
	s.apply(Expire{Deadline: early})
	s.is("j", Running, "")
	s.apply(Expire{Deadline: Deadline{At: s.now, Kind: StrandedDeadline, Job: "j"}})
	s.apply(Expire{Deadline: Deadline{At: s.now, Kind: TimeoutDeadline, Job: "j", UID: "j/0/1"}})
	s.apply(Expire{Deadline: Deadline{At: s.now, Kind: TimeoutDeadline, Job: "x", UID: "j/0/0"}})
	s.is("j", Running, "")
}

func TestDeadlinesThatNoLongerStandAreSwept(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j", timeout(time.Hour), retries(5000))
	for range 5000 {
		s.c.Apply(s.now, Assign{[]Placement{{"j", 0, "w-0"}}})
		attempts := s.c.Job("j").Tasks[0].Attempts
		uid := attempts[len(attempts)-1].UID
		for _, to := range []State{Running, Failed} {
			s.c.Apply(s.now, Observe{"w-0", "1", []Report{{UID: uid, State: to}}})
		}
	}
	if n := len(s.c.times); n > 1100 {
		t.Errorf("%d deadlines are kept for one task", n)
	}
}
