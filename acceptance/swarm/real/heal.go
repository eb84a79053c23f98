package real

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"iris/acceptance/fault"
	"iris/acceptance/swarm/story"
	pb "iris/iris/proto"
)

// What a healed cluster takes at the most, besides what the story says.
const (
	// reconnection is until everybody talks with everybody again: a dead connection is noticed (33 s and 10 s), the longest
	// pause before the next one is over and it is made (5 s and 10 s), a client's own pause too (5 s), and a leader was elected,
	// which waits for all this among the controllers before it does among the others.
	reconnection = 2 * time.Minute
	// dispatching is all tries of one order, each with its deadline, and what lies between two of them.
	dispatching = 30 * time.Second
	// firstPause is that between two rounds of dispatches; it doubles, up to 16 times.
	firstPause = 10 * time.Second
	// machines is what it takes to have a slice, besides its boot, at the local pace: a request that hangs (30 s), a platform
	// whose list is late (1 min), a quota (10 s), a slice that never gets READY (1 min), one that is unhealthy (15 s) and the
	// backoff after all this (30 s), twice: nobody knows at first what is broken.
	machines = 2 * (30 + 60 + 10 + 60 + 15 + 30) * time.Second
)

// recovery is the time within which whoever can take the next step, has, once no fault is there any more.
func recovery(s story.Story) time.Duration {
	total := reconnection + s.Cluster.WorkerTimeout() + time.Duration(s.Cluster.Grace) + stubbornness
	for round := range s.Cluster.Rounds {
		total += dispatching + firstPause<<min(round, 4)
	}
	longest := fault.Span(0)
	for _, j := range s.Jobs {
		longest = max(longest, j.Scheduling)
	}
	total += time.Duration(longest)
	for _, g := range s.Cluster.Groups {
		total += machines + 2*bootTimeout(g)
	}
	return total
}

// timeoutSlack is what the controller gives a worker to report a timeout.
const timeoutSlack = 15 * time.Second

// stillness is how long nothing may move while something runs.
func stillness(s story.Story) time.Duration {
	longest := time.Duration(0)
	for _, j := range s.Jobs {
		runs := time.Duration(j.Runs)
		if limit := time.Duration(j.Timeout) + timeoutSlack; j.Timeout > 0 {
			runs = min(runs, limit)
		}
		longest = max(longest, runs)
	}
	return longest + recovery(s)
}

// heal waits until every job is over, or waits for what it cannot get, and demands all that a cluster without faults has.
func (t *teller) heal() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	recovery, stillness := recovery(t.Story), stillness(t.Story)
	var moved, quiet time.Time // since when nothing has changed, and since when nothing runs
	var before string
	for {
		jobs, err := t.list(ctx)
		if err != nil {
			t.wrong(ByHeal, "the jobs cannot be listed: %v", err)
			return
		}
		now := time.Now()
		waiting, runs, all := survey(jobs)
		if all != before {
			before, moved = all, now
		}
		if runs || quiet.IsZero() {
			quiet = now
		}
		switch {
		case len(waiting) == 0 && !runs:
			t.well(ctx, recovery)
			return
		case !runs && now.Sub(quiet) > settled && !slices.ContainsFunc(waiting, t.fits):
			t.well(ctx, recovery)
			t.explained(ctx)
			return
		case !runs && now.Sub(quiet) > recovery:
			t.wrong(ByHeal, "nothing has run for %v, and a task waits that fits\n%s", now.Sub(quiet), t.describe(ctx))
			return
		case now.Sub(moved) > stillness:
			t.wrong(ByHeal, "nothing has moved for %v\n%s", now.Sub(moved), t.describe(ctx))
			return
		}
		time.Sleep(lookEvery)
	}
}

const (
	lookEvery = 20 * time.Second
	// settled is how long nothing may run before what waits is called hopeless: the next decisions have been made.
	settled = time.Minute
)

// survey tells which jobs wait, whether anything of any job is on a worker, and all that changes when something moves.
func survey(jobs []*pb.JobStatus) (waiting []*pb.JobStatus, runs bool, all string) {
	var text strings.Builder
	for _, j := range jobs {
		fmt.Fprintf(&text, "%s %v %d %d", j.JobId, j.State, j.FailureCount, j.PreemptionCount)
		for _, n := range j.TaskStates {
			fmt.Fprintf(&text, " %v %d", n.State, n.Count)
		}
		if j.State.Over() {
			continue
		}
		waits := true
		for _, n := range j.TaskStates {
			switch n.State {
			case pb.TaskState_TASK_STATE_ASSIGNED, pb.TaskState_TASK_STATE_BUILDING, pb.TaskState_TASK_STATE_RUNNING:
				waits = false
			}
		}
		if !waits {
			runs = true
			continue
		}
		waiting = append(waiting, j)
	}
	return waiting, runs, text.String()
}

