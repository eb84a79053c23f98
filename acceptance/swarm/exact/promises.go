package exact

import (
	"slices"
	"strings"
	"time"

	"iris/iris/leader"
	"iris/iris/state"
)

// holds verifies what takes more than one look: it is told of each command that is committed.
func (s *sim) holds(c *state.Cluster, command state.Command) {
	s.avoids(c, command)
	s.timesOut(c, command)
	switch cmd := command.(type) {
	case state.StopSlice:
		s.stopsIdle(c, cmd)
	case state.EndSlice:
		for _, w := range c.Workers() {
			if w.Attributes[state.AttributeSlice] == cmd.ID && !w.Lost {
				s.violate("slice %s is gone, and its worker %s still counts as live", cmd.ID, w.ID)
			}
		}
	}
}

// stopsIdle verifies that what is given back because nobody needs it ran nothing (FM-64).
func (s *sim) stopsIdle(c *state.Cluster, cmd state.StopSlice) {
	if cmd.Why != state.StopIdle {
		return
	}
	for _, w := range c.Workers() {
		if w.Attributes[state.AttributeSlice] != cmd.ID {
			continue
		}
		for _, a := range w.Held() {
			if a.State == state.WorkerFailed && strings.Contains(a.Error, cmd.Cause) {
				s.violate("slice %s is given back as idle, and ran %s", cmd.ID, a.UID)
			}
		}
	}
}

// loses verifies that a worker is lost when it has been silent for the whole timeout, and not sooner.
func (s *sim) loses(t *term, cmd state.LoseWorker) {
	w := s.worker(cmd.ID)
	if w == nil {
		return
	}
	since := max(t.began, w.served)
	if w.quiet > 0 {
		since = max(since, w.lastBeat())
	}
	if silent := time.Duration(s.now - since); silent < s.config.WorkerTimeout {
		s.violate("worker %s is lost after a silence of %v, not %v", cmd.ID, silent, s.config.WorkerTimeout)
	}
}

// silent verifies that no worker counts as live that has been down for longer than it may be silent.
func (s *sim) silent(t *term) {
	if time.Duration(s.now-t.began) < s.config.WorkerTimeout+5*time.Second || t.on.frozen > 0 || s.now-t.thawed < int64(s.config.WorkerTimeout) {
		return
	}
	for _, known := range t.leads.Cluster().Workers() {
		since := s.halted[known.ID]
		switch w := s.worker(known.ID); {
		case known.Lost || w != nil && w.up:
			continue
		case w != nil:
			since = w.served
		}
		if silent := time.Duration(s.now - since); silent > s.config.WorkerTimeout+5*time.Second {
			s.violate("worker %s is down, and counts as live after a silence of %v", known.ID, silent)
		}
	}
}

// starves verifies that later work leaves room for a gang that was sent back: at least one group of workers that could take it
// gets nothing of what is behind it (FM-47).
func (s *sim) starves(t *term, cmd state.Assign) {
	c := t.leads.Cluster()
	for _, gang := range c.Queue() {
		if !gang.Gang() || !gang.Bounced || gang.NotBefore(0).After(s.time()) || slices.ContainsFunc(gang.Waiting(), gang.Stopping) {
			continue
		}
		if len(gang.Avoided(0)) > 0 {
			return // what is kept for it depends on where it may go
		}
		by, room, taken := gang.Spec.Coscheduling.GroupBy, map[string]int64{}, map[string]bool{}
		for _, w := range c.Workers() {
			value, grouped := w.Attributes[by]
			if !w.Lost && grouped && state.Matches(gang.Spec.Constraints, w.Attributes) && t.leads.Standing(s.time(), w.ID) == leader.Takes {
				room[value] += w.Capacity.Slots(gang.Need)
			}
		}
		for _, p := range cmd.Placements {
			if j := c.Job(p.Job); j != nil && behind(j, gang) {
				taken[c.Worker(p.Worker).Attributes[by]] = true
			}
		}
		could, free := 0, 0
		for value, slots := range room {
			if slots >= int64(len(gang.Tasks)) {
				if could++; !taken[value] {
					free++
				}
			}
		}
		if could > 0 && free == 0 {
			s.violate("gang %s was sent back, and what is behind it takes each group of workers that could run it", gang.ID)
		}
		return // what is kept for the first of them may be what the next would need
	}
}

// behind reports whether a job is certainly behind another in the queue: of the same priority, no nearer to the leaves, and later.
func behind(j, other *state.Job) bool {
	return j.Seq > other.Seq && j.Spec.Priority == other.Spec.Priority && j.Spec.ParentJobId == "" && other.Spec.ParentJobId == ""
}

