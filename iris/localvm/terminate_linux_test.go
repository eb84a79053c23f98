package localvm_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"iris/iris/vm"
)

// stubborn is a worker that SIGTERM does not end, with descendants that it does not end either: in a session of their own,
// with another TMPDIR, and orphans of both kinds.
const stubborn = `
	trap '' TERM
	setsid sh -c 'echo $$ > session; while :; do sleep 1000; done' &
	setsid sh -c 'TMPDIR=/ setsid sleep 1000 & echo $! > child; wait' &
	(setsid sh -c 'echo $$ > daemon; exec sleep 1000' &)
	echo $$ > up
	while :; do sleep 1000; done`

func (h *host) stubborn() []int {
	h.t.Helper()
	var all []int
	for _, name := range []string{"up", "session", "child", "daemon"} {
		pid := h.number("cpu-0", "vm-0", name)
		if !runs(pid) {
			h.t.Errorf("%s does not run: the test cannot tell whether it is ended", name)
		}
		all = append(all, pid)
	}
	return all
}

func TestTerminateKillsWhatDoesNotEnd(t *testing.T) {
	h := newHost(t)
	c := h.config(stubborn)
	c.Grace = 300 * time.Millisecond
	m := h.open(c)
	s := h.create(m, "cpu-0")
	pids := h.stubborn()
	began := time.Now()
	h.terminate(s)
	if took := time.Since(began); took < c.Grace {
		t.Errorf("it took %v; the workers were to have %v", took, c.Grace)
	}
	for _, pid := range pids {
		if runs(pid) {
			t.Errorf("%d runs: %s", pid, command(pid))
		}
	}
	h.nothingRuns()
	h.nothingLeft()
	wantStates(t, s, vm.Terminated)
}

