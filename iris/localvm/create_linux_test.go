package localvm_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iris/iris/localvm"
	"iris/iris/vm"
)

func TestAGroupNeverHasMoreThanMaxSlices(t *testing.T) {
	h := newHost(t)
	one, two := h.open(h.config(forever)), h.open(h.config(forever)) // as two processes have it
	var calls sync.WaitGroup
	var mu sync.Mutex
	var made []vm.Slice
	var errs []error
	for n := range 8 {
		calls.Go(func() {
			s, err := []*localvm.Manager{one, two}[n%2].CreateSlice(t.Context(), vm.Request{})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				made = append(made, s)
			} else {
				errs = append(errs, err)
			}
		})
	}
	calls.Wait()
	if len(made) != 3 || len(errs) != 5 {
		t.Errorf("%d slices are made, %d refused: %v", len(made), len(errs), errs)
	}
	const text = "max_slices reached for cpu in here: 3 of 3 slices are live; terminate one or raise max_slices"
	for _, err := range errs {
		if !errors.Is(err, vm.ErrMaxSlices) || err.Error() != text {
			t.Errorf("got %v", err)
		}
	}
	for _, m := range []*localvm.Manager{one, two} {
		got := h.list(m)
		slices.Sort(got)
		if diff := cmp.Diff([]string{"cpu-0", "cpu-1", "cpu-2"}, got); diff != "" {
			t.Error(diff)
		}
	}
	h.terminate(made[0])
	if got := h.create(two, "").ID(); got != "cpu-3" {
		t.Errorf("the next one is %s, want an id never used", got)
	}
	if _, err := one.CreateSlice(t.Context(), vm.Request{}); !errors.Is(err, vm.ErrMaxSlices) {
		t.Errorf("got %v", err)
	}
}

func TestASliceThatHasEndedMakesRoom(t *testing.T) {
	h := newHost(t)
	c := h.config(`[ "$(basename "$(dirname "$(pwd)")")" = cpu-0 ] && exit 1; exec sleep 1000`)
	c.Group.MaxSlices = 1
	m := h.open(c)
	becomes(t, h.create(m, "cpu-0"), 0, vm.Failed)
	h.create(m, "cpu-1")
	if diff := cmp.Diff([]string{"cpu-1"}, h.list(m)); diff != "" {
		t.Error(diff)
	}
}

func TestARequestThatIsRepeatedGetsTheSameSlice(t *testing.T) {
	h := newHost(t)
	c := h.config(forever)
	c.Group.MaxSlices = 1 // the second one is no second slice
	one, two := h.open(c), h.open(c)
	s := h.create(one, "mine")
	pid := h.pid("mine", 0)
	if again := h.create(one, "mine"); again != s {
		t.Errorf("got %v, want %v", again, s)
	}
	if other := h.create(two, "mine"); other.ID() != "mine" || !other.CreatedAt().Equal(s.CreatedAt()) {
		t.Errorf("got %s, created at %v", other.ID(), other.CreatedAt())
	}
	if got := h.pid("mine", 0); got != pid {
		t.Errorf("process %d is noted, want %d", got, pid)
	}
	within(t, "one process runs", func() bool { return len(h.running()) == 1 })
	h.terminate(s)
	const text = "slice is gone: mine of cpu has been there before; choose another id"
	for _, m := range []*localvm.Manager{one, two, h.open(c)} {
		if _, err := m.CreateSlice(t.Context(), vm.Request{ID: "mine"}); !errors.Is(err, vm.ErrSliceGone) || err.Error() != text {
			t.Errorf("got %v", err)
		}
	}
}

// One that is preempted or failed is as gone as one that was terminated.
func TestTheIDOfAFailedSliceIsNotUsedAgain(t *testing.T) {
	h := newHost(t)
	m := h.open(h.config("exit 1"))
	becomes(t, h.create(m, "cpu-0"), 0, vm.Failed)
	if _, err := m.CreateSlice(t.Context(), vm.Request{ID: "cpu-0"}); !errors.Is(err, vm.ErrSliceGone) {
		t.Errorf("got %v", err)
	}
	h.close(m)
	m = h.open(h.config(forever)) // removes what is left of it
	h.nothingLeft()
	if _, err := m.CreateSlice(t.Context(), vm.Request{ID: "cpu-0"}); !errors.Is(err, vm.ErrSliceGone) {
		t.Errorf("got %v", err)
	}
	if got := h.create(m, "").ID(); got != "cpu-1" {
		t.Errorf("the next one is %s", got)
	}
}

