package provision_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"iris/chaos"
	"iris/iris/provision"
	"iris/iris/vm"
)

func TestPokesAreOneListASecondAfterTheLast(t *testing.T) {
	inBubble(t, map[string]vm.Manager{"a": &platform{}, "b": &platform{}}, func(d *desk) {
		for range 100 {
			d.Poke("a")
		}
		time.Sleep(4 * time.Second)
		d.Poke("a")
		d.Poke("nobody")
		time.Sleep(20 * time.Second)
		s := time.Second
		if diff := cmp.Diff([]time.Duration{0, 1 * s, 4 * s, 14 * s, 24 * s}, d.listed("a")); diff != "" {
			d.Error(diff)
		}
		if diff := cmp.Diff([]time.Duration{0, 10 * s, 20 * s}, d.listed("b")); diff != "" {
			d.Error(diff)
		}
	})
}

func TestListsThatFailAreNoNewsAndTwoLinesInTheLog(t *testing.T) {
	inBubble(t, map[string]vm.Manager{"a": &platform{}, "b": &platform{}}, func(d *desk) {
		for range 2 { // streaks, of 3 each
			if _, err := d.scope.Enable("vm.list", chaos.Match("group", "a"), chaos.MaxFailures(3)); err != nil {
				d.Fatal(err)
			}
			time.Sleep(45 * time.Second)
		}
		s := time.Second
		if diff := cmp.Diff([]time.Duration{0, 40 * s, 80 * s, 90 * s}, d.listed("a")); diff != "" {
			d.Error(diff)
		}
		if n := len(d.listed("b")); n != 10 {
			d.Errorf("%d lists of b, want 10", n)
		}
		const streak = `level=WARN msg="slices of a group cannot be listed; nothing is known of them until they can be" group=a ` +
			`error="list the slices of a: chaos: vm.list"` + "\n" +
			`level=INFO msg="slices of a group can be listed again" group=a` + "\n"
		if diff := cmp.Diff(streak+streak, d.logged()); diff != "" {
			d.Error(diff)
		}
	})
}

func TestAListThatHangsIsCutAtItsDeadline(t *testing.T) {
	var began []time.Time
	m := &platform{list: func(ctx context.Context) ([]vm.Slice, error) {
		began = append(began, time.Now())
		return nil, hang(ctx)
	}}
	inBubble(t, on(m), func(d *desk) {
		time.Sleep(100 * time.Second)
		synctest.Wait()
		var at []time.Duration
		for _, b := range began {
			at = append(at, b.Sub(d.began))
		}
		if diff := cmp.Diff([]time.Duration{0, 40 * time.Second, 80 * time.Second}, at); diff != "" {
			d.Error(diff)
		}
		if n := d.count("context deadline exceeded"); n != 1 || len(d.listed("a")) != 0 {
			d.Errorf("%d lines in the log", n)
		}
	})
}

func TestASliceThatVanishesIsForgottenAfterAMinute(t *testing.T) {
	m := &platform{list: during(&slice{id: "a-0"}, 10, 20, 40)}
	inBubble(t, on(m), func(d *desk) {
		d.remembers(0, 0)
		for i := range 11 { // at 10, 20, … 110 s, when lists have lacked it since 50 s; the gap at 30 s is short
			time.Sleep(10 * time.Second)
			d.remembers(map[bool]int{true: 1}[i < 10], 0)
		}
	})
}

func TestASliceThatNoListEverShowsIsForgotten(t *testing.T) {
	inBubble(t, on(&platform{}), func(d *desk) {
		for range 3 {
			d.Create(order("a-0"))
			d.Create(order("a-1"))
			d.remembers(2, 0)
			time.Sleep(60 * time.Second)
			d.remembers(2, 0)
			time.Sleep(10 * time.Second) // lists have lacked it for a minute
			d.remembers(0, 0)
		}
	})
}

