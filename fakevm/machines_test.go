package fakevm_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"iris/fakevm"
	"iris/iris/vm"
)

// recorder is machines that remember what they were told, and what should not have been.
type recorder struct {
	take func() // what each call does meanwhile; may be nil

	mu    sync.Mutex
	busy  map[string]bool
	calls map[string][]string // by VM id
	all   []string
	wrong []string
}

func (r *recorder) Start(m fakevm.Machine) { r.called(m, "start", vm.Ready) }
func (r *recorder) Halt(m fakevm.Machine) {
	r.called(m, "halt", vm.Failed, vm.Preempted, vm.Terminated)
}
func (r *recorder) Warn(m fakevm.Machine, leaves time.Time) {
	r.called(m, "warn", vm.Stopping)
	if !leaves.Equal(m.VM.LeavesAt) {
		r.complain("%s is told it leaves at %v, and %v", m.VM.ID, leaves, m.VM.LeavesAt)
	}
}

func (r *recorder) called(m fakevm.Machine, what string, in ...vm.State) {
	id := m.VM.ID
	r.mu.Lock()
	if r.busy == nil {
		r.busy, r.calls = map[string]bool{}, map[string][]string{}
	}
	if r.busy[id] {
		r.wrong = append(r.wrong, what+" of "+id+" while another call is about it")
	}
	r.busy[id] = true
	r.calls[id] = append(r.calls[id], what)
	r.all = append(r.all, what+" "+id)
	r.mu.Unlock()
	if r.take != nil {
		r.take()
	}
	found := false
	for _, s := range in {
		found = found || s == m.VM.State
	}
	if !found {
		r.complain("%s of %s, which is %v", what, id, m.VM.State)
	}
	if want := fmt.Sprintf("%s-vm-%d", m.Slice, m.Index); id != want || m.VM.WorkerID != "worker-"+id || m.VM.Address == "" {
		r.complain("%s of %+v, want id, worker and address of %s", what, m, want)
	}
	r.mu.Lock()
	r.busy[id] = false
	r.mu.Unlock()
}

func (r *recorder) complain(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
}

// order is every call so far, in order.
func (r *recorder) order() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.all...)
}

