package fakevm_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"iris/fakevm"
	"iris/iris/vm"
)

// run opens a bubble in which n calls of Run are under way, and closes it when test has returned.
func run(t *testing.T, cfg fakevm.Config, n int, test func(*testing.T, *fakevm.Manager)) {
	synctest.Test(t, func(t *testing.T) {
		m, err := fakevm.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() { m.Run(ctx) })
		}
		synctest.Wait()
		test(t, m)
		stop()
		wg.Wait()
	})
}

// after sleeps until d after begin, and until all has settled.
func after(begin time.Time, d time.Duration) {
	time.Sleep(time.Until(begin.Add(d)))
	synctest.Wait()
}

func TestWhileItRunsTheCloudLivesByItself(t *testing.T) {
	for runs := 1; runs <= 2; runs++ {
		t.Run(fmt.Sprint(runs), func(t *testing.T) {
			cfg := fakevm.Config{Group: group(), BootDelay: 30 * time.Second, InitDelay: time.Minute}
			run(t, cfg, runs, func(t *testing.T, m *fakevm.Manager) {
				time.Sleep(time.Hour)
				begin := time.Now()
				s := create(t, m)
				if !s.CreatedAt().Equal(begin) {
					t.Errorf("created at %v, want now, %v", s.CreatedAt(), begin)
				}
				after(begin, 30*time.Second-1)
				wantStates(t, s, vm.Booting)
				after(begin, 30*time.Second)
				wantStates(t, s, vm.Initializing)
				m.Tick(begin) // harmless
				m.Tick(time.Now())
				after(begin, 90*time.Second)
				wantStates(t, s, vm.Ready)
				if err := m.Notice(s.ID(), time.Minute); err != nil {
					t.Fatal(err)
				}
				after(begin, 150*time.Second-1)
				wantStates(t, s, vm.Stopping)
				after(begin, 150*time.Second)
				wantStates(t, s, vm.Preempted)
				after(begin, time.Hour)
				if got, want := m.Bill()[s.ID()], 150*time.Second; got != want {
					t.Errorf("it has cost %v, want %v", got, want)
				}
			})
		})
	}
}

func TestWhileItRunsWhatIsDueAtOnceHappensAtOnce(t *testing.T) {
	var r recorder
	run(t, fakevm.Config{Group: group(), Machines: &r}, 1, func(t *testing.T, m *fakevm.Manager) {
		s := create(t, m)
		synctest.Wait()
		wantStates(t, s, vm.Ready)
		if err := m.Notice(s.ID(), 0); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		wantStates(t, s, vm.Preempted)
		id := s.ID() + "-vm-0"
		r.want(t, "start "+id, "warn "+id, "halt "+id)
	})
}

