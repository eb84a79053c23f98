package network_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"iris/iris/network"
)

// desk notes the calls that arrive, and answers each differently: with SERVING, and then NOT_SERVING for ever.
type desk struct {
	grpc_health_v1.UnimplementedHealthServer
	takes time.Duration // to answer a call
	*testing.T
	began time.Time

	mu      sync.Mutex
	arrived []string // "name at 3s"
	dues    []time.Time
	ended   int // by their contexts
}

func (d *desk) Check(ctx context.Context, in *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	d.mu.Lock()
	answer := grpc_health_v1.HealthCheckResponse_SERVING
	if len(d.arrived) > 0 {
		answer = grpc_health_v1.HealthCheckResponse_NOT_SERVING
	}
	d.arrived = append(d.arrived, fmt.Sprintf("%s at %v", in.Service, time.Since(d.began)))
	due, _ := ctx.Deadline()
	d.dues = append(d.dues, due)
	d.mu.Unlock()
	select {
	case <-time.After(d.takes):
		return &grpc_health_v1.HealthCheckResponse{Status: answer}, nil
	case <-ctx.Done():
		d.mu.Lock()
		d.ended++
		d.mu.Unlock()
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

// log are the calls that have arrived so far.
func (d *desk) log() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.arrived)
}

func (d *desk) wants(log ...string) {
	d.Helper()
	synctest.Wait()
	if got := d.log(); !slices.Equal(got, log) {
		d.Errorf("arrived: %q, want %q", got, log)
	}
}

// callAt is a client's call to a desk, of at most ten seconds.
func callAt(t *testing.T, c *grpc.ClientConn, name string, options ...grpc.CallOption) (
	grpc_health_v1.HealthCheckResponse_ServingStatus, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	answer, err := grpc_health_v1.NewHealthClient(c).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: name}, options...)
	return answer.GetStatus(), err
}

// atADesk runs a test in a bubble, with a connection of "a" to a desk of "b". Nothing of the network outlives it.
func atADesk(t *testing.T, d *desk, test func(faults network.Faults, c *grpc.ClientConn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		d.T, d.began = t, time.Now()
		s, l := network.Server(), listen(t, n.As("b"), "b:1")
		grpc_health_v1.RegisterHealthServer(s, d)
		var serving sync.WaitGroup
		serving.Go(func() {
			if err := s.Serve(l); err != nil {
				t.Error(err)
			}
		})
		c := connect(t, n.As("a"), "b:1")
		test(n.Faults(), c)
		_ = c.Close()
		n.Settle()
		s.Stop()
		serving.Wait()
	})
}

// Whichever answer counts, the call arrives twice, and its caller has one of the answers.
func TestARepeatedCallArrivesTwiceAndEitherAnswerCounts(t *testing.T) {
	const first, second = grpc_health_v1.HealthCheckResponse_SERVING, grpc_health_v1.HealthCheckResponse_NOT_SERVING
	answers := map[grpc_health_v1.HealthCheckResponse_ServingStatus]int{}
	for seed := range uint64(40) {
		d := &desk{}
		atADesk(t, d, func(faults network.Faults, c *grpc.ClientConn) {
			faults.Seed(seed)
			repeat := faults.Repeat("a", "b", 1)
			var header metadata.MD
			var from peer.Peer
			answer, err := callAt(d.T, c, "x", grpc.Header(&header), grpc.Peer(&from))
			if err != nil || from.Addr == nil {
				d.Errorf("%v from %v", err, from)
			}
			answers[answer]++
			d.wants("x at 0s", "x at 0s")
			if d.dues[0] != d.dues[1] || d.dues[0].Sub(d.began) != 10*time.Second {
				d.Errorf("their deadlines are %v", d.dues)
			}
			if got := repeat.Effects(); got != (network.Effects{Calls: 1}) {
				d.Errorf("%v: %+v", repeat, got)
			}
			repeat.End()
			if _, err := callAt(d.T, c, "y"); err != nil {
				d.Error(err)
			}
			d.wants("x at 0s", "x at 0s", "y at 0s")
		})
	}
	if len(answers) != 2 || answers[first] < 10 || answers[second] < 10 {
		t.Errorf("of 40 callers heard: %v; want the first answer and the second about as often", answers)
	}
}

