package exact

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"iris/acceptance/swarm/oracle"
	"iris/iris/leader"
	"iris/iris/state"
	"iris/iris/vm"
)

// fullCheck is how many steps go by between two looks at everything.
const fullCheck = 256

// judge holds what happens against what may.
type judge struct {
	said   oracle.Job // what the controller says of the job that is looked at
	looked *state.Job // the last job that was looked at in this step: all its commands were applied before
}

// ending is how a job ended, as this term knows it. Zero: it goes on, or is not known.
type ending struct {
	state state.State
	text  string
}

// run is an attempt that a worker really ran.
type run struct {
	uid, worker string
	ended       state.State // 0: it goes on
}

// begin takes note of what is over when a term begins.
func (j *judge) begin(s *sim, c *state.Cluster) {
	for i := range s.jobs {
		s.jobs[i].ended, s.jobs[i].stranded = ending{}, 0
	}
	for _, job := range c.Jobs() {
		if job.State.Terminal() {
			s.launched(job.ID).ended = ending{job.State, job.Error}
		}
	}
}

// stepped verifies what a step has touched, and every so often everything.
func (j *judge) stepped(t *term, step *leader.Step) {
	s, c := t.sim, t.leads.Cluster()
	if s.checks++; s.checks >= fullCheck {
		s.everything()
	}
	j.looked = nil
	for i, command := range step.Commands {
		if s.mirror == nil {
			s.holds(c, command)
		}
		switch cmd := command.(type) {
		case state.SubmitJob:
			j.touched(s, c, c.Job(cmd.ID))
		case state.CancelJob:
			j.touched(s, c, c.Job(cmd.ID))
		case state.LoseWorker:
			s.loses(t, cmd)
			s.everything()
		case state.Assign:
			if i == len(step.Commands)-1 { // else what came after may have sent a gang back
				s.starves(t, cmd)
			}
			for _, p := range cmd.Placements {
				j.touched(s, c, c.Job(p.Job))
				j.worker(s, c, p.Worker)
			}
		case state.Observe:
			for i := range cmd.Reports {
				j.attempt(s, c, cmd.Reports[i].UID)
			}
			j.worker(s, c, cmd.Worker)
		case state.FailDispatch:
			j.attempt(s, c, cmd.UID)
		case state.Expire:
			j.touched(s, c, c.Job(cmd.Deadline.Job))
		case state.ForgetJobs:
			for _, id := range cmd.IDs {
				if c.Job(id) == nil { // its id may be used again
					l := s.launched(id)
					l.ended, l.again = ending{}, true
				}
			}
		default:
			s.everything()
		}
	}
}

func (j *judge) attempt(s *sim, c *state.Cluster, uid string) {
	if a := c.Attempt(uid); a != nil {
		j.touched(s, c, a.Job())
	}
}

// touched verifies a job that a command of this step was about, unless the command before was about it too.
func (j *judge) touched(s *sim, c *state.Cluster, job *state.Job) {
	if job != nil && job != j.looked {
		j.looked = job
		j.job(s, c, job)
	}
}

func (j *judge) worker(s *sim, c *state.Cluster, id string) {
	if w := c.Worker(id); w != nil {
		if err := c.CheckWorker(w); err != nil {
			s.violate("%w", err)
		}
	}
}

// job verifies one job: its books, its outcome, and that what is over stays as it is.
func (j *judge) job(s *sim, c *state.Cluster, job *state.Job) {
	if err := c.CheckJob(job); err != nil {
		s.violate("%w", err)
	}
	l := s.launched(job.ID)
	oracle.FromState(job, &j.said)
	j.said.Stopped = l.stopping
	if id := job.Spec.ParentJobId; id != "" {
		parent := c.Job(id)
		j.said.ParentEnded = parent != nil && parent.State.Terminal()
	}
	if err := oracle.Outcome(job.Spec, j.said); err != nil {
		s.violate("outcome: %w\n%s", err, c.Describe(epoch))
	}
	was, ended := l.ended, l.ended.state != 0
	switch now := (ending{job.State, job.Error}); {
	case ended && was != now:
		s.violate("job %s ended %v %q and is now %v %q", job.ID, was.state, was.text, now.state, now.text)
	case job.State.Terminal() && !ended:
		l.ended = now
		j.over(s, job)
	}
}

