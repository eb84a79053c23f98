package controller

import (
	"net"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"iris/iris/leader"
	pb "iris/iris/proto"
	"iris/iris/state"
)

// picture turns the state into its wire form, for the length of one request.
type picture struct {
	cluster  *state.Cluster
	couriers *couriers
	reason   func(j *state.Job, task int32) *pb.PendingReason
}

func newPicture(l *loop) *picture {
	return &picture{cluster: l.leader.Cluster(), couriers: l.couriers, reason: l.leader.Waits(time.Now())}
}

func (p *picture) job(j *state.Job) *pb.JobStatus {
	out := &pb.JobStatus{
		JobId: j.ID, Name: j.Spec.Name, ParentJobId: j.Spec.ParentJobId, State: pb.JobState(j.State), Error: j.Error,
		SubmittedAt: instant(j.Submitted), StartedAt: instant(j.Started), FinishedAt: instant(j.Finished),
		NumTasks: int32(len(j.Tasks)), FailureCount: int32(j.Failures), PreemptionCount: int32(j.Preemptions),
	}
	for _, s := range state.States {
		if n := j.Count(s); n > 0 {
			out.TaskStates = append(out.TaskStates, &pb.TaskStateCount{State: pb.TaskState(s), Count: int32(n)})
		}
	}
	if j.Count(state.Pending) > 0 {
		out.PendingReason = p.reason(j, j.Waiting()[0])
	}
	return out
}

func (p *picture) task(j *state.Job, index int) *pb.TaskStatus {
	t := &j.Tasks[index]
	out := &pb.TaskStatus{
		TaskId: j.TaskID(index), JobId: j.ID, TaskIndex: int32(index), State: pb.TaskState(t.State), Error: t.Error,
		FailureCount: t.Failures, PreemptionCount: t.Preemptions,
	}
	for n, a := range t.Attempts {
		out.Attempts = append(out.Attempts, &pb.TaskAttempt{
			AttemptId: int32(n), AttemptUid: a.UID, WorkerId: a.Worker, State: pb.TaskState(a.State), Error: a.Error,
			ExitCode: a.ExitCode, AssignedAt: instant(a.Assigned), StartedAt: instant(a.Started), FinishedAt: instant(a.Finished),
			Stopping: a.State.Terminal() && !a.Released, Endpoints: p.endpoints(a),
		})
	}
	if t.State == state.Pending {
		out.PendingReason = p.reason(j, int32(index))
	}
	return out
}

// endpoints are where the named ports of a running attempt are (FM-61).
func (p *picture) endpoints(a *state.Attempt) map[string]string {
	w := p.cluster.Worker(a.Worker)
	if len(a.Ports) == 0 || w == nil {
		return nil
	}
	host, _, err := net.SplitHostPort(w.Address)
	if err != nil {
		host = w.Address // in memory
	}
	all := make(map[string]string, len(a.Ports))
	for name, port := range a.Ports {
		all[name] = net.JoinHostPort(host, strconv.Itoa(int(port)))
	}
	return all
}

func workerProto(w *state.Worker, heard time.Time, timeout time.Duration, standing leader.Standing) *pb.WorkerStatus {
	out := &pb.WorkerStatus{
		WorkerId: w.ID, Incarnation: w.Incarnation, Address: w.Address, State: pb.WorkerState_WORKER_STATE_LIVE,
		Capacity: w.Capacity.Proto(), Committed: w.Committed.Proto(), Attributes: w.Attributes,
		LastHeartbeatAt: instant(heard), TimesLost: int32(w.TimesLost), Draining: standing == leader.Draining,
	}
	if w.Lost {
		out.State, out.LostAt, out.LostCause = pb.WorkerState_WORKER_STATE_LOST, instant(w.LostAt), w.LostCause
	} else {
		out.LeaseEndsAt, out.Silent = instant(heard.Add(timeout)), standing == leader.Silent
	}
	for _, a := range w.Held() {
		out.AttemptUids = append(out.AttemptUids, a.UID)
	}
	return out
}

func instant(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