func TestWhileItRunsACreationHangsUntilItsDeadlineAndComesLate(t *testing.T) {
	cfg := fakevm.Config{Group: group(), Failure: fakevm.CreateHangs, LateBy: 5 * time.Minute}
	run(t, cfg, 1, func(t *testing.T, m *fakevm.Manager) {
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		s, err := m.CreateSlice(ctx, vm.Request{ID: "cpu-0"})
		const text = "create a slice of test in us-central1-a: the fake platform does not answer, and the slice may come late: " +
			"context deadline exceeded"
		if s != nil || !errors.Is(err, context.DeadlineExceeded) || err.Error() != text {
			t.Errorf("got %v, %v; want %s", s, err, text)
		}
		if waited := time.Since(begin); waited != 2*time.Minute {
			t.Errorf("it hung for %v, want 2 m", waited)
		}
		after(begin, 5*time.Minute-1)
		if got := list(t, m); got != nil {
			t.Errorf("a moment before there is %v", ids(got))
		}
		after(begin, 5*time.Minute)
		if diff := cmp.Diff([]string{"cpu-0"}, ids(list(t, m))); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWhileItRunsListsLagBehindNow(t *testing.T) {
	run(t, fakevm.Config{Group: group(), BootDelay: time.Hour}, 1, func(t *testing.T, m *fakevm.Manager) {
		m.SetListLag(time.Minute)
		begin := time.Now()
		s := create(t, m)
		after(begin, time.Minute-1)
		if got := list(t, m); got != nil {
			t.Errorf("too early the list has %v", ids(got))
		}
		after(begin, time.Minute)
		if diff := cmp.Diff([]string{s.ID()}, ids(list(t, m))); diff != "" {
			t.Error(diff)
		}
		if got := m.Bill()[s.ID()]; got != time.Minute {
			t.Errorf("it has cost %v, want a minute", got)
		}
	})
}

// Run is held up for a minute by the start of one machine, and so does not see another leave.
func TestTheBillDoesNotCountWhatRunIsLateToSee(t *testing.T) {
	cfg := fakevm.Config{Group: group(), BootDelay: 10 * time.Second, Machines: slow{&recorder{}, time.Minute, 0}}
	run(t, cfg, 1, func(t *testing.T, m *fakevm.Manager) {
		begin := time.Now()
		create(t, m)
		after(begin, 5*time.Second)
		s := create(t, m)
		after(begin, 12*time.Second)
		if err := m.Notice(s.ID(), 10*time.Second); err != nil {
			t.Fatal(err)
		}
		for _, at := range []time.Duration{30 * time.Second, 2 * time.Minute} {
			after(begin, at)
			if got, want := m.Bill()[s.ID()], 17*time.Second; got != want {
				t.Errorf("after %v it has cost %v, want %v", at, got, want)
			}
		}
		wantStates(t, s, vm.Preempted)
	})
}

func TestWhenRunHasEndedTimeMovesByTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := fakevm.New(fakevm.Config{Group: group(), BootDelay: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s := create(t, m)
		m.Run(ctx)
		if ran := time.Since(begin); ran != time.Second {
			t.Errorf("Run returned after %v, want 1 s", ran)
		}
		time.Sleep(time.Hour)
		wantStates(t, s, vm.Booting)
		m.Tick(time.Now())
		wantStates(t, s, vm.Ready)
	})
}

func TestATickAheadOfRunHoldsTimeStill(t *testing.T) {
	run(t, fakevm.Config{Group: group(), BootDelay: time.Minute}, 1, func(t *testing.T, m *fakevm.Manager) {
		begin := time.Now()
		m.Tick(begin.Add(time.Hour))
		s := create(t, m)
		if !s.CreatedAt().Equal(begin.Add(time.Hour)) {
			t.Errorf("created at %v, want the tick, %v", s.CreatedAt(), begin.Add(time.Hour))
		}
		after(begin, time.Hour+time.Minute-1)
		wantStates(t, s, vm.Booting)
		after(begin, time.Hour+time.Minute)
		wantStates(t, s, vm.Ready)
	})
}

// Many at once create, fail, give notice and terminate, while time moves by itself and by ticks. Each machine is told once
// of each thing, nobody is told what does not concern it, and in the end nothing lives.
func TestManyAtOnceKeepTheGuaranteesOfMachines(t *testing.T) {
	r := &recorder{take: func() { time.Sleep(time.Millisecond) }}
	cfg := fakevm.Config{
		Group: zones(2), BootDelay: time.Millisecond, InitDelay: time.Millisecond, Machines: r,
		Addresses: []string{"10.0.0.1", "10.0.0.2"},
	}
	cfg.Group.MaxSlices = 8
	run(t, cfg, 2, func(t *testing.T, m *fakevm.Manager) {
		var wg sync.WaitGroup
		for w := range 6 {
			wg.Go(func() {
				for n := range 20 {
					s, err := m.CreateSlice(t.Context(), vm.Request{ID: fmt.Sprintf("w%d-%d", w, n)})
					if err != nil {
						t.Error(err)
						return
					}
					time.Sleep(time.Duration(n%7) * time.Millisecond)
					m.Tick(time.Now())
					id := s.Status().VMs[1].ID
					var broke sync.WaitGroup
					broke.Go(func() { err = errors.Join(m.Notice(s.ID(), time.Duration(n%3)*time.Millisecond), m.FailVM(id, "why")) })
					terminated := s.Terminate(t.Context())
					r.mu.Lock()
					if busy := r.busy[id]; busy {
						t.Errorf("Terminate of %s returned, and its machine is busy", s.ID())
					}
					r.mu.Unlock()
					broke.Wait()
					if err := errors.Join(err, terminated); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if live := m.Live(); live != nil {
			t.Errorf("%v live on", ids(live))
		}
		started := 0
		for _, s := range m.Slices() {
			for _, v := range s.Status().VMs {
				lines, err := s.Logs(t.Context(), v.ID, 100)
				if err != nil {
					t.Fatal(err)
				}
				var want []string
				for _, l := range lines {
					ready, stopping := says(l, "READY"), says(l, "STOPPING")
					switch end := says(l, "FAILED") || says(l, "TERMINATED") || says(l, "PREEMPTED"); {
					case ready:
						started++
						want = append(want, "start")
					case stopping && want != nil:
						want = append(want, "warn")
					case end && want != nil:
						want = append(want, "halt")
					}
				}
				if !slices.Equal(want, r.calls[v.ID]) {
					t.Errorf("%s was told %q, want %q after\n%q", v.ID, r.calls[v.ID], want, lines)
				}
			}
		}
		if started == 0 {
			t.Error("no machine was started: the test shows nothing")
		}
		for _, w := range r.wrong {
			t.Error(w)
		}
	})
}
