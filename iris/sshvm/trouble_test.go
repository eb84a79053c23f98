package sshvm_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"iris/iris/sshvm"
	"iris/iris/vm"
)

// stranger is a host that shows a key other than the one that is known, or is not known at all: nothing is said to it.
func TestAHostThatIsNotTheKnownOneIsRefused(t *testing.T) {
	p := newPool(t, 2)
	line, _, _ := strings.Cut(read(t, p.path("known_hosts")), "\n")
	p.writeKey("other", "other.pub")
	other := read(t, p.path("other.pub"))
	for text, known := range map[string]string{
		"it has another key than " + p.path("strange") + ":2;": line + "\n" + strings.Fields(
			strings.Split(read(t, p.path("known_hosts")), "\n")[1])[0] + " " + other,
		"no line of the known hosts is about it": line + "\n",
	} {
		p.write("strange", known)
		c := p.config(1, p.worker())
		c.Hosts, c.KnownHosts = c.Hosts[1:], p.path("strange")
		m := p.open(c)
		_, err := m.CreateSlice(t.Context(), vm.Request{})
		if !errors.Is(err, vm.ErrCreateFailed) || !strings.Contains(err.Error(), "host "+p.hosts[1].address+": it is not known") ||
			!strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want %s", err, text)
		}
		if list, err := m.ListSlices(t.Context()); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("listed %v, %v; want %s", list, err, text)
		}
		if p.hosts[1].connections() == 0 {
			t.Error("nobody has looked at the key")
		}
		if _, err := os.Stat(p.hosts[1].dir); !os.IsNotExist(err) {
			t.Errorf("there is something on the host: %v", err)
		}
	}
	c := p.config(1, p.worker()) // there is a better one
	c.Hosts[0], c.Hosts[1], c.KnownHosts = c.Hosts[1], c.Hosts[0], p.path("strange")
	s := p.create(p.open(c), "rack-0")
	p.await(s, vm.Ready)
	if p.hosts[0].read("slices/rack-0/starts") == "" {
		t.Error("the slice is not on the host that is known")
	}
}

// A host whose key changes while its VM boots is not waited for.
func TestAVMFailsAtOnceOnAHostThatTurnsOutToBeAnother(t *testing.T) {
	p := newPool(t, 1)
	p.hosts[0].down()
	m := p.open(p.config(1, p.worker()))
	s := p.create(m, "rack-0")
	p.writeKey("host0.key", "")
	p.hosts[0].up()
	p.await(s, vm.Failed)
	if why := s.Status().Errors()[0]; !strings.Contains(why, "it has another key than") {
		t.Error(why)
	}
}

func TestAKeyThatHostsDoNotKnowCreatesNothing(t *testing.T) {
	p := newPool(t, 1)
	p.writeKey("wrong", "")
	c := p.config(1, p.worker())
	c.Key = p.path("wrong")
	_, err := p.open(c).CreateSlice(t.Context(), vm.Request{})
	if !errors.Is(err, vm.ErrCreateFailed) || !strings.Contains(err.Error(), "it does not let us in") {
		t.Errorf("got %v", err)
	}
}

func TestAHostThatIsDownIsWaitedFor(t *testing.T) {
	p := newPool(t, 1)
	p.hosts[0].down()
	s := p.create(p.open(p.config(1, p.worker())), "rack-0")
	if v := s.Status().VMs[0]; v.State != vm.Booting || v.Address != "" || v.WorkerID != "" {
		t.Errorf("it is %+v", v)
	}
	p.hosts[0].up()
	p.await(s, vm.Ready)
}

func TestAHostThatStaysDownFailsItsVM(t *testing.T) {
	p := newPool(t, 2)
	p.hosts[0].down()
	c := p.config(1, p.worker())
	c.Hosts = c.Hosts[:1]
	c.BootTimeout = 300 * time.Millisecond
	m := p.open(c)
	began := time.Now()
	s := p.create(m, "rack-0")
	p.await(s, vm.Failed)
	if took := time.Since(began); took < c.BootTimeout {
		t.Errorf("it took %v", took)
	}
	why := s.Status().VMs[0].InitError
	for _, want := range []string{
		"nobody could log in within 300ms", p.hosts[0].address, "it does not answer", "connection refused",
	} {
		if !strings.Contains(why, want) {
			t.Errorf("%q does not say %q", why, want)
		}
	}
	p.terminate(s) // nothing was ever there
	p.await(s, vm.Failed)
}

