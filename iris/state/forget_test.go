package state

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// ids of jobs, in their order.
func ids(jobs []*Job) []string {
	var all []string
	for _, j := range jobs {
		all = append(all, j.ID)
	}
	return all
}

func TestADeadlineOfAForgottenJobIsNotOneOfTheNextWithItsID(t *testing.T) {
	s := tell(t)
	s.workers("w-0", "w-1")
	s.submit("j", schedulingTimeout(10*time.Second), timeout(10*time.Second), replicated(2))
	s.run("j/0@w-0")
	s.cancel("j", "stopped by ann")
	s.report("j/0/0", Killed)
	s.apply(ForgetJobs{[]string{"j"}})
	s.now = s.now.Add(5 * time.Second)
	s.submit("j", schedulingTimeout(10*time.Second), timeout(10*time.Second), replicated(2))
	s.run("j/0@w-0")
	scheduling, timeout := s.now.Add(10*time.Second), s.now.Add(10*time.Second+policy.TimeoutSlack)

	s.now = s.start.Add(10 * time.Second)
	if due := s.c.Due(s.now); due != nil {
		t.Errorf("%+v is due", due)
	}
	for _, d := range []Deadline{ // a log may still have them
		{At: s.start.Add(10 * time.Second), Kind: SchedulingDeadline, Job: "j"},
		{At: s.start.Add(10*time.Second + policy.TimeoutSlack), Kind: TimeoutDeadline, Job: "j", UID: "j/0/0"},
		{At: s.start.Add(10 * time.Second), Kind: StrandedDeadline, Job: "j"},
	} {
		s.now = s.start.Add(12 * time.Second)
		s.apply(Expire{Deadline: d})
		s.is("j", Running, "")
	}
	want := fmt.Sprint([]Deadline{{scheduling, SchedulingDeadline, "j", ""}, {timeout, TimeoutDeadline, "j", "j/0/0.1"}})
	if got := deadlineText(s.c, nil); got != want {
		t.Errorf("the deadlines are %s, not %s", got, want)
	}
}

