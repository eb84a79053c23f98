package view

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	pb "iris/iris/proto"
)

// attemptEnds are all rows of "What ends an attempt" (design §3), with the texts that Iris gives them, and what has not ended.
func attemptEnds() []*pb.TaskAttempt {
	const (
		succeeded, failed, lost = pb.TaskState_TASK_STATE_SUCCEEDED, pb.TaskState_TASK_STATE_FAILED, pb.TaskState_TASK_STATE_WORKER_FAILED
		sibling, killed         = pb.TaskState_TASK_STATE_COSCHED_FAILED, pb.TaskState_TASK_STATE_KILLED
	)
	var all []*pb.TaskAttempt
	add := func(state pb.TaskState, text string, exit *int32, began bool) *pb.TaskAttempt {
		a := &pb.TaskAttempt{
			AttemptId: int32(len(all)), WorkerId: "w-1", State: state, Error: text, ExitCode: exit,
			AssignedAt: before(2 * time.Minute), FinishedAt: before(time.Minute),
		}
		if began {
			a.StartedAt = before(72 * time.Second)
		}
		all = append(all, a)
		return a
	}
	add(succeeded, "", code(0), true)
	add(failed, "exit code 3", code(3), true)
	add(failed, "killed by SIGKILL (exit code 137)", code(137), true)
	add(failed, "no container today", nil, true)
	add(failed, "chaos: monitor crashed", nil, true)
	add(failed, "timed out after 5s", code(143), true)
	add(lost, "dispatch to w-1 failed 4 times: Unavailable: connection refused", nil, false)
	add(lost, "dispatch to w-1 failed 1 time: InvalidArgument: no such function", nil, false)
	add(lost, "lost worker w-1: no heartbeat for 60s", nil, true)
	add(lost, "lost worker w-1: no heartbeat for 60s", nil, false)
	add(lost, "lost worker w-1: its address 10.0.0.1:7071 now belongs to w-2", nil, true)
	add(lost, "worker w-1 was restarted", nil, true)
	add(lost, "worker w-1 was drained", nil, true)
	add(lost, "its lease ran out: the controller has not answered", nil, true)
	add(lost, "lost worker w-1: its machine is PREEMPTED", nil, true)
	add(lost, "slice tpu-0 is given back: its platform took a machine", nil, true)
	add(sibling, "task 1 of the gang ended FAILED: exit code 3", nil, true)
	add(sibling, "its job ended FAILED", nil, true)
	add(killed, "its job ended FAILED", nil, true)
	add(killed, "terminated by a user", nil, true).Stopping = true
	add(pb.TaskState_TASK_STATE_ASSIGNED, "", nil, false).FinishedAt = nil
	add(pb.TaskState_TASK_STATE_BUILDING, "", nil, true).FinishedAt = nil
	add(pb.TaskState_TASK_STATE_RUNNING, "", nil, true).FinishedAt = nil
	return all
}

// attempts are some of these ends, numbered anew.
func attempts(ends ...int) (all []*pb.TaskAttempt) {
	for i, end := range ends {
		a := attemptEnds()[end]
		a.AttemptId = int32(i)
		all = append(all, a)
	}
	return all
}

// explained is a job with one of its tasks; the others SUCCEEDED.
func explained(state pb.JobState, tasks int32, t *pb.TaskStatus) (*pb.JobStatus, []*pb.TaskStatus) {
	j := &pb.JobStatus{
		JobId: "train-1", Name: "train", State: state, NumTasks: tasks, SubmittedAt: before(3 * time.Minute), PendingReason: t.PendingReason,
		TaskStates: []*pb.TaskStateCount{{State: t.State, Count: 1}}, FailureCount: t.FailureCount, PreemptionCount: t.PreemptionCount,
	}
	all := make([]*pb.TaskStatus, tasks)
	for i := range all {
		all[i] = &pb.TaskStatus{TaskIndex: int32(i), State: pb.TaskState_TASK_STATE_SUCCEEDED, Attempts: attempts(0)}
	}
	all[t.TaskIndex] = t
	if tasks > 1 {
		j.TaskStates = append(j.TaskStates, &pb.TaskStateCount{State: pb.TaskState_TASK_STATE_SUCCEEDED, Count: tasks - 1})
	}
	if state > pb.JobState_JOB_STATE_SUCCEEDED {
		if j.Error = t.Error; tasks > 1 {
			j.Error = fmt.Sprintf("task %d: %s", t.TaskIndex, t.Error)
		}
	}
	return j, all
}