// list lists all jobs, as a healthy cluster must be able to.
func (t *teller) list(ctx context.Context) ([]*pb.JobStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	return t.clients[0].Jobs(ctx, "")
}

// fits reports whether a job would fit on the cluster if nothing else ran.
func (t *teller) fits(status *pb.JobStatus) bool {
	everybody := func(int) bool { return true }
	for i := range t.Jobs {
		if story.JobID(i) == status.JobId {
			return t.Cluster.Fits(&t.Jobs[i], everybody)
		}
	}
	return false
}

// explained demands that whatever waits says what it waits for, and that this is what it lacks.
func (t *teller) explained(ctx context.Context) {
	jobs, err := t.list(ctx)
	if err != nil {
		t.wrong(ByHeal, "the jobs cannot be listed: %v", err)
	}
	for _, j := range jobs {
		if j.State.Over() {
			continue
		}
		switch j.PendingReason.GetKind() {
		case pb.PendingReason_KIND_TOO_LARGE, pb.PendingReason_KIND_CONSTRAINTS, pb.PendingReason_KIND_GANG,
			pb.PendingReason_KIND_NO_WORKERS:
			if j.PendingReason.Text == "" {
				t.wrong(ByReason, "%s fits nowhere and does not say so\n%s", j.JobId, t.describe(ctx))
			}
		default:
			t.wrong(ByReason, "%s fits nowhere and says that it waits for %v (%s)\n%s", j.JobId,
				j.PendingReason.GetKind(), j.PendingReason.GetText(), t.describe(ctx))
		}
	}
}

// well demands that, within a time, all workers are there again, all machines are known, and nothing runs that nobody wants.
func (t *teller) well(ctx context.Context, within time.Duration) {
	for began := time.Now(); ; time.Sleep(lookEvery) {
		ill := t.ills(ctx)
		if len(ill) == 0 {
			t.checkNow(ctx)
			return
		}
		if time.Since(began) > within {
			t.wrong(ByHeal, "after %v: %s\n%s", time.Since(began), strings.Join(ill, "; "), t.describe(ctx))
			return
		}
	}
}

// ills are what is not as it was before the faults.
func (t *teller) ills(ctx context.Context) (ills []string) {
	add := func(format string, args ...any) { ills = append(ills, fmt.Sprintf(format, args...)) }
	for _, r := range t.payloads.all() {
		if r.Ended == 0 {
			add("attempt %s/%d/%d runs on %s, and the controller has ended it", r.Job, r.Task, r.Attempt, r.Worker)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	workers, err := t.clients[0].Workers(ctx)
	if err != nil {
		add("the workers cannot be listed: %v", err)
	}
	lives := map[string]bool{}
	for _, w := range workers {
		lives[w.WorkerId] = w.State == pb.WorkerState_WORKER_STATE_LIVE
		if len(w.AttemptUids) > 0 {
			add("%s still has %v", w.WorkerId, w.AttemptUids)
		}
	}
	for i := range t.Cluster.Workers {
		if id := fmt.Sprintf("w-%d", i); !lives[id] {
			add("%s is not live", id)
		}
	}
	return append(ills, t.fleet(ctx, lives)...)
}

// fleet is what is wrong with the machines of scale groups: what is billed must be what is known (invariant i), and in no
// greater number than it may, and a worker is live only on a machine that is there.
func (t *teller) fleet(ctx context.Context, lives map[string]bool) (ills []string) {
	if len(t.Cluster.Groups) == 0 {
		return nil
	}
	add := func(format string, args ...any) { ills = append(ills, fmt.Sprintf(format, args...)) }
	fleet, err := t.clients[0].Fleet(ctx)
	if err != nil {
		add("the fleet cannot be had: %v", err)
	}
	known := map[string]bool{}
	for _, s := range fleet.GetSlices() {
		known[s.SliceId] = true
	}
	machines := map[string]bool{}
	for _, g := range t.Cluster.Groups {
		live := t.cluster.Cloud(g.Name).Live()
		if len(live) > g.Max {
			add("group %s has %d slices of %d", g.Name, len(live), g.Max)
		}
		for _, s := range live {
			if !known[s.ID()] {
				add("%s is billed and unknown", s.ID())
			}
			delete(known, s.ID())
			for _, m := range s.Status().VMs {
				machines[m.WorkerID] = true
			}
		}
	}
	for id := range known {
		add("%s is known and not billed", id)
	}
	for i := range t.Cluster.Workers {
		machines[fmt.Sprintf("w-%d", i)] = true
	}
	for id, live := range lives {
		if live && !machines[id] {
			add("%s is live and has no machine", id)
		}
	}
	slices.Sort(ills)
	return ills
}

// describe is the state, for people.
func (t *teller) describe(ctx context.Context) string {
	c := t.cluster.Controller()
	if c == nil {
		return "no controller runs"
	}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	text, err := c.Describe(ctx, t.epoch)
	if err != nil {
		return err.Error()
	}
	return text
}
