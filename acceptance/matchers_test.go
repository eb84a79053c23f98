package acceptance

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	"github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"

	pb "iris/iris/proto"
)

func job(state pb.JobState, err string) *pb.JobStatus {
	return &pb.JobStatus{JobId: "job-7", Name: "train", State: state, Error: err, NumTasks: 1}
}

func waiting(kind pb.PendingReason_Kind, text string) *pb.JobStatus {
	j := job(PENDING, "")
	j.PendingReason = &pb.PendingReason{Kind: kind, Text: text}
	return j
}

func task(states ...pb.JobState) *pb.TaskStatus {
	t := &pb.TaskStatus{TaskId: "job-7/0", JobId: "job-7", State: pb.TaskState_TASK_STATE_PENDING}
	for i, state := range states {
		a := &pb.TaskAttempt{AttemptId: int32(i), WorkerId: fmt.Sprintf("w-%d", i), State: pb.TaskState(state)}
		if state != RUNNING && state != SUCCEEDED {
			a.Error = "chaos: transient"
		}
		t.Attempts, t.State = append(t.Attempts, a), a.State
	}
	return t
}

func worker(state pb.WorkerState, timesLost int32, attempts ...string) *pb.WorkerStatus {
	n := int64(len(attempts))
	return &pb.WorkerStatus{WorkerId: "w-0", State: state, TimesLost: timesLost, AttemptUids: attempts,
		Capacity: &pb.Resources{CpuMillis: 4000}, Committed: &pb.Resources{CpuMillis: 1000 * n, MemoryBytes: n << 30}}
}

const (
	live = pb.WorkerState_WORKER_STATE_LIVE
	lost = pb.WorkerState_WORKER_STATE_LOST

	noWorkers  = pb.PendingReason_KIND_NO_WORKERS
	noCapacity = pb.PendingReason_KIND_NO_CAPACITY
)

// A matching says whether a value matches.
type matching struct {
	call    string // as a spec would write it
	matcher gomegatypes.GomegaMatcher
	actual  any
	matches bool
}