// story is a case of the golden files, by name.
func story(name string) (j *pb.JobStatus, tasks []*pb.TaskStatus) {
	const (
		failed, lost, pending = pb.TaskState_TASK_STATE_FAILED, pb.TaskState_TASK_STATE_WORKER_FAILED, pb.TaskState_TASK_STATE_PENDING
		jobFailed             = pb.JobState_JOB_STATE_FAILED
	)
	if kind, text, ok := waitingStory(name); ok {
		t := &pb.TaskStatus{State: pending, PendingReason: &pb.PendingReason{Kind: kind, Text: text}}
		if kind == pb.PendingReason_KIND_BACKOFF || kind == pb.PendingReason_KIND_STOPPING {
			t.Attempts = attempts(6)
		}
		return explained(pb.JobState_JOB_STATE_PENDING, 1, t)
	}
	switch name {
	case "succeeded":
		return explained(pb.JobState_JOB_STATE_SUCCEEDED, 1, &pb.TaskStatus{State: pb.TaskState_TASK_STATE_SUCCEEDED, Attempts: attempts(0)})
	case "succeeded-after-all":
		return explained(pb.JobState_JOB_STATE_SUCCEEDED, 4, &pb.TaskStatus{
			TaskIndex: 2, State: pb.TaskState_TASK_STATE_SUCCEEDED, Attempts: attempts(1, 8, 6, 0), FailureCount: 1, PreemptionCount: 1,
		})
	case "tolerated":
		return explained(pb.JobState_JOB_STATE_SUCCEEDED, 4, &pb.TaskStatus{
			TaskIndex: 2, State: failed, Error: "exit code 3", Attempts: attempts(1), FailureCount: 1,
		})
	case "failed":
		return explained(jobFailed, 1, &pb.TaskStatus{State: failed, Error: "exit code 3", Attempts: attempts(1), FailureCount: 1})
	case "failed-of-many":
		return explained(jobFailed, 4, &pb.TaskStatus{
			TaskIndex: 2, State: failed, Error: "killed by SIGKILL (exit code 137)", Attempts: attempts(1, 8, 2), FailureCount: 2, PreemptionCount: 1,
		})
	case "too-many-failed":
		j, tasks = explained(jobFailed, 4, &pb.TaskStatus{TaskIndex: 3, State: failed, Error: "timed out after 5s", Attempts: attempts(5), FailureCount: 1})
		j.TaskStates[0].Count = 3
		return j, tasks
	case "gang-failed":
		j, tasks = explained(jobFailed, 2, &pb.TaskStatus{TaskIndex: 1, State: failed, Error: "exit code 3", Attempts: attempts(16, 1), FailureCount: 1})
		j.TaskStates[1].State = pb.TaskState_TASK_STATE_COSCHED_FAILED
		tasks[0] = &pb.TaskStatus{State: pb.TaskState_TASK_STATE_COSCHED_FAILED, Error: "its job ended FAILED", Attempts: attempts(16, 17)}
		return j, tasks
	case "undeliverable":
		return explained(jobFailed, 1, &pb.TaskStatus{
			State: failed, Error: "dispatch failed on every worker that can run it (w-0, w-1)", Attempts: attempts(6, 7),
		})
	case "stranded":
		return explained(jobFailed, 1, &pb.TaskStatus{
			State: failed, Error: "lost w-1 (no heartbeat for 60s); no worker left to run it", Attempts: attempts(8), PreemptionCount: 1,
		})
	case "never-began":
		var many []int
		for range 101 {
			many = append(many, 9)
		}
		return explained(jobFailed, 1, &pb.TaskStatus{
			State: failed, Error: "101 attempts ended before they began, the last one: lost worker w-1: no heartbeat for 60s", Attempts: attempts(many...),
		})
	case "lost-too-often":
		return explained(pb.JobState_JOB_STATE_WORKER_FAILED, 2, &pb.TaskStatus{
			TaskIndex: 1, State: lost, Error: "lost worker w-1: its machine is PREEMPTED", Attempts: attempts(8, 14), PreemptionCount: 2,
		})
	case "unschedulable":
		return explained(pb.JobState_JOB_STATE_UNSCHEDULABLE, 1, &pb.TaskStatus{
			State: pb.TaskState_TASK_STATE_UNSCHEDULABLE, Error: "not scheduled within 2s: needs 9999 CPU, the largest worker w-0 has 4 CPU; 2 workers",
		})
	case "stopped":
		return explained(pb.JobState_JOB_STATE_KILLED, 1, &pb.TaskStatus{
			State: pb.TaskState_TASK_STATE_KILLED, Error: "terminated by a user", Attempts: attempts(19),
		})
	case "ended-with-parent":
		j, tasks = explained(pb.JobState_JOB_STATE_KILLED, 1, &pb.TaskStatus{
			State: pb.TaskState_TASK_STATE_KILLED, Error: "its parent job sweep-7 ended FAILED", Attempts: attempts(18),
		})
		j.ParentJobId = "sweep-7"
		return j, tasks
	case "runs":
		return explained(pb.JobState_JOB_STATE_RUNNING, 4, &pb.TaskStatus{
			TaskIndex: 1, State: pb.TaskState_TASK_STATE_RUNNING, Attempts: attempts(14, 22), PreemptionCount: 1,
		})
	case "some-wait":
		return explained(pb.JobState_JOB_STATE_RUNNING, 4, &pb.TaskStatus{
			TaskIndex: 1, State: pending, Attempts: attempts(1, 12), FailureCount: 1, PreemptionCount: 1,
			PendingReason: &pb.PendingReason{Kind: pb.PendingReason_KIND_NO_CAPACITY, Text: "needs 16 GiB, largest free is 4 GiB on w-3; 49 workers; slice tpu-0 is BOOTING"},
		})
	case "evil":
		return explained(jobFailed, 1, &pb.TaskStatus{
			State: failed, Error: "no \x1b[31mred\nfile \u202e漢", FailureCount: 1,
			Attempts: []*pb.TaskAttempt{{WorkerId: "w\x07", State: failed, Error: "no \x1b[31mred\nfile \u202e漢", StartedAt: before(time.Second), FinishedAt: before(0)}},
		})
	}
	return nil, nil
}

