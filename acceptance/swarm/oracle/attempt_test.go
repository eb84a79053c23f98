package oracle

import (
	"testing"
	"time"
)

func TestAnAttemptThatContradictsItselfIsRefused(t *testing.T) {
	refuses(t, []wrong{
		{"task 0: attempt 0: it is ASSIGNED and has begun",
			spec(), one(assigned, "", func() Attempt { a := attempt(assigned, ""); a.Began = true; return a }())},
		{"task 0: attempt 0: it is RUNNING and never began", spec(), one(running, "", attempt(running, "").neverBegan())},
		{"task 0: attempt 0: it is SUCCEEDED and never began", spec(), one(won, "", succeeded().neverBegan())},
		{"task 0: attempt 0: it is KILLED, and its job goes on", spec(), one(pending, "", attempt(killed, byUser))},
		{"task 0: attempt 0: it is COSCHED_FAILED, and its job is no gang",
			spec(), one(pending, "", attempt(cosched, "oh"))},
		{"task 0: attempt 0: it is UNSCHEDULABLE, which no attempt is",
			spec(), one(pending, "", attempt(unschedulable, "oh"))},
		{"task 0: attempt 0: it is on no worker",
			spec(), one(won, "", func() Attempt { a := succeeded(); a.Worker = ""; return a }())},
		{`task 0: attempt 0: it is SUCCEEDED and says "oh"`, spec(), one(won, "", attempt(won, "oh"))},
		{`task 0: attempt 0: it is WORKER_FAILED and says ""`, spec(), one(pending, "", attempt(gone, ""))},
		{"task 0: attempt 0: it ended at 3 ns and is RUNNING",
			spec(), job(running, "", done(works()))},
		{"task 0: attempt 0: it is RUNNING, and its capacity is free",
			spec(), one(running, "", func() Attempt { a := attempt(running, ""); a.Released = true; return a }())},
		{"task 0: attempt 0: it was assigned at 1 ns, began at 2 ns and ended at 0 ns",
			spec(), func() Job {
				j := one(won, "", succeeded())
				j.Tasks[0].Attempts[0].Finished = 0
				return j
			}()},
		{"task 0: attempt 0: it was assigned at 1 ns, began at 0 ns and ended at 3 ns",
			spec(), func() Job {
				j := one(won, "", succeeded())
				j.Tasks[0].Attempts[0].Started = 0
				return j
			}()},
		{"task 0: attempt 0: it was assigned at 1 ns, began at 4 ns and ended at 3 ns",
			spec(), func() Job {
				j := one(won, "", succeeded())
				j.Tasks[0].Attempts[0].Started = 4
				return j
			}()},
		{"task 0: attempt 0: it is RUNNING and has exit code 0", spec(), one(running, "", attempt(running, "").exit(0))},
		{"task 0: attempt 0: it has succeeded with exit code 1", spec(), one(won, "", attempt(won, "").exit(1))},
		{"task 1: attempt 0: it has succeeded with exit code 1",
			spec(gang(2)), job(running, "", works(), done(task(running, "", attempt(running, "").exit(1))))},
		{`task 0: attempt 0: it has exit code 4 and says "exit code 3"`,
			spec(), one(fell, exit3, failed().exit(4))},
		{`task 0: attempt 0: it has exit code 0 and says "exit code 0"`,
			spec(), one(fell, "exit code 0", attempt(fell, "exit code 0").exit(0))},
		{`task 0: attempt 0: it says "dispatch to w-0 failed 4 times: Unavailable: down", and it is WORKER_FAILED or had begun`,
			spec(), one(pending, "", attempt(gone, refused))},
		{`task 0: attempt 0: it is on w-1 and says "dispatch to w-0 failed 4 times: Unavailable: down"`,
			spec(), one(pending, "", func() Attempt { a := undelivered(); a.Worker = "w-1"; return a }())},
		{`task 0: attempt 0: it says "timed out after 5s", and its job's timeout is 0s`,
			spec(), one(fell, tooLong, timedOut())},
		{`task 0: attempt 0: it says "timed out after 5s", and its job's timeout is 6s`,
			spec(timeout(6 * time.Second)), one(fell, tooLong, timedOut())},
	})
}