var matchings = []matching{
	{"HaveState(SUCCEEDED)", HaveState(SUCCEEDED), job(SUCCEEDED, ""), true},
	{"HaveState(SUCCEEDED)", HaveState(SUCCEEDED), job(RUNNING, ""), false},
	{"HaveState(SUCCEEDED)", HaveState(SUCCEEDED), job(FAILED, "timed out after 5s"), false},
	{"HaveState(RUNNING)", HaveState(RUNNING), waiting(noCapacity, "no worker has 4 CPU free"), false},
	{"HaveState(KILLED)", HaveState(KILLED), job(KILLED, "killed by its user"), true},
	{"HaveState(WORKERFAILED)", HaveState(WORKERFAILED), job(UNSCHEDULABLE, "waited 2s"), false},

	{"HaveAttempts()", HaveAttempts(), task(), true},
	{"HaveAttempts()", HaveAttempts(), task(RUNNING), false},
	{"HaveAttempts(FAILED, SUCCEEDED)", HaveAttempts(FAILED, SUCCEEDED), task(FAILED, SUCCEEDED), true},
	{"HaveAttempts(FAILED, SUCCEEDED)", HaveAttempts(FAILED, SUCCEEDED), task(SUCCEEDED, FAILED), false},
	{"HaveAttempts(FAILED, SUCCEEDED)", HaveAttempts(FAILED, SUCCEEDED), task(FAILED), false},
	{"HaveAttempts(FAILED)", HaveAttempts(FAILED), task(FAILED, SUCCEEDED), false},
	{"HaveAttempts(COSCHEDFAILED)", HaveAttempts(COSCHEDFAILED), task(COSCHEDFAILED), true},
	{"HaveAttempts(WORKERFAILED)", HaveAttempts(WORKERFAILED), task(COSCHEDFAILED), false},

	{`HaveAttemptError(0, Equal("chaos: transient"))`,
		HaveAttemptError(0, gomega.Equal("chaos: transient")), task(FAILED, SUCCEEDED), true},
	{`HaveAttemptError(1, Equal("chaos: transient"))`,
		HaveAttemptError(1, gomega.Equal("chaos: transient")), task(FAILED, SUCCEEDED), false},
	{`HaveAttemptError(0, ContainSubstring("lost"))`,
		HaveAttemptError(0, gomega.ContainSubstring("lost")), task(FAILED), false},

	{`HaveError("timed out after 5s")`, HaveError("timed out after 5s"), job(FAILED, "timed out after 5s"), true},
	{`HaveError("timed out after 5s")`, HaveError("timed out after 5s"), job(FAILED, "timed out after 50s"), false},
	{`HaveError("")`, HaveError(""), job(SUCCEEDED, ""), true},

	{`WaitBecause(NO_WORKERS, "no live worker")`,
		WaitBecause(noWorkers, "no live worker"), waiting(noWorkers, "no live worker"), true},
	{`WaitBecause(NO_WORKERS, "no live worker")`,
		WaitBecause(noWorkers, "no live worker"), waiting(noCapacity, "no live worker"), false},
	{`WaitBecause(NO_WORKERS, "no live worker")`,
		WaitBecause(noWorkers, "no live worker"), waiting(noWorkers, "no live workers"), false},
	{`WaitBecause(NO_WORKERS, "no live worker")`,
		WaitBecause(noWorkers, "no live worker"), job(RUNNING, ""), false},

	{"BeEmptyWorker()", BeEmptyWorker(), worker(live, 0), true},
	{"BeEmptyWorker()", BeEmptyWorker(), &pb.WorkerStatus{WorkerId: "w-0"}, true},
	{"BeEmptyWorker()", BeEmptyWorker(), worker(live, 0, "attempt-1"), false},
	{"BeEmptyWorker()", BeEmptyWorker(), &pb.WorkerStatus{Committed: &pb.Resources{CpuMillis: 1}}, false},
	{"BeEmptyWorker()", BeEmptyWorker(), &pb.WorkerStatus{Committed: &pb.Resources{MemoryBytes: 1}}, false},
	{"BeEmptyWorker()", BeEmptyWorker(), &pb.WorkerStatus{AttemptUids: []string{"attempt-1"}}, false},

	{"BeLive(1)", BeLive(1), worker(live, 1), true},
	{"BeLive(1)", BeLive(1), worker(live, 2), false},
	{"BeLive(1)", BeLive(1), worker(lost, 1), false},

	{"BeLost()", BeLost(), worker(lost, 1), true},
	{"BeLost()", BeLost(), worker(live, 1), false},
}

func TestMatchersMatch(t *testing.T) {
	for _, m := range matchings {
		matches, err := m.matcher.Match(m.actual)
		if err != nil && err.Error() == m.matcher.FailureMessage(m.actual) {
			err = nil // it says that no match can follow, for Eventually to stop
		}
		if err != nil || matches != m.matches {
			t.Errorf("%v %s: %v, %v; want %v", m.actual, m.call, matches, err, m.matches)
		}
	}
}

func TestMatchersRefuseWhatTheyCannotJudge(t *testing.T) {
	for _, m := range []struct {
		matcher gomegatypes.GomegaMatcher
		actual  any
		says    string
	}{
		{HaveState(FAILED), task(FAILED), "HaveState wants a *pb.JobStatus, not *pb.TaskStatus"},
		{HaveAttempts(FAILED), job(FAILED, ""), "expected actual of type <*pb.TaskStatus>"},
		{HaveAttemptError(1, gomega.BeEmpty()), task(FAILED), "the task has had 1 attempts"},
		{HaveError(""), task(), "expected actual of type <*pb.JobStatus>"},
		{WaitBecause(noWorkers, ""), task(), "expected actual of type <*pb.JobStatus>"},
		{BeEmptyWorker(), task(), "expected actual of type <*pb.WorkerStatus>"},
		{BeLive(0), task(), "expected actual of type <*pb.WorkerStatus>"},
		{BeLost(), task(), "expected actual of type <*pb.WorkerStatus>"},
	} {
		if _, err := m.matcher.Match(m.actual); err == nil || !strings.Contains(err.Error(), m.says) {
			t.Errorf("error %v, want %q", err, m.says)
		}
	}
}

