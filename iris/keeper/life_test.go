package keeper_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"iris/iris/keeper"
	"iris/iris/runtime"
)

func TestAnAttemptWithALapseEndsWithTheLease(t *testing.T) {
	dir := folder(t)
	first := open(t, dir)
	first.Renew(time.Now().Add(time.Hour))
	leased := func(c *keeper.Client, uid string) *keeper.Task {
		task, err := c.Run(t.Context(), shell(uid, "echo $$; exec sleep 1000"), nil, []byte("lapsed"))
		if err != nil {
			t.Fatal(err)
		}
		return task
	}
	leased(first, "leased")
	run(t, first, "free", "echo $$; exec sleep 1000")
	pids(t, first, "leased", 1)
	if first.Lease().IsZero() {
		t.Error("the lease is not known to who set it")
	}
	ends := time.Now().Add(600 * time.Millisecond)
	first.Renew(ends)
	end(t, run(t, first, "after that", "true")) // so that the keeper knows
	leave(t, first)
	second := open(t, dir)
	if off := second.Lease().Sub(ends).Abs(); off > 100*time.Millisecond {
		t.Errorf("the lease is off by %v", off)
	}
	leave(t, second)
	within(t, 10*time.Second, "it is killed while nobody is there", func() bool {
		return !alive(pids(t, first, "leased", 1)[0])
	})
	if early := time.Until(ends); early > 0 {
		t.Errorf("it was killed %v too early", early)
	}
	third := open(t, dir)
	if h := held(third)["leased"]; end(t, h.Task).Code != 137 || string(h.Verdict) != "lapsed" {
		t.Errorf("it ended %+v, %q", h.Task.Exit(), h.Verdict)
	}
	goesOn(t, held(third)["free"].Task)
	if !third.Lease().IsZero() {
		t.Errorf("the lease is %v", third.Lease())
	}
	if got := end(t, leased(third, "too late")); got.Code != 137 {
		t.Errorf("one that is started without a lease ended %+v", got)
	}
	third.Renew(time.Now().Add(time.Hour))
	goesOn(t, leased(third, "in time"))
}

func TestAKeeperThatHoldsNothingEnds(t *testing.T) {
	dir := folder(t)
	c := open(t, dir, "200ms", "1h")
	end(t, run(t, c, "a", "true"))
	pid := keeperOf(dir)
	time.Sleep(400 * time.Millisecond)
	if !alive(pid) {
		t.Error("it ended though its worker is there")
	}
	leave(t, c)
	time.Sleep(400 * time.Millisecond)
	if !alive(pid) {
		t.Error("it ended though nobody has taken note of an end")
	}
	c = open(t, dir)
	c.Forget("a")
	recorded(t, dir, `"forget":["a"]`)
	leave(t, c)
	within(t, 10*time.Second, "the end of the keeper", func() bool { return !alive(pid) })
	for _, name := range []string{"record", "socket"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left: %v", name, err)
		}
	}
}

func TestAKeeperWhoseWorkerNeverComesBackEnds(t *testing.T) {
	dir := folder(t)
	c := open(t, dir, "1h", "300ms")
	run(t, c, "runs", "echo $$; exec sleep 1000")
	end(t, run(t, c, "ended", "exit 7"))
	task, pid := pids(t, c, "runs", 1)[0], keeperOf(dir)
	time.Sleep(500 * time.Millisecond)
	if !alive(task) {
		t.Error("it was killed though the worker is there")
	}
	leave(t, c)
	within(t, 10*time.Second, "the end of the keeper", func() bool { return !alive(pid) })
	if alive(task) {
		t.Error("a task outlived its keeper")
	}
	found := held(open(t, dir)) // it comes after all
	if got := end(t, found["runs"].Task); got.Text() != "lost: no worker came back for 300ms" || !errors.Is(got.Err, keeper.ErrLost) {
		t.Errorf("what ran ended %+v", got)
	}
	if got := end(t, found["ended"].Task); got.Code != 7 {
		t.Errorf("what had ended did so with %+v", got)
	}
}

func TestAKeeperThatIsToldToEndKillsWhatRuns(t *testing.T) {
	dir := folder(t)
	c := open(t, dir)
	task := run(t, c, "runs", `trap "" TERM; sleep 1000 & echo $$ $!; wait`)
	all := pids(t, c, "runs", 2)
	pid := keeperOf(dir)
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := end(t, task); got.Text() != "lost: its keeper was told to end" || !errors.Is(got.Err, keeper.ErrLost) {
		t.Errorf("it ended %+v", got)
	}
	for _, p := range append(all, pid) {
		if alive(p) {
			t.Errorf("process %d is left", p)
		}
	}
}

func TestShutdownKillsWhatRuns(t *testing.T) {
	dir := folder(t)
	first := open(t, dir)
	run(t, first, "runs", `trap "" TERM; sleep 1000 & echo $$ $!; wait`)
	all, pid := pids(t, first, "runs", 2), keeperOf(dir)
	leave(t, first)
	second := open(t, dir) // which has not started the keeper
	shutDown(t, second)
	within(t, 10*time.Second, "the end of the keeper", func() bool { return !alive(pid) })
	for _, pid := range all {
		if alive(pid) {
			t.Errorf("process %d is left", pid)
		}
	}
	if got := end(t, held(open(t, dir))["runs"].Task); got.Text() != "lost: its worker was shut down" {
		t.Errorf("it ended %+v", got)
	}
}

