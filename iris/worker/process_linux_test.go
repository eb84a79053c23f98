package worker_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"iris/iris/network"
	pb "iris/iris/proto"
	"iris/iris/runtime"
	"iris/iris/worker"
)

// withProcesses runs a test on the wall clock, over TCP, with a worker that runs commands.
func withProcesses(t *testing.T, change func(*worker.Config), test func(*bench)) {
	t.Helper()
	processes := runtime.NewProcess()
	defer func() {
		if err := processes.Close(); err != nil {
			t.Error(err)
		}
	}()
	onBench(t, network.TCP{}, func(c *worker.Config) {
		c.Processes = processes
		c.PollInterval = 50 * time.Millisecond
		if change != nil {
			change(c)
		}
	}, test)
}

// family is a command with a child of its own; it prints both pids. Neither ends by itself.
var family = command("sh", "-c", `sleep 1000 & echo $$; echo $!; wait`)

// pids are what family printed.
func (b *bench) pids(uid string) []int {
	b.Helper()
	for range 1000 {
		if lines := b.logs(uid).Lines; len(lines) == 2 {
			var pids []int
			for _, line := range lines {
				pid, err := strconv.Atoi(line.Text)
				if err != nil {
					b.Fatal(err)
				}
				pids = append(pids, pid)
			}
			return pids
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.Fatal("the command has not begun")
	return nil
}

// wantGone wants none of the processes to run. One that has ended may yet wait to be reaped by its new parent.
func wantGone(t *testing.T, pids []int) {
	t.Helper()
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue
		}
		if err != nil {
			t.Error(err)
		}
		if _, state, _ := strings.Cut(string(stat), ") "); !strings.HasPrefix(state, "Z") {
			t.Errorf("process %d still runs: %s", pid, stat)
		}
	}
}

func TestAStoppedCommandIsGoneWithItsChildrenWhenItIsReported(t *testing.T) {
	withProcesses(t, nil, func(b *bench) {
		b.run(family, "a")
		pids := b.pids("a")
		b.stop("a")
		b.wantEnd("a", killed, "stopped on request")
		wantGone(t, pids)
	})
}

func TestATimedOutCommandIsGoneWithItsChildren(t *testing.T) {
	withProcesses(t, nil, func(b *bench) {
		b.runSpec(&pb.JobSpec{Entrypoint: family, Timeout: durationpb.New(300 * time.Millisecond)}, "a")
		pids := b.pids("a")
		b.wantEnd("a", failed, "timed out after 300ms")
		wantGone(t, pids)
	})
}

// A worker that stops waits for nobody's grace, not even for one that is running already.
func TestAWorkerThatStopsKillsAtOnce(t *testing.T) {
	for name, stopped := range map[string]bool{"what runs": false, "what is being stopped": true} {
		t.Run(name, func(t *testing.T) {
			var pids []int
			var began time.Time
			withProcesses(t, func(c *worker.Config) { c.KillGrace = time.Hour }, func(b *bench) {
				b.run(command("sh", "-c", `trap "" TERM; sleep 1000 & echo $$; echo $!; wait; wait; sleep 1000`), "a")
				pids = b.pids("a")
				if stopped {
					b.stop("a")
					time.Sleep(100 * time.Millisecond) // until it is told; it does not matter whether that was long enough
				}
				began = time.Now()
			})
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("it took %v", took)
			}
			wantGone(t, pids)
		})
	}
}

