package oracle

import (
	"testing"

	pb "iris/iris/proto"
)

// ranAs is the run of attempt n of the only task of the only job.
func ranAs(n, exit int) Run {
	return Run{Job: "j", Attempt: n, Worker: "w-0", Began: int64(10*n + 2), Ended: int64(10*n + 3), Exit: exit}
}

func (r Run) but(change func(*Run)) Run {
	change(&r)
	return r
}

func TestRunsThatAgreeWithTheControllerAreAccepted(t *testing.T) {
	runningOn := func(r *Run) { r.Ended = 0 }
	for name, c := range map[string]struct {
		spec *pb.JobSpec
		job  Job
		runs []Run
	}{
		"nothing ran":       {spec(), one(pending, "", undelivered()), nil},
		"succeeded":         {spec(), one(won, "", succeeded()), []Run{ranAs(0, 0)}},
		"failed, succeeded": {spec(retries(1)), one(won, "", failed(), succeeded()), []Run{ranAs(1, 0), ranAs(0, 3)}},
		"runs":              {spec(), one(running, "", attempt(running, "")), []Run{ranAs(0, 0).but(runningOn)}},
		"ended unheard":     {spec(), one(running, "", attempt(running, "")), []Run{ranAs(0, 0)}},
		"taken for failed":  {spec(), one(pending, "", undelivered()), []Run{ranAs(0, 0).but(func(r *Run) { r.Stopped = true })}},
		"no process":        {spec(), one(fell, "bundle 0f: not found", attempt(fell, "bundle 0f: not found")), nil},
		"forgotten":         {spec(), one(pending, ""), []Run{{Job: "k", Began: 1, Ended: 2}}},
		"gang's member":     {spec(gang(1)), job(running, "", done(works())), []Run{ranAs(0, 0)}},
	} {
		if err := Runs(func(string) *pb.JobSpec { return c.spec }, []Job{c.job}, c.runs); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRunsThatTheControllerKnowsOtherwiseAreRefused(t *testing.T) {
	good, bad := one(won, "", succeeded()), one(fell, exit3, failed())
	twice := one(won, "", preempted(), succeeded())
	goesOn := func(r *Run) { r.Ended = 0 }
	for _, c := range []struct {
		why  string
		spec *pb.JobSpec
		job  Job
		runs []Run
	}{
		{"job j: task 0: attempt 0: it is SUCCEEDED, and it never ran", spec(), good, nil},
		{"job j: task 0: attempt 0: it is FAILED, and it never ran", spec(), bad, nil},
		{"job j: task 0: attempt 0: it is RUNNING, and it never ran", spec(gang(1)), job(running, "", done(works())), nil},
		{"job j: task 0: attempt 0: it has succeeded, and on w-0 it ended with exit code 1", spec(), good, []Run{ranAs(0, 1)}},
		{"job j: task 0: attempt 0: it has succeeded, and on w-0 it was stopped", spec(), good,
			[]Run{ranAs(0, 0).but(func(r *Run) { r.Stopped = true })}},
		{"job j: task 0: attempt 0: it is FAILED with exit code 3, and on w-0 it ended with 0", spec(), bad, []Run{ranAs(0, 0)}},
		{"job j: task 0: attempt 0: it is SUCCEEDED since 3 ns, and on w-0 it ended at 4 ns", spec(), good,
			[]Run{ranAs(0, 0).but(func(r *Run) { r.Ended = 4 })}},
		{"job j: task 0: attempt 0: it ran twice, on w-0 and on w-0", spec(), good,
			[]Run{ranAs(0, 0), ranAs(0, 0).but(func(r *Run) { r.Began++ })}},
		{"job j: task 0: attempt 0: it still runs on w-0, and the controller says that it ended at 3 ns: WORKER_FAILED", spec(), twice,
			[]Run{ranAs(0, 0).but(goesOn), ranAs(1, 0)}},
		{"job j: task 0: attempt 0: it still runs on w-0, and the controller says that it ended at 3 ns: RUNNING", spec(gang(1)),
			job(running, "", done(works())), []Run{ranAs(0, 0).but(goesOn)}},
		{"job k: task 0: attempt 0: it runs on w-0, and nobody knows its job", spec(), one(pending, ""),
			[]Run{ranAs(0, 0).but(func(r *Run) { r.Job, r.Ended = "k", 0 })}},
		{"job j: task 0: attempt 1: it ran on w-0, and it was never made", spec(), good, []Run{ranAs(0, 0), ranAs(1, 0)}},
		{"job j: task 1: attempt 0: it ran on w-0, and it was never made", spec(), good,
			[]Run{ranAs(0, 0), ranAs(0, 0).but(func(r *Run) { r.Task = 1 })}},
		{"job j: task 0: attempt 0: it ran on w-1, and it was for w-0", spec(), good,
			[]Run{ranAs(0, 0).but(func(r *Run) { r.Worker = "w-1" })}},
		{"job j: task 0: attempt 0: it began to run at 0 ns, and was assigned at 1 ns", spec(), good,
			[]Run{ranAs(0, 0).but(func(r *Run) { r.Began = 0 })}},
		{"job j: task 0: it is exclusive, and its attempts 0 on w-0 and 1 on w-0 ran at once, at 12 ns", spec(exclusive), twice,
			[]Run{ranAs(0, 1).but(func(r *Run) { r.Ended, r.Stopped = 13, true }), ranAs(1, 0)}},
	} {
		switch err := Runs(func(string) *pb.JobSpec { return c.spec }, []Job{c.job}, c.runs); {
		case err == nil:
			t.Errorf("accepted, instead of: %s", c.why)
		case err.Error() != c.why:
			t.Errorf("refused because\n\t%v\ninstead of\n\t%s", err, c.why)
		}
	}
}

// A task that is not exclusive may run twice for a while: its old worker has not heard that it was given to another.
func TestOnlyRunsOfExclusiveTasksAreKeptApart(t *testing.T) {
	late := ranAs(0, 1).but(func(r *Run) { r.Ended, r.Stopped = 13, true })
	job := one(won, "", preempted(), succeeded())
	if err := Runs(func(string) *pb.JobSpec { return spec() }, []Job{job}, []Run{late, ranAs(1, 0)}); err != nil {
		t.Error(err)
	}
}
