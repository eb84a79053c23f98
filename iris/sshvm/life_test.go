package sshvm_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iris/iris/sshvm"
	"iris/iris/vm"
)

func TestASliceIsCreatedComesUpAndIsGivenBack(t *testing.T) {
	p := newPool(t, 3)
	m := p.open(p.config(2, p.worker()))
	before := time.Now()
	s := p.create(m, "rack-0")
	if diff := cmp.Diff(map[string]string{"iris-group": "rack"}, s.Labels()); diff != "" {
		t.Error(diff)
	}
	if s.ID() != "rack-0" || s.Group() != "rack" || s.Zone() != "a" || s.CreatedAt().Before(before) {
		t.Errorf("got %s of %s in %s at %v", s.ID(), s.Group(), s.Zone(), s.CreatedAt())
	}
	p.await(s, vm.Ready, vm.Ready)
	for i, v := range s.Status().VMs {
		id := fmt.Sprintf("rack-0-vm-%d", i)
		if v.ID != id || v.WorkerID != id || v.Address != "127.0.0.1" || v.InitPhase != "" || v.InitError != "" {
			t.Errorf("VM %d is %+v", i, v)
		}
	}
	if got := p.only(m); got != s {
		t.Errorf("%v is listed, not the slice", got)
	}
	if again := p.create(m, "rack-0"); again != s {
		t.Errorf("asked for again, there is %v", again)
	}
	for i, want := range []string{"start\n", "start\n", ""} { // the first two hosts
		if got := p.hosts[i].read("slices/rack-0/starts"); got != want {
			t.Errorf("on host %d: starts %q, want %q", i, got, want)
		}
	}
	p.terminate(s)
	p.await(s, vm.Terminated, vm.Terminated)
	for i, h := range p.hosts {
		if running := p.running(h.dir); len(running) > 0 {
			t.Errorf("on host %d still run %v", i, running)
		}
		if left := h.read("reservation") + h.read("slices/rack-0/starts"); left != "" {
			t.Errorf("on host %d is left %q", i, left)
		}
	}
	if left := p.list(m); len(left) != 0 {
		t.Errorf("%v is listed", left)
	}
	p.terminate(s) // it is gone, which is well
	for name, m := range map[string]*sshvm.Manager{"this": m, "another": p.open(p.config(1, p.worker()))} {
		if _, err := m.CreateSlice(t.Context(), vm.Request{ID: "rack-0"}); !errors.Is(err, vm.ErrSliceGone) {
			t.Errorf("%s manager creates it once more: %v", name, err)
		}
	}
}

func TestAWorkerGetsItsArgumentsWordForWord(t *testing.T) {
	p := newPool(t, 1)
	w := p.worker()
	odd := `it's "$HOME" \ and ` + "`date`" + ` !! * ~ ; & < > ü` + "\n\tmore"
	w.Attributes = func(m sshvm.Machine) map[string]string {
		return map[string]string{"odd name'": odd, "slice": m.Slice, "index": fmt.Sprint(m.Index, "/", m.Count)}
	}
	w.Cluster, w.Args = "a cluster", []string{"--cpu=4", odd}
	s := p.create(p.open(p.config(1, w)), "rack-0")
	p.await(s, vm.Ready)
	var got []string
	within(t, "the worker has written its arguments", func() bool {
		got = strings.Split(p.hosts[0].read("slices/rack-0/args"), "\x00")
		return len(got) > 1
	})
	want := []string{
		"worker", "--id", "rack-0-vm-0", "--controller", "10.0.0.1:7070", "--advertise", "127.0.0.1", "--cluster", "a cluster",
		"--listen", ":0", "--drain-timeout", "1s", "--attribute", "index=0/1", "--attribute", "odd name'=" + odd,
		"--attribute", "slice=rack-0", "--cpu=4", odd, "--data-dir", p.hosts[0].dir + "/slices/rack-0/data", "",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What a worker cannot be told is refused before anything is started.
func TestAWorkerThatCannotBeDescribedIsNotStarted(t *testing.T) {
	for text, break_ := range map[string]func(*sshvm.Worker){
		"no controller": func(w *sshvm.Worker) { w.Controllers = nil },
		"drain is -1ns": func(w *sshvm.Worker) { w.Drain = -1 },
		`"a=x,y"`: func(w *sshvm.Worker) {
			w.Attributes = func(sshvm.Machine) map[string]string { return map[string]string{"a": "x,y"} }
		},
		`"a= x"`: func(w *sshvm.Worker) {
			w.Attributes = func(sshvm.Machine) map[string]string { return map[string]string{"a": " x"} }
		},
	} {
		w := sshvm.Worker{Controllers: []string{"c:1"}}
		if err := w.Check(sshvm.Machine{VM: "v"}); err != nil {
			t.Error(err)
		}
		break_(&w)
		if err := w.Check(sshvm.Machine{VM: "v"}); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want %s", err, text)
		}
		if script := w.Bootstrap(sshvm.Machine{VM: "v"}); !strings.HasSuffix(script, "\nexit 1\n") {
			t.Errorf("the script is %s", script)
		}
	}
}

func TestLogsAreWhatTheScriptAndThenTheWorkerSay(t *testing.T) {
	p := newPool(t, 1)
	c := p.config(1, p.worker())
	start := c.Bootstrap
	c.Bootstrap = func(m sshvm.Machine) string { return "echo one; echo two >&2\n" + start(m) }
	s := p.create(p.open(c), "rack-0")
	p.await(s, vm.Ready)
	within(t, "the worker has spoken", func() bool { return p.hosts[0].read("slices/rack-0/worker.log") != "" })
	lines, err := s.Logs(t.Context(), "rack-0-vm-0", 100)
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != 5 || !strings.HasPrefix(lines[3], "the worker runs as process ") {
		t.Fatalf("got %q", lines)
	}
	if want := []string{"one", "two", "phase: worker_start", lines[3], "a worker is here"}; !slices.Equal(lines, want) {
		t.Errorf("got %q, want %q", lines, want)
	}
	if last, err := s.Logs(t.Context(), "rack-0-vm-0", 2); err != nil || !slices.Equal(last, lines[3:]) {
		t.Errorf("the last two are %q, %v", last, err)
	}
	if none, err := s.Logs(t.Context(), "rack-0-vm-0", 0); err != nil || len(none) != 0 {
		t.Errorf("the last none are %q, %v", none, err)
	}
	if _, err := s.Logs(t.Context(), "rack-0-vm-1", 2); err == nil || !strings.Contains(err.Error(), "no such VM") {
		t.Errorf("of a VM that there is not: %v", err)
	}
	p.hosts[0].down()
	lines, err = s.Logs(t.Context(), "rack-0-vm-0", 100)
	if err != nil || len(lines) != 5 || !strings.HasPrefix(lines[4], "the worker's own log cannot be had: ") {
		t.Errorf("while the host is down: %q, %v", lines, err)
	}
}

func TestPhasesAreShownWhileTheScriptRuns(t *testing.T) {
	p := newPool(t, 1)
	c := p.config(1, p.worker())
	start := c.Bootstrap
	c.Bootstrap = func(m sshvm.Machine) string {
		return "echo phase: docker_pull; until [ -e ../../go ]; do sleep 0.05; done\n" + start(m)
	}
	s := p.create(p.open(c), "rack-0")
	within(t, "the phase is shown", func() bool {
		v := s.Status().VMs[0]
		return v.State == vm.Initializing && v.InitPhase == "docker_pull" && v.WorkerID == "rack-0-vm-0"
	})
	p.write("host0/go", "")
	p.await(s, vm.Ready)
}
