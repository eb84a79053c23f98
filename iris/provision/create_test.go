package provision_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/chaos"
	"iris/fakevm"
	"iris/iris/provision"
	"iris/iris/vm"
)

func TestASliceLivesFromItsCreationToItsTermination(t *testing.T) {
	m, err := fakevm.New(fakevm.Config{
		Group:     vm.GroupConfig{Name: "a", MaxSlices: 3, Zones: []string{"z"}},
		BootDelay: 15 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	inBubble(t, on(m), func(d *desk) {
		m.Tick(time.Now())
		var created []provision.Sight
		d.before(func(_ context.Context, n provision.News) {
			if n, ok := n.(provision.Created); ok {
				created = append(created, n.Slice)
			}
		})
		d.Create(order("a-0"))
		d.hears("0s created a-0")
		labels := map[string]string{provision.ClusterLabel: d.Name(), provision.GroupLabel: "a"}
		if len(created) != 1 || created[0].ID != "a-0" || !created[0].CreatedAt.Equal(d.began) || len(created[0].VMs) != 1 ||
			created[0].VMs[0].State != vm.Booting || cmp.Diff(labels, created[0].Labels) != "" {
			d.Errorf("the creation shows %+v", created)
		}

		time.Sleep(20 * time.Second)
		synctest.Wait()
		m.Tick(time.Now())
		d.Poke("a")
		time.Sleep(time.Second)
		if diff := cmp.Diff([]time.Duration{0, 10 * time.Second, 20 * time.Second, 21 * time.Second}, d.listed("a")); diff != "" {
			d.Error(diff)
		}
		var states [][]vm.State
		for _, l := range d.lists {
			var of []vm.State
			for _, s := range l.Slices {
				of = append(of, s.VMs[0].State)
			}
			states = append(states, of)
		}
		if diff := cmp.Diff([][]vm.State{nil, {vm.Booting}, {vm.Booting}, {vm.Ready}}, states); diff != "" {
			d.Error(diff)
		}

		d.remembers(1, 0)
		d.Terminate(order("a-0"))
		d.hears("21s terminated a-0")
		d.remembers(0, 0)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if last := d.lists[len(d.lists)-1]; len(last.Slices) != 0 || !last.Began.Equal(time.Now()) {
			d.Errorf("the last list is %+v", last)
		}
	})
}

func TestARequestHasIDZoneAndLabels(t *testing.T) {
	var asked vm.Request
	m := &platform{create: func(_ context.Context, r vm.Request) (vm.Slice, error) {
		asked = r
		return &slice{id: r.ID}, nil
	}}
	inBubble(t, on(m), func(d *desk) {
		d.Create(provision.Order{ID: "a-7", Group: "a", Zone: "north"})
		d.hears("0s created a-7")
		want := vm.Request{ID: "a-7", Zone: "north", Labels: map[string]string{"iris-cluster": d.Name(), "iris-group": "a"}}
		if diff := cmp.Diff(want, asked); diff != "" {
			d.Error(diff)
		}
	})
}

func TestEveryErrorOfACreationHasItsRefusal(t *testing.T) {
	for _, c := range []struct {
		err  error
		want provision.Refusal
	}{
		{vm.ErrQuotaExceeded, provision.Quota},
		{vm.ErrStockout, provision.Stock},
		{vm.ErrMaxSlices, provision.Full},
		{vm.ErrSliceGone, provision.Gone},
		{vm.ErrCreateFailed, provision.Failed},
		{errors.New("no such image"), provision.Failed},
		{context.DeadlineExceeded, provision.Unknown}, // of a call of its own that the platform made
		{context.Canceled, provision.Unknown},
		{fmt.Errorf("%w: %w", vm.ErrCreateFailed, context.DeadlineExceeded), provision.Unknown},
		{status.Error(codes.ResourceExhausted, "quota"), provision.Quota},
		{status.Error(codes.Unavailable, "away"), provision.Failed},
		{status.Error(codes.DeadlineExceeded, "late"), provision.Unknown},
		{status.Error(codes.Canceled, "cut"), provision.Unknown},
	} {
		t.Run(c.err.Error(), func(t *testing.T) {
			err := fmt.Errorf("create a-0 in z: %w", c.err)
			m := &platform{create: func(context.Context, vm.Request) (vm.Slice, error) { return nil, err }}
			inBubble(t, on(m), func(d *desk) {
				d.Create(order("a-0"))
				d.hears("0s refused a-0 " + c.want.String())
				want := []provision.Refused{{Order: order("a-0"), Why: c.want, Cause: err.Error()}}
				if diff := cmp.Diff(want, d.refused); diff != "" {
					d.Error(diff)
				}
				d.remembers(0, 0)
			})
		})
	}
}

func TestRefusalsHaveNames(t *testing.T) {
	var got []string
	for r := provision.Refusal(-1); r <= provision.Unknown+1; r++ {
		got = append(got, r.String())
	}
	want := []string{"Refusal(-1)", "Refusal(0)", "FAILED", "QUOTA", "STOCK", "FULL", "GONE", "UNKNOWN", "Refusal(7)"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A rule from outside knows gRPC codes alone; one in the process can inject the errors of the contract.
func TestChaosRefusesAsAPlatformDoes(t *testing.T) {
	for name, c := range map[string]struct {
		how  chaos.Option
		want provision.Refusal
	}{
		"fail":               {chaos.Fail(), provision.Failed},
		"RESOURCE_EXHAUSTED": {chaos.Code(codes.ResourceExhausted), provision.Quota},
		"UNAVAILABLE":        {chaos.Code(codes.Unavailable), provision.Failed},
		"DEADLINE_EXCEEDED":  {chaos.Code(codes.DeadlineExceeded), provision.Unknown},
		"quota":              {chaos.Err(vm.ErrQuotaExceeded), provision.Quota},
		"stockout":           {chaos.Err(vm.ErrStockout), provision.Stock},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, map[string]vm.Manager{"a": &platform{}, "b": &platform{}}, func(d *desk) {
				if _, err := d.scope.Enable("vm.create", c.how, chaos.Match("group", "a"), chaos.MaxFailures(1)); err != nil {
					d.Fatal(err)
				}
				d.Create(provision.Order{ID: "b-0", Group: "b"})
				d.hears("0s created b-0")
				d.Create(order("a-0"))
				d.hears("0s refused a-0 " + c.want.String())
				d.Create(order("a-0"))
				d.hears("0s created a-0")
			})
		})
	}
}

func TestACreationThatHangsIsUnknownAtItsDeadline(t *testing.T) {
	m := &platform{create: hangCreating, list: during(&slice{id: "a-0"}, 130)} // it arrives late, after all
	inBubble(t, on(m), func(d *desk) {
		d.Create(order("a-0"))
		time.Sleep(120*time.Second - 1)
		d.hears()
		time.Sleep(time.Nanosecond)
		d.hears("2m0s refused a-0 UNKNOWN")
		if got, want := d.refused[0].Cause, "no answer within 2m0s: context deadline exceeded"; got != want {
			d.Errorf("the cause is %q, want %q", got, want)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if last := d.lists[len(d.lists)-1]; len(last.Slices) != 1 || last.Slices[0].ID != "a-0" {
			d.Errorf("the list at 130 s is %+v", last)
		}
		d.remembers(1, 0)
	})
}

// A platform that words it differently: nobody knows all the same, unless it says outright that it refused.
func TestAnErrorAfterTheDeadlineIsUnknown(t *testing.T) {
	for err, want := range map[error]string{
		errors.New("connection closed"):                     "2m0s refused a-0 UNKNOWN",
		fmt.Errorf("%w: invalid image", vm.ErrCreateFailed): "2m0s refused a-0 FAILED",
	} {
		m := &platform{create: func(ctx context.Context, _ vm.Request) (vm.Slice, error) {
			<-ctx.Done()
			return nil, err
		}}
		inBubble(t, on(m), func(d *desk) {
			d.Create(order("a-0"))
			time.Sleep(120 * time.Second)
			d.hears(want)
		})
	}
}

func TestAnAnswerThatCrossesItsDeadlineIsACreation(t *testing.T) {
	m := &platform{create: func(ctx context.Context, r vm.Request) (vm.Slice, error) {
		<-ctx.Done()
		return &slice{id: r.ID}, nil
	}}
	inBubble(t, on(m), func(d *desk) {
		d.Create(order("a-0"))
		time.Sleep(120 * time.Second)
		d.hears("2m0s created a-0")
	})
}

func TestThirtyTwoCreationsOfAGroupAreUnderWayAndTheOthersWaitInOrder(t *testing.T) {
	var began []string
	m := &platform{}
	inBubble(t, map[string]vm.Manager{"a": m, "b": &platform{}}, func(d *desk) {
		next := make(chan struct{})
		m.create = func(_ context.Context, r vm.Request) (vm.Slice, error) {
			d.mu.Lock()
			began = append(began, r.ID)
			d.mu.Unlock()
			<-next
			return &slice{id: r.ID}, nil
		}
		var all []string
		for i := range 40 {
			id := fmt.Sprintf("a-%02d", i)
			all = append(all, id)
			d.Create(order(id))
		}
		d.Create(provision.Order{ID: "b-0", Group: "b"})
		d.hears("0s created b-0")
		first := slices.Clone(began)
		slices.Sort(first)
		if diff := cmp.Diff(all[:32], first); diff != "" {
			d.Errorf("under way:\n%s", diff)
		}
		for i := 32; i < 40; i++ {
			next <- struct{}{}
			synctest.Wait()
			if diff := cmp.Diff(all[32:i+1], began[32:]); diff != "" {
				d.Errorf("next:\n%s", diff)
			}
		}
		close(next)
		if n := len(d.news()); n != 40 {
			d.Errorf("%d creations are answered, want 40", n)
		}
	})
}

// The deadline counts from when the platform is asked, not from the order.
func TestWaitingForATurnDoesNotUseUpTheDeadline(t *testing.T) {
	m := &platform{create: hangCreating}
	inBubble(t, on(m), func(d *desk) {
		for i := range 33 {
			d.Create(order(fmt.Sprintf("a-%02d", i)))
		}
		time.Sleep(120 * time.Second)
		if n := len(d.news()); n != 32 {
			d.Errorf("%d creations are answered after their deadline, want 32", n)
		}
		time.Sleep(120*time.Second - 1)
		d.hears()
		time.Sleep(time.Nanosecond)
		d.hears("4m0s refused a-32 UNKNOWN")
	})
}

func TestACreationOrderedTwiceIsOne(t *testing.T) {
	var calls atomic.Int32
	m := &platform{create: func(_ context.Context, r vm.Request) (vm.Slice, error) {
		calls.Add(1)
		time.Sleep(time.Second)
		return &slice{id: r.ID}, nil
	}}
	inBubble(t, on(m), func(d *desk) {
		d.Create(order("a-0"))
		d.Create(order("a-0"))
		synctest.Wait()
		d.Create(order("a-0"))
		time.Sleep(time.Second)
		d.hears("1s created a-0")
		if n := calls.Load(); n != 1 {
			d.Errorf("the platform was asked %d times", n)
		}
	})
}

// Whoever decides may order again while it is being told: that order must not drown in the one that is being answered.
func TestAnOrderFromWithinItsAnswerIsANewOne(t *testing.T) {
	var calls atomic.Int32
	m := &platform{create: func(_ context.Context, r vm.Request) (vm.Slice, error) {
		if calls.Add(1) < 3 {
			return nil, vm.ErrCreateFailed
		}
		return &slice{id: r.ID}, nil
	}}
	inBubble(t, on(m), func(d *desk) {
		d.before(func(_ context.Context, n provision.News) {
			switch n := n.(type) {
			case provision.Refused:
				d.Create(n.Order)
			case provision.Created:
				d.Terminate(n.Order)
			}
		})
		d.Create(order("a-0"))
		d.hears("0s refused a-0 FAILED", "0s refused a-0 FAILED", "0s created a-0", "0s terminated a-0")
		d.remembers(0, 0)
	})
}

func TestAGroupWithoutAPlatformRefusesAndNeverTerminates(t *testing.T) {
	inBubble(t, on(&platform{}), func(d *desk) {
		other := provision.Order{ID: "x-0", Group: "x"}
		d.Create(other)
		d.hears("0s refused x-0 FAILED")
		const cause = "slice creation failed: scale group x has no platform here; " +
			"configure it again, or remove its slices by hand"
		if got := d.refused[0].Cause; got != cause {
			d.Errorf("the cause is %q, want %q", got, cause)
		}
		d.Terminate(other)
		time.Sleep(24 * time.Hour)
		d.hears()
		if n := d.count("group=x"); n != 1 || d.count("scale group x has no platform here") != 1 {
			d.Errorf("%d lines of it in the log:\n%s", n, d.logged())
		}
	})
}
