package chaosgrpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"iris/chaos"
	"iris/chaos/chaosgrpc"
	"iris/chaos/chaostest"
)

var sites = chaosgrpc.Declare(&pb.TestService_ServiceDesc)

const (
	unary    = ":/grpc.testing.TestService/UnaryCall"
	download = ":/grpc.testing.TestService/StreamingOutputCall"
	upload   = ":/grpc.testing.TestService/StreamingInputCall"
	duplex   = ":/grpc.testing.TestService/FullDuplexCall"
)

// shop is a service that counts what it has done.
type shop struct {
	pb.UnimplementedTestServiceServer
	calls, messages atomic.Int64
	inside          *chaos.Site
}

func (s *shop) UnaryCall(ctx context.Context, r *pb.SimpleRequest) (*pb.SimpleResponse, error) {
	s.calls.Add(1)
	if s.inside != nil {
		if err := s.inside.Hit(ctx, nil); err != nil {
			return nil, err
		}
	}
	if r.FillUsername {
		return nil, status.Error(codes.NotFound, "no such user")
	}
	return &pb.SimpleResponse{Username: "done"}, nil
}

func (s *shop) StreamingOutputCall(_ *pb.StreamingOutputCallRequest, out grpc.ServerStreamingServer[pb.StreamingOutputCallResponse]) error {
	s.calls.Add(1)
	for range 3 {
		if err := out.Send(&pb.StreamingOutputCallResponse{}); err != nil {
			return err
		}
		s.messages.Add(1)
	}
	return nil
}

func (s *shop) StreamingInputCall(in grpc.ClientStreamingServer[pb.StreamingInputCallRequest, pb.StreamingInputCallResponse]) error {
	s.calls.Add(1)
	for {
		switch _, err := in.Recv(); {
		case errors.Is(err, io.EOF):
			return in.SendAndClose(&pb.StreamingInputCallResponse{AggregatedPayloadSize: int32(s.messages.Load())})
		case err != nil:
			return err
		}
		s.messages.Add(1)
	}
}

func (s *shop) FullDuplexCall(both grpc.BidiStreamingServer[pb.StreamingOutputCallRequest, pb.StreamingOutputCallResponse]) error {
	s.calls.Add(1)
	for {
		switch _, err := both.Recv(); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		s.messages.Add(1)
		if err := both.Send(&pb.StreamingOutputCallResponse{}); err != nil {
			return err
		}
	}
}

// open starts a server and connects to it; both end with the test.
func open(t testing.TB, s *shop, faults *chaosgrpc.Sites) pb.TestServiceClient {
	t.Helper()
	listener := bufconn.Listen(1 << 16)
	server := grpc.NewServer(grpc.WaitForHandlers(true),
		grpc.ChainUnaryInterceptor(faults.UnaryServer), grpc.ChainStreamInterceptor(faults.StreamServer))
	pb.RegisterTestServiceServer(server, s)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///shop", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithChainUnaryInterceptor(faults.UnaryClient), grpc.WithChainStreamInterceptor(faults.StreamClient))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return pb.NewTestServiceClient(conn)
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is\n\t%v\nwant\n\t%v", what, got, want)
	}
}

func TestEachMethodHasFourSites(t *testing.T) {
	var names []string
	for _, s := range chaos.Sites() {
		if strings.HasSuffix(s.Name(), unary) {
			names = append(names, s.Name()+" "+strings.Join(s.Labels(), ","))
		}
	}
	equal(t, "sites", strings.Join(names, "\n"), "grpc.client.answer"+unary+" cluster,server\ngrpc.client.request"+unary+
		" cluster,server\ngrpc.server.answer"+unary+" cluster\ngrpc.server.request"+unary+" cluster")
	chaosgrpc.Declare(&pb.TestService_ServiceDesc) // again, as another package of the program would
}

