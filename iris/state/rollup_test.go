package state

import (
	"testing"
	"time"
)

func TestAJobSucceedsWithItsLastTask(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j", replicated(2))
	s.run("j/0@w-0", "j/1@w-0")
	s.report("j/0/0", Succeeded)
	s.is("j", Running, "")
	s.report("j/1/0", Succeeded)
	s.is("j", Succeeded, "")
}

func TestAJobFollowsItsFurthestTask(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j", replicated(2), retries(1))
	s.assign("j/0@w-0", "j/1@w-0")
	s.is("j", Pending, "")
	s.report("j/0/0", Building)
	s.is("j", Building, "")
	s.report("j/1/0", Running)
	s.is("j", Running, "")
	s.report("j/1/0", Failed, "exit code 1")
	s.is("j", Building, "")
	s.report("j/0/0", Failed, "exit code 1")
	s.is("j", Pending, "")
}

func TestTheEndOfAJobStopsItsOtherTasks(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j", replicated(4))
	s.run("j/0@w-0", "j/1@w-0", "j/2@w-0")
	s.report("j/1/0", Succeeded)
	s.report("j/0/0", Failed, "exit code 1")
	s.did("stop j/2/0 on w-0")
	s.is("j", Failed, "task 0: exit code 1")
	s.is("j/1", Succeeded, "")
	s.is("j/2", Killed, "its job ended FAILED")
	s.is("j/2/0", Killed, "its job ended FAILED")
	s.is("j/3", Killed, "its job ended FAILED")
	s.history("j/3")
}

func TestTheEndOfAJobEndsItsChildrenAndTheirs(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("p")
	s.submit("c", below("p"))
	s.submit("g", below("c"))
	s.submit("other")
	s.run("p/0@w-0", "g/0@w-0", "other/0@w-0")
	s.report("p/0/0", Succeeded)
	s.did("stop g/0/0 on w-0")
	s.is("c", Killed, "its parent job p ended SUCCEEDED")
	s.is("g", Killed, "its parent job c ended KILLED")
	s.is("other", Running, "")
}

func TestChildrenEndWhenTheirParentIsLostWithItsWorker(t *testing.T) { // FM-56
	s := tell(t)
	s.workers("w-0", "w-1")
	s.submit("p", preemptions(0))
	s.submit("c", below("p"))
	s.run("p/0@w-0", "c/0@w-1")
	s.lose("w-0")
	s.did("stop c/0/0 on w-1")
	s.is("p", WorkerFailed, "lost worker w-0: no heartbeat for 60s")
	s.is("c", Killed, "its parent job p ended WORKER_FAILED")
}

func TestAChildsEndLeavesItsParent(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("p")
	s.submit("c", below("p"))
	s.run("p/0@w-0", "c/0@w-0")
	s.report("c/0/0", Failed, "exit code 1")
	s.is("c", Failed, "exit code 1")
	s.is("p", Running, "")
}

func TestACancelledJobIsKilled(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j", replicated(2))
	s.run("j/0@w-0")
	s.cancel("j", "stopped by ann")
	s.did("stop j/0/0 on w-0")
	s.is("j", Killed, "stopped by ann")
	s.is("j/0/0", Killed, "stopped by ann")
	s.is("j/1", Killed, "stopped by ann")
	s.cancel("j", "stopped by bob")
	s.is("j", Killed, "stopped by ann")
}

func TestCancellingAnUnknownJobIsRefused(t *testing.T) {
	s := tell(t)
	s.cancel("j", "stopped by ann")
	s.refused(NotFound, "job j is unknown")
}

func TestOneUnschedulableTaskEndsTheJob(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j", replicated(3), schedulingTimeout(10*time.Second))
	s.run("j/0@w-0")
	s.pass(10 * time.Second)
	s.is("j", Unschedulable, "task 1: not scheduled within 10s: no worker has a GPU")
	s.is("j/0", Killed, "its job ended UNSCHEDULABLE")
	s.is("j/1", Unschedulable, "not scheduled within 10s: no worker has a GPU")
	s.is("j/2", Killed, "its job ended UNSCHEDULABLE")
}

func TestTheFirstCauseStays(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j", replicated(2))
	s.run("j/0@w-0", "j/1@w-0")
	s.report("j/1/0", Failed, "exit code 1")
	s.report("j/0/0", Failed, "exit code 2")
	s.is("j", Failed, "task 1: exit code 1")
	s.is("j/0/0", Killed, "its job ended FAILED")
}
