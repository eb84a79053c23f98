package keeper_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"iris/iris/keeper"
	"iris/iris/runtime"
)

func TestACommandRunsInTheKeeper(t *testing.T) {
	t.Setenv("HOME", "/home/of/the/worker")
	t.Setenv("SECRET", "of the worker")
	dir := folder(t)
	c := open(t, dir)
	if keeperOf(dir) != 0 {
		t.Error("there is a keeper before there is anything to keep")
	}
	task, err := c.Run(t.Context(), runtime.Spec{
		UID: "a", Argv: []string{"sh", "-c", `echo "$HOME $SECRET $MINE $PWD"; echo two >&2; exit 3`},
		Env: map[string]string{"MINE": "own"}, Dir: dir,
	}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := end(t, task); got.Code != 3 || got.Text() != "exit code 3" || got.Err != nil {
		t.Errorf("it ended %+v", got)
	}
	got := text(t, c, "a")
	slices.Sort(got)
	if want := []string{"/home/of/the/worker  own " + dir, "two"}; !slices.Equal(got, want) {
		t.Errorf("it wrote %q, want %q", got, want)
	}
	killed := run(t, c, "b", "kill -SEGV $$")
	if got := end(t, killed); got.Code != 139 || got.Text() != "killed by SIGSEGV (exit code 139)" || got.Err != nil {
		t.Errorf("it ended %+v", got)
	}
	shutDown(t, c)
	if pid := keeperOf(dir); pid != 0 {
		t.Errorf("keeper %d is left", pid)
	}
}

func TestACommandThatCannotBeStartedIsRefused(t *testing.T) {
	c := open(t, folder(t))
	for _, spec := range []struct {
		runtime.Spec
		says string
	}{
		{runtime.Spec{UID: "a", Argv: []string{"/no/such/file"}}, `attempt a: cannot start ["/no/such/file"]: fork/exec ` +
			`/no/such/file: no such file or directory`},
		{runtime.Spec{UID: "b", Argv: []string{"x\xff"}}, `attempt b: not started: "x\xff" is not valid UTF-8`},
		{runtime.Spec{UID: "b", Argv: []string{"x"}, Env: map[string]string{"A": "secret\xff"}},
			`attempt b: not started: its environment variable "A" is not valid UTF-8`},
		{runtime.Spec{UID: "b", Argv: []string{"x"}, Dir: "/", Env: map[string]string{"A": strings.Repeat("x", 48<<20)}},
			"attempt b: not started: its command line, environment and note have 50331652 bytes, more than 50331648"},
		{runtime.Spec{UID: "b", Argv: []string{"nope"}}, `attempt b: cannot start ["nope"]: "nope": executable file not found ` +
			`in $PATH (PATH is ` + strconv.Quote(os.Getenv("PATH")) + `)`},
	} {
		_, err := c.Start(t.Context(), spec.Spec)
		if err == nil || err.Error() != spec.says || errors.Is(err, keeper.ErrLost) {
			t.Errorf("got %v, want %s", err, spec.says)
		}
	}
	if _, err := c.Start(t.Context(), runtime.Spec{UID: "a", Argv: []string{"true"}}); err != nil {
		t.Errorf("what could not be started is in the way: %v", err)
	}
	if _, err := c.Start(t.Context(), runtime.Spec{UID: "a", Argv: []string{"true"}}); err == nil ||
		err.Error() != "attempt a: not started: it was started already" {
		t.Errorf("a second copy: %v", err)
	}
	shutDown(t, c)
}

func TestAWorkerThatComesBackFindsWhatItLeft(t *testing.T) {
	dir := folder(t)
	first := open(t, dir)
	began := time.Now()
	run(t, first, "runs", `echo $$; exec sleep 1000`)
	if got := end(t, run(t, first, "ended", "echo early; exit 5")); got.Code != 5 {
		t.Errorf("got %s", got.Text())
	}
	end(t, run(t, first, "noted", "exit 0"))
	first.Forget("noted", "runs", "nobody knows it")
	pid := pids(t, first, "runs", 1)[0]
	ends := run(t, first, "ends meanwhile", "sleep 0.3; exit 6")
	goesOn(t, ends)
	recorded(t, dir, `"forget":["noted"]`)
	leave(t, first)
	if got := end(t, ends); got.Err == nil {
		t.Errorf("a task goes on without its client: %+v", got)
	}
	time.Sleep(400 * time.Millisecond) // longer than what ends meanwhile

	second := open(t, dir)
	found := held(second)
	if len(found) != 3 {
		t.Fatalf("found %v", found)
	}
	for uid, code := range map[string]int{"ended": 5, "ends meanwhile": 6} {
		if got := end(t, found[uid].Task); got.Code != code || got.Err != nil {
			t.Errorf("%s ended %+v", uid, got)
		}
	}
	h := found["runs"]
	if string(h.Note) != "note of runs" || h.Began.Sub(began).Abs() > time.Second || h.Verdict != nil {
		t.Errorf("found %+v, began %v", h, h.Began.Sub(began))
	}
	if !alive(pid) {
		t.Error("it does not run")
	}
	h.Task.Stop(time.Hour)
	if got := end(t, h.Task); got.Text() != "killed by SIGTERM (exit code 143)" {
		t.Errorf("got %s", got.Text())
	}
	second.Forget("runs", "ended", "ends meanwhile")
	shutDown(t, second)
	if _, err := os.Stat(filepath.Join(dir, "record")); err == nil {
		t.Error("a keeper that holds nothing left a record")
	}
}

func TestLogsGoOnWhileNobodyIsThere(t *testing.T) {
	dir := folder(t)
	first := open(t, dir)
	run(t, first, "a", `i=0; while [ $i -lt 60 ]; do echo $i; i=$((i+1)); sleep 0.01; done`)
	within(t, 10*time.Second, "it writes", func() bool { return len(text(t, first, "a")) > 3 })
	leave(t, first)
	time.Sleep(100 * time.Millisecond)
	second := open(t, dir)
	end(t, held(second)["a"].Task)
	var want []string
	for i := range 60 {
		want = append(want, fmt.Sprint(i))
	}
	if got := text(t, second, "a"); !slices.Equal(got, want) {
		t.Errorf("it wrote %v", got)
	}
	second.Forget("a")
	shutDown(t, second)
	if got := text(t, open(t, dir), "a"); !slices.Equal(got, want) { // without any keeper
		t.Errorf("it wrote %v", got)
	}
}

// A keeper that is killed takes what it runs along. Ends that it had noted are not lost with it.
func TestAKeeperThatIsKilled(t *testing.T) {
	dir := folder(t)
	c := open(t, dir)
	runs := run(t, c, "runs", `sleep 1000 & echo $$ $!; wait`)
	stopping := run(t, c, "stopping", `exec 2>/dev/null; trap "" TERM; sleep 1000 & echo $$ $!; wait; wait; sleep 1000`)
	all := append(pids(t, c, "runs", 2), pids(t, c, "stopping", 2)...)
	stopping.StopFor(time.Hour, []byte("why"))
	end(t, run(t, c, "ended", "exit 7"))
	recorded(t, dir, `"code":7`)
	old := keeperOf(dir)
	kill(t, old)
	for _, task := range []*keeper.Task{runs, stopping} {
		says := fmt.Sprintf("lost: its keeper (process %d) ended before it did", old)
		if got := end(t, task); !errors.Is(got.Err, keeper.ErrLost) || got.Text() != says {
			t.Errorf("got %+v, want %s", got, says)
		}
	}
	for _, pid := range all {
		if alive(pid) {
			t.Errorf("process %d is left", pid)
		}
	}
	c.Forget("runs", "stopping") // "ended" is not
	if got := end(t, run(t, c, "next", "exit 8")); got.Code != 8 {
		t.Errorf("the next one: %+v", got)
	}
	if now := keeperOf(dir); now == 0 || now == old {
		t.Errorf("the keeper is %d, it was %d", now, old)
	}
	shutDown(t, c)
	found := held(open(t, dir))
	if len(found) != 2 || end(t, found["ended"].Task).Code != 7 || end(t, found["next"].Task).Code != 8 {
		t.Errorf("found %v", found)
	}
}

func TestAWorkerAndItsKeeperThatAreKilled(t *testing.T) {
	dir := folder(t)
	c := open(t, dir)
	counter := filepath.Join(dir, "count")
	run(t, c, "runs", `echo x >> `+counter+`; sleep 1000 & echo $$ $!; wait`)
	all := pids(t, c, "runs", 2)
	end(t, run(t, c, "ended", "echo said; exit 7"))
	recorded(t, dir, `"code":7`)
	leave(t, c)
	kill(t, keeperOf(dir))

	second := open(t, dir)
	found := held(second)
	if got := end(t, found["runs"].Task); len(found) != 2 || !errors.Is(got.Err, keeper.ErrLost) {
		t.Errorf("found %v; what ran ended %+v", found, got)
	}
	if got := end(t, found["ended"].Task); got.Code != 7 || got.Err != nil {
		t.Errorf("what had ended did so with %+v", got)
	}
	for _, pid := range all {
		if alive(pid) {
			t.Errorf("process %d is left", pid)
		}
	}
	if text, err := os.ReadFile(counter); err != nil || string(text) != "x\n" {
		t.Errorf("it ran %q, %v", text, err)
	}
	if got := text(t, second, "ended"); !slices.Equal(got, []string{"said"}) {
		t.Errorf("the log of what had ended is %q", got)
	}
	second.Forget("runs", "ended")
	shutDown(t, second)
	if got := held(open(t, dir)); len(got) != 0 {
		t.Errorf("forgotten, there is still %v", got)
	}
}

func TestAStopIsRemembered(t *testing.T) {
	dir := folder(t)
	first := open(t, dir)
	polite := run(t, first, "polite", `exec 2>/dev/null; trap "echo 2; sleep 0.3; exit 9" TERM; echo 1; while :; do sleep 0.01; done`)
	stubborn := run(t, first, "stubborn", `exec 2>/dev/null; trap "echo 2" TERM; echo 1; while :; do sleep 0.01; done`)
	pids(t, first, "polite", 1)
	pids(t, first, "stubborn", 1)
	polite.StopFor(time.Hour, []byte("the first verdict"))
	polite.StopFor(time.Minute, []byte("the second"))
	stubborn.StopFor(500*time.Millisecond, []byte("of the stubborn"))
	began := time.Now()
	pids(t, first, "polite", 2)
	pids(t, first, "stubborn", 2)
	leave(t, first)
	second := open(t, dir)
	h := held(second)
	if got := end(t, h["polite"].Task); got.Code != 9 || string(h["polite"].Verdict) != "the first verdict" {
		t.Errorf("the polite one ended %+v, %q", got, h["polite"].Verdict)
	}
	if got := end(t, h["stubborn"].Task); got.Code != 137 || string(h["stubborn"].Verdict) != "of the stubborn" {
		t.Errorf("the stubborn one ended %+v, %q", got, h["stubborn"].Verdict)
	}
	if took := time.Since(began); took < 500*time.Millisecond || took > 5*time.Second {
		t.Errorf("its grace was %v", took)
	}
	leave(t, second)
	if h := held(open(t, dir)); string(h["polite"].Verdict) != "the first verdict" {
		t.Errorf("after its end the verdict is %q", h["polite"].Verdict)
	}
}

func TestTheGraceOfAnAdoptedOneIsKept(t *testing.T) {
	dir := folder(t)
	first := open(t, dir)
	run(t, first, "a", `exec 2>/dev/null; trap "echo bye; exit 4" TERM; echo 1; while :; do sleep 0.01; done`)
	run(t, first, "b", `exec 2>/dev/null; trap "" TERM; echo 1; while :; do sleep 0.01; done`)
	pids(t, first, "a", 1)
	pids(t, first, "b", 1)
	leave(t, first)
	second := open(t, dir)
	h := held(second)
	h["a"].Task.Stop(time.Hour)
	if got := end(t, h["a"].Task); got.Code != 4 || text(t, second, "a")[1] != "bye" {
		t.Errorf("it ended %+v, %q", got, text(t, second, "a"))
	}
	began := time.Now()
	h["b"].Task.Stop(time.Hour)
	h["b"].Task.Stop(300 * time.Millisecond) // shortens it
	h["b"].Task.Stop(time.Hour)              // does not lengthen it
	if got := end(t, h["b"].Task); got.Code != 137 || time.Since(began) < 300*time.Millisecond {
		t.Errorf("it ended %+v after %v", got, time.Since(began))
	}
}

func TestTheLastProcessThatOpensAKeeperHasIt(t *testing.T) {
	dir := folder(t)
	first := open(t, dir)
	task := run(t, first, "a", "echo $$; exec sleep 1000")
	pid := pids(t, first, "a", 1)[0]
	second := open(t, dir)
	<-first.Replaced()
	if got := end(t, task); !errors.Is(got.Err, keeper.ErrReplaced) {
		t.Errorf("to the first one its task ended %+v", got)
	}
	if _, err := first.Start(t.Context(), shell("b", "true")); !errors.Is(err, keeper.ErrReplaced) {
		t.Errorf("the first one starts another: %v", err)
	}
	task.Stop(0)
	first.Forget("a")
	shutDown(t, first) // the keeper of another is not its own to end
	adopted := held(second)["a"].Task
	goesOn(t, adopted)
	if !alive(pid) || keeperOf(dir) == 0 {
		t.Error("the first one could stop it")
	}
	adopted.Stop(0)
	if got := end(t, adopted); got.Code != 137 {
		t.Errorf("it ended %+v", got)
	}
}

// The older process does not take over again when the keeper is replaced under both of them.
func TestAReplacedProcessDoesNotComeBackWithANewKeeper(t *testing.T) {
	dir := folder(t)
	first := open(t, dir)
	run(t, first, "a", "exec sleep 1000")
	second := open(t, dir)
	b := run(t, second, "b", "exec sleep 1000")
	kill(t, keeperOf(dir))
	if got := end(t, b); !errors.Is(got.Err, keeper.ErrLost) {
		t.Errorf("it ended %+v", got)
	}
	<-first.Replaced()
	select {
	case <-second.Replaced():
		t.Error("the newer one was replaced")
	default:
	}
	if got := end(t, run(t, second, "c", "exit 3")); got.Code != 3 {
		t.Errorf("it ended %+v", got)
	}
}
