package oracle

import (
	"testing"
	"time"
)

const causeless = "task 0: it is FAILED without a cause: "

func quoted(text string) string { return `"` + text + `"` }

func TestATaskThatItsAttemptsDoNotExplainIsRefused(t *testing.T) {
	refuses(t, []wrong{
		{`task 0: it is PENDING and says "oh"`, spec(), job(pending, "", task(pending, "oh"))},
		{`task 0: it is FAILED and says ""`, spec(), one(fell, "", failed())},
		{"task 0: it is UNSPECIFIED, which no task is", spec(), job(pending, "", task(0, "oh"))},
		{"task 0: it waits, and its budget is used up: max_retries_failure",
			spec(retries(1)), one(pending, "", failed(), failed())},
		{"task 0: it waits, and its budget is used up: max_retries_preemption",
			spec(), one(pending, "", times(101, preempted())...)},
		{"task 0: it waits, and its budget is used up: that of attempts which never began",
			spec(), one(pending, "", times(101, unbegun())...)},
		{"task 0: it waits, and its last attempt is RUNNING", spec(), one(pending, "", attempt(running, ""))},
		{"task 0: it waits, and its last attempt is SUCCEEDED", spec(), one(pending, "", succeeded())},
		{"task 0: it is RUNNING, and its last attempt is SUCCEEDED", spec(), one(running, "", succeeded())},
		{"task 0: it is RUNNING, and its last attempt is FAILED", spec(), one(running, "", failed())},
		{"task 0: it is SUCCEEDED, and its last attempt is RUNNING", spec(), one(won, "", attempt(running, ""))},
		{"task 0: it is ASSIGNED, and its last attempt is PENDING", spec(), one(assigned, "")},
		{"task 0: it is UNSCHEDULABLE after 1 attempts",
			spec(schedule(10*time.Second), retries(1)), one(unschedulable, unfit, failed())},
		{"task 0: it is UNSCHEDULABLE, and its job has no scheduling timeout", spec(), one(unschedulable, unfit)},
		{`task 0: it is UNSCHEDULABLE within 9s and says "not scheduled within 10s: nothing is free"`,
			spec(schedule(9 * time.Second)), one(unschedulable, unfit)},
		{"task 0: it is WORKER_FAILED, and it has had 1 preemptions of 1",
			spec(preemptions(1)), one(gone, lost, preempted())},
		{"task 0: it is WORKER_FAILED, and it has had 0 preemptions of 0",
			spec(preemptions(0)), one(gone, lost, unbegun())},
		{`task 0: it says "oh", and its last attempt "lost worker w-0: no heartbeat for 60s"`,
			spec(preemptions(0)), one(gone, "oh", preempted())},
		{`task 0: it says "oh", and its last attempt "exit code 3"`, spec(), one(fell, "oh", failed())},
		{causeless + `1 failures of 1, its last attempt is FAILED, it says "exit code 3"`,
			spec(retries(1)), one(fell, exit3, failed())},
		{causeless + `0 failures of 0, its last attempt is PENDING, it says "exit code 3"`,
			spec(), one(fell, exit3)},
		{causeless + `1 failures of 1, its last attempt is FAILED, it says ` + quoted(noneLeft),
			spec(retries(1)), one(fell, noneLeft, failed())},
		{causeless + `0 failures of 0, its last attempt is WORKER_FAILED, it says ` + quoted(noneLeft),
			spec(), one(fell, noneLeft, undelivered())},
		{causeless + `0 failures of 0, its last attempt is WORKER_FAILED, it says ` + quoted(noneLeft),
			spec(preemptions(0)), one(fell, noneLeft, preempted())},
		{causeless + `0 failures of 0, its last attempt is RUNNING, it says ` + quoted(noneLeft),
			spec(), one(fell, noneLeft, preempted(), attempt(running, ""))},
		{causeless + `0 failures of 0, its last attempt is WORKER_FAILED, it says ` + quoted(refusedBy),
			spec(), one(fell, refusedBy, undelivered(), unbegun())},
		{causeless + `0 failures of 0, its last attempt is WORKER_FAILED, it says ` + quoted(neverBeganText(100)),
			spec(), one(fell, neverBeganText(100), times(100, unbegun())...)},
		{causeless + `0 failures of 0, its last attempt is WORKER_FAILED, it says "oh"`,
			spec(), one(fell, "oh", times(101, unbegun())...)},
		{`task 0: it says "dispatch failed on every worker that can run it (w-0, w-1)", and no dispatch to "w-1" has failed`,
			spec(), one(fell, "dispatch failed on every worker that can run it (w-0, w-1)", undelivered())},
		{"task 0: it is KILLED in a job that is PENDING", spec(), job(pending, "", task(killed, byUser))},
		{"task 1: it is KILLED in a job that is SUCCEEDED",
			spec(replicas(2)), job(won, "", task(won, "", succeeded()), task(killed, "its job ended SUCCEEDED"))},
		{"task 0: it is COSCHED_FAILED, and its job is KILLED: it should be KILLED",
			spec(gang(1)), job(killed, byUser, task(cosched, byUser)).stopped()},
		{"task 1: it is COSCHED_FAILED, and its job is FAILED: it should be KILLED",
			spec(replicas(2)), job(fell, "task 0: "+exit3, task(fell, exit3, failed()),
				task(cosched, ended))},
		{"task 1: it is KILLED, and its job is FAILED: it should be COSCHED_FAILED",
			spec(gang(2)), job(fell, "task 0: "+exit3, task(fell, exit3, failed()),
				task(killed, ended, attempt(killed, ended)))},
		{"task 0: it is KILLED, and its last attempt is RUNNING",
			spec(), one(killed, byUser, attempt(running, "")).stopped()},
		{"task 0: it is KILLED, and its last attempt is SUCCEEDED", spec(), one(killed, byUser, succeeded()).stopped()},
		{"task 0: it is KILLED, and it had failed for good", spec(), one(killed, byUser, failed()).stopped()},
		{`task 0: it says "oh", which is not how its job ended: KILLED "terminated by a user"`,
			spec(), job(killed, byUser, task(killed, "oh")).stopped()},
		{`task 1: it says "its job ended KILLED", which is not how its job ended: FAILED "task 0: exit code 3"`,
			spec(replicas(2)), job(fell, "task 0: "+exit3, task(fell, exit3, failed()),
				task(killed, "its job ended KILLED"))},
		{`task 0: it says "terminated by a user", and its last attempt "oh"`,
			spec(), one(killed, byUser, attempt(killed, "oh")).stopped()},
	})
}

