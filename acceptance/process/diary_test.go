package process

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	. "iris/acceptance"
	pb "iris/iris/proto"
)

// attempt is one of task j/0.
func attempt(n int, state pb.JobState, err string) *pb.TaskAttempt {
	return &pb.TaskAttempt{AttemptUid: fmt.Sprintf("j/0/%d", n), State: pb.TaskState(state), Error: err, StartedAt: timestamppb.Now()}
}

func TestTheDiaryIsComparedWithTheHistory(t *testing.T) {
	succeeded := attempt(0, SUCCEEDED, "")
	failed, again := attempt(0, FAILED, "exit code 3"), attempt(1, SUCCEEDED, "")
	late := attempt(0, FAILED, "timed out after 2s")
	lost := attempt(0, WORKERFAILED, "worker w-0 was restarted")
	lost.StartedAt = nil
	for _, c := range []struct {
		what     string
		attempts []*pb.TaskAttempt
		failures int32
		diary    string
		want     []string
	}{
		{"a task that succeeded", []*pb.TaskAttempt{succeeded}, 0, "j/0/0 begins\nj/0/0 ends 0\n", nil},
		{"a task that was tried again", []*pb.TaskAttempt{failed, again}, 1, "j/0/0 begins\nj/0/0 ends 3\nj/0/1 begins\nj/0/1 ends 0\n", nil},
		{"a task that took too long", []*pb.TaskAttempt{late}, 1, "j/0/0 begins\n", nil},
		{"an order that was lost with its worker", []*pb.TaskAttempt{lost, again}, 0, "j/0/1 begins\nj/0/1 ends 0\n", nil},
		{"a gang that was sent back", []*pb.TaskAttempt{attempt(0, COSCHEDFAILED, ""), again}, 0, "j/0/0 begins\nj/0/1 begins\nj/0/1 ends 0\n", nil},
		{"a task that was cancelled", []*pb.TaskAttempt{attempt(0, KILLED, "")}, 0, "j/0/0 begins\n", nil},
		{"a task that was cancelled before it ran", []*pb.TaskAttempt{attempt(0, KILLED, "")}, 0, "", nil},

		{"a gang that was sent back when one had succeeded", []*pb.TaskAttempt{attempt(0, COSCHEDFAILED, ""), again}, 0,
			"j/0/0 begins\nj/0/0 ends 0\nj/0/1 begins\nj/0/1 ends 0\n", nil},

		{"a success that never was", []*pb.TaskAttempt{succeeded}, 0, "j/0/0 begins\n",
			[]string{`j/0/0 is TASK_STATE_SUCCEEDED "" and wrote ["begins"]`}},
		{"another exit code", []*pb.TaskAttempt{failed}, 1, "j/0/0 begins\nj/0/0 ends 4\n",
			[]string{`j/0/0 is TASK_STATE_FAILED "exit code 3" and wrote ["begins" "ends 4"]`}},
		{"one attempt that ran twice", []*pb.TaskAttempt{succeeded}, 0, "j/0/0 begins\nj/0/0 begins\nj/0/0 ends 0\n",
			[]string{`j/0/0 is TASK_STATE_SUCCEEDED "" and wrote ["begins" "begins" "ends 0"]`}},
		{"a run after the success", []*pb.TaskAttempt{succeeded, attempt(1, KILLED, "")}, 0, "j/0/0 begins\nj/0/0 ends 0\nj/0/1 begins\n",
			[]string{"j/0/1 began after j/0/0 had succeeded"}},
		{"two at once", []*pb.TaskAttempt{attempt(0, KILLED, ""), again}, 0, "j/0/0 begins\nj/0/1 overlaps\nj/0/1 begins\nj/0/1 ends 0\n",
			[]string{"j/0/1 began while another attempt of its task ran"}},
		{"a run that was lost with its worker", []*pb.TaskAttempt{lost, again}, 0, "j/0/0 begins\nj/0/1 begins\nj/0/1 ends 0\n",
			[]string{`j/0/0 is TASK_STATE_WORKER_FAILED "worker w-0 was restarted" and wrote ["begins"]`}},
		{"an attempt that nobody knows", []*pb.TaskAttempt{succeeded}, 0, "j/0/0 begins\nj/0/0 ends 0\nj/0/7 ends 1\n",
			[]string{`j/0/7 wrote ["ends 1"], and its task has no such attempt`}},
		{"a job that nobody knows", []*pb.TaskAttempt{succeeded}, 0, "j/0/0 begins\nj/0/0 ends 0\nk/0/0 begins\n",
			[]string{"k/0 wrote [{k/0/0 k/0 begins}], and no job has it"}},
		{"a failure that was not counted", []*pb.TaskAttempt{failed, again}, 0, "j/0/0 begins\nj/0/0 ends 3\nj/0/1 begins\nj/0/1 ends 0\n",
			[]string{"j/0 counts 0 failures and 0 preemptions, and has had 1 and 0"}},
		{"an attempt that is not over", []*pb.TaskAttempt{attempt(0, RUNNING, "")}, 0, "j/0/0 begins\n",
			[]string{`j/0/0 is TASK_STATE_RUNNING "" and wrote ["begins"]`}},
	} {
		lines, err := parse(c.diary)
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		got := judge([]*pb.TaskStatus{{TaskId: "j/0", Attempts: c.attempts, FailureCount: c.failures}}, lines, false)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s:\n%s", c.what, diff)
		}
	}
}