// waitingStory is a reason to wait, as the scheduler words it.
func waitingStory(name string) (kind pb.PendingReason_Kind, text string, ok bool) {
	switch name {
	case "next-pass":
		return pb.PendingReason_KIND_NEXT_PASS, "will be placed in the next pass", true
	case "no-workers":
		return pb.PendingReason_KIND_NO_WORKERS, "no live worker; first: quota exceeded in us-1 until 12:05:00", true
	case "too-large":
		return pb.PendingReason_KIND_TOO_LARGE, "needs 64 CPU, the largest worker w-0 has 4 CPU; 2 workers", true
	case "no-capacity":
		return pb.PendingReason_KIND_NO_CAPACITY, "needs 1 CPU, largest free is 0 CPU on w-0; 2 workers", true
	case "avoids":
		return pb.PendingReason_KIND_NO_CAPACITY, "avoids w-1 after a failed dispatch; no other worker has room", true
	case "constraints":
		return pb.PendingReason_KIND_CONSTRAINTS, "no worker has zone==eu-1; 2 workers", true
	case "gang":
		return pb.PendingReason_KIND_GANG, "gang of 4 tasks (8 CPU and 1 GiB each) fits no slice; most room is for 3 in tpu-0", true
	case "gang-too-large":
		return pb.PendingReason_KIND_GANG, "gang of 4 tasks (8 CPU and 1 GiB each) fits no slice even when empty; the largest, tpu-0, takes 2", true
	case "gang-attribute":
		return pb.PendingReason_KIND_GANG, "no worker has the attribute slice; 2 workers", true
	case "backoff":
		return pb.PendingReason_KIND_BACKOFF, "dispatch failed on every worker that can run it; the next round begins in 20s", true
	case "stopping":
		return pb.PendingReason_KIND_STOPPING, "it is exclusive, and its last attempt has not been confirmed stopped", true
	}
	return 0, "", false
}

