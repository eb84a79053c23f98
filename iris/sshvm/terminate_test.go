package sshvm_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"iris/iris/sshvm"
	"iris/iris/vm"
)

func TestAWorkerThatIgnoresSIGTERMIsKilled(t *testing.T) {
	p := newPool(t, 1)
	w := p.workerOf(`trap 'echo asked >>asked' TERM`)
	w.Grace = 1e9
	c := p.config(1, w)
	stop := c.Shutdown
	c.Shutdown = func(m sshvm.Machine) string { return stop(m) + "\ncp asked ../../asked" }
	s := p.create(p.open(c), "rack-0")
	p.await(s, vm.Ready)
	within(t, "the worker listens", func() bool { return p.hosts[0].read("slices/rack-0/starts") != "" })
	p.terminate(s)
	p.await(s, vm.Terminated)
	if left := p.running(p.hosts[0].dir); len(left) > 0 {
		t.Errorf("%v still run", left)
	}
	if got := p.hosts[0].read("asked"); got != "asked\n" {
		t.Errorf("it was asked %q", got)
	}
}

// A keeper is in a session of its own, and survives a worker that is killed; it has the directory that the worker was told.
func TestAKeeperIsStoppedToo(t *testing.T) {
	p := newPool(t, 1)
	p.write("keeper", "echo up >keeper.up\nwhile :; do sleep 0.05; done\n")
	w := p.workerOf(`setsid sh ` + p.path("keeper") + ` keeper --dir "$PWD/data/keeper" &`)
	s := p.create(p.open(p.config(1, w)), "rack-0")
	p.await(s, vm.Ready)
	within(t, "the keeper runs", func() bool { return p.hosts[0].read("slices/rack-0/keeper.up") != "" })
	p.kill("rack-0", 0)
	p.terminate(s)
	if left := p.running(p.hosts[0].dir); len(left) > 0 {
		t.Errorf("%v still run", left)
	}
}

func TestASliceWithAHostThatIsDownIsTerminatedOnceItIsUp(t *testing.T) {
	p := newPool(t, 2)
	m := p.open(p.config(2, p.worker()))
	s := p.create(m, "rack-0")
	p.await(s, vm.Ready, vm.Ready)
	p.hosts[1].down()
	for range 2 {
		if err := s.Terminate(t.Context()); err == nil || !strings.Contains(err.Error(), p.hosts[1].address) {
			t.Errorf("got %v", err)
		}
		p.await(s, vm.Terminated, vm.Stopping)
	}
	if p.hosts[0].read("reservation") != "" || p.hosts[1].read("reservation") == "" {
		t.Error("the host that answers is to be given back, and no other")
	}
	if got := p.only(m); got != s {
		t.Errorf("listed is %v", got)
	}
	p.hosts[1].up()
	p.terminate(s)
	p.await(s, vm.Terminated, vm.Terminated)
	if left := p.list(m); len(left) > 0 {
		t.Errorf("%v is listed", left)
	}
}

// The next manager neither starts what was being terminated, nor takes back what was given back.
func TestATerminationThatWasCutShortIsGoneOnWithByTheNextManager(t *testing.T) {
	p := newPool(t, 2)
	first := p.open(p.config(2, p.worker()))
	s := p.create(first, "rack-0")
	p.await(s, vm.Ready, vm.Ready)
	p.hosts[1].down()
	if err := s.Terminate(t.Context()); err == nil {
		t.Error("it is terminated with a host that is down")
	}
	p.close(first)
	p.hosts[1].up()
	second := p.open(p.config(2, p.worker()))
	s = p.only(second)
	p.await(s, vm.Terminated, vm.Ready)
	if got := p.hosts[0].read("slices/rack-0/starts"); got != "" {
		t.Error("it is started once more where it was terminated")
	}
	p.terminate(s)
	p.await(s, vm.Terminated, vm.Terminated)
}

func TestAShutdownThatFailsKeepsTheHost(t *testing.T) {
	p := newPool(t, 1)
	c := p.config(1, p.worker())
	stop := c.Shutdown
	c.Shutdown = func(m sshvm.Machine) string {
		return "[ -e ../../allowed ] || { echo it is locked; exit 4; }\n" + stop(m)
	}
	first := p.open(c)
	s := p.create(first, "rack-0")
	p.await(s, vm.Ready)
	want := fmt.Sprintf("terminate rack-0: host %s: shutdown ended with exit status 4; it said last: it is locked", p.hosts[0].address)
	if err := s.Terminate(t.Context()); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	p.await(s, vm.Stopping)
	p.close(first)
	s = p.only(p.open(c))
	p.await(s, vm.Stopping) // and nobody starts it again
	p.write("host0/allowed", "")
	p.terminate(s)
	p.await(s, vm.Terminated)
}

func TestAScriptThatHangsHoldsUpNoTermination(t *testing.T) {
	p := newPool(t, 1)
	c := p.config(1, p.worker())
	c.Bootstrap = func(sshvm.Machine) string { return "echo run >>runs; sleep 1000" }
	s := p.create(p.open(c), "rack-0")
	within(t, "the script runs", func() bool { return p.hosts[0].read("slices/rack-0/runs") != "" })
	p.terminate(s)
	p.await(s, vm.Terminated)
	if left := p.running(p.hosts[0].dir); len(left) > 0 {
		t.Errorf("%v still run", left)
	}
}

// Who no longer waits for a termination does not stop it; who asks again waits for the same one.
func TestATerminationGoesOnWhenItsCallerHasLeft(t *testing.T) {
	p := newPool(t, 1)
	c := p.config(1, p.worker())
	stop := c.Shutdown
	c.Shutdown = func(m sshvm.Machine) string {
		return "echo run >>../../runs; until [ -e ../../go ]; do sleep 0.05; done\n" + stop(m)
	}
	s := p.create(p.open(c), "rack-0")
	p.await(s, vm.Ready)
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { left <- s.Terminate(ctx) }()
	within(t, "the script runs", func() bool { return p.hosts[0].read("runs") != "" })
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	go func() { left <- s.Terminate(t.Context()) }()
	p.write("host0/go", "")
	if err := <-left; err != nil {
		t.Error(err)
	}
	if got := p.hosts[0].read("runs"); got != "run\n" {
		t.Errorf("runs: %q", got)
	}
}

func TestAnEndedContextChangesNothing(t *testing.T) {
	p := newPool(t, 1)
	m := p.open(p.config(1, p.worker()))
	s := p.create(m, "rack-0")
	p.await(s, vm.Ready)
	before := p.hosts[0].connections()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, created := m.CreateSlice(ctx, vm.Request{})
	_, listed := m.ListSlices(ctx)
	_, logs := s.Logs(ctx, "rack-0-vm-0", 1)
	for call, err := range map[string]error{"create": created, "list": listed, "terminate": s.Terminate(ctx), "logs": logs} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", call, err)
		}
	}
	p.await(s, vm.Ready)
	if after := p.hosts[0].connections(); after != before {
		t.Errorf("the host was asked %d times", after-before)
	}
}
