package runtime

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// asWorker makes this test binary a worker that starts one command and waits to be killed.
const asWorker = "RUNTIME_TEST_AS_WORKER"

func TestMain(m *testing.M) {
	switch os.Getenv(asWorker) {
	case "":
	case leadSession:
		leadUntilKilled()
	default:
		workUntilKilled()
	}
	os.Exit(m.Run())
}

func process(t *testing.T) *Process {
	t.Helper()
	r := NewProcess()
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// shell is the spec of a script.
func shell(script string) Spec {
	return Spec{UID: "u-1", Argv: []string{"sh", "-c", script}}
}

// transcript collects a task's lines and lets a test wait for the first one.
type transcript struct {
	mu    sync.Mutex
	lines map[string][]string
	first chan string
}

func newTranscript() *transcript {
	return &transcript{lines: map[string][]string{}, first: make(chan string, 1)}
}

func (l *transcript) log(stream, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines[stream] = append(l.lines[stream], line)
	select {
	case l.first <- line:
	default:
	}
}

// run runs the spec to its end.
func run(t *testing.T, s Spec) (Exit, map[string][]string) {
	t.Helper()
	l := newTranscript()
	s.Log = l.log
	exit := end(t, start(t, process(t), s))
	return exit, l.lines
}

// ready starts the spec and waits for its first line.
func ready(t *testing.T, r *Process, s Spec) (Task, string, *transcript) {
	t.Helper()
	l := newTranscript()
	s.Log = l.log
	task := start(t, r, s)
	select {
	case line := <-l.first:
		return task, line, l
	case <-task.Done():
		t.Fatalf("%q ended without a line: %s", s.Argv, task.Exit().Text())
	case <-time.After(30 * time.Second):
		t.Fatalf("%q wrote nothing", s.Argv)
	}
	return nil, "", nil
}

// runs reports whether a process exists and has not ended.
func runs(pid string) bool {
	s, ok := statusOf(strings.TrimSpace(pid))
	return ok && !s.ended()
}

// within polls until holds.
func within(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

func TestProcessExitHasTheCodeAndItsText(t *testing.T) {
	for _, c := range []struct {
		script, text string
		code         int
	}{
		{"true", "", 0},
		{"exit 3", "exit code 3", 3},
		{"exit 137", "exit code 137", 137},
		{"kill -KILL $$", "killed by SIGKILL (exit code 137)", 137},
		{"kill -SEGV $$", "killed by SIGSEGV (exit code 139)", 139},
	} {
		t.Run(c.script, func(t *testing.T) {
			exit, _ := run(t, shell(c.script))
			if exit.Code != c.code || exit.Text() != c.text || exit.Err != nil {
				t.Errorf("got %d, %q, %v; want %d, %q", exit.Code, exit.Text(), exit.Err, c.code, c.text)
			}
		})
	}
}

func TestProcessLogsBothStreamsInOrderToTheLastByte(t *testing.T) {
	exit, got := run(t, shell("seq 1 20000; seq 1 20000 >&2; printf 'no newline'; printf 'bad \\377' >&2"))
	if exit.Code != 0 {
		t.Fatal(exit.Text())
	}
	var numbers []string
	for i := 1; i <= 20000; i++ {
		numbers = append(numbers, strconv.Itoa(i))
	}
	want := map[string][]string{
		Stdout: append(numbers[:20000:20000], "no newline"),
		Stderr: append(numbers[:20000:20000], "bad \uFFFD"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestProcessWaitsForASlowLog(t *testing.T) {
	var got []string
	s := shell("echo 1; echo 2; echo 3")
	s.Log = func(_, line string) {
		time.Sleep(20 * time.Millisecond) // far longer than the command takes
		got = append(got, line)
	}
	end(t, start(t, process(t), s))
	if diff := cmp.Diff([]string{"1", "2", "3"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestProcessInheritsSixVariablesAndNoOther(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
	t.Setenv("HOME", "/home/worker")
	t.Setenv("USER", "worker")
	t.Setenv("LANG", "C")
	t.Setenv("TZ", "UTC")
	t.Setenv("TMPDIR", "/tmp")
	path := os.Getenv("PATH")
	_, got := run(t, Spec{Argv: []string{"env"}, Env: map[string]string{"HOME": "/job", "JOB": "demo = 1"}})
	want := []string{"HOME=/job", "JOB=demo = 1", "LANG=C", "PATH=" + path, "TMPDIR=/tmp", "TZ=UTC", "USER=worker"}
	if diff := cmp.Diff(want, got[Stdout]); diff != "" {
		t.Error(diff)
	}
}

func TestProcessIsFoundAsTheTasksShellWould(t *testing.T) {
	dir := t.TempDir()
	script(t, filepath.Join(dir, "here"), "#!/bin/sh\necho here\n", 0o755)
	script(t, filepath.Join(dir, "bin", "there"), "#!/bin/sh\npwd\n", 0o755)
	for _, c := range []struct{ name, argv, path, want string }{
		{"with a slash in the working directory", "./here", "/bin", "here"},
		{"in the task's PATH", "there", dir + "/bin:/bin", dir},
		{"in a relative PATH", "there", "bin:/bin", dir},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, got := run(t, Spec{Argv: []string{c.argv}, Dir: dir, Env: map[string]string{"PATH": c.path}})
			if diff := cmp.Diff([]string{c.want}, got[Stdout]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func script(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func TestProcessThatCannotStartSaysWhichAndWhy(t *testing.T) {
	dir := t.TempDir()
	script(t, filepath.Join(dir, "notes"), "some text\n", 0o644)
	script(t, filepath.Join(dir, "broken"), "#!/no/such/interpreter\n", 0o755)
	script(t, filepath.Join(dir, "plain"), "echo hello\n", 0o755)
	env := map[string]string{"PATH": dir}
	for _, c := range []struct {
		name string
		spec Spec
		want string
	}{
		{"no command", Spec{},
			`attempt u-1: cannot start []: the command line is empty`},
		{"not in PATH", Spec{Argv: []string{"nope", "-x"}, Env: env},
			`attempt u-1: cannot start ["nope" "-x"]: "nope": executable file not found in $PATH`},
		{"not in the worker's PATH", Spec{Argv: []string{"nope"}},
			`attempt u-1: cannot start ["nope"]: "nope": executable file not found in $PATH (PATH is ` + strconv.Quote(os.Getenv("PATH")) + `)`},
		{"no such file", Spec{Argv: []string{"./nope"}, Dir: dir},
			`attempt u-1: cannot start ["./nope"]: fork/exec ./nope: no such file or directory`},
		{"not executable", Spec{Argv: []string{"notes"}, Env: env},
			`attempt u-1: cannot start ["notes"]: exec ` + dir + `/notes: permission denied`},
		{"no interpreter", Spec{Argv: []string{"./broken"}, Dir: dir},
			`attempt u-1: cannot start ["./broken"]: fork/exec ./broken: no such file or directory ` +
				`(the file exists: does the interpreter that its first line names?)`},
		{"no first line", Spec{Argv: []string{"./plain"}, Dir: dir},
			`attempt u-1: cannot start ["./plain"]: fork/exec ./plain: exec format error ` +
				`(a script needs a first line such as "#!/bin/sh")`},
		{"no directory", Spec{Argv: []string{"true"}, Dir: dir + "/gone"},
			`attempt u-1: cannot start ["true"]: its working directory: stat ` + dir +
				`/gone: no such file or directory`},
		{"a file as directory", Spec{Argv: []string{"true"}, Dir: dir + "/notes"},
			`attempt u-1: cannot start ["true"]: its working directory ` + dir + `/notes is a file`},
		{"a variable that is two", Spec{Argv: []string{"true"}, Env: map[string]string{"A=1\nB": "2"}},
			`attempt u-1: cannot start ["true"]: its environment variable "A": a name must not be empty or ` +
				`contain '=', nor name or value a NUL byte`},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.spec.UID = "u-1"
			c.spec.Log = func(string, string) {}
			_, err := process(t).Start(t.Context(), c.spec)
			if err == nil {
				t.Fatal("it started")
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestProcessStartsAFileThatIsStillBeingWrittenForAMoment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "fresh")
	script(t, file, "#!/bin/sh\n", 0o755)
	open, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := exec.Command(file).Run(); !errors.Is(err, syscall.ETXTBSY) {
		t.Fatalf("an open file is not busy: %v", err)
	}
	closed := make(chan error, 1)
	time.AfterFunc(30*time.Millisecond, func() { closed <- open.Close() })
	if exit, _ := run(t, Spec{Argv: []string{file}}); exit.Code != 0 {
		t.Error(exit.Text())
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

func TestProcessIsStoppedByTerm(t *testing.T) {
	task, _, _ := ready(t, process(t), shell("echo ready; exec sleep 1000"))
	task.Stop(time.Hour)
	if got := end(t, task); got.Code != 143 || got.Text() != "killed by SIGTERM (exit code 143)" {
		t.Errorf("got %d, %q", got.Code, got.Text())
	}
	task.Stop(0) // after the end it does nothing
}

func TestProcessMayUseItsGraceToEndWell(t *testing.T) {
	const polite = "trap 'echo bye; exit 4' TERM; echo ready; while :; do sleep 0.01; done"
	task, _, log := ready(t, process(t), shell(polite))
	task.Stop(time.Hour)
	if got := end(t, task); got.Code != 4 {
		t.Errorf("got %s", got.Text())
	}
	if diff := cmp.Diff([]string{"ready", "bye"}, log.lines[Stdout]); diff != "" {
		t.Error(diff)
	}
}

func TestProcessThatIgnoresTermIsKilledAfterTheShortestGrace(t *testing.T) {
	const stubborn = "trap '' TERM; echo ready; while :; do sleep 0.01; done"
	for _, c := range []struct {
		name   string
		graces []time.Duration
		least  time.Duration
	}{
		{"after its grace", []time.Duration{50 * time.Millisecond}, 50 * time.Millisecond},
		{"without one at once", []time.Duration{0}, 0},
		{"a shorter one shortens", []time.Duration{time.Hour, 50 * time.Millisecond}, 50 * time.Millisecond},
		{"a longer one does not lengthen", []time.Duration{50 * time.Millisecond, time.Hour}, 50 * time.Millisecond},
		{"none ends a long one", []time.Duration{time.Hour, -1}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			task, _, _ := ready(t, process(t), shell(stubborn))
			began := time.Now()
			for _, grace := range c.graces {
				task.Stop(grace)
			}
			got := end(t, task)
			if got.Text() != "killed by SIGKILL (exit code 137)" {
				t.Errorf("got %q", got.Text())
			}
			if took := time.Since(began); took < c.least {
				t.Errorf("killed after %v, before its grace of %v", took, c.least)
			}
		})
	}
}

func TestProcessDoesNotLeaveItsChildrenBehind(t *testing.T) {
	for _, c := range []struct {
		name, script string
		stop         bool
		code         int
	}{
		{"when it ends", "sleep 1000 & echo $!; exit 5", false, 5},
		{"when it is stopped", "sleep 1000 & echo $!; wait", true, 143},
		{"when they ignore TERM", "(trap '' TERM; exec sleep 1000) & echo $!; exec sleep 1000", true, 143},
		{"when they are grandchildren", "sh -c 'sleep 1000 & echo $!' ; exit 6", false, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			task, child, _ := ready(t, process(t), shell(c.script))
			if c.stop {
				task.Stop(time.Hour)
			}
			if got := end(t, task); got.Code != c.code {
				t.Errorf("got %s, want code %d", got.Text(), c.code)
			}
			if runs(child) {
				t.Errorf("child %s outlived its attempt", child)
			}
		})
	}
}

func TestProcessDoesNotWaitForAChildThatLeftItsGroup(t *testing.T) {
	for _, c := range []struct{ name, command string }{
		{"and is silent", "sleep 1000"},
		{"and writes for ever", "sh -c 'while :; do echo noise; done'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			const script = "setsid sh -c 'echo $$; exec %s' & read -r _ < gate; exit 0"
			dir := t.TempDir()
			gate := filepath.Join(dir, "gate")
			if err := syscall.Mkfifo(gate, 0o600); err != nil {
				t.Fatal(err)
			}
			s := shell(fmt.Sprintf(script, strings.ReplaceAll(c.command, "'", `'\''`)))
			s.Dir = dir
			task, child, _ := ready(t, process(t), s)
			pid, err := strconv.Atoi(child)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
			if err := os.WriteFile(gate, []byte("go\n"), 0); err != nil {
				t.Fatal(err)
			}
			if got := end(t, task); got.Code != 0 {
				t.Errorf("got %s", got.Text())
			}
		})
	}
}

// A command is tied to the thread that started it. The thread of whoever calls Start must not matter.
func TestProcessSurvivesTheThreadThatCalledStart(t *testing.T) {
	dir := t.TempDir()
	gate := filepath.Join(dir, "gate")
	r := process(t)
	s := shell("while [ ! -e gate ]; do sleep 0.01; done")
	s.Dir = dir
	var tasks []Task
	for range 10 {
		tid := make(chan int)
		go func() { // ends with its thread locked, so the thread ends too
			goruntime.LockOSThread()
			task, err := r.Start(t.Context(), Spec{Argv: s.Argv, Dir: dir, Log: func(string, string) {}})
			if err != nil {
				t.Error(err)
			}
			tasks = append(tasks, task)
			tid <- syscall.Gettid()
		}()
		thread := fmt.Sprintf("/proc/self/task/%d", <-tid)
		if strings.HasSuffix(thread, fmt.Sprintf("/%d", os.Getpid())) {
			continue // the main thread never ends
		}
		within(t, 10*time.Second, "the end of the thread", func() bool {
			_, err := os.Stat(thread)
			return errors.Is(err, fs.ErrNotExist)
		})
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		if got := end(t, task); got.Code != 0 {
			t.Errorf("got %s", got.Text())
		}
	}
}

func TestProcessDiesWithItsWorker(t *testing.T) {
	command, child, guard := killedWorker(t, "guarded")
	for who, pid := range map[string]string{"command": command, "child": child, "guard": guard} {
		within(t, 10*time.Second, "the end of the "+who, func() bool { return !runs(pid) })
	}
}

func TestProcessDiesWithItsWorkerEvenIfTheGuardIsDead(t *testing.T) {
	command, child, _ := killedWorker(t, "unguarded")
	within(t, 10*time.Second, "the end of the command", func() bool { return !runs(command) })
	pid, err := strconv.Atoi(child)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("without a guard the child goes on: %v", err)
	}
}

// killedWorker starts a worker and kills it while a command and a child of the command run.
func killedWorker(t *testing.T, how string) (command, child, guard string) {
	t.Helper()
	worker := exec.Command(os.Args[0])
	worker.Env = append(os.Environ(), asWorker+"="+how)
	worker.Stderr = os.Stderr
	out, err := worker.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fscanln(bufio.NewReader(out), &command, &child, &guard); err != nil {
		t.Fatal(err)
	}
	for _, pid := range []string{command, child} {
		if !runs(pid) {
			t.Errorf("%s does not run", pid)
		}
	}
	if err := worker.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = worker.Wait() // it was killed
	return command, child, guard
}

// workUntilKilled prints the pids of a command, of the command's child, and of the guard.
func workUntilKilled() {
	r := NewProcess()
	line := make(chan string, 1)
	s := shell("sleep 1000 & echo $$ $!; wait")
	s.Log = func(_, text string) { line <- text }
	if _, err := r.Start(context.Background(), s); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	guard := r.guard.shell.Process
	if os.Getenv(asWorker) == "unguarded" {
		_ = guard.Kill()
		_, _ = guard.Wait()
	}
	fmt.Println(<-line, guard.Pid)
	select {}
}

func TestGuardForgetsWhatHasEnded(t *testing.T) {
	r := process(t)
	task, _, _ := ready(t, r, shell("echo ready; exec sleep 1000"))
	end(t, start(t, r, shell("exit 0")))         // last on the list, were it still there
	if err := r.guard.pipe.Close(); err != nil { // what the death of the worker does
		t.Fatal(err)
	}
	if got := end(t, task); got.Code != 137 {
		t.Errorf("got %s", got.Text())
	}
	r.guard.shell.Wait()
	if code := r.guard.shell.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the guard tried to kill what it should not know: exit code %d", code)
	}
	r.guard.shell = nil
}

// A new guard also guards what was started when there was another.
func TestGuardIsReplacedWhenItDies(t *testing.T) {
	r := process(t)
	first, _, _ := ready(t, r, shell("echo ready; exec sleep 1000"))
	dead := r.guard.shell.Process
	if err := dead.Kill(); err != nil {
		t.Fatal(err)
	}
	within(t, 10*time.Second, "the end of the guard", func() bool { return !runs(strconv.Itoa(dead.Pid)) })
	second, _, _ := ready(t, r, shell("echo ready; exec sleep 1000"))
	if r.guard.shell.Process.Pid == dead.Pid || !runs(strconv.Itoa(r.guard.shell.Process.Pid)) {
		t.Error("the guard was not replaced")
	}
	if err := r.guard.pipe.Close(); err != nil { // what the death of the worker does
		t.Fatal(err)
	}
	for _, task := range []Task{first, second} {
		if got := end(t, task); got.Code != 137 {
			t.Errorf("got %s", got.Text())
		}
	}
	r.guard.shell.Wait()
	r.guard.shell = nil
}

// Close is for when all tasks are done. One that still runs goes on all the same, and is guarded.
func TestProcessThatIsClosedTooSoonKeepsItsPromises(t *testing.T) {
	r := NewProcess()
	task, _, _ := ready(t, r, shell("echo ready; exec sleep 1000"))
	guard := strconv.Itoa(r.guard.shell.Process.Pid)
	for range 2 {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if !runs(guard) {
		t.Error("it is not guarded")
	}
	task.Stop(time.Hour)
	if got := end(t, task); got.Code != 143 {
		t.Errorf("got %s", got.Text())
	}
	within(t, 10*time.Second, "the end of the guard", func() bool { return !runs(guard) })
}

func TestProcessStartsNothingOnceClosed(t *testing.T) {
	r := NewProcess()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ran")
	_, err := r.Start(t.Context(), Spec{
		Argv: []string{"touch", file}, Log: func(string, string) {},
	})
	if !errors.Is(err, errClosed) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the command ran")
	}
}

func TestGroupOfZombiesIsEmpty(t *testing.T) {
	for _, c := range []struct {
		command string
		empty   bool
	}{{"true", true}, {"cat", false}} {
		cmd := exec.Command(c.command)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		group := cmd.Process.Pid
		if c.empty && !awaitExit(group) {
			t.Fatal("cannot wait without reaping")
		}
		if groupEmpty(group, false) || groupEmpty(group, true) != c.empty {
			t.Errorf("the group of %s: a quick look says empty: %v, a thorough one: %v",
				c.command, groupEmpty(group, false), groupEmpty(group, true))
		}
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
		if !groupEmpty(group, false) {
			t.Errorf("the group of %s is not empty once it is reaped", c.command)
		}
	}
}

func TestProcessLeaksNeitherGoroutinesNorFiles(t *testing.T) {
	files := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	r := NewProcess()
	end(t, start(t, r, Spec{Argv: []string{"true"}})) // the guard, the poller
	goroutines, open := goruntime.NumGoroutine(), files()

	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			task, err := r.Start(t.Context(), Spec{Argv: []string{"/bin/true"}, Log: func(string, string) {}})
			if err != nil {
				t.Error(err)
				return
			}
			<-task.Done()
			if task.Exit() != (Exit{}) {
				t.Error(task.Exit().Text())
			}
		})
	}
	all.Wait()
	within(t, 10*time.Second, "no goroutine more than before", func() bool {
		return goruntime.NumGoroutine() <= goroutines
	})
	if now := files(); now != open {
		t.Errorf("%d open files became %d", open, now)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func BenchmarkProcess(b *testing.B) {
	r := NewProcess()
	defer r.Close()
	for b.Loop() {
		task, err := r.Start(b.Context(), Spec{Argv: []string{"/bin/true"}, Log: func(string, string) {}})
		if err != nil {
			b.Fatal(err)
		}
		<-task.Done()
	}
}

// BenchmarkForkExecWait is what BenchmarkProcess is measured against: the same command, nothing promised.
func BenchmarkForkExecWait(b *testing.B) {
	for b.Loop() {
		if err := exec.Command("/bin/true").Run(); err != nil {
			b.Fatal(err)
		}
	}
}