func TestAnAttemptThatShouldNotFollowIsRefused(t *testing.T) {
	refuses(t, []wrong{
		{"task 0: attempt 1: it was made, and the one before it is still RUNNING",
			spec(), one(running, "", attempt(running, ""), attempt(running, ""))},
		{"task 0: attempt 1: it was made after one that ended SUCCEEDED", spec(), one(won, "", succeeded(), succeeded())},
		{"task 0: attempt 1: it was made after one that ended KILLED",
			spec(), one(killed, byUser, attempt(killed, byUser), attempt(killed, byUser)).stopped()},
		{"task 0: attempt 2: it was made after the budget was used up: max_retries_failure",
			spec(retries(1)), one(won, "", failed(), failed(), succeeded())},
		{"task 0: attempt 1: it was made after the budget was used up: max_retries_preemption",
			spec(preemptions(0)), one(won, "", preempted(), succeeded())},
		{"task 0: attempt 101: it was made after the budget was used up: that of attempts which never began",
			spec(), one(won, "", times(101, unbegun(), succeeded())...)},
		{"task 0: attempt 1: it was made before the one before it was confirmed stopped, and the job is exclusive",
			spec(exclusive, retries(1)), one(running, "", failed().unreleased(), attempt(running, ""))},
		{"task 0: attempt 1: it was made at 11 ns, before the one before it ended at 12 ns",
			spec(retries(1)), func() Job {
				j := one(running, "", failed(), attempt(running, ""))
				j.Tasks[0].Attempts[0].Finished = 12
				return j
			}()},
	})
}