func (r *recorder) want(t testing.TB, calls ...string) {
	t.Helper()
	if diff := cmp.Diff(calls, r.order()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	for _, w := range r.wrong {
		t.Error(w)
	}
}

func TestMachinesAreToldInOrder(t *testing.T) {
	var r recorder
	m := newManager(t, fakevm.Config{Group: zones(1), BootDelay: time.Second, Machines: &r})
	ask(t, m, vm.Request{ID: "a"})
	m.Tick(epoch.Add(500 * time.Millisecond))
	b := ask(t, m, vm.Request{ID: "b"})
	if err := m.Notice("b", 100*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	ask(t, m, vm.Request{ID: "c"})
	r.want(t)
	m.Tick(epoch.Add(time.Minute)) // b left before it was READY
	wantStates(t, b, vm.Preempted)
	r.want(t, "start a-vm-0", "start c-vm-0")
	if err := errors.Join(m.Notice("c", time.Minute), m.Notice("a", time.Second), m.FailVM("a-vm-0", "why")); err != nil {
		t.Fatal(err)
	}
	r.want(t, "start a-vm-0", "start c-vm-0", "warn c-vm-0", "warn a-vm-0", "halt a-vm-0")
	m.Tick(epoch.Add(time.Hour))
	r.want(t, "start a-vm-0", "start c-vm-0", "warn c-vm-0", "warn a-vm-0", "halt a-vm-0", "halt c-vm-0")
}

func TestAMachineIsToldWhoItIs(t *testing.T) {
	told := make(starts, 3)
	m := newManager(t, fakevm.Config{Group: zones(2), Machines: told})
	ask(t, m, vm.Request{ID: "s", Zone: "b", Labels: map[string]string{"k": "v"}})
	m.Tick(epoch)
	for i := range 2 {
		id := fmt.Sprintf("s-vm-%d", i)
		want := fakevm.Machine{
			Slice: "s", Group: "test", Zone: "b", Index: i, Labels: map[string]string{"k": "v"},
			VM: vm.VM{ID: id, State: vm.Ready, Address: id + ".invalid", WorkerID: "worker-" + id, ChangedAt: epoch},
		}
		if diff := cmp.Diff(want, <-told); diff != "" {
			t.Error(diff)
		}
	}
}

// starts are machines whose starts can be received.
type starts chan fakevm.Machine

func (s starts) Start(m fakevm.Machine)         { s <- m }
func (s starts) Warn(fakevm.Machine, time.Time) {}
func (s starts) Halt(fakevm.Machine)            {}

// slow are machines that take time to start and to halt.
type slow struct {
	fakevm.Machines
	start, halt time.Duration
}

func (s slow) Start(m fakevm.Machine) { time.Sleep(s.start); s.Machines.Start(m) }
func (s slow) Halt(m fakevm.Machine)  { time.Sleep(s.halt); s.Machines.Halt(m) }

func TestTerminateWaitsForTheMachinesWhoeverHaltsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		m := newManager(t, fakevm.Config{Group: zones(2), Machines: slow{&r, 0, time.Minute}})
		s := create(t, m)
		m.Tick(epoch)
		begin := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := m.Preempt(s.ID()); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		wantStates(t, s, vm.Preempted, vm.Preempted) // the cloud is not held up
		short, cancel := context.WithTimeout(t.Context(), time.Minute+time.Second)
		defer cancel()
		const text = "terminate fake-slice-test-0: its machines are still halting; call Terminate again: context deadline exceeded"
		if err := s.Terminate(short); !errors.Is(err, context.DeadlineExceeded) || err.Error() != text {
			t.Errorf("got %v, want %s", err, text)
		}
		if err := s.Terminate(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took != 2*time.Minute {
			t.Errorf("Terminate returned nil after %v, want both minutes", took)
		}
		wg.Wait()
		id := s.ID()
		r.want(t, "start "+id+"-vm-0", "start "+id+"-vm-1", "halt "+id+"-vm-0", "halt "+id+"-vm-1")
	})
}

func TestAHaltWaitsForTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		m := newManager(t, fakevm.Config{Group: zones(1), Machines: slow{&r, time.Minute, 0}})
		s := create(t, m)
		var wg sync.WaitGroup
		wg.Go(func() { m.Tick(epoch) })
		synctest.Wait()
		if err := s.Terminate(t.Context()); err != nil {
			t.Error(err)
		}
		r.want(t, "start "+s.ID()+"-vm-0", "halt "+s.ID()+"-vm-0")
		wg.Wait()
	})
}

func TestSlicesAreTerminatedSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, fakevm.Config{Group: zones(1), Machines: slow{&recorder{}, 0, time.Minute}})
		all := []vm.Slice{create(t, m), create(t, m), create(t, m)}
		m.Tick(epoch)
		begin := time.Now()
		var wg sync.WaitGroup
		for _, s := range all {
			wg.Go(func() {
				if err := s.Terminate(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(begin); took != time.Minute {
			t.Errorf("it took %v, want a minute", took)
		}
	})
}

func TestMachinesMayAskTheCloudAndChangeTheRestOfIt(t *testing.T) {
	var m *fakevm.Manager
	var r recorder
	r.take = func() {
		list(t, m)
		m.Bill()
		for _, s := range m.Slices() {
			s.Status()
		}
		if err := m.Preempt("other"); err != nil {
			t.Error(err)
		}
	}
	m = newManager(t, fakevm.Config{Group: zones(1), BootDelay: time.Second, Machines: &r})
	ask(t, m, vm.Request{ID: "one"})
	m.Tick(epoch.Add(500 * time.Millisecond))
	ask(t, m, vm.Request{ID: "other"})
	m.Tick(epoch.Add(time.Second))
	s, _ := m.Slice("other")
	wantStates(t, s, vm.Preempted)
	r.want(t, "start one-vm-0")
}
