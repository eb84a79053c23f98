package oracle

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "iris/iris/proto"
	"iris/iris/state"
)

// A world is a cluster of the real core under random commands.
type world struct {
	dice
	c       *state.Cluster
	now     time.Time
	stopped map[string]bool
	jobs    int
}

// dice decide what happens: rapid's, or those of a seed.
type dice interface{ IntN(n int) int }

func newWorld(d dice) *world {
	w := &world{
		dice: d, now: time.Unix(1_000_000_000, 0), stopped: map[string]bool{},
		c: state.New(state.Policy{
			NoWorkerGrace: 7 * time.Second, DispatchRounds: 2, DispatchPause: 3 * time.Second, TimeoutSlack: time.Second,
		}),
	}
	for i := range 1 + d.IntN(3) {
		w.register(i)
	}
	return w
}

func (w *world) apply(cmd state.Command) { _, _ = w.c.Apply(w.now, cmd) }

// step has one thing happen.
func (w *world) step() {
	switch w.IntN(20) {
	case 0, 1:
		w.submit()
	case 2:
		w.register(w.IntN(3))
	case 3:
		w.lose()
	case 4:
		w.failDispatch()
	case 5:
		w.cancel()
	case 6, 7:
		w.pass(time.Duration(1+w.IntN(8)) * time.Second)
	case 8, 9, 10, 11, 12:
		w.place()
	default:
		w.report()
	}
	w.now = w.now.Add(time.Millisecond)
}

func (w *world) one(n int) bool { return w.IntN(n) == 0 }

func (w *world) submit() {
	budget := func() *int32 {
		if w.one(4) {
			return nil
		}
		return proto.Int32(int32(w.IntN(3)))
	}
	spec := &pb.JobSpec{
		Name: fmt.Sprint("name-", w.jobs), Replicas: proto.Int32(int32(1 + w.IntN(4))),
		Resources:         &pb.Resources{CpuMillis: int64(1000 * (1 + w.IntN(3))), MemoryBytes: 1},
		MaxRetriesFailure: budget(), MaxRetriesPreemption: budget(), MaxTaskFailures: budget(), Exclusive: w.one(4),
	}
	if w.one(2) {
		spec.Coscheduling = &pb.Coscheduling{GroupBy: []string{"pod", "worker"}[w.IntN(2)]}
	}
	if w.one(4) {
		spec.Timeout = durationpb.New(time.Duration(1+w.IntN(9)) * time.Second)
	}
	if w.one(4) {
		spec.SchedulingTimeout = durationpb.New(time.Duration(1+w.IntN(20)) * time.Second)
	}
	if w.jobs > 0 && w.one(4) {
		spec.ParentJobId = fmt.Sprint("j-", w.IntN(w.jobs))
	}
	w.apply(state.SubmitJob{ID: fmt.Sprint("j-", w.jobs), Spec: spec})
	w.jobs++
}

// register starts a worker, or starts it again: it keeps some of what it ran.
func (w *world) register(i int) {
	id, incarnation := fmt.Sprint("w-", i), 1
	if known := w.c.Worker(id); known != nil {
		fmt.Sscan(known.Incarnation, &incarnation)
		incarnation += w.IntN(2)
	}
	cmd := state.RegisterWorker{
		ID: id, Incarnation: fmt.Sprint(incarnation), Address: id, Capacity: state.Resources{CPUMillis: 4000, MemoryBytes: 1 << 20},
		Attributes: map[string]string{"pod": "p"},
	}
	for _, a := range w.attempts() {
		if a.Worker == id && !a.Released && w.one(2) {
			cmd.Reports = append(cmd.Reports, w.about(a))
		}
	}
	w.apply(cmd)
}

func (w *world) lose() {
	all := w.c.Workers()
	known := all[w.IntN(len(all))]
	w.apply(state.LoseWorker{ID: known.ID, Incarnation: known.Incarnation, Cause: "no heartbeat for 60s"})
}

func (w *world) failDispatch() {
	assigned := slices.DeleteFunc(w.attempts(), func(a *state.Attempt) bool { return a.State != state.Assigned })
	if len(assigned) > 0 {
		a := assigned[w.IntN(len(assigned))]
		w.apply(state.FailDispatch{UID: a.UID, Cause: "dispatch to " + a.Worker + " failed 4 times: Unavailable: down"})
	}
}

func (w *world) cancel() {
	if jobs := w.c.Jobs(); len(jobs) > 0 && w.one(2) {
		j := jobs[w.IntN(len(jobs))]
		w.stopped[j.ID] = true
		w.apply(state.CancelJob{ID: j.ID, Reason: "terminated by a user"})
	}
}

func (w *world) pass(d time.Duration) {
	w.now = w.now.Add(d)
	for _, due := range w.c.Due(w.now) {
		if due.Kind != state.BackoffDeadline {
			w.apply(state.Expire{Deadline: due, Reason: "nothing is free"})
		}
	}
}

// place puts each task on any worker. What does not fit is left out by the core.
func (w *world) place() {
	var cmd state.Assign
	workers := w.c.Workers()
	for _, j := range w.c.Queue() {
		worker := workers[w.IntN(len(workers))].ID
		for _, task := range j.Waiting() {
			if j.Spec.GetCoscheduling().GetGroupBy() != "worker" {
				worker = workers[w.IntN(len(workers))].ID
			}
			cmd.Placements = append(cmd.Placements, state.Placement{Job: j.ID, Task: task, Worker: worker})
		}
	}
	w.apply(cmd)
}

// report has a worker say something of what it holds.
func (w *world) report() {
	held := slices.DeleteFunc(w.attempts(), func(a *state.Attempt) bool { return a.Released })
	if len(held) == 0 {
		return
	}
	a := held[w.IntN(len(held))]
	cmd := state.Observe{Worker: a.Worker, Incarnation: w.c.Worker(a.Worker).Incarnation, Reports: []state.Report{w.about(a)}}
	for _, other := range held {
		if other.Worker == a.Worker && w.one(4) {
			cmd.Reports = append(cmd.Reports, w.about(other))
		}
	}
	w.apply(cmd)
}

func (w *world) about(a *state.Attempt) state.Report {
	r := state.Report{UID: a.UID, State: []state.State{
		state.Building, state.Running, state.Running, state.Succeeded, state.Succeeded, state.Failed, state.Killed,
	}[w.IntN(7)]}
	switch r.State {
	case state.Succeeded:
		r.ExitCode = proto.Int32(0)
	case state.Failed:
		code := int32(1 + w.IntN(3))
		r.ExitCode, r.Error = &code, fmt.Sprint("exit code ", code)
	}
	return r
}

func (w *world) attempts() []*state.Attempt {
	var all []*state.Attempt
	for _, j := range w.c.Jobs() {
		for i := range j.Tasks {
			all = append(all, j.Tasks[i].Attempts...)
		}
	}
	return all
}

// read writes a job into an oracle's, with what a run knows besides.
func (w *world) read(j *state.Job, into *Job) {
	FromState(j, into)
	into.Stopped = w.stopped[j.ID]
	if parent := w.c.Job(j.Spec.ParentJobId); parent != nil {
		into.ParentEnded = over(parent.State)
	}
}
