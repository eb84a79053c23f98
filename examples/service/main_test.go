package main

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"iris/chaos/chaostest"
)

// The client under faults, in virtual time: what becomes of a call, how long it takes and how often the store is read.
func TestACallUnderFaults(t *testing.T) {
	const method = ":/grpc.health.v1.Health/Check"
	for _, c := range []struct {
		fault string
		code  codes.Code
		takes time.Duration
		reads int64
	}{
		{"grpc.client.request" + method + " max 2", codes.OK, 300 * time.Millisecond, 1},
		{"grpc.client.answer" + method + " max 2", codes.OK, 300 * time.Millisecond, 3}, // the store is read again
		{"grpc.client.answer" + method, codes.Unavailable, 300 * time.Millisecond, 3},
		{"grpc.server.answer" + method + "=1*error->1*delay(1s)", codes.OK, 1100 * time.Millisecond, 2},
		{"grpc.server.answer" + method + " pause", codes.DeadlineExceeded, 5 * time.Second, 1},
		{`store.read err "disk full" code DataLoss`, codes.DataLoss, 0, 0},
	} {
		t.Run(c.fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, lab := &service{}, chaostest.New(t)
				lab.EnableText(c.fault)
				conn := start(t, s)
				began := time.Now()
				if err := ask(lab.Context(), conn); status.Code(err) != c.code {
					t.Errorf("the call ends with %v, want %v", err, c.code)
				}
				if took := time.Since(began); took != c.takes {
					t.Errorf("the call takes %v, want %v", took, c.takes)
				}
				if reads := s.reads.Load(); reads != c.reads {
					t.Errorf("the store is read %d times, want %d", reads, c.reads)
				}
			})
		})
	}
}

// start starts the service and connects to it, in memory, until the test ends.
func start(t *testing.T, s *service) *grpc.ClientConn {
	t.Helper()
	listener, server := bufconn.Listen(1<<16), serve(s)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	conn, err := connect("passthrough:///service", grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return listener.DialContext(ctx)
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		server.Stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return conn
}
