package sshvm_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iris/iris/sshvm"
	"iris/iris/vm"
)

func TestAnotherManagerTakesOver(t *testing.T) {
	p := newPool(t, 2)
	first := p.open(p.config(2, p.worker()))
	made := p.create(first, "rack-0")
	p.await(made, vm.Ready, vm.Ready)
	p.close(first)
	if _, err := first.CreateSlice(t.Context(), vm.Request{}); !errors.Is(err, vm.ErrCreateFailed) {
		t.Errorf("the closed one creates: %v", err)
	}
	if _, err := first.ListSlices(t.Context()); err == nil {
		t.Error("the closed one lists")
	}
	if err := made.Terminate(t.Context()); err == nil {
		t.Error("the closed one terminates")
	}
	p.kill("rack-0", 1)

	second := p.open(p.config(2, p.worker()))
	s := p.only(second)
	if s.ID() != made.ID() || s.Zone() != made.Zone() || !s.CreatedAt().Equal(made.CreatedAt()) || s.Group() != made.Group() {
		t.Errorf("it finds %s in %s of %v", s.ID(), s.Zone(), s.CreatedAt())
	}
	if diff := cmp.Diff(made.Labels(), s.Labels()); diff != "" {
		t.Error(diff)
	}
	p.await(s, vm.Ready, vm.Ready)
	for i, want := range []string{"start\n", "start\nstart\n"} { // the one that runs is left alone
		within(t, fmt.Sprintf("host %d has started %q", i, want), func() bool { return p.hosts[i].read("slices/rack-0/starts") == want })
	}
	if again := p.create(second, "rack-0"); again != s {
		t.Errorf("asked for again, there is %v", again)
	}
	p.terminate(s)
	for i, h := range p.hosts {
		if running := p.running(h.dir); len(running) > 0 {
			t.Errorf("on host %d still run %v", i, running)
		}
	}
}

func TestAManagerThatIsClosedWhileAVMComesUpIsFollowedByAnother(t *testing.T) {
	p := newPool(t, 1)
	c := p.config(1, p.worker())
	start := c.Bootstrap
	c.Bootstrap = func(m sshvm.Machine) string {
		return "echo run >>runs; until [ -e ../../go ]; do sleep 0.05; done\n" + start(m)
	}
	first := p.open(c)
	made := p.create(first, "rack-0")
	within(t, "the script runs", func() bool { return p.hosts[0].read("slices/rack-0/runs") != "" })
	p.close(first)
	p.await(made, vm.Initializing)
	s := p.only(p.open(c))
	p.write("host0/go", "")
	p.await(s, vm.Ready)
	if got := p.hosts[0].read("slices/rack-0/starts"); got != "start\n" {
		t.Errorf("starts: %q", got)
	}
}

// halve makes a slice of two VMs, and makes it look as if its manager had died between the two reservations.
func (p *pool) halve() {
	p.Helper()
	m := p.open(p.config(2, p.worker()))
	p.await(p.create(m, "rack-0"), vm.Ready, vm.Ready)
	p.close(m)
	p.kill("rack-0", 1)
	p.remove("host1/reservation")
	if err := os.RemoveAll(p.path("host1/slices/rack-0")); err != nil {
		p.Fatal(err)
	}
}

// FM-71: who asks for it again gets the slice that was half made.
func TestACreationThatWasCutShortGoesOnWhenItIsAskedForAgain(t *testing.T) {
	p := newPool(t, 3)
	p.halve()
	m := p.open(p.config(2, p.worker()))
	if early := p.list(m); len(early) > 0 {
		t.Errorf("%v is listed, which may still be given back", early)
	}
	s := p.create(m, "rack-0")
	p.await(s, vm.Ready, vm.Ready)
	if p.hosts[1].read("slices/rack-0/starts") == "" {
		t.Error("the second VM is not on the host that the first knows of")
	}
	if p.hosts[2].read("reservation") != "" {
		t.Error("it is another slice of the same id")
	}
}

func TestACreationThatWasCutShortIsFoundOnceNobodyCanBeAtIt(t *testing.T) {
	p := newPool(t, 2)
	p.halve()
	c := p.config(2, p.worker())
	c.ConnectTimeout = 2 * time.Second
	m := p.open(c)
	began := time.Now()
	var found []vm.Slice
	within(t, "it is listed", func() bool {
		var err error
		if found, err = m.ListSlices(t.Context()); err != nil {
			t.Fatal(err)
		}
		return len(found) > 0
	})
	if took := time.Since(began); took < 4*c.ConnectTimeout {
		t.Errorf("after %v", took)
	}
	p.await(found[0], vm.Ready, vm.Ready)
}

