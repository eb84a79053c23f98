package state

import (
	"slices"

	"iris/iris/mutant"
	pb "iris/iris/proto"
)

// Snapshot is the whole cluster as it is now: [Restore] makes an equal one of it. Equal clusters have equal snapshots.
// It shares with the cluster only what never changes, so that the cluster may go on while another goroutine writes the
// snapshot down. What follows from the rest (queue, counts, names in use, what workers hold) is not in it; nor are
// deadlines: what they stand for is kept where it belongs.
func (c *Cluster) Snapshot() *pb.Snapshot {
	s := snapshot{
		out:    &pb.Snapshot{Policy: encodePolicy(c.policy), Submitted: c.next, NumberedFrom: c.numberedFrom},
		places: map[whereabouts]uint32{},
	}
	for _, w := range c.Workers() {
		s.out.Workers = append(s.out.Workers, &pb.Snapshot_Worker{
			Id: w.ID, Incarnation: w.Incarnation, Address: w.Address,
			Capacity: w.Capacity.Proto(), Attributes: w.Attributes,
			Lost: w.Lost, LostCause: w.LostCause, LostAt: nanos(w.LostAt), TimesLost: int64(w.TimesLost),
		})
	}
	c.snapshotFleet(s.out)
	s.out.Jobs = make([]*pb.Snapshot_Job, len(c.order))
	for i, j := range c.order {
		s.out.Jobs[i] = s.job(j)
	}
	return s.out
}

// A snapshot is one in the making. It makes many small messages at a time: while it does, nothing is applied.
type snapshot struct {
	out      *pb.Snapshot
	places   map[whereabouts]uint32
	jobs     slab[pb.Snapshot_Job]
	tasks    slab[pb.Snapshot_Task]
	attempts slab[pb.Snapshot_Attempt]
}

// A slab is a stock of zero values.
type slab[T any] []T

func (s *slab[T]) next() *T {
	if len(*s) == 0 {
		*s = make([]T, 256)
	}
	first := &(*s)[0]
	*s = (*s)[1:]
	return first
}

// whereabouts are where an attempt runs.
type whereabouts struct{ worker, incarnation string }

func (s *snapshot) job(j *Job) *pb.Snapshot_Job {
	out := s.jobs.next()
	out.Id, out.Spec, out.Trace, out.Number, out.State, out.Error = j.ID, j.Spec, j.Trace, j.Seq, pb.JobState(j.State), j.Error
	out.Submitted, out.Started, out.Finished = nanos(j.Submitted), nanos(j.Started), nanos(j.Finished)
	out.Bounced, out.Stranded, out.Avoidance = j.Bounced, nanos(j.stranded), encodeAvoidance(&j.avoid)
	for i := range j.Tasks {
		t := &j.Tasks[i]
		if t.State == Pending && len(t.Attempts) == 0 {
			continue // nothing was tried
		}
		task := s.tasks.next()
		task.Index, task.State, task.Error = int32(i), pb.TaskState(t.State), t.Error
		task.Avoidance, task.Attempts = encodeAvoidance(t.avoid), make([]*pb.Snapshot_Attempt, len(t.Attempts))
		for n, a := range t.Attempts {
			task.Attempts[n] = s.attempt(a)
		}
		out.Tasks = append(out.Tasks, task)
	}
	return out
}

func (s *snapshot) attempt(a *Attempt) *pb.Snapshot_Attempt {
	out := s.attempts.next()
	out.Place, out.State, out.Error, out.ExitCode = s.place(a), pb.TaskState(a.State), a.Error, a.ExitCode
	out.Assigned, out.Started, out.Finished = nanos(a.Assigned), nanos(a.Started), nanos(a.Finished)
	out.Done, out.Held, out.Lost = a.Done, !a.Released, a.lost
	out.Ports = a.Ports
	if a.State.Terminal() && mutant.On(mutant.SnapshotForgetsHeld) {
		out.Held = false
	}
	if !a.State.Terminal() && !mutant.On(mutant.SnapshotForgetsTimeout) {
		out.Timeout = nanos(a.timeout)
	}
	return out
}

func (s *snapshot) place(a *Attempt) uint32 {
	at := whereabouts{a.Worker, a.Incarnation}
	i, known := s.places[at]
	if !known {
		i = uint32(len(s.places))
		s.places[at] = i
		s.out.Places = append(s.out.Places, &pb.Snapshot_Place{Worker: at.worker, Incarnation: at.incarnation})
	}
	return i
}

// encodeAvoidance is nil for one that keeps a task from nothing.
func encodeAvoidance(a *avoidance) *pb.Snapshot_Avoidance {
	if a == nil || len(a.workers) == 0 && a.rounds == 0 || mutant.On(mutant.SnapshotForgetsAvoid) {
		return nil
	}
	return &pb.Snapshot_Avoidance{
		Workers: slices.Clone(a.workers), Rounds: int64(a.rounds), NotBefore: nanos(a.notBefore),
	}
}

func encodePolicy(p Policy) *pb.Policy {
	return &pb.Policy{
		NoWorkerGrace: int64(p.NoWorkerGrace), DispatchRounds: int64(p.DispatchRounds),
		DispatchPause: int64(p.DispatchPause), TimeoutSlack: int64(p.TimeoutSlack),
	}
}