// Hosts that answer come first, whatever their place in the pool.
func TestAHostThatAnswersIsPreferred(t *testing.T) {
	p := newPool(t, 2)
	p.hosts[0].down()
	s := p.create(p.open(p.config(1, p.worker())), "rack-0")
	p.await(s, vm.Ready)
	if p.hosts[1].read("reservation") == "" {
		t.Error("the slice is not on the host that answers")
	}
}

func TestAScriptThatFailsIsTriedThriceThenTheVMHasFailed(t *testing.T) {
	p := newPool(t, 1)
	c := p.config(1, p.worker())
	c.Bootstrap = func(sshvm.Machine) string {
		return "echo try >>tries; for i in 1 2 3 4 5 6; do echo line $i; done; exit 7"
	}
	m := p.open(c)
	s := p.create(m, "rack-0")
	p.await(s, vm.Failed)
	const why = "tried 3 times: bootstrap ended with exit status 7; it said last: line 6"
	if got := s.Status().VMs[0].InitError; got != why {
		t.Errorf("got %q, want %q", got, why)
	}
	if lines, err := s.Logs(t.Context(), "rack-0-vm-0", 1000); err != nil || len(lines) != 18 {
		t.Errorf("logs are %q, %v", lines, err)
	}
	within(t, "that is noted", func() bool { return p.hosts[0].read("slices/rack-0/failed") != "" })
	p.close(m)
	again := p.open(p.config(1, p.worker()))
	s = p.only(again)
	p.await(s, vm.Failed)
	if got := s.Status().VMs[0].InitError; got != why {
		t.Errorf("the next manager finds %q, want %q", got, why)
	}
	if got := p.hosts[0].read("slices/rack-0/tries"); got != "try\ntry\ntry\n" {
		t.Errorf("tries: %q", got)
	}
	p.terminate(s)
	p.await(p.create(again, "rack-1"), vm.Ready)
}

func TestAScriptThatWorksTheSecondTimeIsWell(t *testing.T) {
	p := newPool(t, 1)
	c := p.config(1, p.worker())
	start := c.Bootstrap
	c.Bootstrap = func(m sshvm.Machine) string {
		return "[ -e tried ] || { : >tried; echo not yet; exit 1; }\n" + start(m)
	}
	s := p.create(p.open(c), "rack-0")
	p.await(s, vm.Ready)
}

func TestOneVMOfASliceFails(t *testing.T) {
	p := newPool(t, 2)
	c := p.config(2, p.worker())
	start := c.Bootstrap
	c.Bootstrap = func(m sshvm.Machine) string {
		if m.Index == 1 {
			return "echo no disk; exit 1"
		}
		return start(m)
	}
	m := p.open(c)
	s := p.create(m, "rack-0")
	p.await(s, vm.Ready, vm.Failed)
	if !s.Status().AnyFailed() || s.Status().Terminal() {
		t.Errorf("it is %+v", s.Status())
	}
	if got := p.only(m); got != s {
		t.Errorf("listed is %v", got)
	}
	p.terminate(s)
	p.await(s, vm.Terminated, vm.Failed)
	for i, h := range p.hosts {
		if h.read("reservation") != "" {
			t.Errorf("host %d is not given back", i)
		}
	}
}

func TestAScriptThatHangsIsKilledWithItsTime(t *testing.T) {
	p := newPool(t, 1)
	c := p.config(1, p.worker())
	c.InitTimeout, c.Tries = time.Second, 1
	c.Bootstrap = func(sshvm.Machine) string { return "echo waiting; sleep 1000" }
	s := p.create(p.open(c), "rack-0")
	p.await(s, vm.Failed)
	if why := s.Status().VMs[0].InitError; why != "tried 1 times: bootstrap took too long, and was killed; it said last: waiting" {
		t.Error(why)
	}
	if left := p.running(filepath.Join(p.hosts[0].dir, "slices/rack-0")); len(left) > 0 {
		t.Errorf("%v still run", left)
	}
}

