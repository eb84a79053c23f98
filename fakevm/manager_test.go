package fakevm_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"iris/fakevm"
	"iris/iris/vm"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func group() vm.GroupConfig {
	return vm.GroupConfig{Name: "test", AcceleratorVariant: "v4-8", MaxSlices: 3, Zones: []string{"us-central1-a"}}
}

// newManager is a manager whose time is epoch.
func newManager(t testing.TB, cfg fakevm.Config) *fakevm.Manager {
	t.Helper()
	m, err := fakevm.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	m.Tick(epoch)
	return m
}

func create(t testing.TB, m *fakevm.Manager) vm.Slice {
	t.Helper()
	s, err := m.CreateSlice(t.Context(), vm.Request{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func states(s vm.Slice) []vm.State {
	var all []vm.State
	for _, v := range s.Status().VMs {
		all = append(all, v.State)
	}
	return all
}

func wantStates(t testing.TB, s vm.Slice, want ...vm.State) {
	t.Helper()
	if diff := cmp.Diff(want, states(s)); diff != "" {
		t.Errorf("states of %s (-want +got):\n%s", s.ID(), diff)
	}
}

func ids(slices []vm.Slice) []string {
	var all []string
	for _, s := range slices {
		all = append(all, s.ID())
	}
	return all
}

func TestASliceIsBootingUntilTheFirstTick(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: group()})
	s := create(t, m)
	wantStates(t, s, vm.Booting)
	m.Tick(epoch)
	wantStates(t, s, vm.Ready)
}

func TestEachVMIsNamedAfterItsSliceAndItsWorkerAfterIt(t *testing.T) {
	g := group()
	g.AcceleratorVariant = "v4-16"
	m := newManager(t, fakevm.Config{Group: g})
	create(t, m)
	s := create(t, m)
	m.Tick(epoch)
	want := []vm.VM{
		{
			ID: "fake-slice-test-1-vm-0", State: vm.Ready, ChangedAt: epoch,
			Address: "fake-slice-test-1-vm-0.invalid", WorkerID: "worker-fake-slice-test-1-vm-0",
		},
		{
			ID: "fake-slice-test-1-vm-1", State: vm.Ready, ChangedAt: epoch,
			Address: "fake-slice-test-1-vm-1.invalid", WorkerID: "worker-fake-slice-test-1-vm-1",
		},
	}
	if diff := cmp.Diff(want, s.Status().VMs); diff != "" {
		t.Error(diff)
	}
	if s.ID() != "fake-slice-test-1" || s.Group() != "test" || !s.CreatedAt().Equal(epoch) {
		t.Errorf("got %s of %s at %v", s.ID(), s.Group(), s.CreatedAt())
	}
}

func TestTheDelaysRunOneAfterTheOther(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: group(), BootDelay: 30 * time.Second, InitDelay: time.Minute})
	s := create(t, m)
	for _, c := range []struct {
		at        time.Duration
		want      vm.State
		changedAt time.Duration
		phase     string
	}{
		{29 * time.Second, vm.Booting, 0, ""},
		{30 * time.Second, vm.Initializing, 30 * time.Second, "registration"},
		{89 * time.Second, vm.Initializing, 30 * time.Second, "registration"},
		{90 * time.Second, vm.Ready, 90 * time.Second, ""},
		{time.Hour, vm.Ready, 90 * time.Second, ""},
	} {
		m.Tick(epoch.Add(c.at))
		v := s.Status().VMs[0]
		if v.State != c.want || !v.ChangedAt.Equal(epoch.Add(c.changedAt)) || v.InitPhase != c.phase {
			t.Errorf("at %v: %+v; want %v since %v, phase %q", c.at, v, c.want, c.changedAt, c.phase)
		}
	}
}

func TestALateTickMeasuresInitFromTheInstantBootingEnded(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: group(), BootDelay: 30 * time.Second, InitDelay: time.Minute})
	s := create(t, m)
	m.Tick(epoch.Add(80 * time.Second))
	wantStates(t, s, vm.Initializing)
	m.Tick(epoch.Add(90 * time.Second))
	wantStates(t, s, vm.Ready)
}

func TestATickThatGoesBackChangesNothing(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: group()})
	s := create(t, m)
	m.Tick(epoch.Add(-time.Nanosecond))
	wantStates(t, s, vm.Booting)
	if got := create(t, m).CreatedAt(); !got.Equal(epoch) {
		t.Errorf("the next slice is created at %v, want %v", got, epoch)
	}
}

func TestBeforeTheFirstTickItIsTimeNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := fakevm.New(fakevm.Config{Group: group()})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		s := create(t, m)
		time.Sleep(time.Second)
		if later := create(t, m); !s.CreatedAt().Equal(start) || !later.CreatedAt().Equal(start) {
			t.Errorf("created at %v and %v, want both at %v: only Tick moves time", s.CreatedAt(), later.CreatedAt(), start)
		}
		m.Tick(time.Now())
		wantStates(t, s, vm.Ready)
	})
}

func TestARefusedCreationLeavesNothingBehind(t *testing.T) {
	for _, c := range []struct {
		mode fakevm.FailureMode
		want error
		text string
	}{
		{
			fakevm.QuotaExceeded, vm.ErrQuotaExceeded,
			"quota exceeded for test in us-central1-a: ask for more quota, or retry when other slices have been terminated",
		},
		{
			fakevm.CreateFails, vm.ErrCreateFailed,
			"slice creation failed for test in us-central1-a: the fake platform is told to refuse; " +
				"retry after SetFailureMode(None)",
		},
		{
			fakevm.Stockout, vm.ErrStockout,
			"no machines in stock for test in us-central1-a: try another zone, or retry later",
		},
		{
			fakevm.FailureMode(99), vm.ErrCreateFailed,
			"slice creation failed for test in us-central1-a: FailureMode(99) is none of those that package fakevm has",
		},
	} {
		m := newManager(t, fakevm.Config{Group: group(), Failure: c.mode})
		s, err := m.CreateSlice(t.Context(), vm.Request{})
		if s != nil || !errors.Is(err, c.want) || err.Error() != c.text {
			t.Errorf("mode %d: got %v, %v; want %s", c.mode, s, err, c.text)
		}
		if left := ids(m.Slices()); left != nil {
			t.Errorf("mode %d leaves %v", c.mode, left)
		}
		m.SetFailureMode(fakevm.None)
		if got := create(t, m).ID(); got != "fake-slice-test-0" {
			t.Errorf("mode %d: the first slice after it is %s", c.mode, got)
		}
	}
}

func TestAFullGroupRefusesUntilASliceIsGone(t *testing.T) {
	for name, remove := range map[string]func(*fakevm.Manager, vm.Slice) error{
		"terminated": func(_ *fakevm.Manager, s vm.Slice) error { return s.Terminate(context.Background()) },
		"preempted":  func(m *fakevm.Manager, s vm.Slice) error { return m.Preempt(s.ID()) },
	} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t, fakevm.Config{Group: group()})
			first := create(t, m)
			create(t, m)
			create(t, m)
			const text = "max_slices reached for test in us-central1-a: 3 of 3 slices are live; " +
				"terminate one or raise max_slices"
			if _, err := m.CreateSlice(t.Context(), vm.Request{}); !errors.Is(err, vm.ErrMaxSlices) || err.Error() != text {
				t.Errorf("got %v, want %s", err, text)
			}
			if err := remove(m, first); err != nil {
				t.Fatal(err)
			}
			if got := create(t, m).ID(); got != "fake-slice-test-3" {
				t.Errorf("the slice in its place is %s, want an id never used", got)
			}
		})
	}
}

func TestTerminateIsFinalAndIdempotent(t *testing.T) {
	g := group()
	g.VMsPerSlice = 2
	m := newManager(t, fakevm.Config{Group: g, InitDelay: time.Hour})
	s := create(t, m)
	m.Tick(epoch.Add(time.Minute))
	for range 2 {
		if err := s.Terminate(t.Context()); err != nil {
			t.Fatal(err)
		}
		m.Tick(epoch.Add(2 * time.Hour))
		wantStates(t, s, vm.Terminated, vm.Terminated)
	}
	if err := m.Preempt(s.ID()); err != nil {
		t.Fatal(err)
	}
	wantStates(t, s, vm.Terminated, vm.Terminated)
	if v := s.Status().VMs[0]; !v.ChangedAt.Equal(epoch.Add(time.Minute)) || v.InitPhase != "" {
		t.Errorf("got %+v, want it unchanged since it was terminated", v)
	}
}

func TestAPreemptedSliceStaysPreempted(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: group()})
	s, other := create(t, m), create(t, m)
	m.Tick(epoch)
	if err := m.Preempt(s.ID()); err != nil {
		t.Fatal(err)
	}
	if err := s.Terminate(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantStates(t, s, vm.Preempted)
	wantStates(t, other, vm.Ready)
	if diff := cmp.Diff([]string{"fake-slice-test-0-vm-0 is PREEMPTED"}, s.Status().Errors()); diff != "" {
		t.Error(diff)
	}
}

