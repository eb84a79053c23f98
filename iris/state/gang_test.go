package state

import (
	"testing"
	"time"
)

func TestAGangMembersFailureSendsAllBack(t *testing.T) {
	s := tell(t)
	s.workers("w-0", "w-1")
	s.submit("j", gang(2), retries(1))
	s.run("j/0@w-0", "j/1@w-1")
	s.report("j/0/0", Failed, "exit code 1")
	s.did("stop j/1/0 on w-1")
	s.is("j/0/0", Failed, "exit code 1")
	s.is("j/1/0", CoschedFailed, "task 0 of the gang ended FAILED: exit code 1")
	s.is("j/0", Pending, "")
	s.is("j/1", Pending, "")
	s.is("j", Pending, "")
	if !s.c.Job("j").Bounced {
		t.Error("the gang does not count as bounced")
	}
}

func TestAGangEndsWithTheBudgetOfOneMember(t *testing.T) {
	s := tell(t)
	s.workers("w-0", "w-1")
	s.submit("j", gang(2), taskFailures(1))
	s.run("j/0@w-0", "j/1@w-1")
	s.report("j/0/0", Failed, "exit code 1")
	s.did("stop j/1/0 on w-1")
	s.is("j", Failed, "task 0: exit code 1")
	s.is("j/1", CoschedFailed, "its job ended FAILED")
	s.is("j/1/0", CoschedFailed, "its job ended FAILED")
}

func TestALostMemberSendsTheGangBack(t *testing.T) {
	s := tell(t)
	s.workers("w-0", "w-1")
	s.submit("j", gang(2))
	s.run("j/0@w-0", "j/1@w-1")
	s.lose("w-0")
	s.is("j/0/0", WorkerFailed, "lost worker w-0: no heartbeat for 60s")
	s.is("j/1/0", CoschedFailed, "task 0 of the gang ended WORKER_FAILED: lost worker w-0: no heartbeat for 60s")
	s.is("j", Pending, "")
}

func TestMembersLostTogetherSendTheGangBackOnce(t *testing.T) {
	s := tell(t)
	s.workers("w-0", "w-1")
	s.submit("j", gang(3), preemptions(1))
	s.run("j/0@w-0", "j/1@w-0", "j/2@w-1")
	s.lose("w-0")
	s.history("j/0", WorkerFailed)
	s.history("j/1", WorkerFailed)
	s.history("j/2", CoschedFailed)
	s.is("j", Pending, "")
}

func TestAnyMembersSpentBudgetEndsAGangThatLosesSeveral(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j", gang(2), preemptions(0))
	s.assign("j/0@w-0", "j/1@w-0")
	s.report("j/1/0", Running)
	s.lose("w-0") // j/0/0 never started and is free of charge; j/1/0 is not
	s.is("j", WorkerFailed, "task 1: lost worker w-0: no heartbeat for 60s")
	s.is("j/0", CoschedFailed, "its job ended WORKER_FAILED")
}

func TestAGangsSuccessIsProvisional(t *testing.T) { // FM-55
	s := tell(t)
	s.workers("w-0", "w-1")
	s.submit("j", gang(2), retries(1))
	s.run("j/0@w-0", "j/1@w-1")
	s.report("j/0/0", Succeeded)
	s.is("j/0", Running, "")
	s.free("w-0", 4)
	s.report("j/1/0", Failed, "exit code 1")
	s.did() // j/0/0 has stopped by itself
	s.is("j/0/0", CoschedFailed, "task 1 of the gang ended FAILED: exit code 1")
	s.run("j/0@w-0", "j/1@w-1")
	s.report("j/1/1", Succeeded)
	s.report("j/0/1", Succeeded)
	s.history("j/0", CoschedFailed, Succeeded)
	s.history("j/1", Failed, Succeeded)
	s.is("j", Succeeded, "")
}

func TestADoneMemberOutlivesItsWorkerAndItsTimeout(t *testing.T) {
	s := tell(t)
	s.workers("w-0", "w-1")
	s.submit("j", gang(2), timeout(5*time.Second), preemptions(0))
	s.assign("j/0@w-0", "j/1@w-1")
	s.report("j/0/0", Running)
	s.report("j/0/0", Succeeded)
	s.lose("w-0")
	s.pass(5 * time.Second)
	s.report("j/1/0", Running)
	s.pass(5 * time.Second) // past the deadline of j/0/0
	s.report("j/1/0", Succeeded)
	s.is("j", Succeeded, "")
}

func TestReportsOfAGangThatCameTooLateInOneBatchChangeNothing(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j", gang(2), retries(1))
	s.assign("j/0@w-0", "j/1@w-0")
	s.reportAll("w-0",
		Report{UID: "j/0/0", State: Failed, Error: "exit code 1"},
		Report{UID: "j/1/0", State: Running})
	s.is("j/1/0", CoschedFailed, "task 0 of the gang ended FAILED: exit code 1")
	s.is("j", Pending, "")
}

func TestAFailedDispatchSendsTheGangElsewhere(t *testing.T) {
	s := tell(t)
	s.workers("w-0", "w-1")
	s.submit("j", gang(2))
	s.assign("j/0@w-0", "j/1@w-0")
	s.failDispatch("j/0/0")
	s.is("j/1/0", CoschedFailed, "task 0 of the gang ended WORKER_FAILED: dispatch to w-0 failed 4 times: down")
	s.assign("j/0@w-0", "j/1@w-1") // both avoid w-0
	s.is("j", Pending, "")
	s.run("j/0@w-1", "j/1@w-1")
	s.is("j", Running, "")
}

func TestAGangThatNoLongerFitsWhenItIsSentBackGetsTheGrace(t *testing.T) {
	s := tell(t)
	s.workers("w-0", "w-1")
	s.submit("g", gang(2), needing(4000, 1), retries(1))
	s.run("g/0@w-0", "g/1@w-1")
	s.lose("w-0")
	s.report("g/1/0", Killed)
	s.register("w-0", "1")
	s.run("g/0@w-0", "g/1@w-1")
	s.report("g/0/1", Succeeded)
	s.lose("w-0") // nothing runs there
	s.report("g/1/1", Failed, "exit code 1")
	s.is("g", Pending, "")
	s.pass(policy.NoWorkerGrace)
	s.is("g", Failed, "task 0: lost w-0 (no heartbeat for 60s); no worker left to run it")
}