// over is about a job that has just ended: what succeeded was really run.
func (j *judge) over(s *sim, job *state.Job) {
	if job.State != state.Succeeded {
		return
	}
	l := s.launched(job.ID)
	for i := range job.Tasks {
		t := &job.Tasks[i]
		if t.State != state.Succeeded {
			continue
		}
		last := t.Attempts[len(t.Attempts)-1]
		if r := l.find(last.UID); r == nil || r.ended != state.Succeeded {
			s.violate("attempt %s SUCCEEDED, and no worker has run it to its end", last.UID)
		}
	}
}

// everything verifies all invariants, unless nothing was decided since it did.
func (s *sim) everything() {
	s.checks = 0
	t := s.term
	if t == nil || s.over || t.verified == s.out.Commands {
		return
	}
	t.verified = s.out.Commands
	c := t.leads.Cluster()
	if err := c.Check(); err != nil {
		s.violate("%w", err)
	}
	s.silent(t)
	for _, job := range c.Jobs() {
		s.judge.job(s, c, job)
		s.strands(c, job)
	}
}

// find is the run of an attempt, or nil.
func (j *launch) find(uid string) *run {
	for i := range j.runs {
		if j.runs[i].uid == uid {
			return &j.runs[i]
		}
	}
	return nil
}

// runs notes that a worker begins to run an attempt: none runs twice, and exclusive ones never beside another of their task.
func (j *judge) runs(s *sim, a *attempt) int {
	l := a.job
	if r := l.find(a.order.uid); r != nil {
		s.violate("attempt %s runs twice, on %s and on %s", a.order.uid, r.worker, a.worker.id)
	}
	if l.Exclusive {
		for _, w := range s.workers {
			for _, other := range w.ledger {
				if other != a && other.job == l && other.run > 0 && !other.over && other.order.task == a.order.task && w.frozen == 0 {
					s.violate("attempt %s of an exclusive job begins on %s while %s still runs on %s", a.order.uid, a.worker.id,
						other.order.uid, w.id)
				}
			}
		}
	}
	l.runs = append(l.runs, run{uid: a.order.uid, worker: a.worker.id})
	return len(l.runs)
}

// ended notes that a run is over.
func (j *judge) ended(a *attempt, as state.State) {
	if a.run == 0 {
		return
	}
	if r := a.job.find(a.order.uid); r != nil {
		r.ended = as
	}
}

// patience is how long a cluster may take to end all jobs once nothing is wrong any more: as long as if they ran one after
// the other, each as often as it may, with two hours for what was lost, timed out or backs off.
func (s *sim) patience() int64 {
	all := 2 * int64(time.Hour)
	for _, j := range s.story.Jobs {
		tries := int64(j.Fails) + 2
		if j.Failures != nil {
			tries += int64(*j.Failures)
		}
		all += int64(j.Tasks) * tries * (int64(j.Runs) + 60*second)
	}
	return all
}

// settle waits until the cluster is right again after the last fault, and then ends the story. What is not right by itself soon
// waits for tasks that run: it looks again after a pause, and then after longer ones.
func (s *sim) settle(until, pause int64) {
	if why := s.unsettled(); why != nil {
		if s.now > until {
			s.violate("%v after the last fault: %w", time.Duration(s.now-int64(s.story.Length)), why)
			return
		}
		s.after(pause, func() { s.settle(until, min(2*pause, 60*second)) })
		return
	}
	s.everything()
	for _, j := range s.term.leads.Cluster().Jobs() {
		s.out.Ends[j.State]++
	}
	if s.mirror != nil && s.mirror.Describe(epoch) != s.term.leads.Cluster().Describe(epoch) {
		s.violate("the log gives another state than the leader's")
	}
	s.over = true
}