func TestPreemptingAnUnknownSliceIsAnError(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: group()})
	const text = `preempt "nope": scale group test has had no such slice; Slices lists all`
	if err := m.Preempt("nope"); err == nil || err.Error() != text {
		t.Errorf("got %v, want %s", err, text)
	}
}

func TestListSlicesKnowsTheLiveAndSlicesAll(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: group()})
	gone, lost, live := create(t, m), create(t, m), create(t, m)
	if err := errors.Join(gone.Terminate(t.Context()), m.Preempt(lost.ID())); err != nil {
		t.Fatal(err)
	}
	list, err := m.ListSlices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{live.ID()}, ids(list)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{gone.ID(), lost.ID(), live.ID()}, ids(m.Slices())); diff != "" {
		t.Error(diff)
	}
	if s, ok := m.Slice(lost.ID()); !ok || s != lost {
		t.Errorf("Slice(%s) = %v, %v", lost.ID(), s, ok)
	}
	if s, ok := m.Slice("nope"); ok || s != nil {
		t.Errorf("Slice(nope) = %v, %v", s, ok)
	}
}

func TestWhatIsHandedOutIsACopy(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: group()})
	labels := map[string]string{"owner": "iris"}
	s, err := m.CreateSlice(t.Context(), vm.Request{Labels: labels})
	if err != nil {
		t.Fatal(err)
	}
	labels["owner"] = "caller"
	s.Labels()["owner"] = "reader"
	s.Status().VMs[0].State = vm.Failed
	if diff := cmp.Diff(map[string]string{"owner": "iris"}, s.Labels()); diff != "" {
		t.Error(diff)
	}
	wantStates(t, s, vm.Booting)
}

func TestAnEndedContextChangesNothing(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: group()})
	s := create(t, m)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, created := m.CreateSlice(ctx, vm.Request{})
	_, listed := m.ListSlices(ctx)
	_, logged := s.Logs(ctx, "fake-slice-test-0-vm-0", 1)
	for call, err := range map[string]error{
		"create": created, "list": listed, "terminate": s.Terminate(ctx), "logs": logged,
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want context.Canceled", call, err)
		}
	}
	if got := len(m.Slices()); got != 1 {
		t.Errorf("%d slices, want 1", got)
	}
	wantStates(t, s, vm.Booting)
}

func TestNewReportsEveryMistakeAtOnce(t *testing.T) {
	_, err := fakevm.New(fakevm.Config{
		Group: vm.GroupConfig{Name: "test"}, BootDelay: -1, InitDelay: -2, LateBy: -3,
		Quota: map[string]int{"b": 1, "a": -1}, Addresses: []string{"x", "", "x"},
	})
	if err == nil {
		t.Fatal("a broken config is accepted")
	}
	want := []string{
		`scale group "test": max_slices is 0; it must be at least 1`,
		`scale group "test": zones is empty; name at least one, such as us-central1-a`,
		`boot delay is -1ns; it must not be negative`,
		`init delay is -2ns; it must not be negative`,
		`late by is -3ns; it must not be negative`,
		`quota is for zone "a"; the zones of the group are []`,
		`quota is for zone "b"; the zones of the group are []`,
		`addresses[1] is empty; name an address or remove it`,
		`addresses[2] repeats "x"; remove it`,
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Error(diff)
	}
}

func TestConcurrentCreationsNeverExceedMaxSlices(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: group()})
	errs := make([]error, 20)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			_, errs[i] = m.CreateSlice(t.Context(), vm.Request{})
			m.Tick(epoch.Add(time.Duration(i)))
		})
	}
	wg.Wait()
	refused := 0
	for _, err := range errs {
		if errors.Is(err, vm.ErrMaxSlices) {
			refused++
		}
	}
	if made := len(m.Slices()); made != 3 || refused != 17 {
		t.Errorf("%d made and %d refused, want 3 and 17", made, refused)
	}
}

func TestNextIsWhenAMachineTakesItsNextStep(t *testing.T) {
	m, err := fakevm.New(fakevm.Config{Group: group(), BootDelay: 30 * time.Second, InitDelay: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	m.Tick(begin)
	if at, more := m.Next(); more {
		t.Errorf("without slices something happens at %v", at)
	}
	create(t, m)
	for _, want := range []time.Duration{30 * time.Second, 90 * time.Second} {
		at, more := m.Next()
		if !more || at.Sub(begin) != want {
			t.Errorf("something happens after %v (%v), want %v", at.Sub(begin), more, want)
		}
		m.Tick(at)
	}
	if at, more := m.Next(); more {
		t.Errorf("when all is ready something happens at %v", at)
	}
}