func TestNewsThatNobodyTakesHoldUpNoOtherGroup(t *testing.T) {
	m := &platform{list: showing(&slice{id: "a-9"})}
	inBubble(t, map[string]vm.Manager{"a": m, "b": &platform{list: showing(&slice{id: "b-9"})}}, func(d *desk) {
		d.before(func(ctx context.Context, n provision.News) {
			switch n := n.(type) {
			case provision.Created:
				if n.Order.Group == "a" {
					<-ctx.Done()
				}
			case provision.Listed:
				if n.Group == "a" {
					<-ctx.Done()
				}
			}
		})
		for i := range 100 { // more than can be under way
			d.Create(order("a-" + string(rune(1000+i))))
		}
		time.Sleep(10 * time.Second)
		b := func(id string) provision.Order { return provision.Order{ID: id, Group: "b"} }
		d.Create(b("b-0"))
		d.Terminate(b("b-9"))
		d.Terminate(b("b-1"))
		d.Terminate(order("a-9"))
		heard := strings.Join(d.news(), ", ")
		for _, want := range []string{"10s created b-0", "10s terminated b-9", "10s terminated a-9"} {
			if !strings.Contains(heard, want) {
				d.Errorf("told %s, want %s too", heard, want)
			}
		}
		time.Sleep(11 * time.Second)
		d.hears("21s terminated b-1")
	})
}

func TestLogsComeFromThePlatform(t *testing.T) {
	m := &platform{list: during(&slice{id: "a-0"}, 0, 5)}
	inBubble(t, on(m), func(d *desk) {
		lines, err := d.Logs(d.Context(), order("a-0"), "a-0-vm-0", 7)
		if diff := cmp.Diff([]string{"7 of a-0-vm-0"}, lines); diff != "" || err != nil {
			d.Error(diff, err)
		}
		time.Sleep(5 * time.Second)
		d.Create(order("a-1")) // known by its creation
		synctest.Wait()
		if lines, err = d.Logs(d.Context(), order("a-1"), "a-1-vm-0", 7); len(lines) != 1 || err != nil {
			d.Error(lines, err)
		}
	})
}

func TestLogsOfASliceThatOnlyTheNextListShows(t *testing.T) {
	m := &platform{list: during(&slice{id: "a-0"}, 3)}
	inBubble(t, on(m), func(d *desk) {
		time.Sleep(3 * time.Second)
		lines, err := d.Logs(d.Context(), order("a-0"), "a-0-vm-0", 7)
		if len(lines) != 1 || err != nil || time.Since(d.began) != 3*time.Second {
			d.Errorf("%v, %v after %v", lines, err, time.Since(d.began))
		}
		_, err = d.Logs(d.Context(), order("a-1"), "a-1-vm-0", 7)
		const want = "logs of a-1-vm-0: slice is gone: the platform of a shows no slice a-1"
		if !errors.Is(err, vm.ErrSliceGone) || err.Error() != want || time.Since(d.began) != 4*time.Second {
			d.Errorf("%v after %v", err, time.Since(d.began))
		}
		const nobody = "logs of x-0-vm-0: scale group x has no platform here; configure it again, or remove its slices by hand"
		if _, err = d.Logs(d.Context(), provision.Order{ID: "x-0", Group: "x"}, "x-0-vm-0", 7); err == nil || err.Error() != nobody {
			d.Error(err)
		}
	})
}

func TestLogsHaveADeadline(t *testing.T) {
	m := &platform{
		create: func(_ context.Context, r vm.Request) (vm.Slice, error) {
			return &slice{id: r.ID, logs: func(ctx context.Context) ([]string, error) { return nil, hang(ctx) }}, nil
		},
		list: hangListing,
	}
	inBubble(t, on(m), func(d *desk) {
		d.Create(order("a-0"))
		synctest.Wait()
		for i, id := range []string{"a-0", "a-1"} { // the one hangs in the platform, the other for want of a list
			_, err := d.Logs(d.Context(), order(id), id+"-vm-0", 7)
			if want := time.Duration(i+1) * 30 * time.Second; !errors.Is(err, context.DeadlineExceeded) || time.Since(d.began) != want {
				d.Errorf("%v after %v, want a deadline after %v", err, time.Since(d.began), want)
			}
		}
		ctx, cancel := context.WithTimeout(d.Context(), time.Second)
		defer cancel()
		_, err := d.Logs(ctx, order("a-0"), "a-0-vm-0", 7)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(d.began) != 61*time.Second {
			d.Errorf("%v after %v", err, time.Since(d.began))
		}
	})
}

