package state

import (
	"slices"
	"testing"
)

func TestCapacityReturnsOnlyWhenTheWorkerConfirms(t *testing.T) { // FM-9
	s := tell(t)
	s.workers("w-0")
	s.submit("j")
	s.run("j/0@w-0")
	s.cancel("j", "stopped by ann")
	s.is("j/0/0", Killed, "stopped by ann")
	s.free("w-0", 3)
	s.report("j/0/0", Killed, "stopped")
	s.free("w-0", 4)
	s.is("j/0/0", Killed, "stopped by ann")
}

func TestCapacityReturnsWithTheLossOfTheWorker(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j")
	s.run("j/0@w-0")
	s.cancel("j", "stopped by ann")
	s.lose("w-0")
	s.free("w-0", 4)
	s.is("j/0/0", Killed, "stopped by ann")
}

func TestAnAttemptTheControllerEndedIsStoppedAtEachHeartbeat(t *testing.T) { // FM-8
	s := tell(t)
	s.workers("w-0")
	s.submit("j")
	s.run("j/0@w-0")
	s.cancel("j", "stopped by ann")
	running := Report{UID: "j/0/0", State: Running}
	for range 3 {
		s.hears("w-0", "1", []Report{running}, nil, []string{"j/0/0"})
	}
	s.hears("w-0", "1", nil, nil, []string{"j/0/0"}) // even before it has heard of it
	s.report("j/0/0", Killed)
	s.hears("w-0", "1", []Report{{UID: "j/0/0", State: Killed}}, []string{"j/0/0"}, nil)
}

func TestUnknownAttemptsAreStoppedAndForgotten(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.hears("w-0", "1", []Report{{UID: "x/0/0", State: Running}, {UID: "y", State: Failed}},
		[]string{"y"}, []string{"x/0/0"})
}

func TestResultsAreAcknowledgedOnlyOnceApplied(t *testing.T) { // FM-14
	s := tell(t)
	s.workers("w-0")
	s.submit("j")
	s.run("j/0@w-0")
	result := Report{UID: "j/0/0", State: Succeeded}
	s.hears("w-0", "1", []Report{result}, nil, nil)
	s.reportAll("w-0", result)
	s.hears("w-0", "1", []Report{result}, []string{"j/0/0"}, nil)
}

// hears expects what a worker is told after these reports.
func (s *story) hears(worker, incarnation string, reports []Report, wantAck, wantStop []string) {
	s.t.Helper()
	ack, stop := s.c.Answer(worker, incarnation, reports)
	if !slices.Equal(ack, wantAck) || !slices.Equal(stop, wantStop) {
		s.t.Fatalf("%s hears ack %q and stop %q, not %q and %q", worker, ack, stop, wantAck, wantStop)
	}
}

func TestRepeatedReportsAreNoNews(t *testing.T) { // FM-12
	s := tell(t)
	s.workers("w-0")
	s.submit("j", retries(3))
	s.run("j/0@w-0")
	for _, r := range []Report{{UID: "j/0/0", State: Running}, {UID: "j/0/0", State: Building}} {
		s.noNews("w-0", "1", r)
	}
	failure := Report{UID: "j/0/0", State: Failed, Error: "exit code 1"}
	s.reportAll("w-0", failure, failure)
	s.noNews("w-0", "1", failure)
	s.history("j/0", Failed)
	s.run("j/0@w-0")
	s.noNews("w-0", "1", failure)
	s.is("j/0/1", Running, "")
}

// noNews expects that a report is none, and that it changes nothing all the same.
func (s *story) noNews(worker, incarnation string, r Report) {
	s.t.Helper()
	if news := s.c.News(worker, incarnation, []Report{r}); news != nil {
		s.t.Fatalf("%+v is news", r)
	}
	before := s.c.Describe(s.start)
	s.apply(Observe{Worker: worker, Incarnation: incarnation, Reports: []Report{r}})
	if after := s.c.Describe(s.start); after != before {
		s.t.Fatalf("%+v changed\n%s\nto\n%s", r, before, after)
	}
}

