package network_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/iris/network"
)

// line is a connection between two participants, "a" who dialled and "b" who listens.
type line struct {
	*testing.T
	net    *network.Memory
	listen net.Listener
	a, b   net.Conn
	began  time.Time
}

// onALine runs a test in a bubble, with a connection.
func onALine(t *testing.T, body func(*line)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &line{T: t, net: &network.Memory{}}
		l.listen = listen(t, l.net.As("b"), "b:1")
		l.a, l.b = l.dial(t.Context())
		l.began = time.Now()
		body(l)
		for _, c := range []io.Closer{l.a, l.b, l.listen} {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

func (l *line) dial(ctx context.Context) (a, b net.Conn) {
	l.Helper()
	var accepting sync.WaitGroup
	accepting.Go(func() {
		var err error
		if b, err = l.listen.Accept(); err != nil {
			l.Error(err)
		}
	})
	a, err := l.net.As("a").Dial(ctx, "b:1")
	if err != nil {
		l.Fatal(err)
	}
	accepting.Wait()
	return a, b
}

func (l *line) write(c net.Conn, text string) {
	l.Helper()
	if n, err := c.Write([]byte(text)); err != nil || n != len(text) {
		l.Errorf("wrote %d of %d: %v", n, len(text), err)
	}
}

// reads wants this text at this time after the test began, and nothing before.
func (l *line) reads(c net.Conn, text string, at time.Duration) {
	l.Helper()
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
		l.Errorf("read %q, %v; want %q", got, err, text)
	}
	l.at(at)
}

func (l *line) at(want time.Duration) {
	l.Helper()
	if now := time.Since(l.began); now != want {
		l.Errorf("that was at %v, want %v", now, want)
	}
}

// silent wants nothing to be read for a while.
func (l *line) silent(c net.Conn, d time.Duration) {
	l.Helper()
	_ = c.SetReadDeadline(time.Now().Add(d)) // an open connection takes it
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		l.Errorf("read %d bytes, %v", n, err)
	}
	_ = c.SetReadDeadline(time.Time{})
}

func (l *line) effects(f *network.Fault, want network.Effects) {
	l.Helper()
	if got := f.Effects(); got != want {
		l.Errorf("%v: %+v, want %+v", f, got, want)
	}
}

func TestWhatIsPartitionedWaitsAndTheOtherDirectionWorks(t *testing.T) {
	onALine(t, func(l *line) {
		l.write(l.a, "there already ")
		cut := l.net.Faults().Partition("a", "b")
		l.write(l.a, "one ")
		l.write(l.a, "two")
		l.write(l.b, "back")
		l.reads(l.a, "back", 0)
		l.reads(l.b, "there already ", 0)
		l.silent(l.b, time.Hour)
		l.effects(cut, network.Effects{Bytes: 7})
		cut.End()
		l.reads(l.b, "one two", time.Hour)
		l.write(l.a, "three")
		l.reads(l.b, "three", time.Hour)
		l.effects(cut, network.Effects{Bytes: 7})
	})
}

// What is under way when the way is cut waits as well, and counts once, whatever else changes meanwhile.
func TestWhatIsUnderWayIsPartitionedToo(t *testing.T) {
	onALine(t, func(l *line) {
		l.net.Faults().Delay("a", "b", time.Second, 0)
		l.write(l.a, "under way")
		cut := l.net.Faults().Partition("a", "b")
		l.net.Faults().Refuse("a", "b").End()
		l.silent(l.b, time.Minute)
		l.effects(cut, network.Effects{Bytes: 9})
		cut.End()
		l.reads(l.b, "under way", time.Minute)
	})
}

func TestAWaitingReaderWakesWhenThePartitionHeals(t *testing.T) {
	onALine(t, func(l *line) {
		l.net.Faults().Cut("a", "b")
		l.write(l.a, "hello")
		time.AfterFunc(time.Minute, l.net.Faults().Heal)
		l.reads(l.b, "hello", time.Minute)
	})
}

