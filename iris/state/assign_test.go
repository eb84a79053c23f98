package state

import "testing"

func TestAssignmentTakesCapacityBeforeAnythingIsSent(t *testing.T) { // FM-2
	s := tell(t)
	s.workers("w-0")
	s.submit("j")
	s.assign("j/0@w-0")
	s.did("run j/0/0 on w-0")
	s.is("j/0/0", Assigned, "")
	s.free("w-0", 3)
}

func TestPlacementsThatNoLongerHoldAreLeftOut(t *testing.T) {
	for _, c := range []struct {
		because   string
		placement string
		before    func(*story)
	}{
		{"the job is unknown", "x/0@w-0", nil},
		{"the task is unknown", "j/2@w-0", nil},
		{"the task is no number that there is", "j/-1@w-0", nil},
		{"the worker is unknown", "j/0@w-9", nil},
		{"the worker is lost", "j/0@w-0", func(s *story) { s.lose("w-0") }},
		{"the worker is full", "j/0@w-0", func(s *story) {
			s.submit("big", needing(4000, 1))
			s.assign("big/0@w-0")
		}},
		{"the task was assigned", "j/0@w-0", func(s *story) { s.assign("j/0@w-1") }},
		{"the job is over", "j/0@w-0", func(s *story) { s.cancel("j", "") }},
		{"the worker is not suitable", "zoned/0@w-0", nil},
	} {
		t.Run(c.because, func(t *testing.T) {
			s := tell(t)
			s.workers("w-0", "w-1")
			s.submit("j", replicated(2))
			s.submit("zoned", where("zone", exists, ""))
			if c.before != nil {
				c.before(s)
			}
			s.assign(c.placement)
			s.did()
		})
	}
}

func TestAnExclusiveTaskWaitsForItsEarlierAttemptToStop(t *testing.T) {
	s := tell(t)
	s.workers("w-0", "w-1")
	s.submit("j", exclusive)
	s.assign("j/0@w-0")
	s.failDispatch("j/0/0")
	if !s.c.Job("j").Stopping(0) {
		t.Error("nothing is stopping")
	}
	s.assign("j/0@w-1")
	s.history("j/0", WorkerFailed)
	s.report("j/0/0", Killed)
	s.assign("j/0@w-1")
	s.history("j/0", WorkerFailed, Assigned)
}

func TestAGangIsPlacedWholeOrNotAtAll(t *testing.T) { // FM-45
	for _, c := range []struct {
		because    string
		placements []string
	}{
		{"a member is missing", []string{"g/0@w-0"}},
		{"a member is placed twice", []string{"g/0@w-0", "g/0@w-1"}},
		{"there are too many", []string{"g/0@w-0", "g/1@w-1", "g/1@w-0"}},
		{"a worker has room for one only", []string{"g/0@w-0", "g/1@w-0"}},
		{"the workers share no pod", []string{"g/0@w-0", "g/1@q-0"}},
		{"a worker is in no pod", []string{"g/0@n-0", "g/1@n-1"}},
		{"a worker is lost", []string{"g/0@w-0", "g/1@lost"}},
	} {
		t.Run(c.because, func(t *testing.T) {
			s := tell(t)
			s.workers("w-0", "w-1", "lost")
			s.lose("lost")
			for id, pod := range map[string]string{"q-0": "q", "n-0": "", "n-1": ""} {
				other := registration(id, "1")
				if other.Attributes["pod"] = pod; pod == "" {
					other.Attributes = nil
				}
				s.apply(other)
			}
			s.submit("g", gang(2), needing(3000, 1))
			s.assign(c.placements...)
			s.did()
			s.is("g", Pending, "")
			s.assign("g/0@w-0", "g/1@w-1")
			s.did("run g/0/0 on w-0", "run g/1/0 on w-1")
		})
	}
}

func TestOnePlacementLeftOutDoesNotHinderTheNext(t *testing.T) {
	s := tell(t)
	s.workers("w-0")
	s.submit("g", gang(2))
	s.submit("j")
	s.assign("g/0@w-0", "x/0@w-0", "j/0@w-0")
	s.did("run j/0/0 on w-0")
}