// The script goes on where it is; the next try waits for it, and finds the worker there.
func TestAConnectionThatBreaksWhileTheScriptRuns(t *testing.T) {
	p := newPool(t, 1)
	c := p.config(1, p.worker())
	start := c.Bootstrap
	c.Bootstrap = func(m sshvm.Machine) string {
		return "echo run >>runs; until [ -e ../../go ]; do sleep 0.05; done\n" + start(m)
	}
	s := p.create(p.open(c), "rack-0")
	within(t, "the script runs", func() bool { return p.hosts[0].read("slices/rack-0/runs") != "" })
	p.hosts[0].cut()
	within(t, "the next try is there", func() bool {
		return strings.Count(p.log.String(), "a VM does not come up") == 1
	})
	p.write("host0/go", "")
	p.await(s, vm.Ready)
	if got := p.hosts[0].read("slices/rack-0/runs"); got != "run\nrun\n" {
		t.Errorf("runs: %q", got)
	}
	if got := p.hosts[0].read("slices/rack-0/starts"); got != "start\n" {
		t.Errorf("starts: %q", got)
	}
}

// A host that goes down between its boot and its script costs no try of the script.
func TestAHostThatGoesDownBeforeTheScriptIsWaitedFor(t *testing.T) {
	p := newPool(t, 1)
	c := p.config(1, p.worker())
	c.Tries = 1
	start := c.Bootstrap
	asked := 0
	c.Bootstrap = func(m sshvm.Machine) string {
		if asked++; asked == 1 {
			p.hosts[0].down()
		}
		return start(m)
	}
	s := p.create(p.open(c), "rack-0")
	within(t, "it is noticed", func() bool { return strings.Count(p.log.String(), "a VM does not come up") >= 3 })
	p.hosts[0].up()
	p.await(s, vm.Ready)
}

func TestAWorkerThatEndsAtOnceIsNoWorker(t *testing.T) {
	p := newPool(t, 1)
	s := p.create(p.open(p.config(1, p.workerOf("echo no such flag; exit 2"))), "rack-0")
	p.await(s, vm.Failed)
	if why := s.Status().VMs[0].InitError; !strings.HasSuffix(why, "; it said last: the worker ended at once: no such flag") {
		t.Error(why)
	}
	c := p.config(1, sshvm.Worker{Binary: "/nowhere/iris", Controllers: []string{"c:1"}})
	c.Group.Name = "other"
	p.terminate(s)
	s = p.create(p.open(c), "other-0")
	p.await(s, vm.Failed)
	if why := s.Status().VMs[0].InitError; !strings.Contains(why, "there is no program /nowhere/iris on this host") {
		t.Error(why)
	}
}

func TestAWorkerThatEndsLaterIsSeenByAList(t *testing.T) {
	p := newPool(t, 1)
	m := p.open(p.config(1, p.worker()))
	s := p.create(m, "rack-0")
	p.await(s, vm.Ready)
	p.only(m)
	p.await(s, vm.Ready)
	p.kill("rack-0", 0)
	p.only(m)
	p.await(s, vm.Unhealthy)
}

func TestAReservationThatSomebodyRemovesIsAPreemption(t *testing.T) {
	p := newPool(t, 2)
	m := p.open(p.config(2, p.worker()))
	s := p.create(m, "rack-0")
	p.await(s, vm.Ready, vm.Ready)
	p.remove("host0/reservation")
	p.only(m)
	p.await(s, vm.Preempted, vm.Ready)
	p.remove("host1/reservation")
	if left := p.list(m); len(left) > 0 {
		t.Errorf("%v is listed", left)
	}
	p.await(s, vm.Preempted, vm.Preempted)
	p.terminate(s)
	p.await(s, vm.Preempted, vm.Preempted)
}

// Between two tries the host can be taken away, or another manager can begin to terminate the slice.
func TestNothingIsStartedOnAHostThatIsNoLongerToHaveIt(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile string
		want      vm.State
	}{
		"lost":        {"rm ../../reservation", vm.Preempted},
		"another's":   {"echo rack-1 {} >../../reservation", vm.Preempted},
		"terminating": {": >stopping", vm.Stopping},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPool(t, 1)
			config := p.config(1, p.worker())
			config.Bootstrap = func(sshvm.Machine) string { return "echo run >>../../runs; " + c.meanwhile + "; exit 1" }
			s := p.create(p.open(config), "rack-0")
			p.await(s, c.want)
			if got := p.hosts[0].read("runs"); got != "run\n" {
				t.Errorf("runs: %q", got)
			}
		})
	}
}

// kill kills the worker of a slice on a host, as the kernel might.
func (p *pool) kill(slice string, on int) {
	p.Helper()
	var pid int
	if _, err := fmt.Sscan(p.hosts[on].read("slices/"+slice+"/worker.pid"), &pid); err != nil {
		p.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		p.Fatal(err)
	}
}

func (p *pool) remove(name string) {
	p.Helper()
	if err := os.Remove(p.path(name)); err != nil {
		p.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
