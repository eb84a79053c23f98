package fakevm_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iris/fakevm"
	"iris/iris/vm"
)

func list(t testing.TB, m *fakevm.Manager) []vm.Slice {
	t.Helper()
	all, err := m.ListSlices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAPartialCreationHasAFailedVM(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: zones(3), Failure: fakevm.CreatePartial})
	s := create(t, m)
	wantStates(t, s, vm.Booting, vm.Booting, vm.Failed)
	m.Tick(epoch)
	wantStates(t, s, vm.Ready, vm.Ready, vm.Failed)
	want := []string{"fake-slice-test-0-vm-2 is FAILED: the fake platform could not create it"}
	if diff := cmp.Diff(want, s.Status().Errors()); diff != "" {
		t.Error(diff)
	}
}

func TestAPartialCreationOfOneVMIsGoneAtOnce(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: zones(1), Failure: fakevm.CreatePartial})
	wantStates(t, create(t, m), vm.Failed)
	if got := m.Live(); got != nil {
		t.Errorf("%v are live", ids(got))
	}
}

func TestAStuckVMNeverLeavesItsState(t *testing.T) {
	for mode, want := range map[fakevm.FailureMode]vm.State{
		fakevm.BootStuck: vm.Booting, fakevm.InitStuck: vm.Initializing,
	} {
		m := newManager(t, fakevm.Config{Group: zones(1)})
		before := create(t, m)
		m.SetFailureMode(mode)
		stuck := create(t, m)
		m.SetFailureMode(fakevm.None)
		after := create(t, m)
		m.Tick(epoch.Add(1000 * time.Hour))
		wantStates(t, before, vm.Ready)
		wantStates(t, stuck, want)
		wantStates(t, after, vm.Ready)
		if err := stuck.Terminate(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantStates(t, stuck, vm.Terminated)
	}
}

func TestOneVMFailsAndTheRestGoesOn(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: zones(2), BootDelay: time.Minute})
	s := create(t, m)
	m.Tick(epoch.Add(time.Minute))
	for _, why := range []string{"the disk broke", "it burns"} { // a terminal state never changes
		if err := m.FailVM(s.ID()+"-vm-0", why); err != nil {
			t.Fatal(err)
		}
		m.Tick(epoch.Add(time.Hour))
	}
	want := vm.VM{
		ID: "fake-slice-test-0-vm-0", State: vm.Failed, ChangedAt: epoch.Add(time.Minute), InitError: "the disk broke",
		Address: "fake-slice-test-0-vm-0.invalid", WorkerID: "worker-fake-slice-test-0-vm-0",
	}
	if diff := cmp.Diff(want, s.Status().VMs[0]); diff != "" {
		t.Error(diff)
	}
	wantStates(t, s, vm.Failed, vm.Ready)
	if diff := cmp.Diff([]string{s.ID()}, ids(list(t, m))); diff != "" {
		t.Errorf("a slice lives while one of its VMs does: %s", diff)
	}
	const text = `fail "nope": scale group test has had no such VM; Slices lists all slices`
	if err := m.FailVM("nope", "why"); err == nil || err.Error() != text {
		t.Errorf("got %v, want %s", err, text)
	}
}

func TestUnderNoticeASliceStopsAndThenIsPreempted(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: zones(2), BootDelay: time.Minute, InitDelay: time.Minute})
	s := create(t, m)
	m.Tick(epoch.Add(90 * time.Second))
	if err := m.FailVM(s.ID()+"-vm-0", "the disk broke"); err != nil {
		t.Fatal(err)
	}
	if err := m.Notice(s.ID(), 30*time.Second); err != nil {
		t.Fatal(err)
	}
	if err := m.Notice(s.ID(), time.Hour); err != nil { // once is enough
		t.Fatal(err)
	}
	want := vm.VM{
		ID: "fake-slice-test-0-vm-1", State: vm.Stopping, ChangedAt: epoch.Add(90 * time.Second),
		LeavesAt: epoch.Add(2 * time.Minute),
		Address:  "fake-slice-test-0-vm-1.invalid", WorkerID: "worker-fake-slice-test-0-vm-1",
	}
	m.Tick(epoch.Add(2*time.Minute - 1)) // it does not become READY any more
	wantStates(t, s, vm.Failed, vm.Stopping)
	if diff := cmp.Diff(want, s.Status().VMs[1]); diff != "" {
		t.Error(diff)
	}
	m.Tick(epoch.Add(time.Hour))
	want.State, want.ChangedAt, want.LeavesAt = vm.Preempted, want.LeavesAt, time.Time{}
	if diff := cmp.Diff(want, s.Status().VMs[1]); diff != "" {
		t.Error(diff)
	}
	wantStates(t, s, vm.Failed, vm.Preempted)
}