// Two that want the same hosts at the same time: no host has two slices, every slice has its hosts, and what did not get
// any leaves nothing behind.
func TestTwoManagersNeverShareAHost(t *testing.T) {
	p := newPool(t, 3)
	var managers []*sshvm.Manager
	for i := range 2 {
		c := p.config(2, p.worker())
		c.Group.Name = fmt.Sprintf("group%d", i) // so that neither takes over what the other creates
		managers = append(managers, p.open(c))
	}
	for round := range 3 {
		made := make([]vm.Slice, len(managers))
		errs := make([]error, len(managers))
		var both sync.WaitGroup
		for i, m := range managers {
			both.Go(func() { made[i], errs[i] = m.CreateSlice(t.Context(), vm.Request{ID: fmt.Sprintf("s%d-%d", i, round)}) })
		}
		both.Wait()
		winners := 0
		for i, s := range made {
			if errs[i] != nil {
				if !errors.Is(errs[i], vm.ErrStockout) {
					t.Errorf("round %d: %v", round, errs[i])
				}
				if left := p.list(managers[i]); len(left) > 0 {
					t.Errorf("round %d: it has failed, and %v is there", round, left[0].ID())
				}
				continue
			}
			winners++
			p.await(s, vm.Ready, vm.Ready)
		}
		reserved := 0
		for _, h := range p.hosts {
			if h.read("reservation") != "" {
				reserved++
			}
		}
		if winners != 1 || reserved != 2 {
			t.Errorf("round %d: %d slices have %d of three hosts", round, winners, reserved)
		}
		for _, s := range made {
			if s != nil {
				p.terminate(s)
			}
		}
	}
}

// A host can be taken after everybody saw that it is free. Then the others are given back.
func TestACreationThatDoesNotGetAllItsHostsGetsNone(t *testing.T) {
	p := newPool(t, 2)
	p.hosts[1].before = func(order int) {
		if order == 2 { // the first was the look
			if err := os.MkdirAll(p.hosts[1].dir, 0o700); err != nil {
				t.Error(err)
			}
			p.write("host1/reservation", "other-0 {}\n")
		}
	}
	m := p.open(p.config(2, p.worker()))
	if _, err := m.CreateSlice(t.Context(), vm.Request{ID: "rack-0"}); !errors.Is(err, vm.ErrStockout) {
		t.Errorf("got %v", err)
	}
	if got := p.hosts[0].connections(); got != 4 { // look, reserve, drop, look
		t.Errorf("the first host was asked %d times", got)
	}
	if left := p.hosts[0].read("reservation"); left != "" {
		t.Errorf("the first host is reserved for %s", left)
	}
	p.remove("host1/reservation")
	p.await(p.create(m, "rack-0"), vm.Ready, vm.Ready) // an id that failed is not used up
}

// Many managers and slices of one VM: as many get one as there are hosts.
func TestAsManySlicesAsHosts(t *testing.T) {
	p := newPool(t, 2)
	const n = 4
	var mu sync.Mutex
	var made []vm.Slice
	var all sync.WaitGroup
	for i := range n {
		c := p.config(1, p.worker())
		c.Group.Name = fmt.Sprintf("group%d", i)
		m := p.open(c)
		all.Go(func() {
			s, err := m.CreateSlice(t.Context(), vm.Request{})
			if err != nil {
				if !errors.Is(err, vm.ErrStockout) {
					t.Error(err)
				}
				return
			}
			mu.Lock()
			defer mu.Unlock()
			made = append(made, s)
		})
	}
	all.Wait()
	if len(made) != 2 {
		t.Errorf("%d slices on two hosts", len(made))
	}
	for _, s := range made {
		p.await(s, vm.Ready)
	}
}

func TestTwoCreationsOfOneIDAreOneSlice(t *testing.T) {
	p := newPool(t, 3)
	m := p.open(p.config(1, p.worker()))
	made := make([]vm.Slice, 3)
	var all sync.WaitGroup
	for i := range made {
		all.Go(func() { made[i], _ = m.CreateSlice(t.Context(), vm.Request{ID: "rack-0"}) })
	}
	all.Wait()
	if made[0] == nil || made[0] != made[1] || made[1] != made[2] {
		t.Errorf("they are %v", made)
	}
	p.only(m)
}

