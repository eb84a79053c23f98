package faults_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"iris/iris/faults"
	"iris/iris/network"
	pb "iris/iris/proto"
)

func TestADisabledServiceSaysHowToGetAnEnabledOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := serve(t, func(s *grpc.Server) { faults.Disabled(s, "controller") })
		_, err := faults.Connect(conn).Enable(t.Context(), "test.beat")
		equal(t, "Enable", told(nil, err),
			"FailedPrecondition: this controller was started without --chaos; start it with --chaos to inject faults")
		for _, m := range pb.ChaosService_ServiceDesc.Methods {
			err := conn.Invoke(t.Context(), "/iris.v1.ChaosService/"+m.MethodName, new(emptypb.Empty), new(emptypb.Empty))
			equal(t, "code of "+m.MethodName, status.Code(err), codes.FailedPrecondition)
		}
		stream, err := faults.Connect(conn).Watch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = stream.Next()
		equal(t, "code of Watch", status.Code(err), codes.FailedPrecondition)
	})
}

func TestWhoMayNotCallIsRefusedBeforeADisabledServiceAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		refusal := status.Error(codes.PermissionDenied, "only for administrators")
		conn := serve(t, func(s *grpc.Server) { faults.Disabled(s, "worker") },
			grpc.UnaryInterceptor(func(_ context.Context, _ any, info *grpc.UnaryServerInfo, _ grpc.UnaryHandler) (any, error) {
				asked = append(asked, info.FullMethod)
				return nil, refusal
			}),
			grpc.StreamInterceptor(func(_ any, _ grpc.ServerStream, info *grpc.StreamServerInfo, _ grpc.StreamHandler) error {
				asked = append(asked, info.FullMethod)
				return refusal
			}))
		_, err := faults.Connect(conn).Reset(t.Context())
		equal(t, "code of Reset", status.Code(err), codes.PermissionDenied)
		stream, err := faults.Connect(conn).Watch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = stream.Next()
		equal(t, "code of Watch", status.Code(err), codes.PermissionDenied)
		equal(t, "asked", strings.Join(asked, " "), "/iris.v1.ChaosService/Reset /iris.v1.ChaosService/Watch")
	})
}

func TestADisabledPeerIsAnEntry(t *testing.T) {
	bubble(t, []string{"w-0"}, func(t *testing.T, l *lab, client *faults.Client) {
		conn := serve(t, func(s *grpc.Server) { faults.Disabled(s, "worker") })
		l.join(&node{name: "w-1", conn: conn})
		reports, err := client.EnableAs(t.Context(), "x", "test.beat")
		equal(t, "answer", told(reports, err), lines("c-0 x(0/0/0)", "w-0 x(0/0/0)", "w-1 refuses with FailedPrecondition"))
		r := read(t, client.Watch)
		r.expect("c-0 began", "w-0 began", "w-1 lost: FailedPrecondition")
	})
}

// serve serves what register adds, and returns a connection to it.
func serve(t *testing.T, register func(*grpc.Server), options ...grpc.ServerOption) *grpc.ClientConn {
	t.Helper()
	n := &node{server: network.Server(options...)}
	register(n.server)
	(&lab{t: t, network: new(network.Memory)}).serve(n)
	return n.conn
}
