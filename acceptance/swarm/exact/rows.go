package exact

import (
	"strings"

	"iris/iris/state"
)

// row notes that the story has come to what a row of the catalogue of failure modes is about.
func (s *sim) row(number int) { s.out.Rows[number]++ }

// meets notes the rows that a command comes to, given the state that it is about to be applied to.
func (s *sim) meets(c *state.Cluster, command state.Command) {
	switch cmd := command.(type) {
	case state.SubmitJob:
		s.meetsLaunch(c, cmd)
	case state.RegisterWorker:
		if w := c.Worker(cmd.ID); w != nil && w.Incarnation != cmd.Incarnation && len(w.Held()) > 0 {
			s.row(17)
			if w.TimesLost > 0 || cmd.Incarnation > "000002" {
				s.row(18)
			}
		}
	case state.LoseWorker:
		if w := c.Worker(cmd.ID); w != nil && !w.Lost {
			s.row(21)
		}
	case state.ForgetWorkers:
		s.row(27)
	case state.Assign:
		s.meetsAssign(c, cmd)
	case state.Observe:
		for _, r := range cmd.Reports {
			if a := c.Attempt(r.UID); a != nil {
				s.meetsReport(a, r)
			}
		}
	case state.FailDispatch:
		if a := c.Attempt(cmd.UID); a != nil && a.State == state.Assigned {
			s.row(2)
			if w := c.Worker(a.Worker); w != nil && len(w.Held()) > 1 {
				s.row(4)
			}
		}
	case state.Expire:
		if j := c.Job(cmd.Deadline.Job); j != nil && cmd.Deadline.Kind == state.SchedulingDeadline && j.Gang() {
			s.row(49)
		}
	}
}

func (s *sim) meetsLaunch(c *state.Cluster, cmd state.SubmitJob) {
	if c.Job(cmd.ID) != nil {
		s.row(60)
	}
	for _, j := range c.Jobs() {
		if j.ID != cmd.ID && j.Spec.Name == cmd.Spec.Name {
			s.row(59)
			break
		}
	}
	if parent := c.Job(cmd.Spec.ParentJobId); parent != nil && parent.State == state.Running {
		s.row(50)
	}
}

func (s *sim) meetsAssign(c *state.Cluster, cmd state.Assign) {
	gangs, placed := 0, map[string]bool{}
	for _, p := range cmd.Placements {
		j, w := c.Job(p.Job), c.Worker(p.Worker)
		if j == nil || w == nil {
			continue
		}
		if j.Gang() && !placed[j.ID] {
			gangs++
		}
		placed[j.ID] = true
		for _, constraint := range j.Spec.Constraints {
			if _, has := w.Attributes[constraint.Key]; !has {
				s.row(51)
			}
		}
		for _, a := range w.Held() {
			if a.State.Terminal() {
				s.row(9)
			}
			if len(j.Spec.Ports) > 0 && len(a.Job().Spec.Ports) > 0 {
				s.row(46)
			}
		}
		if attempts := j.Tasks[p.Task].Attempts; len(j.Spec.Ports) > 0 && len(attempts) > 0 {
			s.row(61)
		}
	}
	if gangs > 1 {
		s.row(45)
	}
	for _, j := range c.Queue() {
		if placed[j.ID] {
			continue
		}
		for id := range placed {
			if other := c.Job(id); other.Seq > j.Seq && other.Spec.Priority == j.Spec.Priority {
				s.row(47)
			}
		}
	}
}

func (s *sim) meetsReport(a *state.Attempt, r state.Report) {
	switch {
	case r.State == state.Killed && !a.State.Terminal():
		s.row(52)
	case r.State == state.Failed && strings.HasPrefix(r.Error, "chaos: "):
		s.row(53)
	}
}

// came notes the rows that a command has come to, given the state that it left.
func (s *sim) came(c *state.Cluster, command state.Command, effects []state.Effect) {
	for _, e := range effects {
		if stop, is := e.(state.Stop); is {
			if a := c.Attempt(stop.UID); a != nil && a.State == state.CoschedFailed {
				s.row(44)
			}
		}
	}
	switch cmd := command.(type) {
	case state.Observe:
		for _, r := range cmd.Reports {
			if a := c.Attempt(r.UID); a != nil {
				s.ended(c, a.Job())
			}
		}
	case state.LoseWorker, state.RegisterWorker, state.FailDispatch, state.Expire:
		for _, j := range c.Jobs() {
			s.ended(c, j)
		}
	}
}

// ended notes the rows that the end of a job comes to.
func (s *sim) ended(c *state.Cluster, j *state.Job) {
	if !j.State.Terminal() {
		if j.Bounced && j.Count(state.Pending) == len(j.Tasks) {
			for i := range j.Tasks { // a member that had succeeded waits again
				if n := len(j.Tasks[i].Attempts); n > 0 && j.Tasks[i].Attempts[n-1].State == state.CoschedFailed &&
					j.Tasks[i].Attempts[n-1].Released {
					s.row(55)
				}
			}
		}
		return
	}
	switch {
	case strings.Contains(j.Error, "dispatch failed on every worker"):
		s.row(1)
	case j.State == state.Succeeded && j.Count(state.Failed) > 0:
		s.row(58)
	}
	if parent := c.Job(j.Spec.ParentJobId); parent != nil && parent.State != state.Succeeded && parent.State != state.Killed &&
		strings.HasPrefix(j.Error, "its parent job") {
		s.row(56)
	}
}

// meetsChange notes the rows that a new leader comes to.
func (s *sim) meetsChange(c *state.Cluster) {
	for _, j := range c.Jobs() {
		if j.State == state.Running {
			s.row(16)
			break
		}
	}
	for _, known := range c.Workers() {
		if w := s.worker(known.ID); !known.Lost && (w == nil || !w.up) {
			s.row(23)
		}
	}
	if s.terms > 1 && len(s.clouds) > 0 && len(c.Queue()) > 0 {
		s.row(42)
	}
}

// meetsBeat notes the rows that a heartbeat comes to, given the leader's state before it.
func (s *sim) meetsBeat(c *state.Cluster, w *worker, reports []state.Report) {
	s.meetsReports(c, reports)
	for _, r := range reports {
		if a := c.Attempt(r.UID); a == nil {
			s.row(15)
		} else if r.State.Terminal() && !a.State.Terminal() {
			s.row(11)
		}
	}
	known := c.Worker(w.id)
	if known == nil {
		return
	}
	for _, a := range known.Held() {
		if a.State == state.Assigned && w.find(a.UID) == nil {
			s.row(5)
			s.row(6)
		}
	}
}

// meetsReports notes the rows that reports come to which are late, repeated, or overtaken.
func (s *sim) meetsReports(c *state.Cluster, reports []state.Report) {
	for _, r := range reports {
		a := c.Attempt(r.UID)
		switch {
		case a == nil:
		case a.State.Terminal():
			s.row(12)
		case a.State == state.Running && r.State == state.Building:
			s.row(13)
		}
	}
}
