package telemetry_test

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/iris/network"
	pb "iris/iris/proto"
	"iris/iris/telemetry"
)

// wantSamples wants exactly these lines of what is measured, but for zeros and buckets.
func wantSamples(t *testing.T, from prometheus.Gatherer, want ...string) {
	t.Helper()
	answer := httptest.NewRecorder()
	promhttp.HandlerFor(from, promhttp.HandlerOpts{}).ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	got := slices.DeleteFunc(strings.Split(answer.Body.String(), "\n"), func(line string) bool {
		return line == "" || strings.HasPrefix(line, "#") || strings.Contains(line, "_bucket{") || strings.HasSuffix(line, " 0")
	})
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("what is measured (-want +got):\n%s", diff)
	}
}

// answers is a service whose calls take two seconds.
type answers struct {
	pb.UnimplementedRegistryServiceServer
	heartbeat error
}

func (a *answers) Heartbeat(context.Context, *pb.HeartbeatRequest) (*pb.HeartbeatResponse, error) {
	time.Sleep(2 * time.Second)
	return &pb.HeartbeatResponse{}, a.heartbeat
}

func (a *answers) DownloadBundle(_ *pb.DownloadBundleRequest, stream pb.RegistryService_DownloadBundleServer) error {
	for range 2 {
		time.Sleep(time.Second)
		if err := stream.Send(&pb.DownloadBundleResponse{}); err != nil {
			return err
		}
	}
	return a.heartbeat
}

// connected runs a test against a server and a connection that measure their calls in the same place.
func connected(t *testing.T, r prometheus.Registerer, test func(*testing.T, *answers, *grpc.ClientConn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		calls, err := telemetry.NewCalls(r)
		if err != nil {
			t.Fatal(err)
		}
		defer calls.Unregister()
		n, a := &network.Memory{}, &answers{}
		listener, err := n.Listen("a")
		if err != nil {
			t.Fatal(err)
		}
		server := network.Server(calls.ServerOptions()...)
		pb.RegisterRegistryServiceServer(server, a)
		served := make(chan error, 1)
		go func() { served <- server.Serve(listener) }()
		conn, err := network.Client(n, "a", calls.DialOptions()...)
		if err != nil {
			t.Fatal(err)
		}
		test(t, a, conn)
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

func TestCallsAreMeasuredByMethodAndCodeOnBothSides(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	connected(t, registry, func(t *testing.T, a *answers, conn *grpc.ClientConn) {
		client := pb.NewRegistryServiceClient(conn)
		for range 2 {
			if _, err := client.Heartbeat(t.Context(), &pb.HeartbeatRequest{}); err != nil {
				t.Fatal(err)
			}
		}
		a.heartbeat = status.Error(codes.FailedPrecondition, "no")
		if _, err := client.Heartbeat(t.Context(), &pb.HeartbeatRequest{}); status.Code(err) != codes.FailedPrecondition {
			t.Fatal(err)
		}
		wantSamples(t, registry,
			`iris_rpc_made_seconds_sum{method="iris.v1.RegistryService/Heartbeat"} 6`,
			`iris_rpc_made_seconds_count{method="iris.v1.RegistryService/Heartbeat"} 3`,
			`iris_rpc_made_total{code="FailedPrecondition",method="iris.v1.RegistryService/Heartbeat"} 1`,
			`iris_rpc_made_total{code="OK",method="iris.v1.RegistryService/Heartbeat"} 2`,
			`iris_rpc_served_seconds_sum{method="iris.v1.RegistryService/Heartbeat"} 6`,
			`iris_rpc_served_seconds_count{method="iris.v1.RegistryService/Heartbeat"} 3`,
			`iris_rpc_served_total{code="FailedPrecondition",method="iris.v1.RegistryService/Heartbeat"} 1`,
			`iris_rpc_served_total{code="OK",method="iris.v1.RegistryService/Heartbeat"} 2`)
	})
	wantSamples(t, registry)
}

func TestAStreamIsMeasuredToItsEnd(t *testing.T) {
	for name, end := range map[string]error{"OK": nil, "NotFound": status.Error(codes.NotFound, "no")} {
		t.Run(name, func(t *testing.T) {
			registry := prometheus.NewPedanticRegistry()
			connected(t, registry, func(t *testing.T, a *answers, conn *grpc.ClientConn) {
				a.heartbeat = end
				stream, err := pb.NewRegistryServiceClient(conn).DownloadBundle(t.Context(), &pb.DownloadBundleRequest{})
				if err != nil {
					t.Fatal(err)
				}
				for err == nil {
					_, err = stream.Recv()
				}
				if _, again := stream.Recv(); again == nil {
					t.Error("it goes on after its end")
				}
				synctest.Wait()
				wantSamples(t, registry,
					`iris_rpc_made_seconds_sum{method="iris.v1.RegistryService/DownloadBundle"} 2`,
					`iris_rpc_made_seconds_count{method="iris.v1.RegistryService/DownloadBundle"} 1`,
					`iris_rpc_made_total{code="`+name+`",method="iris.v1.RegistryService/DownloadBundle"} 1`,
					`iris_rpc_served_seconds_sum{method="iris.v1.RegistryService/DownloadBundle"} 2`,
					`iris_rpc_served_seconds_count{method="iris.v1.RegistryService/DownloadBundle"} 1`,
					`iris_rpc_served_total{code="`+name+`",method="iris.v1.RegistryService/DownloadBundle"} 1`)
			})
		})
	}
}

// A caller must not be able to fill the memory with names.
func TestCallsToMethodsThatDoNotExistAreNotCounted(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	connected(t, registry, func(t *testing.T, _ *answers, conn *grpc.ClientConn) {
		plain := pb.NewRegistryServiceClient(conn)
		if _, err := plain.Register(t.Context(), &pb.RegisterRequest{}); status.Code(err) != codes.Unimplemented {
			t.Fatal(err)
		}
		bare, err := testutil.GatherAndCount(registry, "iris_rpc_served_total")
		if err != nil || bare != 1 {
			t.Errorf("%d series of a method that exists, %v", bare, err)
		}
		err = conn.Invoke(t.Context(), "/iris.v1.RegistryService/Made_up", &pb.RegisterRequest{}, &pb.RegisterResponse{})
		if status.Code(err) != codes.Unimplemented {
			t.Fatal(err)
		}
		if n, err := testutil.GatherAndCount(registry, "iris_rpc_served_total"); err != nil || n != bare {
			t.Errorf("%d series after a call to one that does not, %v", n, err)
		}
	})
}

func TestWithoutARegistererNothingIsMeasured(t *testing.T) {
	calls, err := telemetry.NewCalls(nil)
	if err != nil || calls.ServerOptions() != nil || calls.DialOptions() != nil {
		t.Errorf("there are options: %v", err)
	}
	calls.Unregister()
}

func TestCallsAreMeasuredOnceInOnePlace(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	first, err := telemetry.NewCalls(registry)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := telemetry.NewCalls(registry); err == nil || !strings.HasPrefix(err.Error(), "measuring calls: ") {
		t.Errorf("a second time: %v", err)
	}
	first.Unregister()
	if _, err := telemetry.NewCalls(registry); err != nil {
		t.Errorf("after the first is gone: %v", err)
	}
}