// The news that a connection is closed is a packet like any other.
func TestTheEndOfAConnectionIsPartitionedToo(t *testing.T) {
	onALine(t, func(l *line) {
		l.net.Faults().Partition("a", "b")
		l.write(l.a, "last")
		_ = l.a.Close()
		l.write(l.b, "into the void") // b does not know
		l.silent(l.b, time.Minute)
		l.net.Faults().Heal()
		l.reads(l.b, "last", time.Minute)
		if _, err := l.b.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("after the end: %v", err)
		}
		if _, err := l.b.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("a write to who has closed: %v", err)
		}
	})
}

// A writer is as far ahead as its buffer is large, and then waits until its deadline or its own end.
func TestAWriterIntoAPartitionIsBounded(t *testing.T) {
	onALine(t, func(l *line) {
		cut := l.net.Faults().Partition("a", "b")
		_ = l.a.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := l.a.Write(make([]byte, 1<<20))
		if n != 256<<10 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("wrote %d, %v", n, err)
		}
		l.at(time.Second)
		l.effects(cut, network.Effects{Bytes: 256 << 10})
		_ = l.a.SetWriteDeadline(time.Time{})
		time.AfterFunc(time.Second, func() { _ = l.a.Close() })
		if n, err := l.a.Write([]byte("x")); n != 0 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("wrote %d, %v", n, err)
		}
		l.at(2 * time.Second)
	})
}

// A handshake needs both ways: a dial hangs whichever is cut, until its deadline or until the way is free.
func TestDialsHangInAPartition(t *testing.T) {
	for name, cut := range map[string]func(network.Faults) *network.Fault{
		"there": func(f network.Faults) *network.Fault { return f.Partition("a", "b") },
		"back":  func(f network.Faults) *network.Fault { return f.Partition("b", "a") },
		"all":   func(f network.Faults) *network.Fault { return f.Partition(network.Anybody, "b") },
	} {
		t.Run(name, func(t *testing.T) {
			onALine(t, func(l *line) {
				fault := cut(l.net.Faults())
				ctx, cancel := context.WithTimeout(l.Context(), 5*time.Second)
				defer cancel()
				if _, err := l.net.As("a").Dial(ctx, "b:1"); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("dial: %v", err)
				}
				l.at(5 * time.Second)
				l.effects(fault, network.Effects{Dials: 1})
				time.AfterFunc(time.Second/2, func() { l.net.Faults().Refuse("c", "b") }) // nobody's business
				time.AfterFunc(time.Second, fault.End)
				a, b := l.dial(l.Context())
				l.at(6 * time.Second)
				l.effects(fault, network.Effects{Dials: 2})
				_, _ = a.Close(), b.Close()
			})
		})
	}
}

// A machine that is down cannot refuse a dial while nothing reaches it.
func TestDialsToNobodyHangInAPartitionToo(t *testing.T) {
	onALine(t, func(l *line) {
		_ = l.listen.Close()
		l.net.Faults().Partition("a", "b")
		ctx, cancel := context.WithTimeout(l.Context(), time.Second)
		defer cancel()
		if _, err := l.net.As("a").Dial(ctx, "b:1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dial: %v", err)
		}
		l.net.Faults().Heal()
		if _, err := l.net.As("a").Dial(l.Context(), "b:1"); err == nil || err.Error() != "dial b:1: nobody listens there" {
			t.Errorf("dial: %v", err)
		}
	})
}

func TestFaultsAreBetweenTheirTwoAlone(t *testing.T) {
	onALine(t, func(l *line) {
		fs := l.net.Faults()
		for _, f := range []*network.Fault{fs.Cut("a", "c"), fs.Partition("c", network.Anybody), fs.Reset("c", "b"), fs.Refuse("b", "a")} {
			l.write(l.a, "there")
			l.write(l.b, "back")
			l.reads(l.b, "there", 0)
			l.reads(l.a, "back", 0)
			l.effects(f, network.Effects{})
		}
		err := fs.Verify()
		const want = `network: never took effect: partition a <-> c, partition c -> *, reset c <-> b, refuse b -> a; open connections: "a" -> "b"`
		if err == nil || err.Error() != want {
			t.Errorf("Verify: %v", err)
		}
	})
}

