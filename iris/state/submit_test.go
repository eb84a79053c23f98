package state

import (
	"slices"
	"testing"
)

func TestSubmittingTheSameAgainChangesNothing(t *testing.T) { // FM-60
	s := tell(t)
	s.workers("w-0")
	s.submit("j")
	s.run("j/0@w-0")
	s.submit("j")
	s.is("j", Running, "")
	s.report("j/0/0", Succeeded)
	s.submit("j")
	s.is("j", Succeeded, "")
	s.submit("j", retries(1))
	s.refused(AlreadyExists, "job j was launched with another spec; use a new id for a new job")
}

func TestANameIsFreeAgainOnceItsJobIsOver(t *testing.T) { // FM-59
	s := tell(t)
	s.submit("a", named("train"))
	s.submit("b", named("train"))
	s.refused(AlreadyExists, `job a has the name "train" and is not over; stop it or choose another name`)
	s.cancel("a", "stopped by ann")
	s.submit("b", named("train"))
	s.is("b", Pending, "")
	s.cancel("a", "again")
	s.submit("c", named("train"))
	s.refused(AlreadyExists, `job b has the name "train" and is not over; stop it or choose another name`)
}

func TestNamesAreToldApartByParent(t *testing.T) {
	s := tell(t)
	s.submit("p", named("train"))
	s.submit("q", named("eval"))
	s.submit("a", named("train"), below("p"))
	s.submit("b", named("train"), below("q"))
	s.is("b", Pending, "")
	s.submit("c", named("train"), below("p"))
	s.refused(AlreadyExists, `job a has the name "train" and is not over; stop it or choose another name`)
}

func TestAParentMustBeKnownAndNotOver(t *testing.T) {
	s := tell(t)
	s.submit("c", below("p"))
	s.refused(NotFound, "parent job p is unknown")
	s.submit("p")
	s.cancel("p", "stopped by ann")
	s.submit("c", below("p"))
	s.refused(FailedPrecondition, "parent job p is over (KILLED); launch the job without a parent")
}

func TestTheQueueIsInOrderOfBandThenDepthThenSubmission(t *testing.T) { // FM-47
	s := tell(t)
	s.submit("batch", banded(3))
	s.submit("first")
	s.submit("second", banded(2))
	s.submit("child", below("second"))
	s.submit("grandchild", below("child"))
	s.submit("urgent", banded(1))
	s.queue("urgent", "grandchild", "child", "first", "second", "batch")
	s.workers("w-0")
	s.run("first/0@w-0", "child/0@w-0")
	s.queue("urgent", "grandchild", "second", "batch")
	s.lose("w-0")
	s.queue("urgent", "grandchild", "child", "first", "second", "batch")
	s.cancel("child", "stopped by ann")
	s.queue("urgent", "first", "second", "batch")
}

// queue expects the jobs that wait, in order.
func (s *story) queue(ids ...string) {
	s.t.Helper()
	var got []string
	for _, j := range s.c.Queue() {
		got = append(got, j.ID)
	}
	if !slices.Equal(got, ids) {
		s.t.Fatalf("the queue is %v, not %v", got, ids)
	}
}

func TestWaitingTasksAreInOrderWhateverOrderTheyReturnIn(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j", replicated(5), retries(1))
	s.run("j/0@w-0", "j/1@w-0", "j/2@w-0", "j/3@w-0")
	s.waits("j", 4)
	for _, uid := range []string{"j/2/0", "j/0/0", "j/3/0"} {
		s.report(uid, Failed, "exit code 1")
	}
	s.waits("j", 0, 2, 3, 4)
	s.cancel("j", "stopped by ann")
	s.waits("j")
}

// waits expects which tasks of a job wait.
func (s *story) waits(job string, tasks ...int32) {
	s.t.Helper()
	if got := s.c.Job(job).Waiting(); !slices.Equal(got, tasks) {
		s.t.Fatalf("tasks %v wait, not %v", got, tasks)
	}
}

func TestARepeatedLaunchMayBePartOfAnotherTrace(t *testing.T) {
	s := tell(t)
	spec := correctSpec(named("j"))
	s.apply(SubmitJob{ID: "j", Spec: spec, Trace: "first"})
	s.apply(SubmitJob{ID: "j", Spec: spec, Trace: "second"})
	if s.err != nil || s.c.Job("j").Trace != "first" {
		t.Errorf("the trace is %q, %v", s.c.Job("j").Trace, s.err)
	}
}