// A keeper that hangs cannot keep its worker from ending.
func TestShutdownKillsAKeeperThatHangs(t *testing.T) {
	dir := folder(t)
	c := open(t, dir)
	task := run(t, c, "runs", `sleep 1000 & echo $$ $!; wait`)
	all := append(pids(t, c, "runs", 2), keeperOf(dir))
	if err := syscall.Kill(keeperOf(dir), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := c.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	end(t, task)
	within(t, 10*time.Second, "nothing is left", func() bool {
		for _, pid := range all {
			if alive(pid) {
				return false
			}
		}
		return true
	})
}

func TestAStartIsWithdrawnWhileThereIsNoKeeper(t *testing.T) {
	dir := folder(t)
	c := open(t, dir, "1h", "1h", "500ms")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := c.Start(ctx, shell("a", "echo x >> "+dir+"/ran"))
	if !errors.Is(err, context.DeadlineExceeded) || err.Error() != "attempt a: not started: context deadline exceeded" {
		t.Errorf("got %v", err)
	}
	end(t, run(t, c, "b", "true")) // when the keeper is there
	if _, err := os.Stat(filepath.Join(dir, "ran")); err == nil {
		t.Error("it ran all the same")
	}
	end(t, run(t, c, "a", "true")) // nothing of it is in the way
	shutDown(t, c)
}

func TestAFolderThatCannotBeOneIsRefused(t *testing.T) {
	file := filepath.Join(folder(t), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	long := filepath.Join(filepath.Dir(file), strings.Repeat("x", 100))
	for dir, says := range map[string]string{
		file: "keeper of " + file + ": mkdir " + file + ": not a directory",
		long: fmt.Sprintf("keeper of %s: the path of its socket, %s/socket, has %d bytes, and the system takes 107; "+
			"choose a data directory with a shorter path", long, long, len(long)+7),
	} {
		if _, err := keeper.Open(t.Context(), keeper.Options{Dir: dir}); err == nil || err.Error() != says {
			t.Errorf("Open says %v, want %s", err, says)
		}
		if err := keeper.Run(t.Context(), keeper.Config{Dir: dir}); err == nil || err.Error() != says {
			t.Errorf("Run says %v, want %s", err, says)
		}
	}
	fits := filepath.Join(filepath.Dir(file), strings.Repeat("x", 107-len("/socket")-len(filepath.Dir(file))-1))
	c := open(t, fits)
	end(t, run(t, c, "a", "true"))
	shutDown(t, c)
}

func TestAFolderHasOneKeeper(t *testing.T) {
	dir := folder(t)
	c := open(t, dir)
	end(t, run(t, c, "a", "true"))
	err := keeper.Run(t.Context(), keeper.Config{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if !errors.Is(err, keeper.ErrTaken) {
		t.Errorf("got %v", err)
	}
	end(t, run(t, c, "b", "true")) // the first one is as it was
	shutDown(t, c)
}

func TestAKeeperThatCannotBeStartedLosesAttempts(t *testing.T) {
	dir := folder(t)
	c := open(t, dir)
	task := run(t, c, "runs", "echo $$; exec sleep 1000")
	pid := pids(t, c, "runs", 1)[0]
	lock := filepath.Join(dir, "lock") // a folder in its place is nothing that a keeper can hold
	if err := errors.Join(os.Remove(lock), os.Mkdir(lock, 0o700)); err != nil {
		t.Fatal(err)
	}
	kill(t, keeperOf(dir))
	if got := end(t, task); !errors.Is(got.Err, keeper.ErrLost) || !strings.HasPrefix(got.Text(), "lost: no keeper: ") {
		t.Errorf("what ran ended %+v", got)
	}
	if alive(pid) {
		t.Error("it goes on")
	}
	_, err := c.Start(t.Context(), shell("next", "true"))
	says := "attempt next: not started: no keeper: the keeper was started and did not come up: keeper of " + dir + ": open " +
		lock + ": is a directory (its output is in " + dir + "/keeper.log)"
	if !errors.Is(err, keeper.ErrLost) || err.Error() != says {
		t.Errorf("got %v, want %s", err, says)
	}
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	if got := end(t, run(t, c, "again", "exit 3")); got.Code != 3 {
		t.Errorf("got %+v", got)
	}
}

// Nothing that a folder holds is for others, or has a secret in it (FM-86).
func TestAFolderIsPrivateAndHasNoSecrets(t *testing.T) {
	dir := folder(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	c := open(t, dir)
	_, err := c.Run(t.Context(), runtime.Spec{UID: "a", Argv: []string{"sh", "-c", "echo $$; exec sleep 1000"},
		Env: map[string]string{"TOKEN": "hunter2"}}, []byte("note: hunter2"), nil)
	if err != nil {
		t.Fatal(err)
	}
	pids(t, c, "a", 1)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is open to others: %v", path, info.Mode())
		}
		if info.Mode().IsRegular() {
			if text, err := os.ReadFile(path); err != nil || strings.Contains(string(text), "hunter2") {
				t.Errorf("%s holds a secret: %v", path, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	shutDown(t, c)
}

// A log that cannot be written stops nothing.
func TestATaskGoesOnWithoutItsLog(t *testing.T) {
	dir := folder(t)
	c := open(t, dir)
	end(t, run(t, c, "a", "echo said"))
	logs := filepath.Join(dir, "logs")
	if err := errors.Join(os.RemoveAll(logs), os.WriteFile(logs, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	task := run(t, c, "b", `i=0; while [ $i -lt 2000 ]; do echo $i; i=$((i+1)); done; exec sleep 0.2`)
	if got := end(t, task); got.Code != 0 {
		t.Errorf("got %+v", got)
	}
	shutDown(t, c)
}
