package main

import (
	"log/slog"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"iris/iris/controller"
)

func TestAJobThatSucceedsExitsWith0(t *testing.T) {
	t.Parallel()
	at(t, booted(t)).run("job", "run", "--", "echo", "hello").expect(t, 0, "hello\n",
		"iris: job echo-ID is launched\niris: job echo-ID SUCCEEDED after TIME\n")
}

func TestAJobThatFailsExitsWith1AndSaysWhichAttempt(t *testing.T) {
	t.Parallel()
	at(t, booted(t)).run("job", "run", "--max-retries-failure", "1", "--", "sh", "-c", "seq 30; exit 3").expect(t, 1,
		strings.Repeat(lines(1, 30, ""), 2), `iris: job sh-ID is launched
iris: attempt 1 runs on w-0
iris: job sh-ID FAILED after TIME: exit code 3 (attempts: 2 failed, 0 lost with their worker)
iris: task 0, attempt 1 on w-0, exit code 3
iris: the last lines it wrote:
`+lines(11, 30, "  | "))
}

func TestTheTaskThatFailedFirstIsTheOneThatIsShown(t *testing.T) {
	t.Parallel()
	script := `echo "i am $IRIS_TASK_INDEX"; [ $IRIS_TASK_INDEX = 2 ] && exit 7; sleep 60`
	got := at(t, booted(t)).run("job", "run", "--replicas", "3", "--", "sh", "-c", script)
	if got.code != exitFailed {
		t.Errorf("exit code %d", got.code)
	}
	want := `iris: job sh-ID FAILED after TIME: task 2: exit code 7 (attempts: 1 failed, 0 lost with their worker)
iris: task 2, attempt 0 on w-0, exit code 7
iris: the last lines it wrote:
  | i am 2
`
	if err := steady(got.err); !strings.HasSuffix(err, want) {
		t.Errorf("standard error is\n%s\nwant at the end\n%s", err, want)
	}
	if told := "iris: task 2, attempt 0 on w-0: exit code 7 | i am 2\n"; strings.Count(got.err, told) != 1 {
		t.Errorf("standard error is\n%s\nwant once\n%s", got.err, told)
	}
	if !strings.Contains(got.out, "2| i am 2\n") {
		t.Errorf("standard output is\n%s", got.out)
	}
}

// A line for each attempt that fails is too much, if very many do.
func TestNotEveryFailureOfManyIsTold(t *testing.T) {
	t.Parallel()
	got := at(t, booted(t)).run("job", "run", "--replicas", "40", "--cpu", "0.1", "--memory", "1MiB", "--max-task-failures", "40", "--", "sh", "-c", "exit 3")
	if n := strings.Count(got.err, ": exit code 3\n"); got.code != 0 || n != toldMost {
		t.Errorf("exit code %d, %d failures are told of", got.code, n)
	}
	if n := strings.Count(got.err, "iris: more attempts end badly; each is not told any more\n"); n != 1 {
		t.Errorf("%d times it is said that there are more:\n%s", n, got.err)
	}
}

func TestAMistakeExitsWith2(t *testing.T) {
	t.Parallel()
	s := at(t, booted(t))
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"job", "run"}, "iris: `iris job run` wants a command to run, after `--`\niris: see `iris job run --help`\n"},
		{[]string{"job", "run", "--cpus", "1", "--", "true"}, "iris: unknown flag: --cpus\niris: see `iris job run --help`\n"},
		{
			[]string{"job", "run", "--replicas", "0", "--timeout", "5", "-e", "=hunter2", "--", "true"},
			`iris: flag --env: a variable is NAME=VALUE or NAME; here the name is empty
iris: flag --replicas: "0" is not in 1 to 10000
iris: flag --timeout: "5" is not a duration such as 90s or 5m
`,
		},
		{
			[]string{"job", "run", "--name", "a/b", "--port", "1x", "--", "true"},
			`iris: job "a-b-ID" cannot be launched: name is "a/b": it must have no '/'; ports[0] is "1x": it must be letters, digits and '_', not beginning with a digit` + "\n",
		},
		{[]string{"job", "run", "-e", "NOT_SET_HERE", "--", "true"}, "iris: flag --env: NOT_SET_HERE is not set here, so that it cannot be passed on; say NOT_SET_HERE=VALUE\n"},
		{[]string{"job", "run", "--parent", "nobody", "--", "true"}, "iris: parent job nobody is unknown\n"},
		{[]string{"job", "stop"}, "iris: `iris job stop` wants jobs, or --prefix\niris: see `iris job stop --help`\n"},
		{[]string{"job", "logs", "x", "--follow", "--attempt", "1"}, "iris: `iris job logs` goes on to later attempts with --follow; leave --attempt out\niris: see `iris job logs --help`\n"},
		{[]string{"job", "lst"}, "iris: there is no `iris job lst`; did you mean `iris job list`?\niris: see `iris job --help`\n"},
		{[]string{"worker", "lst"}, "iris: there is no `iris worker lst`; did you mean `iris worker list`?\niris: see `iris worker --help`\n"},
		{[]string{"wrker"}, "iris: there is no `iris wrker`; did you mean `iris worker`?\niris: see `iris --help`\n"},
		{[]string{"job", "status", "a", "b"}, "iris: `iris job status` does not know what to do with \"b\"\niris: see `iris job status --help`\n"},
		{[]string{"job", "list", "-o", "yaml"}, "iris: flag --output: \"yaml\" is not table, wide or json\n"},
		{[]string{"cluster", "start"}, "iris: `iris cluster start` wants --local, for a cluster to try things out on, or --file with a description\niris: see `iris cluster start --help`\n"},
		{[]string{"controller"}, "iris: say where the controller keeps its state, with --data-dir DIR, or that it keeps none, with --ephemeral\n"},
		{[]string{"controller", "--ephemeral", "--listen", "localhost"}, "iris: flag --listen: \"localhost\" is not an address such as 127.0.0.1:7070\n"},
		{[]string{"worker", "--attribute", "a=b,a=c"}, "iris: the attribute a is given twice\n"},
	} {
		s.run(c.args...).expect(t, exitUsage, "", c.want)
	}
	if got := s.run("job", "list"); strings.Count(got.out, "\n") != 1 {
		t.Errorf("after nothing but mistakes there are jobs:\n%s", got.out)
	}
}

