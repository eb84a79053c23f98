package oracle

import (
	"testing"
)

const (
	notDelivered = " were not delivered: the first should have ended the rest"
	notSibling   = ", which is not how another member or the job ended"
)

func TestAGangThatIsNotWholeIsRefused(t *testing.T) {
	refuses(t, []wrong{
		{"task 0 of the gang was tried 1 times, task 1 2 times",
			spec(gang(2), retries(1)), job(running, "",
				task(pending, "", attempt(cosched, "task 1 of the gang ended FAILED: exit code 3")),
				task(running, "", failed(), attempt(running, "")))},
		{"attempts 0 of the gang: all have succeeded, and it goes on",
			spec(gang(2)), job(running, "", done(works()), done(works()))},
		{"attempts 0 of the gang: 1 of 2 go on and 0 are SUCCEEDED: not the whole gang",
			spec(gang(2), retries(1)), job(running, "", task(pending, "", failed()), works())},
		{"attempts 0 of the gang: 0 of 2 go on and 1 are SUCCEEDED: not the whole gang",
			spec(gang(2), retries(1)), job(running, "", task(pending, "", failed()), task(won, "", succeeded()))},
		{"attempts 0 of the gang: 0 are KILLED, 2 COSCHED_FAILED and 0 FAILED: they did not end together for one cause",
			spec(gang(2)), job(pending, "", task(pending, "", attempt(cosched, "task 1 of the gang ended FAILED: oh")),
				task(pending, "", attempt(cosched, "task 0 of the gang ended FAILED: oh")))},
		{"attempts 0 of the gang: 1 are KILLED, 0 COSCHED_FAILED and 1 FAILED: they did not end together for one cause",
			spec(gang(2), retries(1)), job(killed, byUser, task(killed, byUser, failed()), stoppedTask()).stopped()},
		{"attempts 0 of the gang: 1 are KILLED, 1 COSCHED_FAILED and 0 FAILED: they did not end together for one cause",
			spec(gang(2)), job(killed, byUser, task(killed, byUser, attempt(cosched, "its job ended KILLED")),
				stoppedTask()).stopped()},
		{"attempts 0 of the gang: 2 are FAILED, 0 WORKER_FAILED and 0 of these" + notDelivered,
			spec(gang(2), retries(1)), job(pending, "", task(pending, "", failed()), task(pending, "", failed()))},
		{"attempts 0 of the gang: 1 are FAILED, 1 WORKER_FAILED and 0 of these" + notDelivered,
			spec(gang(2), retries(1)), job(pending, "", task(pending, "", failed()), task(pending, "", preempted()))},
		{"attempts 0 of the gang: 0 are FAILED, 2 WORKER_FAILED and 1 of these" + notDelivered,
			spec(gang(2)), job(pending, "", task(pending, "", undelivered()), task(pending, "", preempted()))},
		{"attempts 0 of the gang: they did not all end at one instant",
			spec(gang(2)), func() Job {
				j := job(pending, "", task(pending, "", preempted()), task(pending, "", preempted()))
				j.Tasks[1].Attempts[0].Finished++
				return j
			}()},
		{`attempts 0 of the gang: task 1 says "oh"` + notSibling,
			spec(gang(2), retries(1)), job(pending, "", task(pending, "", failed()), task(pending, "", attempt(cosched, "oh")))},
		{`attempts 0 of the gang: task 1 says "task 0 of the gang ended FAILED: exit code 4"` + notSibling,
			spec(gang(2), retries(1)), job(pending, "", task(pending, "", failed()), task(pending, "",
				attempt(cosched, "task 0 of the gang ended FAILED: exit code 4")))},
		{`attempts 0 of the gang: task 1 says "task 1 of the gang ended COSCHED_FAILED: "` + notSibling,
			spec(gang(2), retries(1)), job(pending, "", task(pending, "", failed()), task(pending, "",
				attempt(cosched, "task 1 of the gang ended COSCHED_FAILED: ")))},
		{`attempts 0 of the gang: task 1 says "its job ended FAILED"` + notSibling,
			spec(gang(2), retries(1)), job(pending, "", task(pending, "", failed()), task(pending, "", attempt(cosched, ended)))},
		{"it is RUNNING, its tasks say FAILED",
			spec(gang(2), tolerating(1)), job(running, "", task(fell, exit3, failed()), task(pending, "", ofSibling()))},
	})
}
