package state

import "testing"

func TestALostWorkersAttemptsFailAndTheirTasksWait(t *testing.T) {
	s := tell(t)
	s.workers("w-0", "w-1")
	s.submit("j", replicated(2))
	s.run("j/0@w-0", "j/1@w-1")
	s.lose("w-0")
	s.did()
	s.is("j/0/0", WorkerFailed, "lost worker w-0: no heartbeat for 60s")
	s.is("j/0", Pending, "")
	s.is("j/1", Running, "")
	s.assign("j/0@w-0")
	s.is("j/0", Pending, "")
}

func TestALostWorkerReturnsAndStopsWhatItStillRuns(t *testing.T) {
	s := tell(t)
	s.workers("w-0", "w-1")
	s.submit("j")
	s.run("j/0@w-0")
	s.lose("w-0")
	s.run("j/0@w-1")
	running := Report{UID: "j/0/0", State: Running}
	s.register("w-0", "1", running)
	s.hears("w-0", "1", []Report{running}, nil, []string{"j/0/0"})
	s.is("j/0/0", WorkerFailed, "lost worker w-0: no heartbeat for 60s")
	s.is("j/0/1", Running, "")
	s.free("w-0", 4)
	if n := s.c.Worker("w-0").TimesLost; n != 1 {
		t.Errorf("lost %d times", n)
	}
}

func TestOnlyThePresentIncarnationCanBeLost(t *testing.T) {
	s := tell(t)
	s.register("w-0", "2")
	s.apply(LoseWorker{ID: "w-0", Incarnation: "1", Cause: "no heartbeat for 60s"})
	s.apply(LoseWorker{ID: "w-1", Incarnation: "1", Cause: "no heartbeat for 60s"})
	if s.c.Worker("w-0").Lost {
		t.Error("it is lost")
	}
}

func TestARestartLosesWhatTheWorkerNoLongerHas(t *testing.T) { // FM-17
	s := tell(t)
	s.workers("w-0")
	s.submit("j", replicated(3), preemptions(1))
	s.run("j/0@w-0", "j/1@w-0")
	s.assign("j/2@w-0")
	s.register("w-0", "2", Report{UID: "j/1/0", State: Running})
	s.did()
	s.is("j/0/0", WorkerFailed, "worker w-0 was restarted")
	s.is("j/1/0", Running, "")
	s.is("j/2/0", WorkerFailed, "worker w-0 was restarted")
	s.free("w-0", 3)
	s.hears("w-0", "2", []Report{{UID: "j/1/0", State: Running}}, nil, nil)
	s.report("j/1/0", Succeeded)
	s.is("j/1", Succeeded, "")
}

func TestARestartConfirmsTheEndOfWhatIsGone(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j", replicated(2))
	s.run("j/0@w-0", "j/1@w-0")
	s.cancel("j", "stopped by ann")
	s.register("w-0", "2", Report{UID: "j/1/0", State: Running})
	s.free("w-0", 3)
	s.hears("w-0", "2", []Report{{UID: "j/1/0", State: Running}}, nil, []string{"j/1/0"})
}

func TestRegisteringAgainWithoutARestartChangesNothing(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j")
	s.assign("j/0@w-0")
	s.register("w-0", "1") // RunTask is still on its way
	s.is("j/0/0", Assigned, "")
}

func TestAnEarlierIncarnationIsRefused(t *testing.T) {
	s := tell(t)
	s.register("w-0", "2")
	s.register("w-0", "1")
	s.refused(FailedPrecondition, "worker w-0 was started again (incarnation 2); this process must end")
}

func TestARestartAdoptsOnlyWhatTheNewProcessHasRoomFor(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j", replicated(2))
	s.run("j/0@w-0", "j/1@w-0")
	smaller := registration("w-0", "2", Report{UID: "j/0/0", State: Running}, Report{UID: "j/1/0", State: Running})
	smaller.Capacity.CPUMillis = 1000
	s.apply(smaller)
	s.is("j/0/0", Running, "")
	s.is("j/1/0", WorkerFailed, "worker w-0 was restarted")
	s.hears("w-0", "2", smaller.Reports, nil, []string{"j/1/0"})
}

func TestARestartAdoptsOnlyWhatTheNewAttributesAllow(t *testing.T) {
	s := tell(t)
	s.workers("w-0", "w-1")
	s.submit("j", where("pod", eq, "p"))
	s.submit("g", gang(2))
	s.run("j/0@w-0", "g/0@w-0", "g/1@w-1")
	elsewhere := registration("w-0", "2", Report{UID: "j/0/0", State: Running}, Report{UID: "g/0/0", State: Running})
	elsewhere.Attributes["pod"] = "q"
	s.apply(elsewhere)
	s.is("j/0/0", WorkerFailed, "worker w-0 was restarted")
	s.is("g/0/0", WorkerFailed, "worker w-0 was restarted")
	s.is("g/1/0", CoschedFailed, "task 0 of the gang ended WORKER_FAILED: worker w-0 was restarted")
}

func TestCapacityAndAttributesChangeOnlyWithARestart(t *testing.T) {
	const text = "worker w-0 registered as incarnation 1 with another capacity or attributes; " +
		"they change only when it is started again"
	s := tell(t)
	s.workers("w-0")
	s.submit("j", replicated(2))
	s.run("j/0@w-0", "j/1@w-0")
	smaller := registration("w-0", "1")
	smaller.Capacity.CPUMillis = 1000
	s.apply(smaller)
	s.refused(FailedPrecondition, text)
	elsewhere := registration("w-0", "1")
	elsewhere.Attributes["pod"] = "q"
	s.apply(elsewhere)
	s.refused(FailedPrecondition, text)
	s.is("j", Running, "")
	s.free("w-0", 2)
}

func TestAnAddressBelongsToItsLastWorker(t *testing.T) { // FM-24
	s := tell(t)
	s.workers("w-0")
	s.submit("j")
	s.run("j/0@w-0")
	heir := registration("w-1", "1")
	heir.Address = "w-0:1"
	s.apply(heir)
	s.is("j/0/0", WorkerFailed, "lost worker w-0: its address w-0:1 now belongs to w-1")
	if w := s.c.Worker("w-0"); !w.Lost || w.LostCause != "its address w-0:1 now belongs to w-1" {
		t.Errorf("lost: %v, %q", w.Lost, w.LostCause)
	}
}

// A worker that nobody reaches any more may still run what must not run twice, until its lease is over.
func TestTheAddressOfAWorkerWithExclusiveTasksIsGivenAwayWhenItIsLost(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j", exclusive)
	s.run("j/0@w-0")
	heir := registration("w-1", "1")
	heir.Address = "w-0:1"
	s.apply(heir)
	s.refused(Unavailable, "the address w-0:1 is that of worker w-0, which may still run exclusive tasks; register again until it is lost")
	s.is("j/0/0", Running, "")
	if s.c.Worker("w-1") != nil {
		t.Error("who was refused is known")
	}
	s.lose("w-0")
	s.apply(heir)
	s.is("j/0/0", WorkerFailed, "lost worker w-0: no heartbeat for 60s")
}

func TestAWorkersIDIsOneOfItsAttributes(t *testing.T) {
	s := tell(t)
	s.workers("w-0", "w-1")
	s.submit("j", where(AttributeWorker, eq, "w-1"))
	s.assign("j/0@w-0")
	s.is("j/0", Pending, "")
	s.assign("j/0@w-1")
	s.is("j/0", Assigned, "")
}