// An id may be used again once its job is forgotten. What is still under way about the first job counts for no other (FM-12).
func TestWhatIsSaidOfAForgottenJobCountsForNoOther(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j")
	s.run("j/0@w-0")
	s.report("j/0/0", Succeeded)
	s.apply(ForgetJobs{[]string{"j"}})
	s.submit("j")
	s.run("j/0@w-0")
	late := []Report{{UID: "j/0/0", State: Succeeded}}
	if news := s.c.News("w-0", "1", late); news != nil {
		t.Errorf("%+v is news", news)
	}
	s.apply(Observe{"w-0", "1", late})
	s.is("j", Running, "")
	s.report("j/0/0.1", Succeeded)
	s.is("j", Succeeded, "")

	restored, err := Restore(s.c.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	if a := restored.Attempt("j/0/0.1"); a == nil || a.Number() != 0 {
		t.Errorf("after a restart it is %+v", a)
	}
}

func TestAnAttemptThatMayRunKeepsItsJobAndItsParents(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("p")
	s.submit("c", below("p"))
	s.submit("b", below("p"))
	s.submit("q")
	s.run("c/0@w-0")
	s.cancel("p", "stopped by ann")
	s.cancel("q", "stopped by ann")
	s.now = s.now.Add(MinAge)
	commands := s.c.Expired(s.now, Retention{Age: 1})
	if got := fmt.Sprint(commands); got != "[{[b q]}]" {
		t.Errorf("to be forgotten are %s", got)
	}
	s.apply(commands[0])
	if got := s.c.Expired(s.now, Retention{Age: 1}); got != nil {
		t.Errorf("to be forgotten are %v, and they cannot be", got)
	}
	s.report("c/0/0", Killed)
	if got := fmt.Sprint(s.c.Expired(s.now, Retention{Age: 1})); got != "[{[c p]}]" {
		t.Errorf("to be forgotten are %s", got)
	}
}

func TestALargeFamilyIsForgottenBatchByBatch(t *testing.T) {
	s := tell(t)
	s.submit("keep")
	s.submit("p")
	for i := range 2500 {
		id := fmt.Sprintf("c-%d", i)
		if _, err := s.c.Apply(s.now, SubmitJob{ID: id, Spec: correctSpec(named(id), below("p"))}); err != nil {
			t.Fatal(err)
		}
	}
	s.cancel("p", "stopped by ann")
	s.now = s.now.Add(time.Hour)
	var sizes []int
	for {
		commands := s.c.Expired(s.now, Retention{Jobs: 1, Age: time.Minute})
		if commands == nil {
			break
		}
		sizes = append(sizes, len(commands[0].(ForgetJobs).IDs))
		s.apply(commands[0])
		if left := s.c.Job("p"); left != nil && len(left.children) != len(s.c.Jobs())-2 {
			t.Errorf("p has %d children, and there are %d jobs", len(left.children), len(s.c.Jobs()))
		}
	}
	if !slices.Equal(sizes, []int{1000, 1000, 501}) || !slices.Equal(ids(s.c.Jobs()), []string{"keep"}) {
		t.Errorf("batches of %v left %v", sizes, ids(s.c.Jobs()))
	}
}

func TestWithoutLimitsNothingIsForgotten(t *testing.T) {
	s := tell(t)
	s.workers("w-0", "w-1")
	s.submit("j")
	s.cancel("j", "stopped by ann")
	s.lose("w-0")
	s.now = s.now.Add(100 * 365 * 24 * time.Hour)
	if got := s.c.Expired(s.now, Retention{}); got != nil {
		t.Errorf("to be forgotten are %v", got)
	}
	if got := fmt.Sprint(s.c.Expired(s.now, Retention{Jobs: 1, WorkerAge: time.Hour})); got != "[{[w-0]}]" {
		t.Errorf("to be forgotten are %s", got)
	}
}

func TestJobsKeepTheirNumbersWhenOthersAreForgotten(t *testing.T) {
	s := tell(t)
	for i := range 5 {
		s.submit(fmt.Sprintf("j-%d", i))
	}
	for _, id := range []string{"j-0", "j-2", "j-4"} {
		s.cancel(id, "stopped by ann")
	}
	s.apply(ForgetJobs{[]string{"j-4", "j-0", "j-2"}})
	restored, err := Restore(s.c.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	s.c = restored
	s.submit("j-5")
	if got := s.c.Job("j-5").Seq; got != 5 {
		t.Errorf("the sixth job has the number %d", got)
	}
	for from, want := range [][]string{
		{"j-1", "j-3", "j-5"}, {"j-1", "j-3", "j-5"}, {"j-3", "j-5"}, {"j-3", "j-5"}, {"j-5"}, {"j-5"}, nil, nil,
	} {
		if got := ids(s.c.JobsFrom(uint64(from))); !slices.Equal(got, want) {
			t.Errorf("from number %d there are %v, not %v", from, got, want)
		}
	}
	for to, want := range [][]string{nil, {"j-1"}, {"j-1"}, {"j-1", "j-3"}, {"j-1", "j-3"}, {"j-1", "j-3", "j-5"}, {"j-1", "j-3", "j-5"}} {
		if got := ids(s.c.JobsUpTo(uint64(to))); !slices.Equal(got, want) {
			t.Errorf("up to number %d there are %v, not %v", to, got, want)
		}
	}
}

// Who follows the log and never asks what waits or is due must not keep what is over.
func TestAFollowersBooksDoNotGrowWithWhatIsOver(t *testing.T) {
	c := New(policy)
	apply := func(cmd Command) {
		if _, err := c.Apply(epoch, cmd); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 10_000 {
		id := fmt.Sprintf("j-%d", i)
		apply(SubmitJob{ID: id, Spec: correctSpec(named(id), schedulingTimeout(time.Hour))})
		apply(CancelJob{ID: id})
	}
	if len(c.queue) > 2000 || len(c.times) > 2000 {
		t.Errorf("nothing waits; there are %d jobs in the queue and %d deadlines", len(c.queue), len(c.times))
	}
}
