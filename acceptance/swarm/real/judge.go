package real

import (
	"context"
	"time"

	"iris/acceptance/swarm/oracle"
	"iris/acceptance/swarm/story"
	"iris/iris/client"
	pb "iris/iris/proto"
	"iris/iris/state"
)

// judge has the oracles judge what came of the story.
func (t *teller) judge(users []*user) {
	jobs, specs := t.history(users)
	for _, j := range jobs {
		if err := oracle.Outcome(specs[j.ID], j); err != nil {
			t.wrong(ByOutcome, "%v", err)
		}
	}
	if err := oracle.Runs(func(job string) *pb.JobSpec { return specs[job] }, jobs, t.payloads.all()); err != nil {
		t.wrong(ByRuns, "%v", err)
	}
	if t.forgetful() {
		return // what is forgotten can be launched anew
	}
	var calls []oracle.Call
	for _, u := range users {
		calls = append(calls, u.calls...)
	}
	if err := oracle.Linearizable(calls, checkerPatience); err != nil {
		t.wrong(ByClients, "%v", err)
	}
}

// forgetful reports whether the cluster may forget jobs of this story.
func (t *teller) forgetful() bool { return t.Cluster.Keep > 0 && t.Cluster.Keep < len(t.Jobs) }

// checkerPatience is how long, in virtual time, the checker of one job's calls may take. It takes none: time stands still.
const checkerPatience = time.Minute

// history is what is known of all jobs in the end, and the specs of all that were launched. What became of a job that the
// cluster has forgotten since is what its user saw last, if it was over by then.
func (t *teller) history(users []*user) ([]oracle.Job, map[string]*pb.JobSpec) {
	ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
	defer cancel()
	statuses, err := t.list(ctx)
	if err != nil {
		t.wrong(ByHeal, "the jobs cannot be listed: %v", err)
	}
	last := map[string]*pb.JobStatus{}
	for _, s := range statuses {
		last[s.JobId] = s
	}
	goesOn := func(id string) bool { return last[id] != nil && !client.Over(last[id].State) }
	var jobs []oracle.Job
	specs := map[string]*pb.JobSpec{}
	for i, u := range users {
		id := story.JobID(i)
		specs[id] = t.Spec(i, "")
		status, tasks := u.last, u.tasks
		if s := last[id]; s != nil {
			all, err := u.job().Tasks(ctx)
			if err != nil {
				t.wrong(ByHeal, "the tasks of %s cannot be listed: %v", id, err)
				continue
			}
			status, tasks = s, all
		}
		t.out.Ended[u.end(status)]++
		if status == nil {
			continue
		}
		j := oracle.FromProto(status, tasks)
		j.Stopped = u.asked(oracle.Stop)
		j.ParentEnded = t.Jobs[i].Parent > 0 && !goesOn(specs[id].ParentJobId)
		jobs = append(jobs, j)
	}
	return jobs, specs
}

// asked reports whether the user made such a call, answered or not.
func (u *user) asked(kind oracle.CallKind) bool {
	for _, c := range u.calls {
		if c.Kind == kind {
			return true
		}
	}
	return false
}

// end is how a job ended, in a word.
func (u *user) end(status *pb.JobStatus) string {
	if status != nil {
		return state.State(status.State).String()
	}
	for _, c := range u.calls {
		if c.Kind == oracle.Launch && !c.Refused && !c.Unknown {
			return "FORGOTTEN"
		}
	}
	return "REFUSED"
}
