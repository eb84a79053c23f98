package state

import (
	"strings"
	"testing"
	"time"
)

func TestTheClusterCountsWhatItHolds(t *testing.T) {
	s := tell(t)
	s.workers("w-0", "w-1")
	s.submit("j", replicated(3))
	s.submit("k")
	s.run("j/0@w-0", "j/1@w-1")
	s.report("j/0/0", Succeeded)
	s.lose("w-1")
	want := Counts{LiveWorkers: 1, LostWorkers: 1}
	want.Jobs[Running], want.Jobs[Pending] = 1, 1
	want.Tasks[Succeeded], want.Tasks[Pending] = 1, 3
	want.Attempts[Succeeded], want.Attempts[WorkerFailed] = 1, 1
	if got := s.c.Counts(); got != want {
		t.Errorf("it counts %v, want %v", got, want)
	}
	s.cancel("j", "stopped by ann")
	s.cancel("k", "stopped by ann")
	for _, command := range s.c.Expired(s.now.Add(time.Hour), Retention{Age: time.Minute, WorkerAge: time.Minute}) {
		s.apply(command)
	}
	if got, want := s.c.Counts(), (Counts{LiveWorkers: 1}); got != want {
		t.Errorf("when all is forgotten it counts %v, want %v", got, want)
	}
}

func TestAWorkspaceIsUsedAsLongAsAJobHasIt(t *testing.T) {
	s, sum := tell(t), strings.Repeat("a", 64)
	uses := func(when string, want bool) {
		t.Helper()
		if s.c.Uses(sum) != want {
			t.Errorf("%s it is used: %v", when, !want)
		}
	}
	uses("before any job", false)
	s.submit("j", bundled(sum))
	s.submit("k", bundled(sum))
	s.cancel("j", "stopped by ann")
	s.apply(ForgetJobs{IDs: []string{"j"}})
	uses("while another job has it", true)
	s.cancel("k", "stopped by ann")
	uses("while the last job is known", true)
	s.apply(ForgetJobs{IDs: []string{"k"}})
	uses("once the last job is forgotten", false)
	if n := len(s.c.bundles); n != 0 {
		t.Errorf("%d are still counted", n)
	}
}

func TestCheckNoticesWrongCounts(t *testing.T) {
	sum := strings.Repeat("a", 64)
	for what, spoil := range map[string]func(*Cluster){
		"the cluster counts": func(c *Cluster) { c.counts.Attempts[Running]++ },
		"counts 2 jobs":      func(c *Cluster) { c.bundles[sum]++ },
		"that are not count": func(c *Cluster) { delete(c.bundles, sum) },
	} {
		s := tell(t)
		s.submit("j", bundled(sum))
		spoil(s.c)
		if err := s.c.Check(); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: Check says %v", what, err)
		}
	}
}