// Also when the manager is new, and the workers have ended already: what they left has a moment, not the whole grace.
func TestTerminateKillsWhatAWorkerLeft(t *testing.T) {
	h := newHost(t)
	c := h.config(stubborn)
	c.Grace = time.Hour
	first := h.open(c)
	s := h.create(first, "cpu-0")
	pids := h.stubborn()
	if err := s.Terminate(soon(t, 10*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	h.close(first)
	if err := syscall.Kill(pids[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	second := h.open(c)
	s = h.listed(second)
	for _, pid := range pids[1:] {
		if !runs(pid) {
			t.Errorf("%d does not run: the test cannot tell whether it is ended", pid)
		}
	}
	wantStates(t, s, vm.Stopping)
	h.terminate(s)
	for _, pid := range pids {
		if runs(pid) {
			t.Errorf("%d runs: %s", pid, command(pid))
		}
	}
	h.nothingRuns()
	wantStates(t, s, vm.Terminated)
}

// A worker drains; it hears one SIGTERM, however often Terminate is called, and has the grace for it.
func TestTerminateLetsWorkersDrain(t *testing.T) {
	h := newHost(t)
	c := h.config(`
		trap 'echo TERM >> ../../heard' TERM
		echo $$ > up
		while [ ! -e ../../go ]; do sleep 0.01; done
		echo drained >> ../../heard`)
	c.Group.VMsPerSlice = 2
	c.Grace = time.Hour
	m := h.open(c)
	s := h.create(m, "cpu-0")
	h.number("cpu-0", "vm-0", "up")
	h.number("cpu-0", "vm-1", "up")
	for range 3 {
		err := s.Terminate(soon(t, 50*time.Millisecond))
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "still run, call it again") {
			t.Fatalf("got %v", err)
		}
		wantStates(t, s, vm.Stopping, vm.Stopping)
	}
	h.close(m)
	again := h.open(c) // goes on with it
	s = h.listed(again)
	wantStates(t, s, vm.Stopping, vm.Stopping)
	within(t, "both were told", func() bool {
		heard, err := os.ReadFile(h.path("heard"))
		return err == nil && string(heard) == "TERM\nTERM\n"
	})
	if err := s.Terminate(soon(t, 50*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	if err := os.WriteFile(h.path("go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h.terminate(s)
	wantStates(t, s, vm.Terminated, vm.Terminated)
	heard, err := os.ReadFile(h.path("heard"))
	if want := "TERM\nTERM\ndrained\ndrained\n"; err != nil || string(heard) != want {
		t.Errorf("they heard %q, %v; want %q", heard, err, want)
	}
}

// The grace counts from the first call.
func TestTheGraceIsNotGivenTwice(t *testing.T) {
	h := newHost(t)
	c := h.config(stubborn)
	c.Grace = time.Hour
	m := h.open(c)
	s := h.create(m, "cpu-0")
	h.stubborn()
	if err := s.Terminate(soon(t, 10*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	past := time.Now().Add(-2 * time.Hour).Format(time.RFC3339Nano)
	if err := os.WriteFile(h.path("cpu-0", "terminating"), fmt.Appendf(nil, `{"began":%q}`, past), 0o600); err != nil {
		t.Fatal(err)
	}
	h.close(m)
	again := h.open(c)
	if err := h.listed(again).Terminate(soon(t, 10*time.Second)); err != nil {
		t.Error(err)
	}
	h.nothingRuns()
}

func TestTerminateIsIdempotent(t *testing.T) {
	h := newHost(t)
	one, two := h.open(h.config(forever)), h.open(h.config(forever))
	s := h.create(one, "cpu-0")
	other := h.listed(two) // as another process has it
	var calls sync.WaitGroup
	for range 4 {
		calls.Go(func() {
			if err := s.Terminate(t.Context()); err != nil {
				t.Error(err)
			}
		})
		calls.Go(func() {
			if err := other.Terminate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	h.nothingRuns()
	for _, s := range []vm.Slice{s, other} {
		wantStates(t, s, vm.Terminated)
		h.terminate(s)
	}
	h.nothingLeft()
}

// What another process does to a slice is seen.
func TestATerminationElsewhereIsSeen(t *testing.T) {
	h := newHost(t)
	one, two := h.open(h.config(forever)), h.open(h.config(forever))
	s := h.create(one, "cpu-0")
	pid := h.pid("cpu-0", 0)
	h.terminate(h.listed(two))
	becomes(t, s, 0, vm.Terminated)
	within(t, "its parent has reaped the worker", func() bool { return state(pid) == "" })
	h.terminate(s)
}

func TestTerminateAfterItsContextDoesNothing(t *testing.T) {
	h := newHost(t)
	s := h.create(h.open(h.config(forever)), "cpu-0")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Terminate(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	wantStates(t, s, vm.Ready)
	h.terminate(s)
}

// Somebody removes the directory while the worker runs: the manager still knows it.
func TestTerminateNeedsNoDirectory(t *testing.T) {
	h := newHost(t)
	m := h.open(h.config(stubborn))
	s := h.create(m, "cpu-0")
	pids := h.stubborn()
	if err := os.RemoveAll(h.path("cpu-0")); err != nil {
		t.Fatal(err)
	}
	h.list(m)
	wantStates(t, s, vm.Ready)
	if err := s.Terminate(soon(t, 50*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	for _, pid := range pids { // so that the grace need not be over
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	h.terminate(s)
	h.nothingRuns()
	h.nothingLeft()
}

// Whoever has been given the number of a worker that is gone is left alone.
func TestTerminateLeavesOthersAlone(t *testing.T) {
	h := newHost(t)
	innocent := exec.Command("sleep", "1000")
	innocent.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := innocent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := innocent.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = innocent.Wait() // it was killed
	})
	c := h.config(forever)
	c.Group.VMsPerSlice = 2
	first := h.open(c)
	h.create(first, "cpu-0")
	gone := h.pid("cpu-0", 1)
	h.close(first)
	note, err := os.ReadFile(h.path("cpu-0", "vm-1", "process"))
	if err != nil {
		t.Fatal(err)
	}
	reused := strings.Replace(string(note), fmt.Sprintf(`"pid":%d`, gone), fmt.Sprintf(`"pid":%d`, innocent.Process.Pid), 1)
	reused = strings.Replace(reused, `"from":`, `"from":1`, 1) // it began at another time
	reused = strings.Replace(reused, `"to":`, `"to":1`, 1)
	if err := os.WriteFile(h.path("cpu-0", "vm-1", "process"), []byte(reused), 0o600); err != nil {
		t.Fatal(err)
	}
	second := h.open(c)
	s := h.listed(second)
	becomes(t, s, 1, vm.Failed)
	wantStates(t, s, vm.Ready, vm.Failed)
	if runs(gone) {
		t.Error("the worker that nobody has noted runs")
	}
	h.terminate(s)
	h.nothingRuns()
	if !runs(innocent.Process.Pid) {
		t.Error("an innocent process is dead")
	}
}
