package real

import (
	"context"
	"slices"
	"time"

	"iris/acceptance/swarm/oracle"
	"iris/acceptance/swarm/story"
	pb "iris/iris/proto"
	"iris/iris/state"
)

// judge has the oracles judge what came of the story.
func (t *teller) judge(users []*user) {
	jobs, specs, seen := t.history(users)
	for _, j := range jobs {
		if err := oracle.Outcome(specs[j.ID], j); err != nil {
			t.wrong(ByOutcome, "%v", err)
		}
	}
	runs := t.payloads.all()
	if t.forgetful() {
		all := slices.Clone(runs)
		runs = slices.DeleteFunc(runs, func(r oracle.Run) bool { return ofAnother(seen[r.Job], r) || overtaken(all, r) })
	}
	if err := oracle.Runs(func(job string) *pb.JobSpec { return specs[job] }, jobs, runs); err != nil {
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

// ofAnother reports whether a run was one of another job than the one of its id that was seen last: a launch that comes late,
// or twice, makes a new job of that id once the first is forgotten (FM-60 holds while it is kept).
func ofAnother(seen *pb.JobStatus, r oracle.Run) bool {
	if seen == nil {
		return r.Ended != 0
	}
	return r.Began < seen.SubmittedAt.AsTime().UnixNano() ||
		seen.State.Over() && r.Began > seen.FinishedAt.AsTime().UnixNano()
}

// overtaken reports whether a run has the number of one that began later. It was of an earlier job of the id, whose order came
// so late: uids tell them apart, which what runs is not told.
func overtaken(runs []oracle.Run, r oracle.Run) bool {
	return slices.ContainsFunc(runs, func(later oracle.Run) bool {
		return later.Job == r.Job && later.Task == r.Task && later.Attempt == r.Attempt && later.Began > r.Began
	})
}

// forgetful reports whether the cluster may forget jobs of this story.
func (t *teller) forgetful() bool { return t.Cluster.Keep > 0 && t.Cluster.Keep < len(t.Jobs) }

// checkerPatience is how long, in virtual time, the checker of one job's calls may take. It takes none: time stands still.
const checkerPatience = time.Minute

// history is what is known of all jobs in the end, their specs, and how each was seen last. What became of a job that the
// cluster has forgotten since is what its user saw last, if it was over by then.
func (t *teller) history(users []*user) (jobs []oracle.Job, specs map[string]*pb.JobSpec, seen map[string]*pb.JobStatus) {
	ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
	defer cancel()
	statuses, err := t.list(ctx)
	if err != nil {
		t.wrong(ByHeal, "the jobs cannot be listed: %v", err)
	}
	specs, seen = map[string]*pb.JobSpec{}, map[string]*pb.JobStatus{}
	goesOn := map[string]bool{}
	for _, s := range statuses {
		seen[s.JobId], goesOn[s.JobId] = s, !s.State.Over()
	}
	for i, u := range users {
		id := story.JobID(i)
		specs[id] = t.Spec(i, "")
		status, tasks := seen[id], u.tasks
		if status != nil {
			if tasks, err = u.job().Tasks(ctx); err != nil {
				t.wrong(ByHeal, "the tasks of %s cannot be listed: %v", id, err)
				continue
			}
		} else if status = u.last; status != nil {
			seen[id] = status
		}
		t.out.Ended[u.end(status)]++
		if status == nil {
			continue
		}
		j := oracle.FromProto(status, tasks)
		j.Stopped = u.asked(oracle.Stop)
		j.ParentEnded = t.Jobs[i].Parent > 0 && !goesOn[specs[id].ParentJobId]
		jobs = append(jobs, j)
	}
	return jobs, specs, seen
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
