package state

import (
	"container/heap"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	pb "iris/iris/proto"
)

// Restore is the cluster that a snapshot was taken of. It neither changes the snapshot nor keeps what the cluster will
// change, so that one snapshot may be restored many times. An error says what in the snapshot contradicts the rest of
// it, or what this version does not know.
func Restore(s *pb.Snapshot) (*Cluster, error) {
	if s.GetPolicy() == nil {
		return nil, errors.New("the snapshot has no policy: it is damaged, or none")
	}
	if newer(s) || newer(s.Policy) {
		return nil, fmt.Errorf("the snapshot %w", errNewer)
	}
	r := restorer{c: New(decodePolicy(s.Policy)), places: s.Places}
	r.c.next, r.c.numberedFrom = s.Submitted, s.NumberedFrom
	for _, w := range s.Workers {
		if err := r.worker(w); err != nil {
			return nil, fmt.Errorf("worker %q in the snapshot %w", w.GetId(), err)
		}
	}
	if err := r.fleet(s); err != nil {
		return nil, err
	}
	r.c.order, r.c.jobs = make([]*Job, 0, len(s.Jobs)), make(map[string]*Job, len(s.Jobs))
	for _, j := range s.Jobs {
		if err := r.job(j); err != nil {
			return nil, fmt.Errorf("job %q in the snapshot %w", j.GetId(), err)
		}
	}
	for _, j := range r.c.order {
		if j.root().State.Terminal() {
			r.c.over = append(r.c.over, j)
		}
	}
	slices.SortFunc(r.c.over, retirement)
	slices.SortFunc(r.c.queue, order)
	heap.Init(&r.c.times)
	if err := r.c.checkBooks(); err != nil {
		return nil, fmt.Errorf("the snapshot contradicts itself: %w", err)
	}
	return r.c, nil
}

// A restorer is a cluster in the making. Its errors go on from "job j in the snapshot …".
type restorer struct {
	c      *Cluster
	places []*pb.Snapshot_Place
}

func (r *restorer) worker(in *pb.Snapshot_Worker) error {
	switch {
	case in.GetId() == "":
		return errors.New("has no id")
	case newer(in):
		return errNewer
	case r.c.workers[in.Id] != nil:
		return errors.New("is there twice")
	case in.Attributes[AttributeWorker] != in.Id:
		return fmt.Errorf("has the attribute %s=%q", AttributeWorker, in.Attributes[AttributeWorker])
	}
	w := &Worker{
		ID: in.Id, Incarnation: in.Incarnation, Address: in.Address, Capacity: ResourcesOf(in.Capacity),
		Attributes: in.Attributes, Lost: in.Lost, LostCause: in.LostCause, LostAt: instant(in.LostAt),
		TimesLost: int(in.TimesLost),
	}
	r.c.know(w)
	if !w.Lost {
		r.c.live[w.ID] = w
	}
	return nil
}

func (r *restorer) job(in *pb.Snapshot_Job) error {
	if err := r.admissible(in); err != nil {
		return err
	}
	j := newJob(in.Id, in.Spec, r.c.jobs[in.Spec.ParentJobId])
	j.Seq, j.State, j.Error, j.Bounced, j.Trace = in.Number, State(in.State), in.Error, in.Bounced, in.Trace
	j.Submitted, j.Started, j.Finished = instant(in.Submitted), instant(in.Started), instant(in.Finished)
	j.stranded, j.numbered = instant(in.Stranded), r.c.numberedFrom > 0 && j.Seq >= r.c.numberedFrom
	var err error
	if j.avoid, err = decodeAvoidance(in.Avoidance); err != nil {
		return err
	}
	j.avoiding = in.Avoidance != nil
	next := int32(0)
	for _, t := range in.Tasks {
		if t.GetIndex() < next || int(t.GetIndex()) >= len(j.Tasks) {
			return fmt.Errorf("has a task %d after task %d, and %d tasks", t.GetIndex(), next-1, len(j.Tasks))
		}
		if err := r.task(j, t); err != nil {
			return fmt.Errorf("has a task %d that %w", t.Index, err)
		}
		next = t.Index + 1
	}
	r.c.jobs[j.ID] = j
	r.c.order = append(r.c.order, j)
	r.c.count(j, 1)
	return r.derive(j)
}

// admissible refuses a job that could not be one, or not here.
func (r *restorer) admissible(in *pb.Snapshot_Job) error {
	c, n := r.c, replicas(in.GetSpec())
	switch {
	case in.GetId() == "" || strings.Contains(in.Id, "/"):
		return errors.New("has an id that no job can have")
	case newer(in):
		return errNewer
	case c.jobs[in.Id] != nil:
		return errors.New("is there twice")
	case in.Spec == nil:
		return errors.New("has no spec")
	case n < 1 || n > maxReplicas:
		return fmt.Errorf("has %d tasks", n)
	case in.Spec.ParentJobId != "" && c.jobs[in.Spec.ParentJobId] == nil:
		return fmt.Errorf("has the parent %q, which is not there before it", in.Spec.ParentJobId)
	case in.Number >= c.next:
		return fmt.Errorf("has the number %d, and the next one is to have %d", in.Number, c.next)
	case len(c.order) > 0 && in.Number <= c.order[len(c.order)-1].Seq:
		return fmt.Errorf("has the number %d, and the one before it has %d", in.Number, c.order[len(c.order)-1].Seq)
	case !jobStates.know(int32(in.State)):
		return fmt.Errorf("is %v, which no job can be", in.State)
	}
	return nil
}

