package localvm_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iris/iris/localvm"
	"iris/iris/vm"
)

// forever is a worker that does nothing, for long.
const forever = "echo up; exec sleep 1000"

// asController makes this test binary a controller that creates a slice in the directory and waits to be killed.
const asController = "LOCALVM_TEST_CONTROLLER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(asController); dir != "" {
		controlUntilKilled(dir)
	}
	os.Exit(m.Run())
}

func controlUntilKilled(dir string) {
	m, err := localvm.Open(localvm.Config{
		Group: vm.GroupConfig{Name: "cpu", MaxSlices: 3, Zones: []string{"here", "there"}, VMsPerSlice: 2}, Dir: dir,
		Command: func(localvm.Machine) *exec.Cmd { return exec.Command("sh", "-c", forever) },
	})
	if err != nil {
		panic(err)
	}
	s, err := m.CreateSlice(context.Background(), vm.Request{
		ID: "cpu-7", Zone: "there", Labels: map[string]string{"iris-cluster": "c"},
	})
	if err != nil {
		panic(err)
	}
	os.Stdout.WriteString(s.CreatedAt().Format(time.RFC3339Nano) + "\n")
	select {}
}

func TestASliceIsWorkersFromCreationToTermination(t *testing.T) {
	h := newHost(t)
	c := h.config(forever)
	c.Group.VMsPerSlice = 2
	var asked []localvm.Machine
	c.Command = func(m localvm.Machine) *exec.Cmd {
		asked = append(asked, m)
		cmd := exec.Command("sh", "-c", `echo "up $OWN $(pwd) $TMPDIR"; echo $$ > pid; exec sleep 1000`)
		cmd.Env = append(os.Environ(), "OWN=value", "TMPDIR=/elsewhere")
		return cmd
	}
	m := h.open(c)
	labels := map[string]string{"iris-cluster": "c", "iris-group": "cpu"}
	before := time.Now()
	s, err := m.CreateSlice(t.Context(), vm.Request{ID: "cpu-0", Zone: "there", Labels: labels})
	if err != nil {
		t.Fatal(err)
	}
	if s.ID() != "cpu-0" || s.Group() != "cpu" || s.Zone() != "there" ||
		s.CreatedAt().Before(before) || s.CreatedAt().After(time.Now()) {
		t.Errorf("got %s of %s in %s at %v", s.ID(), s.Group(), s.Zone(), s.CreatedAt())
	}
	if diff := cmp.Diff(labels, s.Labels()); diff != "" {
		t.Error(diff)
	}
	wantStates(t, s, vm.Ready, vm.Ready)
	for i, v := range s.Status().VMs {
		name := []string{"cpu-0-vm-0", "cpu-0-vm-1"}[i]
		if v.ID != name || v.WorkerID != name || v.Address != "127.0.0.1" || v.InitError != "" || v.ChangedAt.Before(before) {
			t.Errorf("got %+v", v)
		}
		dir := h.path("cpu-0", []string{"vm-0", "vm-1"}[i])
		want := localvm.Machine{
			Slice: "cpu-0", Group: "cpu", Zone: "there", Index: i, Labels: labels, Dir: dir,
			VM: vm.VM{ID: name, State: vm.Booting, WorkerID: name, Address: "127.0.0.1", ChangedAt: s.CreatedAt()},
		}
		if diff := cmp.Diff(want, asked[i]); diff != "" {
			t.Error(diff)
		}
		pid := h.number("cpu-0", []string{"vm-0", "vm-1"}[i], "pid")
		if h.pid("cpu-0", i) != pid {
			t.Errorf("process %d is noted, and it is %d", h.pid("cpu-0", i), pid)
		}
		if session, err := syscall.Getpgid(pid); session != pid || err != nil {
			t.Errorf("worker %d is in group %d, %v; a signal for the controller's would reach it", pid, session, err)
		}
		said, err := s.Logs(t.Context(), name, 10)
		if diff := cmp.Diff([]string{"up value " + dir + " " + filepath.Join(dir, "tmp")}, said); diff != "" || err != nil {
			t.Error(diff, err)
		}
	}
	if diff := cmp.Diff([]string{"cpu-0"}, h.list(m)); diff != "" {
		t.Error(diff)
	}
	h.terminate(s)
	h.nothingRuns()
	h.nothingLeft()
	wantStates(t, s, vm.Terminated, vm.Terminated)
	if diff := cmp.Diff([]string{}, h.list(m)); diff != "" {
		t.Error(diff)
	}
	if _, err := s.Logs(t.Context(), "cpu-0-vm-0", 10); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("logs of what is gone: %v", err)
	}
}