func TestABadRequestChangesNothing(t *testing.T) {
	h := newHost(t)
	m := h.open(h.config(forever))
	for want, r := range map[string]vm.Request{
		`the id "../x" must begin with a letter`:                {ID: "../x"},
		`the id ".gone" must begin with a letter`:               {ID: ".gone"},
		`the id "a/b" must begin with a letter`:                 {ID: "a/b"},
		`then up to 127 letters, digits`:                        {ID: strings.Repeat("x", 129)},
		`it has no zone "mars"; its zones are here, there`:      {Zone: "mars"},
		`slice creation failed for cpu: it has no zone "Here";`: {Zone: "Here"},
	} {
		s, err := m.CreateSlice(t.Context(), r)
		if s != nil || !errors.Is(err, vm.ErrCreateFailed) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, %v; want %s", r, s, err, want)
		}
	}
	h.nothingLeft()
}

// The second VM's worker cannot be started: the first one is ended, and the id is free.
func TestACreationThatFailsLeavesNothing(t *testing.T) {
	h := newHost(t)
	c := h.config("")
	c.Group.VMsPerSlice, c.Group.MaxSlices, c.Grace = 3, 1, time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	mode, first := "", 0
	c.Command = func(m localvm.Machine) *exec.Cmd {
		if m.Index == 0 || mode == "" {
			return exec.Command("sh", "-c", "trap '' TERM; echo $$ > up; while :; do sleep 1000; done")
		}
		first = h.number(m.Slice, "vm-0", "up")
		if mode == "cancel" {
			cancel()
			return exec.Command("sleep", "1000")
		}
		return exec.Command("/nonexistent/iris", "worker")
	}
	m := h.open(c)
	for _, try := range []struct {
		mode, text string
		is         error
	}{
		{
			"missing", "slice creation failed for cpu: start the worker of cpu-0-vm-1: " +
				"fork/exec /nonexistent/iris: no such file or directory", vm.ErrCreateFailed,
		},
		{"cancel", "create a slice of cpu: context canceled", context.Canceled},
	} {
		mode = try.mode
		s, err := m.CreateSlice(ctx, vm.Request{ID: "cpu-0"})
		if s != nil || !errors.Is(err, try.is) || err.Error() != try.text {
			t.Errorf("%s: got %v, %v", mode, s, err)
		}
		if runs(first) {
			t.Errorf("%s: the first worker runs", mode)
		}
		h.nothingRuns()
		h.nothingLeft()
	}
	mode = ""
	h.terminate(h.create(m, "cpu-0"))
}

// A creation is cut short after slice.json, and after the start of a worker of which no note was made: nothing runs that
// nobody knows of, and nothing is left.
func TestACreationThatWasCutShortLeavesNothing(t *testing.T) {
	for name, cut := range map[string]func(*host){
		"before anything was started": func(h *host) {
			if err := os.RemoveAll(h.path("cpu-0", "vm-0")); err != nil {
				h.t.Fatal(err)
			}
			h.killAll()
		},
		"before the process was noted": func(h *host) {
			if err := os.Remove(h.path("cpu-0", "vm-0", "process")); err != nil {
				h.t.Fatal(err)
			}
		},
		"before there was a slice": func(h *host) {
			if err := os.Rename(h.path("cpu-0"), h.path(".new-1234")); err != nil {
				h.t.Fatal(err)
			}
			h.killAll()
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			m := h.open(h.config(forever))
			h.create(m, "cpu-0")
			h.close(m)
			cut(h)
			m = h.open(h.config(forever))
			within(t, "it is live no more", func() bool { return len(h.list(m)) == 0 })
			h.nothingRuns()
			h.close(m)
			m = h.open(h.config(forever))
			h.nothingLeft()
			h.create(m, "cpu-1")
		})
	}
}

// Of two VMs one was started: it runs on, the slice is listed, and says what is wrong.
func TestACreationThatWasCutShortIsListed(t *testing.T) {
	h := newHost(t)
	c := h.config(forever)
	c.Group.VMsPerSlice = 2
	m := h.open(c)
	h.create(m, "cpu-0")
	h.close(m)
	if err := os.Remove(h.path("cpu-0", "vm-1", "process")); err != nil {
		t.Fatal(err)
	}
	m = h.open(c)
	s := h.listed(m)
	if v := becomes(t, s, 1, vm.Failed); !strings.HasPrefix(v.InitError, "its creation was cut short") {
		t.Errorf("it failed for %q", v.InitError)
	}
	wantStates(t, s, vm.Ready, vm.Failed)
	h.terminate(s)
	h.nothingRuns()
}

