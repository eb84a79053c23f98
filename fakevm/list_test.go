package fakevm_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iris/fakevm"
	"iris/iris/vm"
)

func TestAHiddenSliceLivesOn(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: group()})
	hidden, other := create(t, m), create(t, m)
	hide := func(yes bool) {
		if err := m.Hide(hidden.ID(), yes); err != nil {
			t.Fatal(err)
		}
	}
	hide(true)
	if diff := cmp.Diff([]string{other.ID()}, ids(list(t, m))); diff != "" {
		t.Error(diff)
	}
	m.Tick(epoch)
	wantStates(t, hidden, vm.Ready)
	if diff := cmp.Diff([]string{hidden.ID(), other.ID()}, ids(m.Live())); diff != "" {
		t.Error(diff)
	}
	hide(false)
	if diff := cmp.Diff([]string{hidden.ID(), other.ID()}, ids(list(t, m))); diff != "" {
		t.Error(diff)
	}
}

// A slice lives from 0:10 to 0:40. Lists are 30 s late.
func TestAListWithALagShowsThePast(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: group(), BootDelay: 10 * time.Second, InitDelay: 10 * time.Second})
	m.SetListLag(30 * time.Second)
	m.Tick(epoch.Add(10 * time.Second))
	s := create(t, m)
	for _, c := range []struct {
		at   time.Duration
		want []vm.State // none: the list lacks the slice
	}{
		{10 * time.Second, nil},
		{40*time.Second - 1, nil},
		{40 * time.Second, []vm.State{vm.Booting}},
		{50 * time.Second, []vm.State{vm.Initializing}},
		{60 * time.Second, []vm.State{vm.Ready}},
		{70*time.Second - 1, []vm.State{vm.Ready}},
		{70 * time.Second, nil},
		{time.Hour, nil},
	} {
		m.Tick(epoch.Add(c.at))
		if c.at == 40*time.Second {
			if err := s.Terminate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		var got []vm.State
		for _, l := range list(t, m) {
			if l.ID() != s.ID() {
				t.Errorf("at %v the list has %s", c.at, l.ID())
			}
			got = append(got, states(l)...)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("at %v: %s", c.at, diff)
		}
	}
}

func TestASliceFromALateListStaysBehindAndActsNow(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: group(), BootDelay: time.Minute, InitDelay: time.Minute})
	s := create(t, m)
	m.Tick(epoch.Add(time.Minute))
	m.SetListLag(time.Minute)
	late := list(t, m)[0]
	m.SetListLag(0)
	wantStates(t, late, vm.Booting)
	wantStates(t, list(t, m)[0], vm.Initializing)
	m.Tick(epoch.Add(2 * time.Minute))
	wantStates(t, late, vm.Initializing)
	if err := late.Terminate(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantStates(t, s, vm.Terminated)
	wantStates(t, late, vm.Initializing)
	m.Tick(epoch.Add(3 * time.Minute))
	wantStates(t, late, vm.Terminated)
}

func TestTheBillCountsEachVMUntilItsEnd(t *testing.T) {
	m := newManager(t, fakevm.Config{Group: zones(2)})
	minutes := func(n int) time.Time { return epoch.Add(time.Duration(n) * time.Minute) }
	forgotten, preempted := create(t, m), create(t, m)
	if err := m.Hide(forgotten.ID(), true); err != nil {
		t.Fatal(err)
	}
	m.Tick(minutes(1))
	m.SetFailureMode(fakevm.CreatePartial)
	partial := create(t, m)
	m.SetFailureMode(fakevm.None)
	if err := m.FailVM(preempted.ID()+"-vm-1", "the disk broke"); err != nil {
		t.Fatal(err)
	}
	if err := m.Notice(preempted.ID(), 2*time.Minute); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ at, forgotten, preempted, partial int }{
		{1, 2, 2, 0}, {2, 4, 3, 1}, {3, 6, 4, 2}, {10, 20, 4, 9},
	} {
		m.Tick(minutes(c.at))
		want := map[string]time.Duration{
			forgotten.ID(): time.Duration(c.forgotten) * time.Minute,
			preempted.ID(): time.Duration(c.preempted) * time.Minute,
			partial.ID():   time.Duration(c.partial) * time.Minute,
		}
		if diff := cmp.Diff(want, m.Bill()); diff != "" {
			t.Errorf("after %d minutes: %s", c.at, diff)
		}
	}
}
