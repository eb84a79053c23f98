package oracle

import (
	"testing"
	"time"

	pb "iris/iris/proto"
	"iris/iris/state"
)

var (
	pending, assigned, building, running = state.Pending, state.Assigned, state.Building, state.Running
	won, fell, killed, gone              = state.Succeeded, state.Failed, state.Killed, state.WorkerFailed
	unschedulable, cosched               = state.Unschedulable, state.CoschedFailed
)

func TestRightOutcomesAreAccepted(t *testing.T) {
	for name, c := range map[string]struct {
		spec *pb.JobSpec
		job  Job
	}{
		"nothing happened":                 {nil, one(pending, "")},
		"assigned":                         {spec(), one(assigned, "", attempt(assigned, ""))},
		"building":                         {spec(), one(building, "", attempt(building, ""))},
		"running":                          {spec(), one(running, "", attempt(running, ""))},
		"succeeded":                        {spec(), one(won, "", succeeded())},
		"failed at once":                   {spec(), one(fell, exit3, failed())},
		"waits after two failures":         {spec(retries(2)), one(pending, "", failed(), failed())},
		"failed after two retries":         {spec(retries(2)), one(fell, exit3, times(3, failed())...)},
		"a hundred preemptions":            {spec(), one(won, "", times(100, preempted(), succeeded())...)},
		"one preemption too many":          {spec(preemptions(1)), one(gone, lost, preempted(), preempted())},
		"losses before the start":          {spec(preemptions(0)), one(pending, "", times(100, unbegun())...)},
		"dispatch is free of charge":       {spec(preemptions(0)), one(pending, "", times(200, undelivered())...)},
		"a loss before the start too many": {spec(), one(fell, neverBeganText(101), times(101, unbegun())...)},
		"nobody left":                      {spec(), one(fell, noneLeft, preempted())},
		"nobody takes it":                  {spec(), one(fell, refusedBy, undelivered())},
		"timed out":                        {spec(timeout(5 * time.Second)), one(fell, tooLong, timedOut())},
		"trapped its end":                  {spec(timeout(5 * time.Second)), one(fell, tooLong, timedOut().exit(0))},
		"never fitted":                     {spec(schedule(10 * time.Second)), one(unschedulable, unfit)},
		"stopped":                          {spec(), one(killed, byUser, attempt(killed, byUser)).stopped()},
		"stopped, waiting":                 {spec(retries(1)), one(killed, byUser, failed()).stopped()},
		"ended with parent":                {spec(below("p")), one(killed, byParent, attempt(killed, byParent)).orphaned()},
		"stop not yet heard":               {spec(), one(running, "", attempt(running, "")).stopped()},
		"retried while the old one may run": {
			spec(retries(1), timeout(5*time.Second)), one(assigned, "", timedOut().unreleased(), attempt(assigned, "")),
		},
		"tolerated failure": {spec(replicas(2), tolerating(1)), job(won, "",
			task(fell, exit3, failed()), task(won, "", succeeded()))},
		"goes on with a tolerated failure": {
			spec(replicas(2), tolerating(1)), job(running, "", task(fell, exit3, failed()), task(pending, "")),
		},
		"ends with its second task": {spec(replicas(3)), job(fell, "task 1: exit code 3", task(won, "", succeeded()),
			task(fell, exit3, failed()), task(killed, ended, attempt(killed, ended)))},
		"one worker lost under two tasks": {spec(replicas(2), preemptions(0)), job(gone, "task 0: "+lost,
			task(gone, lost, preempted()),
			task(killed, "its job ended WORKER_FAILED", preempted()))},
		"gang runs":      {spec(gang(2)), job(running, "", done(works()), task(building, "", attempt(building, "")))},
		"gang succeeded": {spec(gang(2)), job(won, "", task(won, "", succeeded()), task(won, "", succeeded()))},
		"gang waits again": {
			spec(gang(2), retries(1)), job(pending, "", task(pending, "", failed()), task(pending, "", ofSibling())),
		},
		"gang lost a worker": {
			spec(gang(2)), job(pending, "", task(pending, "", preempted()), task(pending, "", unbegun())),
		},
		"gang failed": {
			spec(gang(2)), job(fell, "task 0: "+exit3, task(fell, exit3, failed()),
				task(cosched, ended, attempt(cosched, ended))),
		},
		"gang stopped": {spec(gang(2)), job(killed, byUser, stoppedTask(), stoppedTask()).stopped()},
		"gang nobody takes": {
			spec(gang(2)), job(fell, "task 0: "+refusedBy, task(fell, refusedBy, undelivered()),
				task(cosched, ended, attempt(cosched, ended))),
		},
		"gang stranded": {
			spec(gang(2)), job(fell, "task 0: "+noneLeft, task(fell, noneLeft, preempted()), task(cosched, ended, unbegun())),
		},
		"gang and its parent": {
			spec(gang(2), below("p"), preemptions(0)), job(killed, byParent, task(killed, byParent, preempted()),
				task(killed, byParent, attempt(killed, byParent))).orphaned(),
		},
		"gang never fitted": {
			spec(gang(2), schedule(10*time.Second)), job(unschedulable, "task 0: "+unfit,
				task(unschedulable, unfit), task(cosched, "its job ended UNSCHEDULABLE")),
		},
		"gang refused by both": {spec(gang(2)), gangRefusedByBoth()},
	} {
		if err := Outcome(c.spec, c.job); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func neverBeganText(n int) string {
	return map[int]string{100: "100", 101: "101"}[n] + " attempts ended before they began, the last one: " + lost
}

// gangRefusedByBoth is a gang of which first one member, and then the other, could not be given to a worker.
func gangRefusedByBoth() Job {
	elsewhere := undelivered()
	elsewhere.Worker, elsewhere.Error = "w-1", "dispatch to w-1 failed 1 time: Unavailable: down"
	text := "dispatch failed on every worker that can run it (w-0, w-1)"
	return job(fell, "task 1: "+text,
		task(cosched, ended, undelivered(), attempt(cosched, ended)),
		task(fell, text, attempt(cosched, "task 0 of the gang ended WORKER_FAILED: "+refused), elsewhere))
}

// A wrong history is refused for one reason.
type wrong struct {
	why  string
	spec *pb.JobSpec
	job  Job
}

func refuses(t *testing.T, all []wrong) {
	t.Helper()
	for _, w := range all {
		switch err := Outcome(w.spec, w.job); {
		case err == nil:
			t.Errorf("accepted, instead of: %s", w.why)
		case err.Error() != "job j: "+w.why:
			t.Errorf("refused because\n\t%v\ninstead of\n\tjob j: %s", err, w.why)
		}
	}
}

func TestAJobThatItsTasksDoNotExplainIsRefused(t *testing.T) {
	refuses(t, []wrong{
		{"it has 1 tasks, its spec says 2", spec(replicas(2)), one(pending, "")},
		{"it counts 1 failures and 0 preemptions, its tasks 0 and 0",
			spec(), func() Job { j := one(pending, ""); j.Failures = 1; return j }()},
		{"it counts 0 failures and 1 preemptions, its tasks 0 and 0",
			spec(), func() Job { j := one(pending, ""); j.Preemptions = 1; return j }()},
		{"it is RUNNING, its tasks say SUCCEEDED", spec(), job(running, "", task(won, "", succeeded()))},
		{"it is RUNNING, its tasks say FAILED", spec(), job(running, "", task(fell, exit3, failed()))},
		{"it is SUCCEEDED, its tasks say FAILED", spec(), job(won, "", task(fell, exit3, failed()))},
		{"it is RUNNING, its tasks say WORKER_FAILED",
			spec(preemptions(0)), job(running, "", task(gone, lost, preempted()))},
		{"it is PENDING, its tasks say UNSCHEDULABLE",
			spec(schedule(10 * time.Second)), job(pending, "", task(unschedulable, unfit))},
		{"it is FAILED without a cause: 0 of its 1 tasks are SUCCEEDED, 0 FAILED of which it tolerates 0",
			spec(), job(fell, exit3, task(killed, ended))},
		{"it is SUCCEEDED without a cause: 1 of its 2 tasks are SUCCEEDED, 0 FAILED of which it tolerates 0",
			spec(replicas(2)), job(won, "", task(won, "", succeeded()), task(pending, ""))},
		{"it went on after a task that ended it: 0 are WORKER_FAILED, 0 UNSCHEDULABLE, 2 FAILED of which it tolerates 0",
			spec(replicas(2)), job(fell, "task 0: "+exit3, task(fell, exit3, failed()),
				task(fell, exit3, failed()))},
		{"it is ASSIGNED, which no job is", spec(), job(assigned, "", task(assigned, "", attempt(assigned, "")))},
		{"it is PENDING, and its parent is over", spec(below("p")), one(pending, "").orphaned()},
		{"it is PENDING, its furthest task says RUNNING",
			spec(), job(pending, "", works())},
		{"it is PENDING, its furthest task says BUILDING",
			spec(), job(pending, "", task(building, "", attempt(building, "")))},
		{`it is PENDING and says "oh"`, spec(), job(pending, "oh", task(pending, ""))},
		{"it is FAILED, and 1 of its tasks are PENDING",
			spec(replicas(2)), job(fell, "task 0: "+exit3, task(fell, exit3, failed()), task(pending, ""))},
		{"it is FAILED, and 1 of its tasks are RUNNING",
			spec(replicas(2)), job(fell, "task 0: "+exit3, task(fell, exit3, failed()),
				works())},
		{`it is SUCCEEDED and says "oh"`, spec(), job(won, "oh", task(won, "", succeeded()))},
		{`it says "exit code 4", which is not the error of a task that is FAILED`,
			spec(), job(fell, "exit code 4", task(fell, exit3, failed()))},
		{`it says "task 1: exit code 3", which is not the error of a task that is FAILED`,
			spec(replicas(2)), job(fell, "task 1: exit code 3", task(fell, exit3, failed()),
				task(killed, ended))},
		{`it says "exit code 3", which is not the error of a task that is FAILED`,
			spec(replicas(2)), job(fell, exit3, task(fell, exit3, failed()),
				task(killed, ended))},
		{"it is KILLED, nobody asked for it, and it has no parent that is over", spec(), one(killed, byUser)},
		{"it is KILLED and does not say why", spec(), one(killed, " ").stopped()},
		{`it says "its parent job p ended FAILED", and its parent is not over`,
			spec(below("p")), one(killed, byParent).stopped()},
		{`it says "its parent job q ended FAILED", and its parent p ended`,
			spec(below("p")), one(killed, "its parent job q ended FAILED").orphaned()},
		{`it says "terminated by a user", and its parent p ended`, spec(below("p")), one(killed, byUser).orphaned()},
		{"task 0: it counts 1 failures and 0 preemptions, its attempts are 2 and 0",
			spec(retries(2)), func() Job {
				j := one(pending, "", failed(), failed())
				j.Failures, j.Tasks[0].Failures = 1, 1
				return j
			}()},
		{"task 0: it counts 0 failures and 0 preemptions, its attempts are 0 and 1",
			spec(), func() Job {
				j := one(pending, "", preempted())
				j.Preemptions, j.Tasks[0].Preemptions = 0, 0
				return j
			}()},
		{"task 0: it counts 0 failures and 1 preemptions, its attempts are 0 and 0",
			spec(), func() Job {
				j := one(pending, "", unbegun())
				j.Preemptions, j.Tasks[0].Preemptions = 1, 1
				return j
			}()},
	})
}