// unsettled is what is not right yet; nil: all is. What costs most comes last.
func (s *sim) unsettled() error {
	t := s.term
	if t == nil {
		return fmt.Errorf("nobody leads")
	}
	if t.committed < t.proposed {
		return fmt.Errorf("not all is committed")
	}
	c := t.leads.Cluster()
	for _, j := range c.Jobs() {
		if j.State != state.Pending && !j.State.Terminal() {
			return fmt.Errorf("job %s is %v", j.ID, j.State)
		}
	}
	for i := range s.jobs {
		if l := &s.jobs[i]; !l.accepted && !l.refused {
			return fmt.Errorf("nobody has answered the launch of job %s", l.id)
		}
	}
	for _, w := range s.workers {
		known := c.Worker(w.id)
		switch {
		case !w.up:
			return fmt.Errorf("worker %s is down", w.id)
		case known == nil || known.Lost || known.Incarnation != w.incarnation:
			return fmt.Errorf("worker %s is not live", w.id)
		case len(w.ledger) != len(known.Held()):
			return fmt.Errorf("worker %s has %d attempts, the controller counts on %s", w.id, len(w.ledger), heldText(known))
		}
	}
	if err := s.unsettledClouds(c); err != nil {
		return err
	}
	waits := t.leads.Waits(s.time())
	for _, j := range c.Jobs() {
		if j.State != state.Pending {
			continue
		}
		if s.fits(c, j) {
			return fmt.Errorf("job %s is PENDING and fits; it says: %s", j.ID, waits(j, j.Waiting()[0]).GetText())
		}
		for i := range j.Tasks {
			if lostWorker(&j.Tasks[i]) {
				return fmt.Errorf("task %s lost its worker, and still waits", j.TaskID(i))
			}
			if waits(j, int32(i)).GetText() == "" {
				return fmt.Errorf("task %s waits and does not say why", j.TaskID(i))
			}
		}
	}
	return nil
}

// lostWorker reports whether some attempt of a task that waits ended with its worker: it does not wait for ever.
func lostWorker(t *state.Task) bool {
	return t.State == state.Pending && slices.ContainsFunc(t.Attempts, func(a *state.Attempt) bool {
		return strings.HasPrefix(a.Error, "lost worker ") || strings.HasSuffix(a.Error, " was restarted")
	})
}

// fits reports whether a job would fit on the workers that are live if they were empty, or on machines that a group may bring.
func (s *sim) fits(c *state.Cluster, j *state.Job) bool {
	return s.story.Cluster.Fits(s.launched(j.ID).Job, func(worker int) bool {
		w := c.Worker(fmt.Sprintf("w-%d", worker))
		return w != nil && !w.Lost
	})
}

// unsettledClouds compares what the platforms have with what the controller knows.
func (s *sim) unsettledClouds(c *state.Cluster) error {
	known := map[string]bool{}
	for _, slice := range c.Slices() {
		known[slice.ID] = true
		if slice.State != vm.Ready {
			return fmt.Errorf("slice %s is %v", slice.ID, slice.State)
		}
	}
	for _, cloud := range s.clouds {
		live := cloud.manager.Live()
		if n := len(live); n > cloud.group.MaxSlices {
			return fmt.Errorf("group %s has %d slices, %d are the most", cloud.name, n, cloud.group.MaxSlices)
		}
		for _, slice := range live {
			if !known[slice.ID()] {
				return fmt.Errorf("slice %s costs money and nobody knows it", slice.ID())
			}
		}
	}
	return nil
}

// heldText is what a worker holds, for people.
func heldText(w *state.Worker) string {
	var all []string
	for _, a := range w.Held() {
		all = append(all, fmt.Sprintf("%s %v", a.UID, a.State))
	}
	return strings.Join(all, ", ")
}
