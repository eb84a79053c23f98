package localvm_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"iris/iris/localvm"
	"iris/iris/runtime"
	"iris/iris/vm"
)

// host is a directory for slices, of which nothing may be left when the test is over.
type host struct {
	t   *testing.T
	dir string
	log *words
}

// words are what the managers say.
type words struct {
	mu   sync.Mutex
	said bytes.Buffer
}

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said.Write(p)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said.String()
}

func newHost(t *testing.T) *host {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, dir: filepath.Join(dir, "cpu"), log: &words{}}
	t.Cleanup(func() {
		h.killAll()
		checkLeaks(t)
		if t.Failed() {
			t.Logf("the managers said\n%s", h.log)
		}
	})
	return h
}

// config is a group of up to 3 slices of one VM.
func (h *host) config(script string) localvm.Config {
	return localvm.Config{
		Group: vm.GroupConfig{Name: "cpu", MaxSlices: 3, Zones: []string{"here", "there"}}, Dir: h.dir,
		Command: func(localvm.Machine) *exec.Cmd { return exec.Command("sh", "-c", script) },
		Log:     slog.New(slog.NewTextHandler(h.log, nil)),
	}
}

// open opens a manager that is closed with the test, and then has no goroutine left.
func (h *host) open(c localvm.Config) *localvm.Manager {
	h.t.Helper()
	m, err := localvm.Open(c)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { h.close(m) })
	return m
}

func (h *host) close(m *localvm.Manager) {
	h.t.Helper()
	if err := m.Close(); err != nil {
		h.t.Error(err)
	}
}

// checkLeaks fails if a goroutine of the package is left: managers are all closed.
func checkLeaks(t *testing.T) {
	t.Helper()
	var stacks bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&stacks, 2); err != nil {
		t.Fatal(err)
	}
	for stack := range strings.SplitSeq(stacks.String(), "\n\n") {
		if strings.Contains(stack, "iris/localvm.") && !strings.Contains(stack, "checkLeaks") {
			t.Errorf("a goroutine is left:\n%s", stack)
		}
	}
}

func (h *host) create(m *localvm.Manager, id string) vm.Slice {
	h.t.Helper()
	s, err := m.CreateSlice(h.t.Context(), vm.Request{ID: id})
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// list is the ids of the live slices.
func (h *host) list(m *localvm.Manager) []string {
	h.t.Helper()
	all, err := m.ListSlices(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	ids := []string{}
	for _, s := range all {
		ids = append(ids, s.ID())
	}
	return ids
}

// listed is the only live slice.
func (h *host) listed(m *localvm.Manager) vm.Slice {
	h.t.Helper()
	all, err := m.ListSlices(h.t.Context())
	if err != nil || len(all) != 1 {
		h.t.Fatalf("got %v, %v; want one slice", all, err)
	}
	return all[0]
}

func (h *host) terminate(s vm.Slice) {
	h.t.Helper()
	if err := s.Terminate(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) running() []runtime.ID {
	h.t.Helper()
	all, err := runtime.Family(h.dir, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

// killAll ends all workers, and what they have started, as a machine that is switched off does.
func (h *host) killAll() {
	h.t.Helper()
	within(h.t, "nothing runs", func() bool {
		all := append(h.running(), h.running()...) // one look can miss one that is being started
		for _, id := range all {
			if err := id.Kill(); err != nil {
				h.t.Error(err)
			}
		}
		return len(all) == 0
	})
}

// nothingRuns is what holds once a slice was terminated.
func (h *host) nothingRuns() {
	h.t.Helper()
	for _, id := range h.running() {
		h.t.Errorf("process %d runs: %s", id.PID, command(id.PID))
	}
}

// nothingLeft is what the directory of the group looks like without slices.
func (h *host) nothingLeft() {
	h.t.Helper()
	entries, err := os.ReadDir(h.dir)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains([]string{".gone", ".group", ".lock"}, e.Name()) {
			h.t.Errorf("%s is left", e.Name())
		}
	}
}

// path is one below the directory.
func (h *host) path(names ...string) string {
	return filepath.Join(append([]string{h.dir}, names...)...)
}

// number waits until a worker has written a number to a file in the directory of its VM.
func (h *host) number(names ...string) int {
	h.t.Helper()
	n := 0
	within(h.t, fmt.Sprintf("%v has a number", names), func() bool {
		text, err := os.ReadFile(h.path(names...))
		n, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		return err == nil && n > 0 && bytes.HasSuffix(text, []byte{'\n'})
	})
	return n
}

// runs reports whether there is such a process, which has not ended.
func runs(pid int) bool {
	now := state(pid)
	return now != "" && now != "Z"
}

// state is that of a process, a letter; empty: there is none.
func state(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	return strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))[0]
}

func command(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return err.Error()
	}
	return string(bytes.ReplaceAll(text, []byte{0}, []byte{' '}))
}

// pid is the process of a worker, as the manager has noted it.
func (h *host) pid(slice string, index int) int {
	h.t.Helper()
	text, err := os.ReadFile(h.path(slice, fmt.Sprintf("vm-%d", index), "process"))
	if err != nil {
		h.t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), `"pid":`)
	pid, err := strconv.Atoi(after[:strings.IndexAny(after, ",}")])
	if err != nil {
		h.t.Fatalf("%s: %v", text, err)
	}
	return pid
}

func within(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not come to pass that %s", what)
		}
	}
}

// becomes waits until the VM of a slice is in a state, and returns it.
func becomes(t *testing.T, s vm.Slice, index int, want vm.State) vm.VM {
	t.Helper()
	var v vm.VM
	within(t, fmt.Sprintf("VM %d of %s is %v", index, s.ID(), want), func() bool {
		v = s.Status().VMs[index]
		return v.State == want || v.State.Terminal()
	})
	if v.State != want {
		t.Fatalf("%+v, want %v", v, want)
	}
	return v
}

func wantStates(t *testing.T, s vm.Slice, want ...vm.State) {
	t.Helper()
	var got []vm.State
	for _, v := range s.Status().VMs {
		got = append(got, v.State)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the VMs of %s are %v, want %v", s.ID(), got, want)
	}
}

// soon is a context that ends after a moment.
func soon(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
