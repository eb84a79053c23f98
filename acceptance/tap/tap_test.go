package tap

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/acceptance/timeline"
	"iris/iris/network"
	pb "iris/iris/proto"
)

// registry answers as a test wants it to.
type registry struct {
	pb.UnimplementedRegistryServiceServer
	register func(context.Context) error
}

func (registry) Heartbeat(context.Context, *pb.HeartbeatRequest) (*pb.HeartbeatResponse, error) {
	return &pb.HeartbeatResponse{}, nil
}

func (r registry) Register(ctx context.Context, _ *pb.RegisterRequest) (*pb.RegisterResponse, error) {
	return &pb.RegisterResponse{}, r.register(ctx)
}

// listened is a worker's connection to a controller, both of them tapped, in a bubble of virtual time.
func listened(t *testing.T, register func(context.Context) error, tell func(context.Context, pb.RegistryServiceClient, *network.Memory, *Tap)) {
	synctest.Test(t, func(t *testing.T) {
		seen, n := New(), &network.Memory{}
		server := network.Server(seen.ServerOptions("c-0")...)
		pb.RegisterRegistryServiceServer(server, registry{register: register})
		listener, err := n.As("c-0").Listen("")
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- server.Serve(listener) }()
		conn, err := network.Client(n.As("w-0"), listener.Addr().String(), seen.DialOptions("w-0")...)
		if err != nil {
			t.Fatal(err)
		}
		tell(t.Context(), pb.NewRegistryServiceClient(conn), n, seen)
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

func fine(context.Context) error { return nil }

func TestHeartbeatsThatArriveAreTrains(t *testing.T) {
	listened(t, fine, func(ctx context.Context, client pb.RegistryServiceClient, _ *network.Memory, seen *Tap) {
		began := time.Now()
		for _, pause := range []time.Duration{0, 10, 10, 10, 25, 5, 5} {
			time.Sleep(pause * time.Second)
			if _, err := client.Heartbeat(ctx, &pb.HeartbeatRequest{WorkerId: "w-0"}); err != nil {
				t.Fatal(err)
			}
		}
		calls, beats, _ := seen.Seen()
		if len(calls) > 0 {
			t.Errorf("heartbeats that arrived are calls: %+v", calls)
		}
		var got []string
		for _, b := range beats {
			got = append(got, fmt.Sprintf("%s %d from %v each %v", b.Worker, b.Count, b.First.Sub(began), b.Every))
		}
		want := "[w-0 4 from 0s each 10s w-0 3 from 55s each 5s]"
		if fmt.Sprint(got) != want {
			t.Errorf("trains are %v, want %v", got, want)
		}
	})
}

func TestBothEndsOfACallAreSeen(t *testing.T) {
	refuse := status.Error(codes.NotFound, "nobody")
	slow := func(ctx context.Context) error {
		<-ctx.Done()
		return status.FromContextError(ctx.Err()).Err()
	}
	for name, c := range map[string]struct {
		register func(context.Context) error
		cut      bool
		want     timeline.Call
		arrives  bool
		took     time.Duration
	}{
		"answered":         {register: fine, arrives: true, want: timeline.Call{Given: "OK", Got: "OK"}},
		"refused":          {register: func(context.Context) error { return refuse }, arrives: true, want: timeline.Call{Given: "NotFound", Got: "NotFound"}},
		"too late":         {register: slow, arrives: true, want: timeline.Call{Got: "DeadlineExceeded"}, took: 5 * time.Second},
		"it never arrives": {register: fine, cut: true, want: timeline.Call{Got: "DeadlineExceeded"}, took: 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			listened(t, c.register, func(ctx context.Context, client pb.RegistryServiceClient, n *network.Memory, seen *Tap) {
				if c.cut {
					n.Faults().Cut("w-0", "c-0")
					defer n.Faults().Heal()
				}
				ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
				defer cancel()
				_, err := client.Register(ctx, &pb.RegisterRequest{WorkerId: "w-0"})
				calls, _, forgotten := seen.Seen()
				if len(calls) != 1 || forgotten != 0 {
					t.Fatalf("%d calls, and %d forgotten", len(calls), forgotten)
				}
				got := calls[0]
				if got.Method != "Register" || got.From != "w-0" || got.Got != c.want.Got || got.Given != c.want.Given && c.want.Given != "" {
					t.Errorf("seen is %+v", got)
				}
				if arrives := !got.Arrived.IsZero(); arrives != c.arrives || arrives && got.To != "c-0" {
					t.Errorf("it arrives: %t, at %q", arrives, got.To)
				}
				if took := got.Ended.Sub(got.Sent); took != c.took {
					t.Errorf("it took %v", took)
				}
				if (got.Err == "") != (err == nil) {
					t.Errorf("its caller was told %q: %v", got.Err, err)
				}
			})
		})
	}
}

func TestOnlyTheLastCallsAreKept(t *testing.T) {
	listened(t, fine, func(ctx context.Context, client pb.RegistryServiceClient, _ *network.Memory, seen *Tap) {
		const further = 10
		seen.most = 30
		for range seen.most + further {
			if _, err := client.Register(ctx, &pb.RegisterRequest{}); err != nil {
				t.Fatal(err)
			}
		}
		if calls, _, forgotten := seen.Seen(); len(calls) != seen.most || forgotten != further {
			t.Errorf("%d calls are kept, %d forgotten", len(calls), forgotten)
		}
	})
}