func TestAMisspeltMethodIsRefusedWithTheNearest(t *testing.T) {
	_, err := chaos.EnableText("grpc.client.answer:/grpc.testing.TestService/UnaryCal max 1")
	const want = `chaos: column 1: no site "grpc.client.answer:/grpc.testing.TestService/UnaryCal"; did you mean "grpc.client.answer:/grpc.testing.TestService/UnaryCall"? Of 33 sites these are like it: grpc.client.answer:/grpc.testing.TestService/UnaryCall, `
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("refused with %v", err)
	}
	_, err = chaos.EnableText("grpc.server.answer" + unary + "[server=x]")
	equal(t, "error", fmt.Sprint(err), "chaos: column 56: hits of grpc.server.answer"+unary+` have no label "server", want cluster`)
}

func TestDeclareWantsServices(t *testing.T) {
	for _, declare := range []func(){func() { chaosgrpc.Declare() }, func() { chaosgrpc.Declare(nil) }} {
		func() {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.HasSuffix(text, "want a service, as in Declare(&pb.Orders_ServiceDesc)") {
					t.Errorf("panic is %s", text)
				}
			}()
			declare()
		}()
	}
}

// What is lost where, and whether the server has done it.
func TestWhatIsLostOfACall(t *testing.T) {
	for _, c := range []struct {
		rule string
		code codes.Code
		done int64
	}{
		{"grpc.client.request" + unary + " max 1", codes.Unavailable, 0},
		{"grpc.server.request" + unary + " max 1", codes.Unavailable, 0},
		{"grpc.server.answer" + unary + " max 1", codes.Unavailable, 1},
		{"grpc.client.answer" + unary + " max 1", codes.Unavailable, 1},
		{"grpc.client.request" + unary + "[server=passthrough:///shop] max 1 code Aborted", codes.Aborted, 0},
		{"grpc.client.answer" + unary + "[server=passthrough:///shop] max 1 code Aborted", codes.Aborted, 1},
		{"grpc.server.answer" + unary + " max 1 code ResourceExhausted", codes.ResourceExhausted, 1},
	} {
		t.Run(c.rule, func(t *testing.T) {
			s := &shop{}
			client, lab := open(t, s, sites), chaostest.New(t)
			lab.EnableText(c.rule)
			_, err := client.UnaryCall(lab.Context(), &pb.SimpleRequest{})
			equal(t, "code", status.Code(err), c.code)
			equal(t, "done", s.calls.Load(), c.done)
			answer, err := client.UnaryCall(lab.Context(), &pb.SimpleRequest{})
			equal(t, "the next call", fmt.Sprint(answer.GetUsername(), err), "done<nil>")
			equal(t, "done in the end", s.calls.Load(), c.done+1)
		})
	}
}

func TestDelaysAndPausesOfACall(t *testing.T) {
	for _, c := range []struct {
		rule  string
		code  codes.Code
		lasts time.Duration
		done  int64
	}{
		{"grpc.client.request" + unary + " delay 3s", codes.OK, 3 * time.Second, 1},
		{"grpc.server.request" + unary + " delay 3s", codes.OK, 3 * time.Second, 1},
		{"grpc.server.answer" + unary + " delay 3s", codes.OK, 3 * time.Second, 1},
		{"grpc.client.answer" + unary + " delay 3s", codes.OK, 3 * time.Second, 1},
		{"grpc.client.answer" + unary + "=1*delay(3s)+error(unavailable)->skip(5)->error may-not-fire", codes.Unavailable, 3 * time.Second, 1},
		{"grpc.client.request" + unary + " pause", codes.DeadlineExceeded, 10 * time.Second, 0},
		{"grpc.client.answer" + unary + " pause", codes.DeadlineExceeded, 10 * time.Second, 1},
		{"grpc.server.answer" + unary + " pause", codes.DeadlineExceeded, 10 * time.Second, 1},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &shop{}
				client, lab := open(t, s, sites), chaostest.New(t)
				lab.EnableText(c.rule)
				ctx, cancel := context.WithTimeout(lab.Context(), 10*time.Second)
				defer cancel()
				from := time.Now()
				_, err := client.UnaryCall(ctx, &pb.SimpleRequest{})
				equal(t, "code", status.Code(err), c.code)
				equal(t, "time", time.Since(from), c.lasts)
				equal(t, "done", s.calls.Load(), c.done)
			})
		})
	}
}