func TestADelayIsInOrderAndByDirection(t *testing.T) {
	onALine(t, func(l *line) {
		late := l.net.Faults().Delay("a", "b", time.Second, 0)
		l.write(l.a, "one ")
		time.Sleep(300 * time.Millisecond)
		l.write(l.a, "two ")
		l.write(l.b, "back")
		l.reads(l.a, "back", 300*time.Millisecond)
		l.reads(l.b, "one ", time.Second)
		l.reads(l.b, "two ", 1300*time.Millisecond)
		l.effects(late, network.Effects{Bytes: 8})
		l.write(l.a, "late")
		late.End()
		l.write(l.a, "r")
		l.reads(l.b, "later", 2300*time.Millisecond) // what is written later does not overtake

		late = l.net.Faults().Delay("a", "b", time.Hour, 0)
		l.write(l.a, "healed")
		l.net.Faults().Heal()
		l.reads(l.b, "healed", 2300*time.Millisecond)
		l.effects(late, network.Effects{Bytes: 6})
	})
}

func TestADelayHoldsAHandshake(t *testing.T) {
	onALine(t, func(l *line) {
		there := l.net.Faults().Delay("a", "b", time.Second, 0)
		back := l.net.Faults().Delay("b", "a", 2*time.Second, 0)
		a, b := l.dial(l.Context())
		l.at(3 * time.Second)
		l.effects(there, network.Effects{Dials: 1})
		l.effects(back, network.Effects{Dials: 1})
		_, _ = a.Close(), b.Close()
		time.AfterFunc(time.Second/2, l.net.Faults().Heal)
		a, b = l.dial(l.Context())
		l.at(3500 * time.Millisecond)
		_, _ = a.Close(), b.Close()
	})
}

// All connections between the two share the way.
func TestASlowWayIsShared(t *testing.T) {
	onALine(t, func(l *line) {
		a, b := l.dial(l.Context())
		slow := l.net.Faults().Slow("a", "b", 1000)
		l.write(l.a, strings.Repeat("x", 3000))
		l.write(a, strings.Repeat("y", 500))
		l.reads(l.b, strings.Repeat("x", 1460), 1460*time.Millisecond)
		l.reads(l.b, strings.Repeat("x", 1540), 3*time.Second)
		l.reads(b, strings.Repeat("y", 500), 3500*time.Millisecond)
		l.write(l.b, "back")
		l.reads(l.a, "back", 3500*time.Millisecond)
		l.effects(slow, network.Effects{Bytes: 3500})
		_, _ = a.Close(), b.Close()
	})
}

func TestResetBreaksWhatIsOpenAtBothEnds(t *testing.T) {
	onALine(t, func(l *line) {
		l.write(l.a, "lost")
		var reading sync.WaitGroup
		reading.Go(func() {
			if _, err := l.a.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("who waited reads %v", err)
			}
		})
		synctest.Wait()
		l.effects(l.net.Faults().Reset("b", "a"), network.Effects{Connections: 1}) // whoever dialled
		reading.Wait()
		if _, err := l.b.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("b reads %v", err)
		}
		if _, err := l.b.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("b writes %v", err)
		}
		l.effects(l.net.Faults().Reset("a", "b"), network.Effects{}) // it is broken already
		a, b := l.dial(l.Context())
		l.write(a, "new")
		l.reads(b, "new", 0)
		_, _ = a.Close(), b.Close()
		l.effects(l.net.Faults().Reset("a", "b"), network.Effects{})
	})
}

func TestRefusedDialsAreCounted(t *testing.T) {
	onALine(t, func(l *line) {
		refused := l.net.Faults().Refuse("a", "b")
		for range 3 {
			if _, err := l.net.As("a").Dial(l.Context(), "b:1"); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("dial: %v", err)
			}
		}
		l.write(l.a, "still there")
		l.reads(l.b, "still there", 0)
		l.effects(refused, network.Effects{Dials: 3})
		refused.End()
		a, b := l.dial(l.Context())
		_, _ = a.Close(), b.Close()
		l.effects(refused, network.Effects{Dials: 3})
	})
}

// arrivals are the instants at which n writes, one an hour, arrive on a way that is bad as arm says.
func arrivals(t *testing.T, seed uint64, n int, arm func(network.Faults) *network.Fault) (late []time.Duration) {
	onALine(t, func(l *line) {
		l.net.Faults().Seed(seed)
		fault := arm(l.net.Faults())
		var bytes int64
		for range n {
			sent := time.Now()
			l.write(l.a, "x")
			if _, err := l.b.Read(make([]byte, 1)); err != nil {
				t.Error(err)
			}
			late = append(late, time.Since(sent))
			if time.Since(sent) > 0 {
				bytes++
			}
			time.Sleep(time.Hour)
		}
		l.effects(fault, network.Effects{Bytes: bytes})
	})
	return late
}