// directory is where an attempt works that prints it first.
func (b *bench) directory(uid string) string {
	b.Helper()
	for range 1000 {
		if lines := b.logs(uid).Lines; len(lines) > 0 {
			return lines[0].Text
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.Fatal("the command has not begun")
	return ""
}

func TestAnAttemptsDirectoryIsItsOwnAndGoesWithIt(t *testing.T) {
	var dir string
	withProcesses(t, func(c *worker.Config) { dir = c.WorkDir }, func(b *bench) {
		b.run(command("sh", "-c", `echo x > file; pwd; exec sleep 1000`), "j/0/0", "j/1/0")
		first, second := b.directory("j/0/0"), b.directory("j/1/0")
		for _, own := range []string{first, second} {
			if info, err := os.Stat(own); err != nil || filepath.Dir(own) != dir || info.Mode().Perm() != 0o700 {
				t.Errorf("%s is not a private directory in %s: %v", own, dir, err)
			}
			if got := entries(t, own); len(got) != 1 || got[0] != "file" {
				t.Errorf("%s has %v", own, got)
			}
		}
		if first == second {
			t.Errorf("both work in %s", first)
		}
		b.stop("j/0/0")
		b.wantEnd("j/0/0", killed, "stopped on request")
		if got := entries(t, dir); len(got) != 1 || got[0] != filepath.Base(second) {
			t.Errorf("after the end of one they are %v", got)
		}
	})
	if got := entries(t, dir); len(got) != 0 {
		t.Errorf("after the worker's they are %v", got)
	}
}

// What an attempt leaves behind, in its directory or of its rights, the next one does not find.
func TestADirectoryThatIsLeftEmptyIsUsedAgain(t *testing.T) {
	var dir string
	withProcesses(t, func(c *worker.Config) { dir = c.WorkDir }, func(b *bench) {
		work := func(uid, script string) string {
			b.run(command("sh", "-c", "pwd; ls -A; "+script), uid)
			b.end(uid)
			if lines := b.logs(uid).Lines; len(lines) != 1 {
				t.Errorf("%s finds %v", uid, lines)
			}
			return b.directory(uid)
		}
		first := work("leaves nothing", "exit 0")
		if again := work("uses it, and leaves a file", "echo x > .file"); again != first {
			t.Errorf("after %s it is %s", first, again)
		}
		second := work("opens it to others", "chmod 755 .")
		third := work("removes it", `rmdir "$PWD"`)
		fourth := work("puts a file there", `rmdir "$PWD"; echo x > "$PWD"`)
		last := work("leaves nothing again", "exit 0")
		if all := []string{first, second, third, fourth, last}; len(slices.Compact(slices.Sorted(slices.Values(all)))) != 5 {
			t.Errorf("they are %v", all)
		}
		if got := entries(t, dir); len(got) != 1 || got[0] != filepath.Base(last) {
			t.Errorf("in the end there is %v", got)
		}
		if err := os.WriteFile(filepath.Join(last, "by one that escaped"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		work("comes after it", "exit 0")
		b.run(command("no such program"), "fails")
		b.end("fails")
		if got := entries(t, dir); len(got) != 1 {
			t.Errorf("after one that could not start they are %v", got)
		}
	})
	if got := entries(t, dir); len(got) != 0 {
		t.Errorf("after the worker's end there is %v", got)
	}
}

func TestDirectoriesAreNotHoardedNorMistaken(t *testing.T) {
	var dir string
	withProcesses(t, func(c *worker.Config) {
		dir = c.WorkDir
		if err := os.Mkdir(filepath.Join(dir, "1"), 0o700); err != nil { // of an earlier process
			t.Fatal(err)
		}
	}, func(b *bench) {
		var uids []string
		for i := range 300 {
			uids = append(uids, fmt.Sprintf("j/%d/0", i))
		}
		b.run(command("sh", "-c", "pwd; exec sleep 1000"), uids...)
		for _, uid := range uids {
			if got := b.directory(uid); got == filepath.Join(dir, "1") {
				t.Errorf("%s works in the directory of another", uid)
			}
		}
		b.stop(uids...)
		for _, uid := range uids {
			b.wantEnd(uid, killed, "stopped on request")
		}
		if got := entries(t, dir); len(got) != 256+1 {
			t.Errorf("%d directories are kept", len(got))
		}
	})
	if got := entries(t, dir); len(got) != 1 || got[0] != "1" {
		t.Errorf("after the worker's end there is %v", got)
	}
}

// The worker's own environment is not the tasks': it holds secrets (FM-86).
func TestACommandSeesItsEnvironmentOnly(t *testing.T) {
	t.Setenv("SECRET", "of the worker")
	withProcesses(t, nil, func(b *bench) {
		b.runSpec(&pb.JobSpec{Entrypoint: command("sh", "-c", `echo $SECRET $MINE $IRIS_TASK_INDEX`),
			Environment: map[string]string{"MINE": "m"}}, "a")
		b.wantEnd("a", succeeded, "")
		if lines := b.logs("a").Lines; len(lines) != 1 || lines[0].Text != "m 0" {
			t.Errorf("it says %v", lines)
		}
	})
}

func TestAWorkDirThatCannotBeMadeFailsTheAttempt(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	withProcesses(t, func(c *worker.Config) { c.WorkDir = file }, func(b *bench) {
		b.run(command("true"), "a")
		b.wantEnd("a", failed, "mkdir "+file+": not a directory")
	})
}