// controller is another process that has created slice cpu-7, at that time.
func (h *host) controller() (process *exec.Cmd, created time.Time) {
	h.t.Helper()
	process = exec.Command(os.Args[0])
	process.Env = append(os.Environ(), asController+"="+h.dir)
	process.Stderr = os.Stderr
	out, err := process.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		_ = process.Process.Kill() // it may have been already
		_ = process.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		h.t.Fatal(err)
	}
	if created, err = time.Parse(time.RFC3339Nano, strings.TrimSpace(line)); err != nil {
		h.t.Fatal(err)
	}
	return process, created
}

// The controller is killed; the next one finds its slices, and those go on.
func TestSlicesSurviveTheirController(t *testing.T) {
	h := newHost(t)
	first, created := h.controller()
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait() // it was killed

	m := h.open(h.config("exit 1")) // its own slices would have one VM
	s := h.listed(m)
	if s.ID() != "cpu-7" || s.Zone() != "there" || !s.CreatedAt().Equal(created) || s.Labels()["iris-cluster"] != "c" {
		t.Errorf("got %s in %s since %v with %v", s.ID(), s.Zone(), s.CreatedAt(), s.Labels())
	}
	wantStates(t, s, vm.Ready, vm.Ready)
	within(t, "the worker is up", func() bool {
		said, err := s.Logs(t.Context(), "cpu-7-vm-1", 1)
		return err == nil && len(said) == 1
	})
	if err := syscall.Kill(h.pid("cpu-7", 1), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	v := becomes(t, s, 1, vm.Failed) // only a parent is told of the signal
	if !strings.Contains(v.InitError, "how is not known") || !strings.HasSuffix(v.InitError, "; it said last: up") {
		t.Errorf("it failed for %q", v.InitError)
	}
	wantStates(t, h.listed(m), vm.Ready, vm.Failed)
	h.terminate(s)
	wantStates(t, s, vm.Terminated, vm.Failed)
	h.nothingRuns()
	h.nothingLeft()
}

// Two controllers live, as when one has just lost its leadership: what one terminates, the other one, whose children the
// workers are, reaps.
func TestAControllerReapsWhatAnotherTerminates(t *testing.T) {
	h := newHost(t)
	h.controller()
	m := h.open(h.config(forever))
	s := h.listed(m)
	pids := []int{h.pid("cpu-7", 0), h.pid("cpu-7", 1)}
	h.terminate(s)
	wantStates(t, s, vm.Terminated, vm.Terminated)
	h.nothingRuns()
	for _, pid := range pids {
		within(t, "the worker is reaped", func() bool { return state(pid) == "" })
	}
	if diff := cmp.Diff([]string{}, h.list(m)); diff != "" {
		t.Error(diff)
	}
}

// What one manager found out about an end is what the next one says.
func TestAnEndIsKeptOverARestart(t *testing.T) {
	h := newHost(t)
	c := h.config(`[ "$(basename "$(pwd)")" = vm-0 ] && exec sleep 1000; exit 9`)
	c.Group.VMsPerSlice = 2
	first := h.open(c)
	s := h.create(first, "cpu-0")
	was := becomes(t, s, 1, vm.Failed)
	within(t, "the end is noted", func() bool { _, err := os.Stat(h.path("cpu-0", "vm-1", "end")); return err == nil })
	h.close(first)
	second := h.open(c)
	now := h.listed(second)
	wantStates(t, now, vm.Ready, vm.Failed)
	if v := now.Status().VMs[1]; v.InitError != was.InitError || !v.ChangedAt.Equal(was.ChangedAt) {
		t.Errorf("%+v is now %+v", was, v)
	}
	h.terminate(now)
}

func TestAWorkerThatEndsFailsItsVM(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"with a code":     {"echo one; echo two >&2; exit 3", "its worker ended by itself: exit code 3; it said last: two"},
		"without a word":  {"exit 1", "its worker ended by itself: exit code 1"},
		"in good order":   {"echo bye", "its worker ended by itself: exit code 0; it said last: bye"},
		"at its command":  {"exec /nonexistent/iris", "its worker ended by itself: exit code 127; it said last: "},
		"beyond one line": {"printf 'no newline'; exit 2", "its worker ended by itself: exit code 2; it said last: no newline"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			m := h.open(h.config(c.script))
			s := h.create(m, "cpu-0")
			pid := h.pid("cpu-0", 0)
			if v := becomes(t, s, 0, vm.Failed); !strings.HasPrefix(v.InitError, c.want) {
				t.Errorf("it failed for %q, want %q", v.InitError, c.want)
			}
			if got := state(pid); got != "" {
				t.Errorf("its process is there, in state %s", got)
			}
			if diff := cmp.Diff([]string{}, h.list(m)); diff != "" { // it is live no more
				t.Error(diff)
			}
			if _, err := s.Logs(t.Context(), "cpu-0-vm-0", 10); err != nil { // but kept
				t.Error(err)
			}
			h.terminate(s)
			wantStates(t, s, vm.Failed)
			h.nothingLeft()
		})
	}
}