// timesOut verifies that an attempt ends when its timeout is over, whether or not its worker says so: its controller then does
// (design §3).
func (s *sim) timesOut(c *state.Cluster, command state.Command) {
	observed, is := command.(state.Observe)
	if !is {
		return
	}
	for _, r := range observed.Reports {
		if a := c.Attempt(r.UID); r.State == state.Running && a != nil && a.State == state.Running && a.Job().Spec.Timeout != nil {
			limit := a.Job().Spec.Timeout.AsDuration() + s.config.Policy.TimeoutSlack
			s.after(int64(limit)+second, func() { s.timedOut(r.UID, limit) })
		}
	}
}

// timedOut looks whether an attempt has ended by now, as soon as somebody leads who could have ended it.
func (s *sim) timedOut(uid string, limit time.Duration) {
	t := s.term
	if t == nil || t.on.frozen > 0 || s.now-t.began < 5*second {
		s.after(5*second, func() { s.timedOut(uid, limit) })
		return
	}
	if a := t.leads.Cluster().Attempt(uid); a != nil && a.State == state.Running && !a.Done {
		s.violate("attempt %s still runs, %v after it began", uid, limit)
	}
}

// avoids verifies that a task whose dispatch failed goes elsewhere until each worker that could run it has been tried (design
// §3). It keeps its own list of those that were. Gangs, which share one, are left out.
func (s *sim) avoids(c *state.Cluster, command state.Command) {
	switch cmd := command.(type) {
	case state.FailDispatch:
		a := c.Attempt(cmd.UID)
		if a == nil || a.Error != cmd.Cause || a.Job().Gang() || a.Job().State.Terminal() {
			return
		}
		l := s.launched(a.Job().ID)
		if l.tried == nil {
			l.tried = map[int32][]string{}
		}
		l.tried[int32(a.Task())] = append(l.tried[int32(a.Task())], a.Worker)
		s.endRounds(c, l)
	case state.Assign:
		for _, p := range cmd.Placements {
			if slices.Contains(s.launched(p.Job).tried[p.Task], p.Worker) {
				s.violate("task %s/%d goes to %s again, where its dispatch failed, and others have not been tried", p.Job, p.Task, p.Worker)
			}
		}
	case state.ForgetJobs:
		for _, id := range cmd.IDs {
			if c.Job(id) == nil { // its id may be used again
				s.launched(id).tried = nil
			}
		}
	case state.RegisterWorker, state.LoseWorker, state.EndSlice, state.StopSlice, state.ObserveSlice:
		for i := range s.jobs {
			s.endRounds(c, &s.jobs[i])
		}
	}
}

// endRounds ends the rounds in which each worker that could run the task was tried.
func (s *sim) endRounds(c *state.Cluster, l *launch) {
	if len(l.tried) == 0 {
		return
	}
	job := c.Job(l.id)
	if job == nil || job.State.Terminal() {
		l.tried = nil
		return
	}
	for task, tried := range l.tried {
		left := slices.ContainsFunc(c.Workers(), func(w *state.Worker) bool {
			return !w.Lost && !slices.Contains(tried, w.ID) && w.Capacity.Fits(job.Need) && state.Matches(job.Spec.Constraints, w.Attributes)
		})
		if !left {
			delete(l.tried, task)
		}
	}
}

// strands verifies that tasks which lost their worker fail when nobody could run them for the whole grace (design §3). It is
// called whenever the set of workers has changed.
func (s *sim) strands(c *state.Cluster, job *state.Job) {
	l := s.launched(job.ID)
	waits := false
	for i := range job.Tasks {
		waits = waits || lostWorker(&job.Tasks[i])
	}
	switch {
	case job.State.Terminal() || !waits || s.fits(c, job):
		l.stranded = 0
	case l.stranded == 0:
		l.stranded = max(s.now, 1)
		s.givesUp(l, l.stranded)
	}
}

// givesUp looks after the grace whether tasks that nobody could run have failed.
func (s *sim) givesUp(l *launch, since int64) {
	s.after(int64(s.config.Policy.NoWorkerGrace)+2*second, func() {
		t := s.term
		if t == nil || t.on.frozen > 0 || l.stranded != since {
			return
		}
		job := t.leads.Cluster().Job(l.id)
		if job == nil {
			return
		}
		if s.strands(t.leads.Cluster(), job); l.stranded == since {
			s.violate("job %s has had nobody who could run what lost its worker for %v, and still waits", l.id, s.config.Policy.NoWorkerGrace)
		}
	})
}