// What a creation elsewhere has not started yet is no failure.
func TestACreationThatGoesOnIsBooting(t *testing.T) {
	h := newHost(t)
	two := h.open(h.config(forever))
	c := h.config("")
	reached, proceed := make(chan struct{}), make(chan struct{})
	c.Command = func(localvm.Machine) *exec.Cmd {
		close(reached)
		<-proceed
		return exec.Command("sleep", "1000")
	}
	one := h.open(c)
	var call sync.WaitGroup
	call.Go(func() {
		if _, err := one.CreateSlice(t.Context(), vm.Request{ID: "cpu-0"}); err != nil {
			t.Error(err)
		}
	})
	<-reached
	for range 3 {
		wantStates(t, h.listed(two), vm.Booting)
	}
	s := h.listed(two)
	if err := s.Terminate(soon(t, 50*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it is terminated while it is made: %v", err)
	}
	if again := h.create(two, "cpu-0"); again != s {
		t.Errorf("got %v, want %v", again, s)
	}
	close(proceed)
	call.Wait()
	becomes(t, s, 0, vm.Ready)
	h.terminate(s)
	h.nothingRuns()
}

func TestAReboot(t *testing.T) {
	h := newHost(t)
	m := h.open(h.config(forever))
	s := h.create(m, "cpu-0")
	h.close(m)
	note, err := os.ReadFile(h.path("cpu-0", "vm-0", "process"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(note), `"process"`)
	note = []byte(`{"boot":"another","process"` + rest)
	if err := os.WriteFile(h.path("cpu-0", "vm-0", "process"), note, 0o600); err != nil {
		t.Fatal(err)
	}
	h.killAll()
	m = h.open(h.config(forever))
	if got := h.list(m); len(got) > 0 {
		t.Errorf("%v are live", got)
	}
	if want := s.ID() + "-vm-0 is FAILED: its host was restarted"; !strings.Contains(h.log.String(), want) {
		t.Errorf("nobody said that %s:\n%s", want, h.log)
	}
	h.nothingLeft()
}

// A slice that cannot be read is shown as such; others live on.
func TestADamagedSliceIsListedAndCanBeTerminated(t *testing.T) {
	for name, text := range map[string]string{
		"is damaged: ": `{"zone":"here","vm`, "is missing": "", "has 0 VMs": `{"zone":"here"}`, "cannot unmarshal string": `{"vms":"2"}`,
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			m := h.open(h.config(forever))
			h.create(m, "cpu-0")
			h.create(m, "cpu-1")
			h.close(m)
			path := h.path("cpu-0", "slice.json")
			sound, err := os.ReadFile(path)
			if err == nil && text == "" {
				err = os.Remove(path)
			} else if err == nil {
				err = os.WriteFile(path, []byte(text), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			m = h.open(h.config(forever))
			all, err := m.ListSlices(t.Context())
			if err != nil || len(all) != 2 {
				t.Fatalf("got %v, %v", all, err)
			}
			i := slices.IndexFunc(all, func(s vm.Slice) bool { return s.ID() == "cpu-0" })
			damaged, other := all[i], all[1-i]
			wantStates(t, damaged, vm.Unspecified)
			wantStates(t, other, vm.Ready)
			if v := damaged.Status().VMs[0]; !strings.Contains(v.InitError, path) || !strings.Contains(v.InitError, name) ||
				v.ID != "cpu-0-vm-0" {
				t.Errorf("got %+v", v)
			}
			if !runs(h.pid("cpu-0", 0)) {
				t.Error("its worker was ended")
			}
			h.create(m, "cpu-2")
			if _, err := m.CreateSlice(t.Context(), vm.Request{}); !errors.Is(err, vm.ErrMaxSlices) {
				t.Errorf("it does not count: %v", err)
			}

			repaired := h.path("cpu-0", "repaired")
			if err := errors.Join(os.WriteFile(repaired, sound, 0o600), os.Rename(repaired, path)); err != nil {
				t.Fatal(err)
			}
			mended := h.create(m, "cpu-0")
			becomes(t, mended, 0, vm.Ready)
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			h.close(m)
			m = h.open(h.config(forever))
			h.terminate(h.create(m, "cpu-0"))
			if !runs(h.pid("cpu-1", 0)) || !runs(h.pid("cpu-2", 0)) {
				t.Error("the worker of another slice was ended")
			}
			within(t, "two processes run", func() bool { return len(h.running()) == 2 })
		})
	}
}

func TestADirectoryOfNoUseIsExplained(t *testing.T) {
	h := newHost(t)
	file := filepath.Join(filepath.Dir(h.dir), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := h.config(forever)
	c.Dir = filepath.Join(file, "cpu")
	if _, err := localvm.Open(c); err == nil || !strings.Contains(err.Error(), "local VMs of scale group cpu: mkdir "+file) {
		t.Errorf("got %v", err)
	}
	h.open(h.config(forever))
	c = h.config(forever)
	c.Group.Name = "other"
	want := fmt.Sprintf(`local VMs of scale group other: the directory %s belongs to scale group "cpu" (%s says so); `+
		`give each group its own`, h.dir, h.path(".group"))
	if _, err := localvm.Open(c); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err := localvm.Open(localvm.Config{Grace: -1})
	for _, want := range []string{
		"max_slices is 0", "its directory is not named", "the command of its workers is not given", "grace is -1ns",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v; want also %s", err, want)
		}
	}
}

// The directory becomes useless while the manager is open: what it has keeps running, and errors say why nothing new comes.
func TestADirectoryThatFailsLater(t *testing.T) {
	h := newHost(t)
	m := h.open(h.config(forever))
	h.create(m, "cpu-0")
	moved := h.dir + ".moved"
	if err := errors.Join(os.Rename(h.dir, moved), os.WriteFile(h.dir, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	s, err := m.CreateSlice(t.Context(), vm.Request{})
	if s != nil || !errors.Is(err, vm.ErrCreateFailed) || !strings.Contains(err.Error(), h.dir) {
		t.Errorf("got %v, %v", s, err)
	}
	if all, err := m.ListSlices(t.Context()); err == nil || !strings.Contains(err.Error(), h.dir) {
		t.Errorf("got %v, %v", all, err)
	}
	if err := errors.Join(os.Remove(h.dir), os.Rename(moved, h.dir)); err != nil {
		t.Fatal(err)
	}
	wantStates(t, h.listed(m), vm.Ready)
	h.terminate(h.listed(m))
}

func TestLogsAreTheLastLines(t *testing.T) {
	h := newHost(t)
	m := h.open(h.config(`
		i=0; while [ $i -lt 100 ]; do i=$((i+1)); echo "line $i"; done
		printf 'and \377\n'; echo $$ > up; exec sleep 1000`))
	s := h.create(m, "cpu-0")
	h.number("cpu-0", "vm-0", "up")
	for n, want := range map[int][]string{0: nil, -1: nil, 1: {"and �"}, 3: {"line 99", "line 100", "and �"}} {
		got, err := s.Logs(t.Context(), "cpu-0-vm-0", n)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("the last %d: %v\n%s", n, err, diff)
		}
	}
	if all, err := s.Logs(t.Context(), "cpu-0-vm-0", 1000); len(all) != 101 || err != nil {
		t.Errorf("got %d lines, %v", len(all), err)
	}
	if _, err := s.Logs(t.Context(), "cpu-0-vm-1", 1); err == nil || err.Error() != `slice cpu-0 has no VM "cpu-0-vm-1"` {
		t.Errorf("got %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Logs(ended, "cpu-0-vm-0", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A worker that says much does not fill the disk, and what it said last is there.
func TestALongLogIsCut(t *testing.T) {
	h := newHost(t)
	m := h.open(h.config(`echo $$ > up; while [ ! -e go ]; do sleep 0.01; done; echo after; echo $$ > done; exec sleep 1000`))
	s := h.create(m, "cpu-0")
	h.number("cpu-0", "vm-0", "up")
	path := h.path("cpu-0", "vm-0", "worker.log")
	log, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := log.WriteAt([]byte("\nlong ago\nbefore\n"), 65<<20); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	within(t, "the log is cut", func() bool { info, err := os.Stat(path); return err == nil && info.Size() == 0 })
	if err := os.WriteFile(h.path("cpu-0", "vm-0", "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h.number("cpu-0", "vm-0", "done")
	got, err := s.Logs(t.Context(), "cpu-0-vm-0", 3)
	if diff := cmp.Diff([]string{"long ago", "before", "after"}, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}