// A slice of another cluster is nobody's business, but for its host.
func TestASliceWithoutTheManagersLabelsIsAStranger(t *testing.T) {
	p := newPool(t, 2)
	managers := map[string]*sshvm.Manager{}
	for _, name := range []string{"ours", "theirs"} {
		c := p.config(1, p.worker())
		c.Labels = map[string]string{"iris-cluster": name}
		managers[name] = p.open(c)
	}
	theirs := p.create(managers["theirs"], "rack-0")
	if left := p.list(managers["ours"]); len(left) > 0 {
		t.Errorf("%v is listed", left)
	}
	ours := p.create(managers["ours"], "rack-0")
	if diff := cmp.Diff(map[string]string{"iris-group": "rack", "iris-cluster": "ours"}, ours.Labels()); diff != "" {
		t.Error(diff)
	}
	p.await(ours, vm.Ready)
	p.await(theirs, vm.Ready)
	if _, err := managers["ours"].CreateSlice(t.Context(), vm.Request{}); !errors.Is(err, vm.ErrStockout) {
		t.Errorf("with no host left: %v", err)
	}
}

// What another manager terminates is TERMINATED here.
func TestASliceThatAnotherManagerTerminates(t *testing.T) {
	p := newPool(t, 1)
	one, other := p.open(p.config(1, p.worker())), p.open(p.config(1, p.worker()))
	s := p.create(one, "rack-0")
	p.await(s, vm.Ready)
	same := p.only(other)
	p.await(same, vm.Ready)
	p.terminate(same)
	if left := p.list(one); len(left) > 0 {
		t.Errorf("%v is listed", left)
	}
	p.await(s, vm.Terminated)
	p.terminate(s)
}

// A host that is taken out of the pool is given up.
func TestAHostThatIsNoLongerInThePool(t *testing.T) {
	p := newPool(t, 2)
	m := p.open(p.config(2, p.worker()))
	p.await(p.create(m, "rack-0"), vm.Ready, vm.Ready)
	p.close(m)
	p.hosts[1].down()
	c := p.config(2, p.worker())
	c.Hosts = c.Hosts[:1]
	s := p.only(p.open(c))
	p.await(s, vm.Ready, vm.Failed)
	if want := "rack-0-vm-1 is FAILED: its host " + p.hosts[1].address + " is no longer in the pool"; s.Status().Errors()[0] != want {
		t.Errorf("got %q, want %q", s.Status().Errors()[0], want)
	}
	p.terminate(s)
	if p.hosts[0].read("reservation") != "" {
		t.Error("the other host is not given back")
	}
}

// Close ends what is under way, whatever that waits for, and has waited for it when it returns.
func TestCloseEndsEverything(t *testing.T) {
	p := newPoolAlone(t, 4)
	p.hosts[3].down()
	c := p.config(1, p.worker())
	c.Group.MaxSlices = 5
	c.SSHPoll, c.RetryPause = time.Hour, time.Hour
	start := c.Bootstrap
	c.Bootstrap = func(m sshvm.Machine) string {
		switch m.Slice {
		case "hangs":
			return "echo run >>runs; sleep 1000"
		case "fails":
			return "exit 1"
		}
		return start(m)
	}
	c.Shutdown = func(sshvm.Machine) string { return "echo run >>ends; sleep 1000" }
	m := p.open(c)
	ended := p.create(m, "ended")
	p.await(ended, vm.Ready)
	calls := make(chan error, 3)
	go func() { calls <- ended.Terminate(t.Context()) }()
	within(t, "it ends", func() bool { return p.hosts[0].read("slices/ended/ends") != "" })
	p.create(m, "hangs")
	within(t, "the script runs", func() bool { return p.hosts[1].read("slices/hangs/runs") != "" })
	p.create(m, "fails")
	within(t, "the next try is waited for", func() bool { return strings.Contains(p.log.String(), "exit status 1") })
	booting := p.create(m, "boots")
	p.await(booting, vm.Booting)
	p.hosts[0].hang()
	before := p.hosts[0].connections()
	go func() {
		_, err := m.ListSlices(t.Context())
		calls <- err
	}()
	go func() {
		_, err := m.CreateSlice(t.Context(), vm.Request{})
		calls <- err
	}()
	within(t, "hosts are asked", func() bool { return p.hosts[0].connections() == before+2 })
	p.close(m)
	if left := goroutines("iris/sshvm.(*machine)") + goroutines("iris/sshvm.(*slice).terminate"); left != "" {
		t.Errorf("after Close there is %s", left)
	}
	for range cap(calls) {
		if err := <-calls; err == nil || !strings.Contains(err.Error(), "the manager is closed") {
			t.Errorf("a call that was under way: %v", err)
		}
	}
	within(t, "no goroutine is left", func() bool { return goroutines("iris/sshvm.")+goroutines("crypto/ssh") == "" })
}