func (r *restorer) task(j *Job, in *pb.Snapshot_Task) error {
	if newer(in) {
		return errNewer
	}
	if !taskStates.know(int32(in.State)) {
		return fmt.Errorf("is %v, which no task can be", in.State)
	}
	t := &j.Tasks[in.Index]
	t.State, t.Error, t.Attempts = State(in.State), in.Error, make([]*Attempt, len(in.Attempts))
	if in.Avoidance != nil {
		avoid, err := decodeAvoidance(in.Avoidance)
		if err != nil {
			return err
		}
		t.avoid = &avoid
	}
	all := make([]Attempt, len(in.Attempts))
	for n, a := range in.Attempts {
		t.Attempts[n] = &all[n]
		if err := r.attempt(j, in.Index, n, a, &all[n]); err != nil {
			return fmt.Errorf("has an attempt %d that %w", n, err)
		}
	}
	return nil
}

func (r *restorer) attempt(j *Job, task int32, n int, in *pb.Snapshot_Attempt, a *Attempt) error {
	switch {
	case int(in.GetPlace()) >= len(r.places):
		return fmt.Errorf("ran at place %d of %d", in.GetPlace(), len(r.places))
	case newer(in):
		return errNewer
	case !attemptStates.know(int32(in.State)):
		return fmt.Errorf("is %v, which no attempt can be", in.State)
	}
	at := r.places[in.Place]
	*a = Attempt{
		UID: j.newUID(task, n), Worker: at.GetWorker(), Incarnation: at.GetIncarnation(),
		State: State(in.State), Error: in.Error, ExitCode: in.ExitCode,
		Assigned: instant(in.Assigned), Started: instant(in.Started), Finished: instant(in.Finished),
		Done: in.Done, Released: !in.Held, job: j, task: task, lost: in.Lost, timeout: instant(in.Timeout), Ports: in.Ports,
	}
	if in.Held {
		w := r.c.workers[a.Worker]
		if w == nil {
			return fmt.Errorf("takes capacity of worker %q, which is not there", a.Worker)
		}
		w.hold(a)
	}
	return nil
}

// derive fills in what follows from a job's tasks and from its state.
func (r *restorer) derive(j *Job) error {
	c := r.c
	j.counts, j.untried = [numStates]int32{}, 0
	for i := range j.Tasks {
		r.deriveTask(j, int32(i))
	}
	if j.State.Terminal() {
		return nil
	}
	if holder, taken := c.names[j.title()]; taken {
		return fmt.Errorf("has the name %q, and job %q has it too", j.Spec.Name, holder)
	}
	c.names[j.title()] = j.ID
	if at := j.schedulingDeadline(); j.untried > 0 && !at.IsZero() {
		c.times = append(c.times, Deadline{At: at, Kind: SchedulingDeadline, Job: j.ID})
	}
	if !j.stranded.IsZero() {
		c.times = append(c.times, Deadline{At: j.stranded, Kind: StrandedDeadline, Job: j.ID})
	}
	if j.Count(Pending) > 0 {
		j.queued, c.queue = true, append(c.queue, j)
		r.pause(j, &j.avoid)
	}
	return nil
}

func (r *restorer) deriveTask(j *Job, task int32) {
	t := &j.Tasks[task]
	j.counts[t.State]++
	if len(t.Attempts) == 0 {
		j.untried++
	}
	for _, a := range t.Attempts {
		switch {
		case a.State == Failed:
			t.Failures++
		case a.State == WorkerFailed && !a.Started.IsZero():
			t.Preemptions++
		case a.Done:
			j.done++
		}
		j.lost = j.lost || a.lost
		if !j.State.Terminal() && !a.State.Terminal() && !a.Done && !a.timeout.IsZero() {
			r.c.times = append(r.c.times, Deadline{At: a.timeout, Kind: TimeoutDeadline, Job: j.ID, UID: a.UID})
		}
	}
	j.Failures, j.Preemptions = j.Failures+int(t.Failures), j.Preemptions+int(t.Preemptions)
	j.avoiding = j.avoiding || t.avoid != nil
	if t.State != Pending || j.State.Terminal() {
		return
	}
	j.waiting = append(j.waiting, task)
	if t.avoid != nil {
		r.pause(j, t.avoid)
	}
}

// pause sees to it that what waits for the end of a pause is looked at again.
func (r *restorer) pause(j *Job, a *avoidance) {
	if !a.notBefore.IsZero() {
		r.c.times = append(r.c.times, Deadline{At: a.notBefore, Kind: BackoffDeadline, Job: j.ID})
	}
}

func decodeAvoidance(in *pb.Snapshot_Avoidance) (avoidance, error) {
	if in == nil {
		return avoidance{}, nil
	}
	if newer(in) {
		return avoidance{}, errNewer
	}
	if in.Rounds < 0 || !slices.IsSorted(in.Workers) {
		return avoidance{}, fmt.Errorf("avoids the workers %q after %d rounds of dispatch", in.Workers, in.Rounds)
	}
	return avoidance{workers: slices.Clone(in.Workers), rounds: int(in.Rounds), notBefore: instant(in.NotBefore)}, nil
}

func decodePolicy(p *pb.Policy) Policy {
	return Policy{
		NoWorkerGrace: time.Duration(p.GetNoWorkerGrace()), DispatchRounds: int(p.GetDispatchRounds()),
		DispatchPause: time.Duration(p.GetDispatchPause()), TimeoutSlack: time.Duration(p.GetTimeoutSlack()),
	}
}