// A kind of reason, or of end, that is new needs words of its own here.
func TestEveryKindOfWaitingIsExplained(t *testing.T) {
	for kind, name := range pb.PendingReason_Kind_name {
		if kind == int32(pb.PendingReason_KIND_UNSPECIFIED) {
			continue
		}
		j, tasks := explained(pb.JobState_JOB_STATE_PENDING, 1, &pb.TaskStatus{
			State: pb.TaskState_TASK_STATE_PENDING, Attempts: attempts(6), PendingReason: &pb.PendingReason{Kind: pb.PendingReason_Kind(kind), Text: "REASON"},
		})
		e := Explain(now, j, tasks, nil, "")
		if strings.HasSuffix(e.Verdict, "waits: REASON.") || len(e.Advice) == 0 {
			t.Errorf("%s is only repeated: %s", name, e.Verdict)
		}
	}
}

// Commands reach the controllers that were asked.
func TestAdviceReachesTheSameControllers(t *testing.T) {
	j, tasks := story("failed")
	for _, a := range Explain(now, j, tasks, nil, " --controller host:1").Advice {
		if !regexp.MustCompile(`^iris [a-z]+( [a-z]+)? --controller host:1\b`).MatchString(a.Command) {
			t.Errorf("%s", a.Command)
		}
	}
}

// Whatever the messages say: an explanation is made, without control characters, and it fits but for its commands.
func TestEveryExplanationFits(t *testing.T) {
	text := rapid.StringOfN(rapid.RuneFrom([]rune("ab- :\x1b\n\té漢")), 0, 60, -1)
	state := rapid.Int32Range(0, 11)
	rapid.Check(t, func(t *rapid.T) {
		task := &pb.TaskStatus{State: pb.TaskState(state.Draw(t, "state")), Error: text.Draw(t, "error"), FailureCount: state.Draw(t, "failures")}
		for i := range rapid.IntRange(0, 12).Draw(t, "attempts") {
			task.Attempts = append(task.Attempts, &pb.TaskAttempt{AttemptId: int32(i), WorkerId: text.Draw(t, "worker"), Error: text.Draw(t, "end"), State: pb.TaskState(state.Draw(t, "of"))})
		}
		if rapid.Bool().Draw(t, "waits") {
			task.PendingReason = &pb.PendingReason{Kind: pb.PendingReason_Kind(rapid.Int32Range(0, 9).Draw(t, "kind")), Text: text.Draw(t, "reason")}
		}
		j, tasks := explained(pb.JobState(rapid.Int32Range(0, 9).Draw(t, "job")), 1, task)
		terminal := Terminal{Width: rapid.IntRange(1, 200).Draw(t, "width"), Unicode: true}
		var one *int32
		if rapid.Bool().Draw(t, "one") {
			one = new(int32)
		}
		out := &bytes.Buffer{}
		if err := Explain(now, j, tasks, one, "").Write(out, terminal); err != nil {
			t.Fatal(err)
		}
		fitsBut(t, out.String(), terminal.Width, "    iris ")
		if strings.ContainsAny(out.String(), "\x1b\t") {
			t.Errorf("control characters in %q", out)
		}
	})
}