func TestReportsOfOthersAreNoNews(t *testing.T) { // FM-24
	s := tell(t)
	s.workers("w-0", "w-1")
	s.submit("j")
	s.run("j/0@w-0")
	result := Report{UID: "j/0/0", State: Succeeded}
	s.noNews("w-1", "1", result)
	s.noNews("w-0", "0", result)
	s.noNews("w-2", "1", result)
	s.noNews("w-0", "1", Report{UID: "j/0/0", State: Pending})
	s.noNews("w-0", "1", Report{UID: "j/0/1", State: Running})
	s.noNews("w-0", "1", Report{UID: "j/-1/0", State: Running})
	s.lose("w-0")
	s.noNews("w-0", "1", result)
	s.is("j/0/0", WorkerFailed, "lost worker w-0: no heartbeat for 60s")
}

func TestReportsOutOfOrderInOneBatchOnlyAdvance(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j")
	s.assign("j/0@w-0")
	s.reportAll("w-0", Report{UID: "j/0/0", State: Running}, Report{UID: "j/0/0", State: Building})
	s.is("j/0/0", Running, "")
}

func TestReportsOfAJobThatAnEarlierOneEndedOnlyReturnCapacity(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("j", replicated(3))
	s.assign("j/0@w-0", "j/1@w-0", "j/2@w-0")
	s.reportAll("w-0",
		Report{UID: "j/0/0", State: Failed, Error: "exit code 1"},
		Report{UID: "j/1/0", State: Running},
		Report{UID: "j/2/0", State: Succeeded})
	s.is("j/1/0", Killed, "its job ended FAILED")
	s.is("j/2/0", Killed, "its job ended FAILED")
	s.free("w-0", 3)
}

func TestAnEndWithoutABeginningCountsAsStarted(t *testing.T) { // FM-11
	s := tell(t)
	s.workers("w-0")
	s.submit("j", preemptions(0))
	s.assign("j/0@w-0")
	s.report("j/0/0", Succeeded)
	s.is("j", Succeeded, "")
	if j := s.c.Job("j"); j.Started.IsZero() || j.Tasks[0].Attempts[0].Started.IsZero() {
		t.Error("it never started")
	}
}

func TestAWorkerThatStopsAnAttemptUnaskedDoesNotKillTheJob(t *testing.T) { // FM-52
	s := tell(t)
	s.workers("w-0")
	s.submit("j", preemptions(1))
	s.run("j/0@w-0")
	s.report("j/0/0", Killed, "worker is shutting down")
	s.is("j/0/0", WorkerFailed, "worker is shutting down")
	s.is("j/0", Pending, "")
	s.run("j/0@w-0")
	s.report("j/0/1", Killed)
	s.is("j", WorkerFailed, "stopped by its worker")
}

// However it ends, and whoever ends it: nobody finds the address of an attempt that is over (FM-61).
func TestAnAttemptThatIsOverHasNoPorts(t *testing.T) {
	for how, end := range map[string]func(*story){
		"it succeeds":        func(s *story) { s.report("j/0/0", Succeeded) },
		"it fails":           func(s *story) { s.report("j/0/0", Failed, "exit code 3") },
		"its worker is lost": func(s *story) { s.lose("w-0") },
		"its job is stopped": func(s *story) { s.cancel("j", "stopped by ann") },
	} {
		t.Run(how, func(t *testing.T) {
			s := tell(t)
			s.workers("w-0")
			s.submit("j")
			s.assign("j/0@w-0")
			s.reportAll("w-0", Report{UID: "j/0/0", State: Running, Ports: map[string]int32{"http": 8080}})
			if got := s.c.Attempt("j/0/0").Ports["http"]; got != 8080 {
				t.Errorf("while it runs its port is %d", got)
			}
			end(s)
			if ports := s.c.Attempt("j/0/0").Ports; len(ports) > 0 {
				t.Errorf("it is over and has the ports %v", ports)
			}
		})
	}
}