func TestUnderNoticeASliceCanBeTerminated(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: zones(1)})
	s := create(t, m)
	if err := m.Notice(s.ID(), time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := s.Terminate(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.Tick(epoch.Add(time.Hour))
	wantStates(t, s, vm.Terminated)
	if at := s.Status().VMs[0].LeavesAt; !at.IsZero() {
		t.Errorf("what is gone still leaves at %v", at)
	}
}

func TestNoticeRefusesWhatItCannotDo(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: zones(1)})
	s := create(t, m)
	for text, err := range map[string]error{
		`give notice to "nope": scale group test has had no such slice; Slices lists all`: m.Notice("nope", 0),
		`give notice to "fake-slice-test-0": the grace is -1ns; it must not be negative`:  m.Notice(s.ID(), -1),
		`hide "nope": scale group test has had no such slice; Slices lists all`:           m.Hide("nope", true),
		`logs of "nope": slice fake-slice-test-0 has no such VM`:                          logsOf(t, s, "nope"),
		`logs of "fake-slice-test-1-vm-0": slice fake-slice-test-0 has no such VM`:        logsOf(t, s, "fake-slice-test-1-vm-0"),
	} {
		if err == nil || err.Error() != text {
			t.Errorf("got %v, want %s", err, text)
		}
	}
	wantStates(t, s, vm.Booting)
}

func logsOf(t testing.TB, s vm.Slice, vmID string) error {
	lines, err := s.Logs(t.Context(), vmID, 1)
	if lines != nil {
		t.Errorf("logs of %s are %q", vmID, lines)
	}
	return err
}

func TestTerminationsFailAsOftenAsTold(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: zones(1)})
	s := create(t, m)
	m.FailTerminations(2)
	const text = "terminate fake-slice-test-0: the fake platform is told to fail, and nothing has changed; call Terminate again"
	for range 2 {
		if err := s.Terminate(t.Context()); err == nil || err.Error() != text {
			t.Errorf("got %v, want %s", err, text)
		}
		wantStates(t, s, vm.Booting)
	}
	if err := s.Terminate(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantStates(t, s, vm.Terminated)

	m.FailTerminations(5)
	m.FailTerminations(-1)
	if err := s.Terminate(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestANewVMGetsTheAddressOfOneThatIsGone(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: zones(1), Addresses: []string{"10.0.0.1", "10.0.0.2"}})
	address := func(s vm.Slice) string { return s.Status().VMs[0].Address }
	first, second := create(t, m), create(t, m)
	if got := address(first); got != "" {
		t.Errorf("before it has booted its address is %q", got)
	}
	m.Tick(epoch)
	if err := first.Terminate(t.Context()); err != nil {
		t.Fatal(err)
	}
	third, fourth := create(t, m), create(t, m)
	m.Tick(epoch)
	got := []string{address(first), address(second), address(third), address(fourth)}
	want := []string{"10.0.0.1", "10.0.0.2", "10.0.0.1", fmt.Sprintf("%s-vm-0.invalid", fourth.ID())}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLogsHaveALineForEachState(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: zones(2), BootDelay: time.Minute, InitDelay: time.Second})
	s := create(t, m)
	m.Tick(epoch.Add(2 * time.Minute))
	if err := m.Notice(s.ID(), 30*time.Second); err != nil {
		t.Fatal(err)
	}
	if err := m.FailVM("fake-slice-test-0-vm-1", "the disk broke"); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"2026-01-01T00:00:00Z fake-slice-test-0-vm-1 is BOOTING",
		"2026-01-01T00:01:00Z fake-slice-test-0-vm-1 is INITIALIZING: registration",
		"2026-01-01T00:01:01Z fake-slice-test-0-vm-1 is READY",
		"2026-01-01T00:02:00Z fake-slice-test-0-vm-1 is STOPPING: the platform takes it away at 2026-01-01T00:02:30Z",
		"2026-01-01T00:02:00Z fake-slice-test-0-vm-1 is FAILED: the disk broke",
	}
	for n, lines := range map[int][]string{100: want, 5: want, 2: want[3:], 0: nil, -1: nil} {
		got, err := s.Logs(t.Context(), "fake-slice-test-0-vm-1", n)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(lines, got); diff != "" {
			t.Errorf("the last %d lines: %s", n, diff)
		}
	}
}

// says that a line of a log is about a state.
func says(line, state string) bool {
	_, is, _ := strings.Cut(line, " is ")
	is, _, _ = strings.Cut(is, ":")
	return is == state
}
