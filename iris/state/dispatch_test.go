package state

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestFailedDispatchIsFreeOfCharge(t *testing.T) {
	s := tell(t)
	s.workers("w-0", "w-1")
	s.submit("j", preemptions(0))
	s.assign("j/0@w-0")
	s.failDispatch("j/0/0")
	s.did("stop j/0/0 on w-0")
	s.is("j/0/0", WorkerFailed, "dispatch to w-0 failed 4 times: down")
	s.is("j/0", Pending, "")
	s.run("j/0@w-1")
	s.report("j/0/1", Succeeded)
	s.is("j", Succeeded, "")
}

func TestFailedDispatchLeavesTheWorkersOtherTasks(t *testing.T) { // FM-4
	s := tell(t)
	s.workers("w-0", "w-1")
	s.submit("j")
	s.submit("k")
	s.run("k/0@w-0")
	s.assign("j/0@w-0")
	s.failDispatch("j/0/0")
	s.is("k/0/0", Running, "")
	if w := s.c.Worker("w-0"); w.Lost {
		t.Error("the worker is lost")
	}
}

// Whoever takes a worker's address takes its place: there is no instant without either.
func TestARoundOfDispatchGoesOnWhenAWorkerTakesTheAddressOfAnother(t *testing.T) {
	s := tell(t)
	s.workers("w-0", "w-1")
	s.submit("j")
	s.assign("j/0@w-0")
	s.failDispatch("j/0/0")
	heir := registration("w-2", "1")
	heir.Address = "w-1:1"
	s.apply(heir)
	if got := s.c.Job("j").Avoided(0); !slices.Equal(got, []string{"w-0"}) {
		t.Errorf("it avoids %v", got)
	}
}

func TestATaskAvoidsAWorkerUntilAllOthersWereTried(t *testing.T) {
	s := tell(t)
	s.workers("w-0", "w-1")
	s.submit("j")
	s.assign("j/0@w-0")
	s.failDispatch("j/0/0")
	s.avoids("j", "w-0")
	s.assign("j/0@w-0")
	s.history("j/0", WorkerFailed)
	s.assign("j/0@w-1")
	s.failDispatch("j/0/1")
	s.avoids("j") // a new round
	s.pass(policy.DispatchPause)
	s.run("j/0@w-0")
	s.is("j", Running, "")
}

func TestATaskThatNoWorkerSurvivesEndsInTheEnd(t *testing.T) { // FM-1
	s := tell(t)
	s.submit("j", preemptions(0))
	for n := range MaxNeverBegan + 1 {
		s.is("j/0", Pending, "")
		s.register("w-0", fmt.Sprintf("%04d", n))
		s.assign("j/0@w-0")
		s.lose("w-0")
	}
	s.is("j", Failed, "101 attempts ended before they began, the last one: lost worker w-0: no heartbeat for 60s")
}

// avoids expects which workers the first task of a job avoids.
func (s *story) avoids(job string, workers ...string) {
	s.t.Helper()
	if got := s.c.Job(job).Avoided(0); !slices.Equal(got, workers) {
		s.t.Fatalf("%s avoids %v, not %v", job, got, workers)
	}
}

func TestRoundsOfDispatchAreBoundedAndPauseLongerEachTime(t *testing.T) {
	s := tell(t)
	s.c = New(Policy{DispatchRounds: 7, DispatchPause: 5 * time.Second})
	s.workers("w-0", "w-1")
	s.submit("j")
	var pauses []int
	for !s.c.Job("j").State.Terminal() {
		for _, w := range []string{"w-0", "w-1"} {
			s.assign("j/0@" + w)
			attempts := s.c.Job("j").Tasks[0].Attempts
			uid := attempts[len(attempts)-1].UID
			s.failDispatch(uid)
			s.report(uid, Killed)
		}
		if next, ok := s.c.Next(); ok {
			pauses = append(pauses, int(next.Sub(s.now).Seconds()))
			s.pass(next.Sub(s.now))
		}
	}
	if want := []int{5, 10, 20, 40, 80, 80}; !slices.Equal(pauses, want) {
		t.Errorf("pauses of %v seconds, not %v", pauses, want)
	}
	if n := len(s.c.Job("j").Tasks[0].Attempts); n != 14 {
		t.Errorf("%d attempts in 7 rounds over 2 workers", n)
	}
	s.is("j", Failed, "dispatch failed on every worker that can run it (w-0, w-1)")
}

func TestNothingIsPlacedDuringThePause(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j")
	s.assign("j/0@w-0")
	s.failDispatch("j/0/0")
	s.pass(policy.DispatchPause - 1)
	s.assign("j/0@w-0")
	s.history("j/0", WorkerFailed)
	s.pass(1)
	s.assign("j/0@w-0")
	s.history("j/0", WorkerFailed, Assigned)
}

func TestARoundEndsWhenTheWorkersNotYetTriedAreLost(t *testing.T) {
	s := tell(t)
	s.workers("w-0", "w-1")
	s.submit("j")
	s.assign("j/0@w-0")
	s.failDispatch("j/0/0")
	s.avoids("j", "w-0")
	s.lose("w-1")
	s.avoids("j")
	s.run("j/0@w-0")
	s.is("j", Running, "")
}

func TestARoundEndsForAGangThatReturnsAfterTheOthersWereLost(t *testing.T) {
	s := tell(t)
	s.workers("w-0", "w-1", "w-2")
	s.submit("g", gang(2), needing(4000, 1), retries(1))
	s.assign("g/0@w-0", "g/1@w-1")
	s.failDispatch("g/0/0")
	s.report("g/1/0", Killed)
	s.avoids("g", "w-0")
	s.run("g/0@w-1", "g/1@w-2")
	s.report("g/0/1", Succeeded)
	s.lose("w-1") // nothing runs there
	s.avoids("g", "w-0")
	s.report("g/1/1", Failed, "exit code 1")
	s.avoids("g")
}

func TestAnUnknownOutcomeOfDispatchIsResolvedByTheWorker(t *testing.T) { // FM-3
	s := tell(t)
	s.workers("w-0")
	s.submit("j")
	s.assign("j/0@w-0")
	s.report("j/0/0", Building)
	s.failDispatch("j/0/0")
	s.did()
	s.is("j/0/0", Building, "")
}

func TestEachTaskHasRoundsOfItsOwn(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j", replicated(2), taskFailures(1))
	for range policy.DispatchRounds {
		s.assign("j/0@w-0")
		attempts := s.c.Job("j").Tasks[0].Attempts
		s.failDispatch(attempts[len(attempts)-1].UID)
		s.pass(policy.DispatchPause)
	}
	s.is("j/0", Failed, "dispatch failed on every worker that can run it (w-0)")
	s.run("j/1@w-0")
	s.report("j/1/0", Succeeded)
	s.is("j", Succeeded, "")
}