// The second call goes on when its caller has gone, until its deadline or the end of its connection.
func TestASecondCallThatNobodyWaitsForEnds(t *testing.T) {
	for name, how := range map[string]struct {
		held bool
		end  func(network.Faults, *grpc.ClientConn)
	}{
		"by its deadline":     {false, func(network.Faults, *grpc.ClientConn) { time.Sleep(6 * time.Second) }},
		"with its connection": {false, func(_ network.Faults, c *grpc.ClientConn) { _ = c.Close() }},
		"though it was held back": {true, func(f network.Faults, c *grpc.ClientConn) {
			f.Heal()
			synctest.Wait()
			_ = c.Close()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			background := 0
			for seed := range uint64(10) {
				d := &desk{takes: 6 * time.Second}
				atADesk(t, d, func(faults network.Faults, c *grpc.ClientConn) {
					faults.Seed(seed)
					faults.Repeat("a", "b", 1)
					if how.held {
						time.AfterFunc(time.Second, func() { faults.Reorder("a", "b", 1, 1000*time.Hour) })
					}
					_, err := callAt(d.T, c, "x")
					if took := time.Since(d.began); took == 10*time.Second {
						if status.Code(err) != codes.DeadlineExceeded {
							d.Errorf("the second answer is %v", err)
						}
						return // the second answer counts
					} else if took != 6*time.Second || err != nil {
						d.Errorf("%v after %v", err, took)
					}
					background++
					synctest.Wait()
					if n := len(d.log()); n == 2 == how.held {
						d.Errorf("%d calls have arrived", n)
					}
					how.end(faults, c)
					synctest.Wait()
					d.mu.Lock()
					defer d.mu.Unlock()
					if len(d.arrived) != 2 || d.ended != 1 {
						d.Errorf("%q arrived, and %d was given up", d.arrived, d.ended)
					}
				})
			}
			if background == 0 {
				t.Error("no second call was one that nobody waits for")
			}
		})
	}
}

// Who has given up does not call again, and what was held back is not sent.
func TestACallThatIsOverIsNeitherRepeatedNorSent(t *testing.T) {
	for seed := range uint64(10) {
		d := &desk{takes: time.Minute}
		atADesk(t, d, func(faults network.Faults, c *grpc.ClientConn) {
			faults.Seed(seed)
			repeat := faults.Repeat("a", "b", 1)
			if _, err := callAt(d.T, c, "x"); status.Code(err) != codes.DeadlineExceeded {
				d.Errorf("a call that takes too long: %v", err)
			}
			d.wants("x at 0s")
			if got := repeat.Effects(); got != (network.Effects{}) {
				d.Errorf("%v: %+v", repeat, got)
			}
		})
		d = &desk{}
		atADesk(t, d, func(faults network.Faults, c *grpc.ClientConn) {
			faults.Seed(seed)
			reorder := faults.Reorder("a", "b", 1, 1000*time.Hour)
			if _, err := callAt(d.T, c, "x"); status.Code(err) != codes.DeadlineExceeded {
				d.Errorf("a call that is held back: %v", err)
			}
			if time.Since(d.began) != 10*time.Second {
				d.Errorf("it was over after %v", time.Since(d.began))
			}
			d.wants()
			if got := reorder.Effects(); got != (network.Effects{Calls: 1}) {
				d.Errorf("%v: %+v", reorder, got)
			}
		})
	}
}

func TestAReorderedCallIsOvertaken(t *testing.T) {
	overtaken := 0
	for seed := range uint64(20) {
		d := &desk{}
		atADesk(t, d, func(faults network.Faults, c *grpc.ClientConn) {
			faults.Seed(seed)
			reorder := faults.Reorder("a", "b", 0.5, 2*time.Second)
			var calling sync.WaitGroup
			for i := range 5 {
				calling.Go(func() {
					if _, err := callAt(d.T, c, fmt.Sprint(i)); err != nil {
						d.Error(err)
					}
				})
				time.Sleep(100 * time.Millisecond)
			}
			calling.Wait()
			if since := time.Since(d.began); since > 2400*time.Millisecond {
				d.Errorf("the last was answered after %v", since)
			}
			log := d.log()
			if len(log) != 5 || reorder.Effects().Calls > 5 {
				d.Errorf("%q arrived; %+v", log, reorder.Effects())
			}
			if !slices.IsSorted(log) {
				overtaken++
			}
		})
	}
	if overtaken < 10 {
		t.Errorf("with %d seeds of 20 a call was overtaken", overtaken)
	}
}