// The worker is killed by hand. What it has started, in sessions of their own, goes with it before anybody is told.
func TestAWorkerThatIsKilledIsPreemptedWithAllItRuns(t *testing.T) {
	h := newHost(t)
	m := h.open(h.config(`
		setsid sh -c 'echo $$ > keeper; sleep 1000 & echo $! > task; wait' &
		(setsid sh -c 'echo $$ > daemon; exec sleep 1000' &)
		wait`))
	s := h.create(m, "cpu-0")
	others := []int{h.number("cpu-0", "vm-0", "keeper"), h.number("cpu-0", "vm-0", "task"), h.number("cpu-0", "vm-0", "daemon")}
	if err := syscall.Kill(h.pid("cpu-0", 0), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if v := becomes(t, s, 0, vm.Preempted); v.InitError != "its worker was killed by SIGKILL (exit code 137)" {
		t.Errorf("it was preempted: %q", v.InitError)
	}
	for _, pid := range others {
		if runs(pid) {
			t.Errorf("%d runs: %s", pid, command(pid))
		}
	}
	h.nothingRuns()
	h.terminate(s)
	wantStates(t, s, vm.Preempted)
	h.nothingLeft()
}

// No worker that has ended is left as a zombie, whoever looks, or if nobody does.
func TestWorkersThatEndAreReaped(t *testing.T) {
	h := newHost(t)
	c := h.config("exit 0")
	c.Group.MaxSlices = 10
	m := h.open(c)
	var pids []int
	for range 10 {
		s, err := m.CreateSlice(t.Context(), vm.Request{})
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, h.pid(s.ID(), 0))
	}
	for _, pid := range pids {
		within(t, "the worker is reaped", func() bool { return state(pid) == "" })
	}
}

func TestCloseLeavesWorkersAndNoGoroutine(t *testing.T) {
	h := newHost(t)
	m := h.open(h.config(forever))
	h.create(m, "cpu-0")
	h.close(m)
	checkLeaks(t)
	pid := h.pid("cpu-0", 0)
	if !runs(pid) {
		t.Error("the worker does not run")
	}
	if _, err := m.CreateSlice(t.Context(), vm.Request{}); err == nil || !strings.Contains(err.Error(), "the manager is closed") {
		t.Errorf("a creation after Close: %v", err)
	}
	again := h.open(h.config(forever))
	s := h.listed(again)
	wantStates(t, s, vm.Ready)
	h.terminate(s)
	if got := state(pid); got != "" {
		t.Errorf("the worker is there, in state %s", got) // it is still this process's child
	}
}

// Whoever is in a Terminate when the manager is closed is told so, and the next manager goes on with it.
func TestCloseEndsATermination(t *testing.T) {
	h := newHost(t)
	m := h.open(h.config(`trap '' TERM; echo $$ > up; while :; do sleep 0.1; done`))
	s := h.create(m, "cpu-0")
	h.number("cpu-0", "vm-0", "up")
	var call sync.WaitGroup
	var err error
	call.Go(func() { err = s.Terminate(context.Background()) })
	becomes(t, s, 0, vm.Stopping)
	h.close(m)
	call.Wait()
	if err == nil || !strings.Contains(err.Error(), "the manager is closed") {
		t.Errorf("got %v", err)
	}
	c := h.config(forever)
	c.Grace = 10 * time.Millisecond
	next := h.open(c)
	wantStates(t, h.listed(next), vm.Stopping)
	h.terminate(h.listed(next))
	h.nothingRuns()
	h.nothingLeft()
}
