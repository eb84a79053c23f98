package dashboard

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"iris/iris/faults"
	pb "iris/iris/proto"
	"iris/iris/state"
	"iris/iris/view"
)

// trouble is something that is wrong right now.
type trouble struct {
	State string // in one word
	What  string
	Link  string // where there is more
	Why   string
}

// facts are what trouble is looked for in.
type facts struct {
	now         time.Time
	counts      []*pb.JobStateCount
	recent      []*pb.JobStatus // the newest, whatever became of them
	waiting     []*pb.JobStatus // the oldest that wait
	failed      []*pb.JobStatus // the newest that ended badly
	workers     []*pb.WorkerStatus
	fleet       optional[*pb.GetFleetResponse]
	controllers []*pb.ControllerStatus
	rules       optional[[]faults.Report]
}

const (
	eachTrouble = 5                // of one kind are told one by one
	longAgo     = 10 * time.Minute // what failed before that is no news
)

// badEnds are how jobs end that went wrong.
var badEnds = []pb.JobState{
	pb.JobState_JOB_STATE_FAILED, pb.JobState_JOB_STATE_WORKER_FAILED, pb.JobState_JOB_STATE_UNSCHEDULABLE,
}

func (s *Server) facts(ctx context.Context, c calls) (*facts, error) {
	f := &facts{now: time.Now()}
	list := func(in *pb.ListJobsRequest) ([]*pb.JobStatus, error) {
		out, err := c.jobs.ListJobs(ctx, in)
		if err != nil {
			return nil, err
		}
		f.counts = out.Counts
		return out.Jobs, nil
	}
	some := func(states ...pb.JobState) bool { // to look for what there is not would cost a look at every job
		return slices.ContainsFunc(f.counts, func(c *pb.JobStateCount) bool { return slices.Contains(states, c.State) })
	}
	var err error
	if f.recent, err = list(&pb.ListJobsRequest{PageSize: recentJobs, NewestFirst: true}); err != nil {
		return nil, err
	}
	if some(pb.JobState_JOB_STATE_PENDING) {
		in := &pb.ListJobsRequest{PageSize: eachTrouble, States: []pb.JobState{pb.JobState_JOB_STATE_PENDING}}
		if f.waiting, err = list(in); err != nil {
			return nil, err
		}
	}
	if some(badEnds...) {
		in := &pb.ListJobsRequest{PageSize: eachTrouble, NewestFirst: true, States: badEnds}
		if f.failed, err = list(in); err != nil {
			return nil, err
		}
	}
	workers, err := c.jobs.ListWorkers(ctx, &pb.ListWorkersRequest{})
	if err != nil {
		return nil, err
	}
	f.workers = workers.Workers
	if f.fleet, err = allowed(c.cluster.GetFleet(ctx, &pb.GetFleetRequest{})); err != nil {
		return nil, err
	}
	controllers, err := c.cluster.ListControllers(ctx, &pb.ListControllersRequest{})
	if err != nil {
		return nil, err
	}
	f.controllers = controllers.Controllers
	if s.config.Chaos {
		f.rules, err = allowed(c.faults.Rules(ctx, ".")) // of the controller that answers: to ask all of them is for their own page
	}
	return f, err
}

// troubles are what is wrong, the worst first.
func (f *facts) troubles() []trouble {
	var all []trouble
	for _, c := range f.controllers {
		if c.Joining {
			all = append(all, trouble{"PENDING", "controller " + c.ControllerId, "/controllers", "it is joining and has no vote yet"})
		}
	}
	all = append(all, f.ofWorkers()...)
	if f.fleet.Value != nil {
		all = append(all, f.ofFleet()...)
	}
	all = append(all, f.ofJobs()...)
	if n := f.armed(); n > 0 {
		all = append(all, trouble{"PENDING", "chaos", "/chaos", state.CountText(n, "rule") + " armed in the controller that leads"})
	}
	rank := map[string]int{"bad": 0, "waits": 1}
	slices.SortStableFunc(all, func(a, b trouble) int {
		return cmp.Compare(rank[view.Meaning(a.State)], rank[view.Meaning(b.State)])
	})
	return all
}

// ofWorkers are those that are lost, or may soon be. Many are told as one.
func (f *facts) ofWorkers() []trouble {
	var all []trouble
	of := map[string]int{}
	for _, w := range f.workers {
		word := standing(w)
		of[word]++
		if word == "LIVE" || of[word] > eachTrouble {
			continue
		}
		why := map[string]string{
			"LOST": w.LostCause, "SILENT": "it misses its heartbeats, and gets nothing new",
			"DRAINING": fmt.Sprintf("it is about to end, and holds %s", state.CountText(len(w.AttemptUids), "attempt")),
		}[word]
		all = append(all, trouble{word, "worker " + w.WorkerId, pathTo("workers", w.WorkerId), why})
	}
	for _, word := range []string{"LOST", "SILENT", "DRAINING"} {
		if more := of[word] - eachTrouble; more > 0 {
			all = append(all, trouble{word, state.CountText(more, "more worker"), "/workers", ""})
		}
	}
	return all
}

// ofFleet are groups that cannot grow, and slices that are not whole.
func (f *facts) ofFleet() []trouble {
	var all []trouble
	for _, g := range f.fleet.Value.Groups {
		switch g.Availability {
		case pb.ScaleGroupStatus_AVAILABILITY_BACKOFF:
			all = append(all, trouble{view.Availability(g), "group " + g.Name, "/groups", g.Failure})
		case pb.ScaleGroupStatus_AVAILABILITY_QUOTA_EXCEEDED:
			why := "no zone has quota, or machines"
			if len(g.Blocked) > 0 {
				why = g.Blocked[0].Cause
			}
			all = append(all, trouble{view.Availability(g), "group " + g.Name, "/groups", why})
		}
	}
	told := 0
	for _, s := range f.fleet.Value.Slices {
		switch s.State {
		case pb.VmState_VM_STATE_FAILED, pb.VmState_VM_STATE_PREEMPTED, pb.VmState_VM_STATE_UNHEALTHY:
			if told++; told <= eachTrouble {
				all = append(all, trouble{view.VMState(s.State), "slice " + s.SliceId, "/groups", s.Cause})
			}
		}
	}
	if told > eachTrouble {
		all = append(all, trouble{"UNHEALTHY", state.CountText(told-eachTrouble, "more slice"), "/groups", ""})
	}
	return all
}

// ofJobs are those that ended badly a short while ago, and those that wait for what is not there.
func (f *facts) ofJobs() []trouble {
	var all []trouble
	for _, j := range f.failed {
		if f.now.Sub(j.FinishedAt.AsTime()) <= longAgo {
			all = append(all, trouble{view.JobState(j.State), "job " + j.JobId, pathTo("jobs", j.JobId), j.Error})
		}
	}
	for _, j := range f.waiting {
		if why := view.WaitsFor(j); why != "" {
			all = append(all, trouble{"PENDING", "job " + j.JobId, pathTo("jobs", j.JobId), why})
		}
	}
	return all
}

// armed is how many chaos rules are.
func (f *facts) armed() int {
	n := 0
	for _, report := range f.rules.Value {
		for _, rule := range report.Rules {
			if rule.Armed {
				n++
			}
		}
	}
	return n
}