// What is held back goes when its fault ends, and when all do; another's end is not its business.
func TestHeldCallsGoWhenTheFaultEnds(t *testing.T) {
	for name, end := range map[string]func(network.Faults, *network.Fault){
		"alone": func(_ network.Faults, f *network.Fault) { f.End() },
		"all":   func(f network.Faults, _ *network.Fault) { f.Heal() },
	} {
		t.Run(name, func(t *testing.T) {
			d := &desk{}
			atADesk(t, d, func(faults network.Faults, c *grpc.ClientConn) {
				fault := faults.Reorder("a", network.Anybody, 1, 1000*time.Hour)
				time.AfterFunc(time.Second, faults.Refuse("a", "c").End)
				time.AfterFunc(3*time.Second, func() { end(faults, fault) })
				if _, err := callAt(d.T, c, "x"); err != nil {
					d.Error(err)
				}
				d.wants("x at 3s")
			})
		})
	}
}

func TestCallsSufferBetweenTheirTwoAlone(t *testing.T) {
	d := &desk{}
	atADesk(t, d, func(faults network.Faults, c *grpc.ClientConn) {
		faults.Repeat("b", "a", 1)
		faults.Reorder("a", "c", 1, time.Second)
		if _, err := callAt(d.T, c, "x"); err != nil {
			d.Error(err)
		}
		d.wants("x at 0s")
		const want = `network: never took effect: repeat b -> a, reorder a -> c; open connections: "a" -> "b"`
		if err := faults.Verify(); err == nil || err.Error() != want {
			d.Errorf("Verify: %v", err)
		}
	})
}

// A call to several controllers is a call to each that it tries: it suffers what is between those two.
func TestATryIsACallToTheControllerThatItGoesTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		refusing := rule(t, n.As("c-0"), "first:1", func(context.Context) error { return network.NotLeader("second:1", nil) })
		leader := rule(t, n.As("c-1"), "second:1", func(context.Context) error { return nil })
		conn, err := network.ToControllers(n.As("w-0"), "first:1")
		if err != nil {
			t.Fatal(err)
		}
		repeat := n.Faults().Repeat("w-0", "c-1", 1)
		if _, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if one, two := refusing.asked.Load(), leader.asked.Load(); one != 1 || two != 2 {
			t.Errorf("the first was asked %d times and the second %d, want 1 and 2", one, two)
		}
		if got := repeat.Effects(); got != (network.Effects{Calls: 1}) {
			t.Errorf("%+v", got)
		}
		_ = conn.Close()
		n.Settle()
	})
}

func TestTheShareOfCallsFollowsFromTheSeed(t *testing.T) {
	shares := func(seed uint64) (log []string) {
		d := &desk{}
		atADesk(t, d, func(faults network.Faults, c *grpc.ClientConn) {
			faults.Seed(seed)
			faults.Repeat("a", "b", 0.3)
			faults.Reorder("a", "b", 0.3, time.Second)
			for i := range 50 {
				if _, err := callAt(d.T, c, fmt.Sprint(i)); err != nil {
					d.Error(err)
				}
				time.Sleep(time.Minute)
			}
			log = d.log()
		})
		return log
	}
	one, again, other := shares(7), shares(7), shares(8)
	if !slices.Equal(one, again) {
		t.Errorf("the same seed: %q, and then %q", one, again)
	}
	if slices.Equal(one, other) {
		t.Error("another seed decides the same")
	}
	if len(one) < 55 || len(one) > 75 {
		t.Errorf("of 50 calls, three tenths of which come twice, %d arrived", len(one))
	}
}
