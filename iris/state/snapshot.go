package state

import (
	"slices"

	pb "iris/iris/proto"
)

// Snapshot is the whole cluster as it is now: [Restore] makes an equal one of it. Equal clusters have equal snapshots.
// It shares with the cluster only what never changes, so that the cluster may go on while another goroutine writes the
// snapshot down. What follows from the rest (queue, counts, names in use, what workers hold) is not in it; nor are
// deadlines: what they stand for is kept where it belongs.
func (c *Cluster) Snapshot() *pb.Snapshot {
	s := snapshot{places: map[whereabouts]uint32{}, out: &pb.Snapshot{Policy: encodePolicy(c.policy), Submitted: c.next}}
	for _, w := range c.Workers() {
		s.out.Workers = append(s.out.Workers, &pb.Snapshot_Worker{
			Id: w.ID, Incarnation: w.Incarnation, Address: w.Address, Capacity: w.Capacity.Proto(), Attributes: w.Attributes,
			Lost: w.Lost, LostCause: w.LostCause, LostAt: nanos(w.LostAt), TimesLost: int64(w.TimesLost),
		})
	}
	s.out.Jobs = make([]*pb.Snapshot_Job, len(c.order))
	for i, j := range c.order {
		s.out.Jobs[i] = s.job(j)
	}
	return s.out
}

// A snapshot is one in the making.
type snapshot struct {
	out    *pb.Snapshot
	places map[whereabouts]uint32
}

// whereabouts are where an attempt runs.
type whereabouts struct{ worker, incarnation string }

func (s *snapshot) job(j *Job) *pb.Snapshot_Job {
	out := &pb.Snapshot_Job{
		Id: j.ID, Spec: j.Spec, Number: j.Seq, State: pb.JobState(j.State), Error: j.Error,
		Submitted: nanos(j.Submitted), Started: nanos(j.Started), Finished: nanos(j.Finished),
		Bounced: j.Bounced, Stranded: nanos(j.stranded), Avoidance: encodeAvoidance(&j.avoid),
	}
	for i := range j.Tasks {
		t := &j.Tasks[i]
		if t.State == Pending && len(t.Attempts) == 0 {
			continue // nothing was tried
		}
		task := &pb.Snapshot_Task{
			Index: int32(i), State: pb.TaskState(t.State), Error: t.Error, Avoidance: encodeAvoidance(t.avoid),
			Attempts: make([]*pb.Snapshot_Attempt, len(t.Attempts)),
		}
		for n, a := range t.Attempts {
			task.Attempts[n] = s.attempt(a)
		}
		out.Tasks = append(out.Tasks, task)
	}
	return out
}

func (s *snapshot) attempt(a *Attempt) *pb.Snapshot_Attempt {
	out := &pb.Snapshot_Attempt{
		Place: s.place(a), State: pb.TaskState(a.State), Error: a.Error, ExitCode: a.ExitCode,
		Assigned: nanos(a.Assigned), Started: nanos(a.Started), Finished: nanos(a.Finished),
		Done: a.Done, Held: !a.Released, Lost: a.lost,
	}
	if !a.State.Terminal() {
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
	if a == nil || len(a.workers) == 0 && a.rounds == 0 {
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
