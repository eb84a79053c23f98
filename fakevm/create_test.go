package fakevm_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iris/fakevm"
	"iris/iris/vm"
)

// zones is group with two zones, of slices with n VMs.
func zones(n int) vm.GroupConfig {
	g := group()
	g.Zones, g.VMsPerSlice = []string{"a", "b"}, n
	return g
}

func ask(t testing.TB, m *fakevm.Manager, r vm.Request) vm.Slice {
	t.Helper()
	s, err := m.CreateSlice(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// refused checks that a request is refused for a reason with a text, and leaves nothing.
func refused(t testing.TB, m *fakevm.Manager, r vm.Request, want error, text string) {
	t.Helper()
	before := ids(m.Slices())
	s, err := m.CreateSlice(t.Context(), r)
	if s != nil || !errors.Is(err, want) || err.Error() != text {
		t.Errorf("got %v, %v; want %s", s, err, text)
	}
	if diff := cmp.Diff(before, ids(m.Slices())); diff != "" {
		t.Errorf("the refused creation leaves something: %s", diff)
	}
}

// hang makes a request that hangs, and whose caller gives up at once.
func hang(t testing.TB, m *fakevm.Manager, r vm.Request) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	if s, err := m.CreateSlice(&waited{Context: ctx, asked: cancel}, r); s != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v; want context.Canceled", s, err)
	}
}

// waited is a context that ends when somebody waits for its end, so it has not ended before.
type waited struct {
	context.Context
	asked context.CancelCauseFunc
}

func (w *waited) Done() <-chan struct{} {
	w.asked(nil)
	return w.Context.Done()
}

func TestARequestIsHonoured(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: zones(2)})
	s := ask(t, m, vm.Request{ID: "cpu-7", Zone: "b", Labels: map[string]string{"iris-group": "cpu"}})
	if s.ID() != "cpu-7" || s.Zone() != "b" || s.Labels()["iris-group"] != "cpu" {
		t.Errorf("got %s in %s with %v", s.ID(), s.Zone(), s.Labels())
	}
	if got := s.Status().VMs[1].ID; got != "cpu-7-vm-1" {
		t.Errorf("its second VM is %s", got)
	}
	if got := ask(t, m, vm.Request{}).Zone(); got != "a" {
		t.Errorf("without a zone it is in %s, want the first", got)
	}
}

func TestARequestForALiveSliceGetsIt(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: zones(1)})
	s := ask(t, m, vm.Request{ID: "cpu-0"})
	create(t, m)
	create(t, m)
	for _, mode := range []fakevm.FailureMode{fakevm.None, fakevm.CreateFails, fakevm.Stockout} {
		m.SetFailureMode(mode)
		if again := ask(t, m, vm.Request{ID: "cpu-0", Zone: "b"}); again != s {
			t.Errorf("mode %d: got %v, want the slice that there is", mode, again)
		}
	}
	if got := len(m.Slices()); got != 3 {
		t.Errorf("%d slices, want 3", got)
	}
}

func TestARequestForASliceThatIsGoneIsRefused(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: group()})
	if err := ask(t, m, vm.Request{ID: "cpu-0"}).Terminate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		create(t, m)
	}
	refused(t, m, vm.Request{ID: "cpu-0"}, vm.ErrSliceGone,
		"slice is gone: cpu-0 of test was created at 2026-01-01 00:00:00 +0000 UTC; take an id that was never used")
}

func TestAPickedIDIsNeverOneThatWasAskedFor(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: group()})
	ask(t, m, vm.Request{ID: "fake-slice-test-1"})
	if got := create(t, m).ID(); got != "fake-slice-test-2" {
		t.Errorf("the platform picks %s", got)
	}
}

func TestAZoneThatTheGroupDoesNotHaveIsRefused(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: zones(1)})
	const text = `slice creation failed for test in "c": the zones of the group are ["a" "b"]; ask for one of them`
	refused(t, m, vm.Request{Zone: "c"}, vm.ErrCreateFailed, text)
}

func TestQuotaIsPerZone(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: zones(1), Quota: map[string]int{"a": 1}})
	const text = "quota exceeded for test in a: 1 slices are live there, and the quota is 1; " +
		"ask for more quota, or retry when other slices have been terminated"
	s := ask(t, m, vm.Request{Zone: "a"})
	refused(t, m, vm.Request{Zone: "a"}, vm.ErrQuotaExceeded, text)
	ask(t, m, vm.Request{Zone: "b"})

	if err := s.Terminate(t.Context()); err != nil {
		t.Fatal(err)
	}
	ask(t, m, vm.Request{Zone: "a"})
	refused(t, m, vm.Request{Zone: "a"}, vm.ErrQuotaExceeded, text)
	if err := m.SetQuota("a", -1); err != nil {
		t.Fatal(err)
	}
	ask(t, m, vm.Request{Zone: "a"})
}

func TestALowerQuotaLeavesWhatThereIs(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: zones(1)})
	s := ask(t, m, vm.Request{Zone: "b"})
	if err := m.SetQuota("b", 0); err != nil {
		t.Fatal(err)
	}
	m.Tick(epoch)
	wantStates(t, s, vm.Ready)
	refused(t, m, vm.Request{Zone: "b"}, vm.ErrQuotaExceeded, "quota exceeded for test in b: 1 slices are live there, "+
		"and the quota is 0; ask for more quota, or retry when other slices have been terminated")
}