func TestWhatMayBeLost(t *testing.T) {
	lost, again := attempt(0, WORKERFAILED, "worker w-0 was restarted"), attempt(1, SUCCEEDED, "")
	tasks := []*pb.TaskStatus{{TaskId: "j/0", Attempts: []*pb.TaskAttempt{lost, again}, PreemptionCount: 1}}
	for diary, contradictions := range map[string][2]int{ // without and with losses
		"j/0/1 begins\nj/0/1 ends 0\n":                                             {0, 0},
		"j/0/0 begins\nj/0/1 begins\nj/0/1 ends 0\n":                               {1, 0},
		"j/0/0 begins\nj/0/0 ends 0\nj/0/1 begins\nj/0/1 ends 0\n":                 {1, 0},
		"j/0/0 begins\nj/0/0 begins\nj/0/1 begins\nj/0/1 ends 0\n":                 {1, 1},
		"j/0/0 begins\nj/0/1 begins\nj/0/1 ends 0\nj/0/0 ends 0\n":                 {1, 0},
		"j/0/1 begins\nj/0/1 ends 0\nj/0/0 begins\n":                               {2, 1},
		"j/0/0 begins\nj/0/1 overlaps\nj/0/1 begins\nj/0/0 ends 0\nj/0/1 ends 0\n": {2, 1},
	} {
		lines, err := parse(diary)
		if err != nil {
			t.Error(err)
			continue
		}
		for i, lossy := range []bool{false, true} {
			if got := judge(tasks, lines, lossy); len(got) != contradictions[i] {
				t.Errorf("lossy %v: %d contradictions, want %d: %q\nin\n%s", lossy, len(got), contradictions[i], got, diary)
			}
		}
	}
}

func TestADiaryWithOtherLinesIsRefused(t *testing.T) {
	for _, text := range []string{"\n", "j/0/0\n", "j begins\n"} {
		if lines, err := parse(text); err == nil {
			t.Errorf("%q is read as %v", text, lines)
		}
	}
}

// live starts an attempt of task j/0 as a worker would.
func (d *diary) live(t *testing.T, attempt int, entry *pb.Entrypoint) *exec.Cmd {
	t.Helper()
	argv := entry.GetCommand().Argv
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "IRIS_JOB_ID=j", "IRIS_TASK_INDEX=0", "IRIS_TASK_ID=j/0", fmt.Sprintf("IRIS_ATTEMPT_ID=%d", attempt))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func (d *diary) wants(t *testing.T, want string) {
	t.Helper()
	text, err := os.ReadFile(d.path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Error(diff)
	}
}

func TestATaskKeepsTheDiary(t *testing.T) {
	d, err := newDiary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for n, code := range []int{3, 3, 0} {
		cmd := d.live(t, n, d.entry(0, failing{times: 2, code: 3, task: "0"}))
		_ = cmd.Wait() // the exit code says it all
		if got := cmd.ProcessState.ExitCode(); got != code {
			t.Errorf("attempt %d ended with %d, want %d", n, got, code)
		}
	}
	d.wants(t, "j/0/0 begins\nj/0/0 ends 3\nj/0/1 begins\nj/0/1 ends 3\nj/0/2 begins\nj/0/2 ends 0\n")
}

func TestATaskFailsOnlyIfItIsTheOne(t *testing.T) {
	d, err := newDiary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.live(t, 0, d.entry(0, failing{times: always, code: 3, task: "1"})).Wait(); err != nil {
		t.Error(err)
	}
}

func TestTwoAttemptsAtOnceAreSeen(t *testing.T) {
	d, err := newDiary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	first := d.live(t, 0, d.entry(time.Hour))
	for {
		lines, err := d.read()
		if err != nil {
			t.Fatal(err)
		}
		if len(lines) == 1 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err := d.live(t, 1, d.entry(0)).Wait(); err != nil {
		t.Error(err)
	}
	if err := syscall.Kill(-first.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait() // it was killed
	d.wants(t, "j/0/0 begins\nj/0/1 overlaps\nj/0/1 begins\nj/0/1 ends 0\n")
}

func TestAMixHasEveryKindAndFollowsFromItsSeed(t *testing.T) {
	d := &diary{path: "diary", locks: "locks"}
	for seed := range uint64(20) {
		mix := mixed(random(seed, 1), d, exact, 500, 20*time.Second)
		again := mixed(random(seed, 1), d, exact, 500, 20*time.Second)
		count, states, gangs, exclusive := 0, []pb.JobState{}, 0, 0
		for i, w := range mix {
			if got, want := fmt.Sprint(w.Spec, w.at, w.cancel), fmt.Sprint(again[i].Spec, again[i].at, again[i].cancel); stripped(got) != stripped(want) {
				t.Fatalf("seed %d, job %d: %s\nand then %s", seed, i, got, want)
			}
			count += w.Replicas
			states = append(states, w.state)
			if w.GroupBy != "" {
				gangs++
			}
			if w.Exclusive {
				exclusive++
			}
		}
		slices.Sort(states)
		if kinds := slices.Compact(states); count != 500 || len(kinds) != 3 || gangs == 0 || exclusive == 0 {
			t.Errorf("seed %d: %d tasks, %v, %d gangs, %d exclusive", seed, count, kinds, gangs, exclusive)
		}
	}
	if fmt.Sprint(mixed(random(1, 1), d, exact, 500, time.Second)[0].at) == fmt.Sprint(mixed(random(2, 1), d, exact, 500, time.Second)[0].at) {
		t.Error("two seeds give one mix")
	}
}

// stripped is a text without the addresses of pointers.
func stripped(text string) string {
	var words []string
	for _, word := range strings.Fields(text) {
		if !strings.HasPrefix(word, "0x") {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}