func TestACallThatFailedHasNoAnswerToLose(t *testing.T) {
	client, lab := open(t, &shop{}, sites), chaostest.New(t)
	rules := lab.EnableAll("grpc.client.answer" + unary + " may-not-fire; grpc.server.answer" + unary + " may-not-fire")
	_, err := client.UnaryCall(lab.Context(), &pb.SimpleRequest{FillUsername: true})
	equal(t, "code", status.Code(err), codes.NotFound)
	for _, r := range rules {
		equal(t, r.String(), r.Counts(), chaos.Counts{})
	}
}

func TestWhatIsLostOfADownload(t *testing.T) {
	for _, c := range []struct {
		rule     string
		received int
		called   int64
	}{
		{"grpc.client.request" + download, 0, 0},
		{"grpc.server.request" + download, 0, 0},
		{"grpc.server.answer" + download + " skip 1", 1, 1},
		{"grpc.client.answer" + download + " skip 2", 2, 1},
	} {
		t.Run(c.rule, func(t *testing.T) {
			s := &shop{}
			client, lab := open(t, s, sites), chaostest.New(t)
			lab.EnableText(c.rule)
			received := 0
			stream, err := client.StreamingOutputCall(lab.Context(), &pb.StreamingOutputCallRequest{})
			for err == nil {
				if _, err = stream.Recv(); err == nil {
					received++
				}
			}
			equal(t, "code", status.Code(err), codes.Unavailable)
			equal(t, "received", received, c.received)
			equal(t, "called", s.calls.Load(), c.called)
			if stream != nil {
				_, again := stream.Recv()
				equal(t, "code of what comes after", status.Code(again), codes.Unavailable)
			}
		})
	}
}

func TestWhatIsLostOfAnUpload(t *testing.T) {
	for _, c := range []struct {
		rule string
		sent int64
		code codes.Code
	}{
		{"grpc.client.request" + upload + " skip 1", 1, codes.Unavailable},
		{"grpc.server.request" + upload + " skip 2", 2, codes.Unavailable},
		{"grpc.server.answer" + upload, 3, codes.Unavailable},
		{"grpc.client.answer" + upload + " code aborted", 3, codes.Aborted},
	} {
		t.Run(c.rule, func(t *testing.T) {
			s := &shop{}
			client, lab := open(t, s, sites), chaostest.New(t)
			lab.EnableText(c.rule)
			stream, err := client.StreamingInputCall(lab.Context())
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if err = stream.Send(&pb.StreamingInputCallRequest{}); err != nil {
					break
				}
			}
			if err == nil || errors.Is(err, io.EOF) { // as gRPC says that the stream has been broken elsewhere
				_, err = stream.CloseAndRecv()
			}
			equal(t, "code", status.Code(err), c.code)
			if c.sent > 1 { // a stream that was cancelled may end before what was sent is read
				equal(t, "messages that arrived", s.messages.Load(), c.sent)
			}
		})
	}
}