func TestWhatIsRandomFollowsFromTheSeed(t *testing.T) {
	for name, make := range map[string]func(network.Faults) *network.Fault{
		"lossy":  func(f network.Faults) *network.Fault { return f.Lossy("a", "b", 0.3) },
		"jitter": func(f network.Faults) *network.Fault { return f.Delay("a", "b", time.Second, time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			one, again, other := arrivals(t, 7, 50, make), arrivals(t, 7, 50, make), arrivals(t, 8, 50, make)
			differs := false
			for i := range one {
				if one[i] != again[i] {
					t.Errorf("write %d was %v late, and then %v", i, one[i], again[i])
				}
				differs = differs || one[i] != other[i]
			}
			if !differs {
				t.Error("another seed decides the same")
			}
		})
	}
}

// A loss is seen as the pause before TCP sends again, which doubles.
func TestALossIsADelay(t *testing.T) {
	const n = 2000
	count := map[time.Duration]int{}
	for _, late := range arrivals(t, 1, n, func(f network.Faults) *network.Fault { return f.Lossy("a", "b", 0.5) }) {
		count[late]++
	}
	for late, share := range map[time.Duration]float64{
		0: 0.5, 200 * time.Millisecond: 0.25, 600 * time.Millisecond: 0.125, 1400 * time.Millisecond: 0.0625,
	} {
		if got := float64(count[late]) / n; got < share*0.8 || got > share*1.2 {
			t.Errorf("%v late: %v of all, want about %v", late, got, share)
		}
	}
}

func TestFaultsThatMakeNoSenseChangeNothing(t *testing.T) {
	n := &network.Memory{}
	fs := n.Faults()
	for name, make := range map[string]func(){
		"no delay":        func() { fs.Delay("a", "b", 0, 0) },
		"negative jitter": func() { fs.Delay("a", "b", time.Second, -1) },
		"no rate":         func() { fs.Slow("a", "b", 0) },
		"no loss":         func() { fs.Lossy("a", "b", 0) },
		"all lost":        func() { fs.Lossy("a", "b", 1) },
		"no repetition":   func() { fs.Repeat("a", "b", 0) },
		"too many":        func() { fs.Repeat("a", "b", 1.5) },
		"no overtaking":   func() { fs.Reorder("a", "b", 0, time.Second) },
		"no time":         func() { fs.Reorder("a", "b", 1, 0) },
		"no network":      func() { network.Faults{}.Cut("a", "b") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s is taken", name)
				}
			}()
			make()
		}()
	}
	if len(fs.All()) != 0 || fs.Verify() != nil {
		t.Errorf("there are %v", fs.All())
	}
	network.Faults{}.Heal() // of a network without faults nothing is to be healed
	if err := (network.Faults{}).Verify(); err != nil {
		t.Error(err)
	}
}

// gRPC over a way that takes two seconds in each direction connects, and calls take their time.
func TestClientsConnectOverALongWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		defer serve(t, n, "here").Stop()
		n.Faults().Delay(network.Anybody, network.Anybody, 2*time.Second, 0)
		client := connect(t, n, "here")
		if err := check(t, client); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := check(t, client); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 4*time.Second {
			t.Errorf("a call takes %v", took)
		}
	})
}

// A call into a partition fails by its deadline, and works again once it heals.
func TestCallsInAPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		defer serve(t, n, "here").Stop()
		client := connect(t, n.As("there"), "here")
		if err := check(t, client); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			cut := n.Faults().Cut("here", "there")
			for range 6 { // until the client has noticed, and tries to connect anew
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				code := status.Code(checkWithin(ctx, client))
				cancel()
				if code != codes.DeadlineExceeded && code != codes.Unavailable {
					t.Errorf("a call into the partition is %v", code)
				}
			}
			cut.End()
			time.Sleep(10 * time.Second)
			if err := check(t, client); err != nil {
				t.Errorf("after the partition: %v", err)
			}
		}
		if err := n.Faults().Verify(); err != nil {
			t.Error(err)
		}
	})
}