// failMatchers declares a spec for each matching, which it contradicts.
func failMatchers() {
	for i, m := range matchings {
		ginkgo.It(fmt.Sprintf("%d %s", i, m.call), ginkgo.Label(Fast), func() {
			if m.matches {
				gomega.Expect(m.actual).NotTo(m.matcher)
			} else {
				gomega.Expect(m.actual).To(m.matcher)
			}
		})
	}
}

func TestMatchersSayWhatIsWrong(t *testing.T) {
	o := run(t, "messages", "-ginkgo.skip=smoke:")
	o.failed(t)
	said := make([]string, len(matchings))
	for _, spec := range o.report.SpecReports {
		if !spec.LeafNodeType.Is(types.NodeTypeIt) || spec.State.Is(types.SpecStateSkipped) {
			continue
		}
		var i int
		if _, err := fmt.Sscan(spec.LeafNodeText, &i); err != nil {
			t.Fatal(err)
		}
		to := "To"
		if matchings[i].matches {
			to = "NotTo"
		}
		said[i] = fmt.Sprintf("=== %s(%s)\n%s\n", to, matchings[i].call, spec.Failure.Message)
	}
	text := strings.Join(said, "\n")
	text = regexp.MustCompile(` \| 0x[0-9a-f]+>`).ReplaceAllString(text, ">")
	// How many spaces follow a colon differs from build to build: protobuf does not want its text to be relied upon.
	text = regexp.MustCompile(`(?m)^(.*\w:)  `).ReplaceAllString(text, "$1 ")
	golden(t, "messages.txt", text)
}

func TestAwaitedStateEndsTheWaitWhenTheJobIsOver(t *testing.T) {
	for _, c := range []struct {
		want   pb.JobState
		states []pb.JobState // the job's, from poll to poll
		polls  int
		says   string // "": no failure
	}{
		{SUCCEEDED, []pb.JobState{SUCCEEDED}, 1, ""},
		{SUCCEEDED, []pb.JobState{PENDING, RUNNING, SUCCEEDED}, 3, ""},
		{RUNNING, []pb.JobState{PENDING, RUNNING}, 2, ""},
		{SUCCEEDED, []pb.JobState{RUNNING, FAILED, SUCCEEDED}, 2, `job-7 "train" is FAILED: boom`},
		{RUNNING, []pb.JobState{PENDING, SUCCEEDED, RUNNING}, 2, `job-7 "train" is SUCCEEDED`},
		{SUCCEEDED, []pb.JobState{KILLED, SUCCEEDED}, 1, `is KILLED`},
		{SUCCEEDED, []pb.JobState{UNSCHEDULABLE, SUCCEEDED}, 1, `is UNSCHEDULABLE`},
		{SUCCEEDED, []pb.JobState{WORKERFAILED, SUCCEEDED}, 1, `is WORKER_FAILED`},
		{SUCCEEDED, []pb.JobState{RUNNING}, 60, "Timed out after 60.000s"},
	} {
		var failure string
		polls := 0
		synctest.Test(t, func(t *testing.T) {
			g := gomega.NewGomega(func(message string, _ ...int) { failure = message })
			g.Eventually(func() *pb.JobStatus {
				state := c.states[min(polls, len(c.states)-1)]
				polls++
				return job(state, map[pb.JobState]string{FAILED: "boom"}[state])
			}).WithTimeout(time.Minute).WithPolling(time.Second + time.Millisecond).Should(HaveState(c.want))
		})
		if polls != c.polls || !strings.Contains(failure, c.says) || (failure == "") != (c.says == "") {
			t.Errorf("%v among %v: after %d polls: %s\nwant %d polls and %q",
				c.want, c.states, polls, failure, c.polls, c.says)
		}
	}
}
