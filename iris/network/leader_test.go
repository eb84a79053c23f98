package network_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"iris/iris/network"
)

// ruler is a controller as far as following goes: it leads, or says who does.
type ruler struct {
	grpc_health_v1.UnimplementedHealthServer
	asked  atomic.Int64
	answer func(context.Context) error
}

func (r *ruler) Check(ctx context.Context, _ *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	r.asked.Add(1)
	return &grpc_health_v1.HealthCheckResponse{}, r.answer(ctx)
}

func (r *ruler) Watch(_ *grpc_health_v1.HealthCheckRequest, stream grpc.ServerStreamingServer[grpc_health_v1.HealthCheckResponse]) error {
	r.asked.Add(1)
	return r.answer(stream.Context())
}

func leads(context.Context) error { return nil }

func follows(leader string) func(context.Context) error {
	return func(context.Context) error { return network.NotLeader(leader, nil) }
}

func hangs(ctx context.Context) error {
	<-ctx.Done()
	return status.FromContextError(ctx.Err()).Err()
}

// rule starts a ruler at an address until the test ends.
func rule(t *testing.T, n network.Network, address string, answer func(context.Context) error) *ruler {
	t.Helper()
	r := &ruler{answer: answer}
	listener, err := n.Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	server := network.Server()
	grpc_health_v1.RegisterHealthServer(server, r)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return r
}

func follow(t *testing.T, n network.Network, addresses string) grpc_health_v1.HealthClient {
	t.Helper()
	c, err := network.ToControllers(n, addresses)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return grpc_health_v1.NewHealthClient(c)
}

// probe asks within a time, and says how long it took.
func probe(t *testing.T, c grpc_health_v1.HealthClient, within time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	began := time.Now()
	_, err := c.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	return time.Since(began), err
}

func TestACallFollowsTheLeader(t *testing.T) {
	for name, addresses := range map[string]string{"which is known": "a,b", "which a refusal names": "a"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &network.Memory{}
				a, b := rule(t, n, "a", follows("b")), rule(t, n, "b", leads)
				c := follow(t, n, addresses)
				for range 3 {
					if _, err := probe(t, c, time.Second); err != nil {
						t.Error(err)
					}
				}
				if a, b := a.asked.Load(), b.asked.Load(); a != 1 || b != 3 {
					t.Errorf("they were asked %d and %d times", a, b)
				}
			})
		})
	}
}

func TestACallPassesOverWhoeverDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		silent, leader := rule(t, n, "silent", hangs), rule(t, n, "leader", leads)
		c := follow(t, n, "gone, silent, leader")
		if took, err := probe(t, c, 3*time.Second); err != nil || took >= 2*time.Second {
			t.Errorf("it took %v and ended with %v", took, err)
		}
		if _, err := probe(t, c, time.Second); err != nil {
			t.Error(err)
		}
		if s, l := silent.asked.Load(), leader.asked.Load(); s != 1 || l != 2 {
			t.Errorf("they were asked %d and %d times", s, l)
		}
	})
}

// Controllers that name each other, or nobody, do not keep a call for ever.
func TestACallEndsWhereNobodyLeads(t *testing.T) {
	for name, leader := range map[string]string{"nobody": "", "each other": "b"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &network.Memory{}
				a, b := rule(t, n, "a", follows(leader)), rule(t, n, "b", follows("a"))
				_, err := probe(t, follow(t, n, "a,b"), time.Second)
				if status.Code(err) != codes.Unavailable || a.asked.Load()+b.asked.Load() != 3 {
					t.Errorf("after %d and %d questions: %v", a.asked.Load(), b.asked.Load(), err)
				}
			})
		})
	}
}

func TestOtherErrorsAreTheCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		rule(t, n, "a", func(context.Context) error { return status.Error(codes.NotFound, "no such job") })
		b := rule(t, n, "b", leads)
		if _, err := probe(t, follow(t, n, "a,b"), time.Second); status.Code(err) != codes.NotFound || b.asked.Load() != 0 {
			t.Errorf("b was asked %d times: %v", b.asked.Load(), err)
		}
	})
}

// A stream cannot be moved, but the next one goes to the leader.
func TestTheNextStreamFollowsTheLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		rule(t, n, "a", follows("b"))
		b := rule(t, n, "b", leads)
		c := follow(t, n, "a,b")
		for i, want := range []codes.Code{codes.Unavailable, codes.OK} {
			stream, err := c.Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err = stream.Recv(); want == codes.OK && b.asked.Load() != 1 || want != codes.OK && status.Code(err) != want {
				t.Errorf("stream %d: %v, b was asked %d times", i, err, b.asked.Load())
			}
		}
	})
}

func TestAddressesAreChecked(t *testing.T) {
	for _, addresses := range []string{"", " , "} {
		if c, err := network.ToControllers(network.TCP{}, addresses); err == nil {
			t.Errorf("%q is taken: %v", addresses, c)
		}
	}
}

// Whoever has reason to believe that a controller is back does not wait for the end of a pause.
func TestReconnectEndsThePausesBetweenTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		controllers, err := network.ToControllers(n, "late")
		if err != nil {
			t.Fatal(err)
		}
		defer controllers.Close()
		c := grpc_health_v1.NewHealthClient(controllers)
		for range 60 { // long enough for the pauses to grow
			if _, err := probe(t, c, time.Second); status.Code(err) != codes.Unavailable {
				t.Errorf("without a server a call is %v", err)
			}
			time.Sleep(time.Second)
		}
		rule(t, n, "late", leads)
		controllers.Reconnect()
		if took, err := probe(t, c, 100*time.Millisecond); err != nil {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

// A new leader may greet a worker at the very moment in which that makes its first connection.
func TestReconnectMayComeWhileConnectionsAreMade(t *testing.T) {
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			n := &network.Memory{}
			rule(t, n, "a", leads)
			controllers, err := network.ToControllers(n, "a")
			if err != nil {
				t.Fatal(err)
			}
			defer controllers.Close()
			var reconnected sync.WaitGroup
			reconnected.Go(controllers.Reconnect)
			if _, err := probe(t, grpc_health_v1.NewHealthClient(controllers), time.Second); err != nil {
				t.Error(err)
			}
			reconnected.Wait()
		})
	}
}