func TestStockIsPerZone(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: zones(1)})
	if err := m.SetStock("a", false); err != nil {
		t.Fatal(err)
	}
	refused(t, m, vm.Request{Zone: "a"}, vm.ErrStockout,
		"no machines in stock for test in a: try another zone, or retry later")
	ask(t, m, vm.Request{Zone: "b"})
	if err := m.SetStock("a", true); err != nil {
		t.Fatal(err)
	}
	ask(t, m, vm.Request{Zone: "a"})
}

func TestAnUnknownZoneHasNeitherQuotaNorStock(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: zones(1)})
	for text, err := range map[string]error{
		`set the quota of "c": the zones of test are ["a" "b"]`: m.SetQuota("c", 1),
		`set the stock of "c": the zones of test are ["a" "b"]`: m.SetStock("c", false),
	} {
		if err == nil || err.Error() != text {
			t.Errorf("got %v, want %s", err, text)
		}
	}
}

func TestACreationThatHangsComesLate(t *testing.T) {
	m := newManager(t, fakevm.Config{
		Group: group(), Failure: fakevm.CreateHangs, LateBy: time.Minute, BootDelay: time.Second, InitDelay: time.Second,
	})
	hang(t, m, vm.Request{ID: "cpu-0", Labels: map[string]string{"iris-group": "test"}})
	m.SetFailureMode(fakevm.CreateFails) // no mode keeps it from coming
	m.Tick(epoch.Add(time.Minute - 1))
	if got := m.Slices(); got != nil {
		t.Fatalf("a moment before there is %v", ids(got))
	}
	m.Tick(epoch.Add(time.Minute + 1500*time.Millisecond)) // also a late tick finds it come when it was due
	list, err := m.ListSlices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"cpu-0"}, ids(list)); diff != "" {
		t.Fatal(diff)
	}
	s := list[0]
	if !s.CreatedAt().Equal(epoch.Add(time.Minute)) || s.Labels()["iris-group"] != "test" {
		t.Errorf("created at %v with %v", s.CreatedAt(), s.Labels())
	}
	wantStates(t, s, vm.Initializing)
	if again := ask(t, m, vm.Request{ID: "cpu-0"}); again != s {
		t.Errorf("asked again: %v, want the slice that came late", again)
	}
	if err := s.Terminate(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantStates(t, s, vm.Terminated)
}

func TestACreationHangsAlsoForALiveSliceButNotForAFullGroup(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: group()})
	for range 2 {
		create(t, m)
	}
	ask(t, m, vm.Request{ID: "cpu-0"})
	m.SetFailureMode(fakevm.CreateHangs)
	refused(t, m, vm.Request{ID: "cpu-1"}, vm.ErrMaxSlices,
		"max_slices reached for test in us-central1-a: 3 of 3 slices are live; terminate one or raise max_slices")
	hang(t, m, vm.Request{ID: "cpu-0"})
	m.Tick(epoch.Add(time.Hour))
	if got := len(m.Slices()); got != 3 {
		t.Errorf("%d slices, want 3", got)
	}
}

func TestALateSliceStaysAwayIfThereIsNoPlaceForIt(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(*testing.T, *fakevm.Manager)
		want      []string
	}{
		"its id is taken": {func(t *testing.T, m *fakevm.Manager) { ask(t, m, vm.Request{ID: "late"}) }, []string{"late"}},
		"its id is used up": {func(t *testing.T, m *fakevm.Manager) {
			if err := ask(t, m, vm.Request{ID: "late"}).Terminate(t.Context()); err != nil {
				t.Error(err)
			}
		}, []string{"late"}},
		"the group is full": {func(t *testing.T, m *fakevm.Manager) {
			for _, id := range []string{"0", "1", "2"} {
				ask(t, m, vm.Request{ID: id})
			}
		}, []string{"0", "1", "2"}},
		"no quota": {func(t *testing.T, m *fakevm.Manager) {
			if err := m.SetQuota("a", 0); err != nil {
				t.Error(err)
			}
		}, nil},
		"no stock": {func(t *testing.T, m *fakevm.Manager) {
			if err := m.SetStock("a", false); err != nil {
				t.Error(err)
			}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t, fakevm.Config{Group: zones(1), Failure: fakevm.CreateHangs, LateBy: time.Minute})
			hang(t, m, vm.Request{ID: "late"})
			m.SetFailureMode(fakevm.None)
			c.meanwhile(t, m)
			m.Tick(epoch.Add(time.Hour))
			if diff := cmp.Diff(c.want, ids(m.Slices())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestALateSliceComesIntoTheRoomThatWasMadeBefore(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: group(), LateBy: time.Minute})
	create(t, m)
	leaving := create(t, m)
	m.SetFailureMode(fakevm.CreateHangs)
	hang(t, m, vm.Request{ID: "late"})
	m.SetFailureMode(fakevm.None)
	create(t, m)
	if err := m.Notice(leaving.ID(), time.Minute); err != nil {
		t.Fatal(err)
	}
	m.Tick(epoch.Add(time.Hour)) // at one and the same minute the one leaves and the other comes
	s, ok := m.Slice("late")
	if !ok || !s.CreatedAt().Equal(epoch.Add(time.Minute)) {
		t.Errorf("got %v, %v", s, ok)
	}
}
