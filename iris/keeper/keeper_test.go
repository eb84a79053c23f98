package keeper_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"iris/iris/keeper"
	"iris/iris/runtime"
)

// TestMain makes this test binary the keeper that its tests start.
func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == "keeper" {
		os.Exit(keep(os.Args[3], os.Args[4:]))
	}
	os.Exit(m.Run())
}

// keep is what `iris keeper --dir DIR` does. The arguments are those of Options.Args: its patience, idle and orphaned, and
// how long it takes to come up.
func keep(dir string, patience []string) int {
	config := keeper.Config{Dir: dir, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	var slow time.Duration
	for i, to := range []*time.Duration{&config.Idle, &config.Orphaned, &slow} {
		if i < len(patience) {
			d, err := time.ParseDuration(patience[i])
			if err != nil {
				panic(err)
			}
			*to = d
		}
	}
	time.Sleep(slow)
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	if err := keeper.Main(ctx, config); err != nil {
		slog.Error("keeper failed", "error", err)
		return 1
	}
	return 0
}

// folder is a keeper's, with a short path. Whatever keeper is left at the end of the test is killed.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "keeper")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if pid := keeperOf(dir); pid != 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if t.Failed() {
			if text, err := os.ReadFile(filepath.Join(dir, "keeper.log")); err == nil {
				t.Logf("the keeper said:\n%s", text)
			}
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// keeperOf is the process that keeps a folder, or 0.
func keeperOf(dir string) int {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range all {
		text, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(text), "\x00keeper\x00--dir\x00"+dir+"\x00") {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(file, "/")[2])
		if err != nil || !alive(pid) {
			continue
		}
		return pid
	}
	return 0
}

// open opens a folder as a worker process does that has just been started.
func open(t testing.TB, dir string, args ...string) *keeper.Client {
	t.Helper()
	c, err := keeper.Open(t.Context(), keeper.Options{Dir: dir, Args: args, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// leave does to the keeper what the death of its worker does.
func leave(t testing.TB, c *keeper.Client) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func shutDown(t testing.TB, c *keeper.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := c.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
}

func shell(uid, script string) runtime.Spec {
	return runtime.Spec{UID: uid, Argv: []string{"sh", "-c", script}}
}

func run(t testing.TB, c *keeper.Client, uid, script string) *keeper.Task {
	t.Helper()
	task, err := c.Run(t.Context(), shell(uid, script), []byte("note of "+uid), nil)
	if err != nil {
		t.Fatal(err)
	}
	return task
}

func end(t testing.TB, task runtime.Task) runtime.Exit {
	t.Helper()
	select {
	case <-task.Done():
		return task.Exit()
	case <-time.After(30 * time.Second):
		t.Fatal("the task did not end")
		return runtime.Exit{}
	}
}

func goesOn(t testing.TB, task runtime.Task) {
	t.Helper()
	select {
	case <-task.Done():
		t.Fatalf("the task ended: %s", task.Exit().Text())
	case <-time.After(100 * time.Millisecond):
	}
}

// within polls until holds.
func within(t testing.TB, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// recorded waits until the keeper has something on record.
func recorded(t testing.TB, dir, what string) {
	t.Helper()
	within(t, 10*time.Second, what+" is on record", func() bool {
		text, err := os.ReadFile(filepath.Join(dir, "record"))
		return err == nil && strings.Contains(string(text), what)
	})
}

// held is what a client found, by uid.
func held(c *keeper.Client) map[string]keeper.Held {
	all := map[string]keeper.Held{}
	for _, h := range c.Held() {
		all[h.UID] = h
	}
	return all
}

// alive reports whether a process runs; one that only waits to be reaped does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}

// pids waits until an attempt has written n numbers, and returns them.
func pids(t testing.TB, c *keeper.Client, uid string, n int) []int {
	t.Helper()
	var all []int
	within(t, 30*time.Second, "the numbers are written", func() bool {
		all = nil
		for _, word := range strings.Fields(strings.Join(text(t, c, uid), " ")) {
			pid, err := strconv.Atoi(word)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, pid)
		}
		return len(all) == n
	})
	return all
}

// text is what an attempt has written.
func text(t testing.TB, c *keeper.Client, uid string) []string {
	t.Helper()
	page, _, err := c.ReadLog(uid, 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, line := range page.GetLines() {
		all = append(all, line.Text)
	}
	return all
}

func kill(t testing.TB, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	within(t, 10*time.Second, "the end of who was killed", func() bool { return !alive(pid) })
}