func TestAGroupAloneShowsItsVerbs(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"job"}} {
		got := at(t, "").run(args...)
		if got.code != exitUsage || got.out != "" || !strings.Contains(got.err, "Verbs:") {
			t.Errorf("%v: exit code %d\n%s\n%s", args, got.code, got.out, got.err)
		}
	}
}

func TestAJobThatNeverFitsExitsWith3(t *testing.T) {
	t.Parallel()
	at(t, booted(t)).run("job", "run", "--cpu", "64", "--scheduling-timeout", "2s", "--", "true").expect(t, exitUnschedulable, "",
		`iris: job true-ID is launched
iris: PENDING: needs 64 CPU, the largest worker w-0 has 4 CPU; 2 workers
iris: job true-ID UNSCHEDULABLE after TIME: not scheduled within TIME: needs 64 CPU, the largest worker w-0 has 4 CPU; 2 workers
`)
}

func TestAJobThatIsKilledExitsWith4(t *testing.T) {
	t.Parallel()
	s := at(t, booted(t))
	p := s.start("job", "run", "--name", "victim", "--", "sleep", "600")
	p.err.until(t, "iris: RUNNING")
	s.run("job", "stop", "victim").expect(t, exitDone, "job victim-ID is KILLED\n", "")
	p.wait().expect(t, exitLost, "", `iris: job victim-ID is launched
iris: job victim-ID KILLED after TIME: terminated by a user
iris: task 0, attempt 0 on w-0: terminated by a user
iris: it wrote nothing
`)
}

// A worker is killed, and with it the only attempt that the job may have.
func TestAJobThatIsLostExitsWith4(t *testing.T) {
	t.Parallel()
	c, err := controller.Start(controller.Config{Address: "127.0.0.1:0", WorkerTimeout: 500 * time.Millisecond, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	s := at(t, c.Address())
	w := s.start("worker", "--id", "w-0", "--heartbeat-interval", "100ms", "--poll-interval", "100ms", "--cpu", "1", "--memory", "1GiB")
	w.out.until(t, "iris worker w-0 serves at ")
	p := s.start("job", "run", "--max-retries-preemption", "0", "--", "sleep", "600")
	p.err.until(t, "iris: RUNNING")
	w.signal(syscall.SIGKILL)
	got := p.wait()
	got.expect(t, exitLost, "", `iris: job sleep-ID is launched
iris: task 0, attempt 0 on w-0: its log is gone: worker w-0, which has the logs of attempt sleep-ID/0/0, is lost
iris: job sleep-ID WORKER_FAILED after TIME: lost worker w-0: no heartbeat for TIME (attempts: 0 failed, 1 lost with their worker)
iris: task 0, attempt 0 on w-0: lost worker w-0: no heartbeat for TIME
`)
}

func TestWhatCannotBeDoneExitsWith5(t *testing.T) {
	t.Parallel()
	s := at(t, booted(t))
	s.run("job", "status", "nobody").expect(t, exitError, "", "iris: there is no job \"nobody\"; `iris job list` shows those there are\n")
	s.run("worker", "list", "w-0", "w-9").expect(t, exitError, "", "iris: there is no worker \"w-9\"; `iris worker list` shows those there are\n")
	nowhere := `iris: cannot reach a controller at ADDRESS: connection refused. Is it running? Start one with ` +
		"`iris cluster start --local`, or name it with --controller or IRIS_CONTROLLER\n"
	for _, args := range [][]string{
		{"worker", "list"}, {"job", "list"}, {"job", "status", "x"}, {"task", "list", "x"}, {"job", "stop", "x"}, {"job", "logs", "x"}, {"job", "explain", "x"},
		{"job", "run", "--", "true"}, {"job", "attach", "x"}, {"top"}, {"top", "--once", "-o", "json"},
	} {
		s.with("IRIS_CONTROLLER=127.0.0.1:1", "IRIS_PATIENCE=0s").run(args...).expect(t, exitError, "", nowhere)
	}
}

func TestCtrlCLetsTheJobGoOnAndExitsWith130(t *testing.T) {
	t.Parallel()
	s := at(t, booted(t))
	p := s.start("job", "run", "--name", "long", "--", "sleep", "600")
	p.err.until(t, "iris: RUNNING")
	p.signal(os.Interrupt)
	p.wait().expect(t, exitInterrupted, "", `iris: job long-ID is launched
iris: job long-ID goes on without you
  iris job attach long-ID        # follow it again
  iris job stop long-ID          # end it
`)
	again := s.start("job", "attach", "long")
	again.err.until(t, "iris: RUNNING")
	s.run("job", "stop", "--prefix", "lo").expect(t, exitDone, "job long-ID is KILLED\n", "")
	if got := again.wait(); got.code != exitLost {
		t.Errorf("attached again: exit code %d\n%s", got.code, got.err)
	}
}

func lines(from, to int, prefix string) string {
	var out strings.Builder
	for i := from; i <= to; i++ {
		out.WriteString(prefix + strconv.Itoa(i) + "\n")
	}
	return out.String()
}