func TestAMessageThatIsLostBreaksAStreamInBothDirections(t *testing.T) {
	client, lab := open(t, &shop{}, sites), chaostest.New(t)
	lab.EnableText("grpc.client.request" + duplex + " skip 1 max 1")
	stream, err := client.FullDuplexCall(lab.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&pb.StreamingOutputCallRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	received := make(chan error)
	go func() { // waits for a message while one is lost
		_, err := stream.Recv()
		received <- err
	}()
	err = stream.Send(&pb.StreamingOutputCallRequest{})
	equal(t, "code of Send", status.Code(err), codes.Unavailable)
	equal(t, "code of Recv", status.Code(<-received), codes.Unavailable)
}

func TestUndisturbedStreamsEndAsEver(t *testing.T) {
	s := &shop{}
	client := open(t, s, sites)
	lab := chaostest.New(t)
	up, err := client.StreamingInputCall(lab.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := up.Send(&pb.StreamingInputCallRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	answer, err := up.CloseAndRecv()
	equal(t, "upload", fmt.Sprint(answer.GetAggregatedPayloadSize(), err), "3 <nil>")
	down, err := client.StreamingOutputCall(lab.Context(), &pb.StreamingOutputCallRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = down.Recv()
	}
	equal(t, "download", err, io.EOF)
}

var inside = chaos.NewSite("shop.inside", "in a handler", chaos.CanAll)

// One server, which several tests use at once: each sees its own faults alone, in the handler too.
func TestTheScopeOfACallGoesToTheServer(t *testing.T) {
	client := open(t, &shop{inside: inside}, sites)
	t.Run("tests", func(t *testing.T) {
		for n, site := range []string{"shop.inside", "grpc.server.answer" + unary, "shop.inside"} {
			t.Run(fmt.Sprint(n, "é"), func(t *testing.T) {
				t.Parallel()
				lab := chaostest.New(t)
				rule := lab.Enable(site, chaos.MaxFailures(n+1), chaos.MinFailures(n+1))
				var failed []int
				for i := range 20 {
					if _, err := client.UnaryCall(lab.Context(), &pb.SimpleRequest{}); err != nil {
						failed = append(failed, i)
					}
				}
				equal(t, "calls that failed", fmt.Sprint(failed), fmt.Sprint([]int{0, 1, 2}[:n+1]))
				equal(t, "counts", rule.Counts(), chaos.Counts{Reached: 20, Matched: 20, Fired: n + 1})
			})
		}
	})
}

func TestOtherServicesPassUntouchedWithTheirScope(t *testing.T) {
	var none chaosgrpc.Sites
	client, lab := open(t, &shop{inside: inside}, &none), chaostest.New(t)
	rules := lab.EnableAll("grpc.client.request" + unary + " may-not-fire; shop.inside")
	_, err := client.UnaryCall(lab.Context(), &pb.SimpleRequest{})
	equal(t, "code", status.Code(err), codes.Unavailable)
	equal(t, "hits of the method's site", rules[0].Counts().Reached, 0)
	stream, err := client.FullDuplexCall(lab.Context())
	if err == nil {
		err = stream.CloseSend()
	}
	if err == nil {
		_, err = stream.Recv()
	}
	equal(t, "stream", err, io.EOF)
}

// BenchmarkIdleInterceptor is a unary call whose network takes no time, with and without the client's interceptor.
func BenchmarkIdleInterceptor(b *testing.B) {
	conn, err := grpc.NewClient("passthrough:///shop", grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, request, answer := context.Background(), &pb.SimpleRequest{}, &pb.SimpleResponse{}
	invoke := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return nil }
	method := pb.TestService_UnaryCall_FullMethodName
	b.Run("without", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if invoke(ctx, method, request, answer, conn) != nil {
				b.Fatal("failed")
			}
		}
	})
	b.Run("client", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if sites.UnaryClient(ctx, method, request, answer, conn, invoke) != nil {
				b.Fatal("failed")
			}
		}
	})
	b.Run("server", func(b *testing.B) {
		b.ReportAllocs()
		info := &grpc.UnaryServerInfo{FullMethod: method}
		handle := func(context.Context, any) (any, error) { return answer, nil }
		for b.Loop() {
			if _, err := sites.UnaryServer(ctx, request, info, handle); err != nil {
				b.Fatal(err)
			}
		}
	})
}