func TestCloseEndsEverythingThatHangs(t *testing.T) {
	stuck := &slice{id: "a-9", end: hang, logs: func(ctx context.Context) ([]string, error) { return nil, hang(ctx) }}
	var lists atomic.Int32
	m := &platform{create: hangCreating, list: func(ctx context.Context) ([]vm.Slice, error) {
		if lists.Add(1) == 1 {
			return []vm.Slice{stuck}, nil
		}
		return nil, hang(ctx)
	}}
	full := &platform{list: showing(&slice{id: "b-9"})}
	inBubble(t, map[string]vm.Manager{"a": m, "b": full, "c": &platform{list: hangListing}}, func(d *desk) {
		d.before(func(ctx context.Context, n provision.News) { <-ctx.Done() })
		for i := range 40 { // some hang, some wait
			d.Create(order("a-x" + string(rune('A'+i))))
		}
		d.Terminate(order("a-9"))
		d.Terminate(order("a-8")) // waits for a list
		for _, id := range []string{"b-0", "b-9"} {
			d.Create(provision.Order{ID: id, Group: "b"}) // nobody takes the news
			d.Terminate(provision.Order{ID: id, Group: "b"})
		}
		d.Terminate(provision.Order{ID: "c-0", Group: "c"})
		d.Terminate(provision.Order{ID: "x-0", Group: "x"})
		ended := make(chan error, 2)
		for _, id := range []string{"a-9", "a-8"} {
			go func() {
				_, err := d.Logs(context.Background(), order(id), id+"-vm-0", 7)
				ended <- err
			}()
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		closed := time.Now()
		d.Close()
		for range 2 {
			if err := <-ended; !errors.Is(err, context.Canceled) {
				d.Errorf("logs end with %v", err)
			}
		}
		if took := time.Since(closed); took != 0 {
			d.Errorf("Close took %v", took)
		}
		if _, err := d.Logs(d.Context(), order("a-9"), "a-9-vm-0", 7); err == nil || err.Error() != "the provisioner is closed" {
			d.Errorf("logs after Close: %v", err)
		}
		if n := d.count("level=WARN"); n != 1 { // of group x
			d.Errorf("the log is\n%s", d.logged())
		}
	})
}

// Close waits for calls that take their time to give up, and has nothing told of them.
func TestCloseWaitsForThePlatform(t *testing.T) {
	var slow atomic.Int32
	reluctant := func(ctx context.Context, seconds time.Duration) {
		<-ctx.Done()
		time.Sleep(seconds * time.Second)
		slow.Add(1)
	}
	logs := func(ctx context.Context) ([]string, error) {
		reluctant(ctx, 9)
		return nil, nil
	}
	m := &platform{list: showing(&slice{id: "a-9", logs: logs}), create: func(ctx context.Context, r vm.Request) (vm.Slice, error) {
		reluctant(ctx, 7)
		return &slice{id: r.ID}, nil
	}}
	inBubble(t, on(m), func(d *desk) {
		d.Create(order("a-0"))
		go func() { _, _ = d.Logs(context.Background(), order("a-9"), "a-9-vm-0", 7) }()
		synctest.Wait()
		go d.Close()
		d.Close()
		if took := time.Since(d.began); took != 9*time.Second || slow.Load() != 2 {
			d.Errorf("Close took %v, and %d calls have ended, want 2", took, slow.Load())
		}
		d.hears()
	})
}

// A panic of a platform ends the process, so this happens in one of its own.
func TestAPanicOfAPlatformIsNotSwallowed(t *testing.T) {
	const child = "IRIS_PROVISION_PANICS"
	panics := func(how string) {
		m := &platform{}
		switch how {
		case "create":
			m.create = func(context.Context, vm.Request) (vm.Slice, error) { panic("create is broken") }
		case "list":
			m.list = func(context.Context) ([]vm.Slice, error) { panic("list is broken") }
		case "terminate":
			m.create = func(_ context.Context, r vm.Request) (vm.Slice, error) {
				return &slice{id: r.ID, end: func(context.Context) error { panic("terminate is broken") }}, nil
			}
		}
		started, ended := make(chan struct{}), make(chan struct{})
		var p *provision.Provisioner
		p = provision.New(provision.Config{Managers: on(m)}, func(_ context.Context, n provision.News) {
			<-started
			switch n := n.(type) {
			case provision.Listed:
				p.Create(order("a-0"))
			case provision.Created:
				p.Terminate(n.Order)
			default:
				close(ended)
			}
		})
		close(started)
		<-ended
	}
	if how := os.Getenv(child); how != "" {
		panics(how)
		return
	}
	for _, how := range []string{"create", "list", "terminate"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAPanicOfAPlatformIsNotSwallowed$")
			cmd.Env = append(os.Environ(), child+"="+how)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "panic: "+how+" is broken") {
				t.Errorf("the process ended with %v:\n%s", err, out)
			}
		})
	}
}
