package network_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"iris/iris/network"
)

func TestBothNetworksCarryBytesBothWays(t *testing.T) {
	for name, n := range map[string]network.Network{"tcp": network.TCP{}, "memory": &network.Memory{}} {
		t.Run(name, func(t *testing.T) {
			l := listen(t, n, "")
			echoed := make(chan error, 1)
			go func() {
				conn, err := l.Accept()
				if err == nil {
					_, err = io.Copy(conn, conn)
					err = errors.Join(err, conn.Close())
				}
				echoed <- err
			}()
			conn, err := n.Dial(t.Context(), l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 5)
			if _, err := io.ReadFull(conn, got); err != nil || string(got) != "hello" {
				t.Errorf("read %q, %v", got, err)
			}
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
			if err := <-echoed; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTCPPicksALoopbackPort(t *testing.T) {
	addr := listen(t, network.TCP{}, "").Addr().(*net.TCPAddr)
	if !addr.IP.IsLoopback() || addr.Port == 0 {
		t.Errorf("an empty address became %v", addr)
	}
}

func TestMemoryPicksFreeAddresses(t *testing.T) {
	n := &network.Memory{}
	listen(t, n, "memory-2") // one that it would pick itself
	seen := map[string]bool{"memory-2": true}
	for range 3 {
		address := listen(t, n, "").Addr().String()
		if seen[address] {
			t.Errorf("%s was picked though it is taken", address)
		}
		seen[address] = true
	}
}

func TestMemoryAddressHasOneListenerUntilItCloses(t *testing.T) {
	n := &network.Memory{}
	first := listen(t, n, "here")
	if first.Addr().Network() != "memory" || first.Addr().String() != "here" {
		t.Errorf("listens on %v", first.Addr())
	}
	if _, err := n.Listen("here"); err == nil || err.Error() != "listen on here: address in use" {
		t.Errorf("a second listener: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := listen(t, n, "here")
	if err := first.Close(); err != nil { // again, as gRPC does: it is not the second's end
		t.Error(err)
	}
	accepted := make(chan error, 1)
	go func() {
		conn, err := second.Accept()
		if err == nil {
			err = conn.Close()
		}
		accepted <- err
	}()
	conn, err := n.Dial(t.Context(), "here")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(<-accepted, conn.Close()); err != nil {
		t.Error(err)
	}
}

func TestMemoryNetworksAreApart(t *testing.T) {
	one, other := &network.Memory{}, &network.Memory{}
	listen(t, one, "here")
	listen(t, other, "here")
	listen(t, one, "there")
	if _, err := other.Dial(t.Context(), "there"); err == nil || err.Error() != "dial there: nobody listens there" {
		t.Errorf("dial into another network: %v", err)
	}
}

func TestMemoryCloseWakesAcceptAndDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		l := listen(t, n, "here")
		accepted := make(chan error, 1)
		go func() {
			_, err := l.Accept()
			accepted <- err
		}()
		synctest.Wait()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-accepted; err == nil {
			t.Error("Accept went on after Close")
		}

		l = listen(t, n, "here")
		dialled := make(chan error, 1)
		go func() {
			_, err := n.Dial(context.Background(), "here") // nobody accepts
			dialled <- err
		}()
		synctest.Wait()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-dialled; err == nil {
			t.Error("Dial succeeded at a closed listener")
		}
	})
}

func TestDialEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		defer listen(t, n, "here").Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := n.Dial(ctx, "here"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dial that nobody accepts: %v", err)
		}
	})
}

// A server that is gone makes calls fail at once; when it is back, the client is too, within its longest pause.
func TestClientReconnectsWhenTheServerComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		server := serve(t, n, "here")
		client := connect(t, n, "here")
		if err := check(t, client); err != nil {
			t.Fatal(err)
		}
		server.Stop()
		synctest.Wait()
		for range 60 { // long enough for the pauses to grow
			if code := status.Code(check(t, client)); code != codes.Unavailable {
				t.Errorf("without a server a call is %v", code)
			}
			time.Sleep(time.Second)
		}
		server = serve(t, n, "here")
		defer server.Stop()
		began := time.Now()
		for check(t, client) != nil {
			if time.Since(began) > 6*time.Second { // 5 s and the jitter
				t.Fatal("not connected again")
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
}

func TestMessagesAreLimited(t *testing.T) {
	n := &network.Memory{}
	defer serve(t, n, "here").Stop()
	client := grpc_health_v1.NewHealthClient(connect(t, n, "here"))
	const frame = 16 // more than the request adds to the text
	for size, want := range map[int]codes.Code{
		network.MaxMessage - frame: codes.NotFound, // it arrives; there is no such service
		network.MaxMessage:         codes.ResourceExhausted,
	} {
		_, err := client.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: strings.Repeat("x", size)})
		if status.Code(err) != want {
			t.Errorf("%d bytes: %v, want %v", size, status.Code(err), want)
		}
	}
}

func listen(t *testing.T, n network.Network, address string) net.Listener {
	t.Helper()
	l, err := n.Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func serve(t *testing.T, n network.Network, address string) *grpc.Server {
	t.Helper()
	l, s := listen(t, n, address), network.Server()
	grpc_health_v1.RegisterHealthServer(s, health.NewServer())
	go func() {
		if err := s.Serve(l); err != nil {
			t.Error(err)
		}
	}()
	return s
}

func connect(t *testing.T, n network.Network, address string) *grpc.ClientConn {
	t.Helper()
	c, err := network.Client(n, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func check(t *testing.T, c *grpc.ClientConn) error { return checkWithin(t.Context(), c) }

func checkWithin(ctx context.Context, c *grpc.ClientConn) error {
	_, err := grpc_health_v1.NewHealthClient(c).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	return err
}
