package provision_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"iris/chaos"
	"iris/iris/provision"
	"iris/iris/vm"
)

// tries notes when a slice is told to end. The first so many fail, each after a while or at its deadline.
type tries struct {
	fail  int
	after time.Duration
	began []time.Time
	ended []time.Time
}

func (e *tries) end(ctx context.Context) error {
	e.began = append(e.began, time.Now())
	defer func() { e.ended = append(e.ended, time.Now()) }()
	if len(e.began) > e.fail {
		return nil
	}
	select {
	case <-time.After(e.after):
		return errors.New("the platform is busy")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pauses fails the test unless the pauses, from the end of a try to the beginning of the next, are these within a tenth.
func (e *tries) pauses(t *testing.T, want ...time.Duration) {
	t.Helper()
	if len(e.began) != len(want)+1 {
		t.Fatalf("%d tries, want %d", len(e.began), len(want)+1)
	}
	for i, pause := range want {
		if got := e.began[i+1].Sub(e.ended[i]); got < pause*9/10 || got > pause*11/10+1 {
			t.Errorf("pause %d is %v, want %v within a tenth", i, got, pause)
		}
	}
}

func TestATerminationIsTriedAgainUntilItWorks(t *testing.T) {
	e := &tries{fail: 9, after: 3 * time.Second}
	m := &platform{create: func(_ context.Context, r vm.Request) (vm.Slice, error) { return &slice{id: r.ID, end: e.end}, nil }}
	inBubble(t, on(m), func(d *desk) {
		d.Create(order("a-0"))
		d.hears("0s created a-0")
		d.Terminate(order("a-0"))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		s := time.Second
		e.pauses(d.T, 1*s, 2*s, 4*s, 8*s, 16*s, 32*s, 60*s, 60*s, 60*s)
		d.hears(fmt.Sprintf("%v terminated a-0", e.ended[9].Sub(d.began)))
		if d.count("\n") != 2 || d.count("could not be terminated") != 1 || d.count("terminated after all") != 1 {
			d.Errorf("the log is\n%s", d.logged())
		}
		d.remembers(0, 0)
	})
}

func TestATerminationThatHangsIsCutAtItsDeadline(t *testing.T) {
	e := &tries{fail: 2, after: time.Hour}
	m := &platform{list: showing(&slice{id: "a-0", end: e.end})}
	inBubble(t, on(m), func(d *desk) {
		d.Terminate(order("a-0"))
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		e.pauses(d.T, time.Second, 2*time.Second)
		for i, began := range e.began[:2] {
			if took := e.ended[i].Sub(began); took != time.Minute {
				d.Errorf("try %d took %v", i, took)
			}
		}
		d.hears(fmt.Sprintf("%v terminated a-0", e.ended[2].Sub(d.began)))
	})
}

func TestChaosMakesATerminationFailAndItIsTriedAgain(t *testing.T) {
	e := &tries{}
	m := &platform{list: showing(&slice{id: "a-0", end: e.end})}
	inBubble(t, on(m), func(d *desk) {
		if _, err := d.scope.Enable("vm.terminate", chaos.Match("group", "a"), chaos.MaxFailures(3)); err != nil {
			d.Fatal(err)
		}
		d.Terminate(order("a-0"))
		time.Sleep(6 * time.Second) // the pauses are 6.3 s at the least
		d.hears()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		d.hears(fmt.Sprintf("%v terminated a-0", e.ended[0].Sub(d.began)))
		if len(e.began) != 1 {
			d.Errorf("the platform was told %d times", len(e.began))
		}
	})
}

func TestThirtyTwoTerminationsOfAGroupAreUnderWay(t *testing.T) {
	var live, most atomic.Int32
	var all []vm.Slice
	for i := range 100 {
		all = append(all, &slice{id: fmt.Sprintf("a-%d", i), end: func(context.Context) error {
			most.Store(max(most.Load(), live.Add(1)))
			time.Sleep(2 * time.Second)
			live.Add(-1)
			return nil
		}})
	}
	inBubble(t, on(&platform{list: showing(all...)}), func(d *desk) {
		for _, s := range all {
			d.Terminate(order(s.ID()))
		}
		for i, want := range []int{0, 32, 32, 32, 4} {
			if n := len(d.news()); n != want {
				d.Errorf("%d terminations have ended in round %d, want %d", n, i, want)
			}
			time.Sleep(2 * time.Second)
		}
		if n := most.Load(); n != 32 {
			d.Errorf("%d were under way at once, want 32", n)
		}
	})
}

// While a termination waits for its next try, others have its turn.
func TestATerminationThatWaitsHoldsUpNoOther(t *testing.T) {
	var all []vm.Slice
	for i := range 32 {
		all = append(all, &slice{id: fmt.Sprintf("a-%d", i), end: func(context.Context) error { return errors.New("busy") }})
	}
	all = append(all, &slice{id: "good"})
	inBubble(t, on(&platform{list: showing(all...)}), func(d *desk) {
		for _, s := range all[:32] {
			d.Terminate(order(s.ID()))
		}
		time.Sleep(time.Minute)
		d.Terminate(order("good"))
		d.hears("1m0s terminated good")
	})
}

func TestATerminationOrderedTwiceIsOne(t *testing.T) {
	e := &tries{fail: 1, after: time.Second}
	m := &platform{list: showing(&slice{id: "a-0", end: e.end})}
	inBubble(t, on(m), func(d *desk) {
		for range 3 {
			d.Terminate(order("a-0"))
			time.Sleep(500 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		if n := len(d.news()); n != 1 || len(e.began) != 2 {
			d.Errorf("%d answers after %d tries, want 1 after 2", n, len(e.began))
		}
	})
}

func TestASliceThatOnlyAListCanShowIsTerminated(t *testing.T) {
	e := &tries{}
	m := &platform{list: during(&slice{id: "a-0", end: e.end}, 11)}
	inBubble(t, on(m), func(d *desk) {
		time.Sleep(3 * time.Second)
		d.Terminate(order("a-0"))
		d.hears() // listed at once, in vain, and again in 10 s
		if diff := cmp.Diff([]time.Duration{0, 3 * time.Second}, d.listed("a")); diff != "" {
			d.Error(diff)
		}
		time.Sleep(time.Second)
		d.Poke("a")
		time.Sleep(7 * time.Second)
		d.Poke("a")
		d.hears("11s terminated a-0")
		if len(e.began) != 1 {
			d.Errorf("told %d times", len(e.began))
		}
	})
}

func TestASliceThatTwoListsDoNotShowIsGone(t *testing.T) {
	inBubble(t, on(&platform{}), func(d *desk) {
		time.Sleep(3 * time.Second)
		d.Terminate(order("a-0"))
		synctest.Wait()
		for range 8 { // lists in quick succession prove nothing
			time.Sleep(time.Second)
			d.Poke("a")
		}
		d.hears()
		time.Sleep(2 * time.Second)
		d.hears()
		d.remembers(0, 1)
		d.Poke("a") // 13 s: the first that began 10 s after the first
		d.hears("13s terminated a-0")
		d.remembers(0, 0)
	})
}

// A list that was under way when the order came may have been answered before.
func TestAListThatBeganBeforeTheOrderProvesNothing(t *testing.T) {
	m := &platform{list: func(context.Context) ([]vm.Slice, error) {
		time.Sleep(4 * time.Second)
		return nil, nil
	}}
	inBubble(t, on(m), func(d *desk) {
		time.Sleep(time.Second)
		d.Terminate(order("a-0")) // lists begin at 0, 5 (poked) and 19
		time.Sleep(22*time.Second - 1)
		d.hears()
		time.Sleep(time.Second)
		d.hears("23s terminated a-0")
		if diff := cmp.Diff([]time.Duration{0, 5 * time.Second, 19 * time.Second}, d.listed("a")); diff != "" {
			d.Error(diff)
		}
	})
}

func TestListsThatFailProveNothing(t *testing.T) {
	inBubble(t, on(&platform{}), func(d *desk) {
		time.Sleep(3 * time.Second)
		if _, err := d.scope.Enable("vm.list", chaos.MaxFailures(3)); err != nil {
			d.Fatal(err)
		}
		d.Terminate(order("a-0")) // in vain at 3, 13 and 23 s
		time.Sleep(40*time.Second - 1)
		d.hears()
		time.Sleep(3 * time.Second)
		d.hears("43s terminated a-0")
	})
}

// A slice whose handle is there is gone when its platform says so, whatever the lists say.
func TestASliceIsNotGoneWhileItsPlatformRefusesToEndIt(t *testing.T) {
	e := &tries{fail: 6}
	m := &platform{create: func(_ context.Context, r vm.Request) (vm.Slice, error) { return &slice{id: r.ID, end: e.end}, nil }}
	inBubble(t, on(m), func(d *desk) {
		d.Create(order("a-0"))
		d.hears("0s created a-0")
		d.Terminate(order("a-0"))
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		d.hears(fmt.Sprintf("%v terminated a-0", e.began[6].Sub(d.began)))
	})
}

func TestATerminationUsesTheNewestHandle(t *testing.T) {
	old, fresh := &tries{fail: 1000}, &tries{}
	m := &platform{create: func(_ context.Context, r vm.Request) (vm.Slice, error) { return &slice{id: r.ID, end: old.end}, nil }}
	m.list = during(&slice{id: "a-0", end: fresh.end}, 10)
	inBubble(t, on(m), func(d *desk) {
		d.Create(order("a-0"))
		d.hears("0s created a-0")
		d.Terminate(order("a-0"))
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(old.began) != 4 || len(fresh.began) != 1 { // at 0, 1, 3, 7 and 15 s
			d.Errorf("tried %d times with the old handle and %d with the new, want 4 and 1", len(old.began), len(fresh.began))
		}
		d.hears(fmt.Sprintf("%v terminated a-0", fresh.began[0].Sub(d.began)))
	})
}

func TestATerminationCutsItsCreationShortAndWaitsForIt(t *testing.T) {
	e := &tries{}
	m := &platform{create: func(ctx context.Context, r vm.Request) (vm.Slice, error) {
		<-ctx.Done()
		time.Sleep(2 * time.Second) // it takes a while to give up
		return nil, ctx.Err()
	}}
	m.list = during(&slice{id: "a-0", end: e.end}, 5)
	inBubble(t, on(m), func(d *desk) {
		d.Create(order("a-0"))
		time.Sleep(3 * time.Second)
		d.Create(order("a-0"))
		d.Terminate(order("a-0"))
		time.Sleep(2*time.Second - 1)
		d.hears()
		time.Sleep(time.Nanosecond)
		d.hears("5s refused a-0 UNKNOWN", "5s terminated a-0") // a list was taken at once, and it was there
		if got, want := d.refused[0].Cause, "its termination was ordered: context canceled"; got != want {
			d.Errorf("the cause is %q, want %q", got, want)
		}
		if len(e.began) != 1 {
			d.Errorf("told %d times", len(e.began))
		}
	})
}

// Neither has begun when the other comes: the creation is answered first all the same.
func TestACreationAndItsTerminationAreAnsweredInOrder(t *testing.T) {
	var asked atomic.Int32
	m := &platform{create: func(context.Context, vm.Request) (vm.Slice, error) {
		asked.Add(1)
		return nil, vm.ErrCreateFailed
	}}
	inBubble(t, on(m), func(d *desk) {
		d.before(func(_ context.Context, n provision.News) {
			if n, ok := n.(provision.Refused); ok && n.Why == provision.Failed {
				d.Create(n.Order)
				d.Terminate(n.Order)
			}
		})
		d.Create(order("a-0"))
		time.Sleep(11 * time.Second)
		d.hears("0s refused a-0 FAILED", "0s refused a-0 UNKNOWN", "11s terminated a-0")
		if n := asked.Load(); n != 1 {
			d.Errorf("the platform was asked %d times", n)
		}
	})
}

func TestACreationThatSucceedsAllTheSameIsTerminated(t *testing.T) {
	e := &tries{}
	m := &platform{create: func(ctx context.Context, r vm.Request) (vm.Slice, error) {
		<-ctx.Done()
		return &slice{id: r.ID, end: e.end}, nil
	}}
	inBubble(t, on(m), func(d *desk) {
		d.Create(order("a-0"))
		time.Sleep(time.Second)
		d.Terminate(order("a-0"))
		d.hears("1s created a-0", "1s terminated a-0")
		if len(e.began) != 1 {
			d.Errorf("told %d times", len(e.began))
		}
	})
}

func TestACreationThatWaitsForItsTurnIsNeverAskedFor(t *testing.T) {
	var asked atomic.Int32
	m := &platform{create: func(ctx context.Context, r vm.Request) (vm.Slice, error) {
		asked.Add(1)
		return nil, hang(ctx)
	}}
	inBubble(t, on(m), func(d *desk) {
		for i := range 34 {
			d.Create(order(fmt.Sprintf("a-%d", i)))
		}
		synctest.Wait()
		d.Terminate(order("a-32"))
		d.hears("0s refused a-32 UNKNOWN")
		if got, want := d.refused[0].Cause, "not asked for: its termination was ordered"; got != want {
			d.Errorf("the cause is %q, want %q", got, want)
		}
		time.Sleep(12 * time.Second)
		d.hears("11s terminated a-32") // listed at 1 and 11 s
		time.Sleep(108 * time.Second)
		if n := len(d.news()); n != 32 || asked.Load() != 33 {
			d.Errorf("%d creations are answered and %d asked for, want 32 and 33", n, asked.Load())
		}
	})
}

// An earlier order of the same slice is over before the next begins.
func TestACreationOrderedDuringATerminationFollowsIt(t *testing.T) {
	e := &tries{fail: 1, after: 5 * time.Second}
	var asked []time.Time
	m := &platform{create: func(context.Context, vm.Request) (vm.Slice, error) {
		asked = append(asked, time.Now())
		return nil, vm.ErrSliceGone
	}}
	m.list = during(&slice{id: "a-0", end: e.end}, 0)
	inBubble(t, on(m), func(d *desk) {
		d.Terminate(order("a-0"))
		synctest.Wait()
		d.Create(order("a-0"))
		time.Sleep(time.Minute)
		synctest.Wait()
		at := e.ended[1].Sub(d.began)
		d.hears(fmt.Sprintf("%v terminated a-0", at), fmt.Sprintf("%v refused a-0 GONE", at))
		if len(asked) != 1 || asked[0].Before(e.ended[1]) {
			d.Errorf("asked at %v", asked)
		}
	})
}

func TestAnOrderThatWaitsForATerminationTakesNoTurn(t *testing.T) {
	var all []vm.Slice
	for i := range 32 {
		all = append(all, &slice{id: fmt.Sprintf("a-%d", i), end: hang})
	}
	inBubble(t, on(&platform{list: showing(all...)}), func(d *desk) {
		for _, s := range all {
			d.Terminate(order(s.ID()))
			d.Create(order(s.ID()))
		}
		synctest.Wait()
		d.Create(provision.Order{ID: "a-99", Group: "a"})
		d.hears("0s created a-99")
	})
}
