package network_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"

	"iris/iris/network"
)

func TestAFullListenerTurnsConnectionsAway(t *testing.T) {
	log := &bytes.Buffer{}
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(log, nil)))
	defer slog.SetDefault(before)
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		l := network.Limit(listen(t, n, "here"), 2)
		accepted, done := make(chan net.Conn, 10), make(chan struct{})
		go func() {
			defer close(done)
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				accepted <- conn
			}
		}()
		var dialled []net.Conn
		dial := func() net.Conn {
			conn, err := n.Dial(t.Context(), "here")
			if err != nil {
				t.Fatal(err)
			}
			dialled = append(dialled, conn)
			synctest.Wait()
			return conn
		}
		first, _ := dial(), dial()
		for range 3 {
			if _, err := dial().Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("one too many reads %v", err)
			}
		}
		if n := len(accepted); n != 2 {
			t.Errorf("%d were accepted, want 2", n)
		}
		server := <-accepted
		for range 2 { // closing twice frees one place
			_ = server.Close()
		}
		if _, err := first.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the first reads %v", err)
		}
		dial()
		if n := len(accepted); n != 2 { // the second, and this one
			t.Errorf("%d are accepted, want 2", n)
		}
		if _, err := dial().Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("one too many reads %v", err)
		}
		for _, c := range dialled {
			_ = c.Close()
		}
		_ = l.Close()
		<-done
	})
	if n := strings.Count(log.String(), "the listener is full"); n != 1 || !strings.Contains(log.String(), "limit=2") {
		t.Errorf("the log has it %d times within a minute: %s", n, log)
	}
}

func TestATCPListenerHasALimit(t *testing.T) {
	l, err := network.TCP{MaxConnections: 1}.Listen("")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 2)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	})
	defer serving.Wait()
	defer func() { _ = l.Close() }()
	first, err := network.TCP{}.Dial(t.Context(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Close() }()
	defer func() { _ = (<-accepted).Close() }()
	second, err := network.TCP{}.Dial(t.Context(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = second.Close() }()
	if _, err := second.Read(make([]byte, 1)); err == nil {
		t.Error("the second was not turned away")
	}
}

// counting is a network that counts connections, and whose cables can be cut: what is written vanishes, and nobody is told.
type counting struct {
	network.Memory
	dials atomic.Int32
	cut   atomic.Bool // those that are there
}

func (c *counting) Dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := c.Memory.Dial(ctx, address)
	if err == nil {
		c.dials.Add(1)
		conn = &cable{Conn: conn, network: c, number: c.dials.Load()}
	}
	return conn, err
}

type cable struct {
	net.Conn
	network *counting
	number  int32
}

func (c *cable) Write(p []byte) (int, error) {
	if c.number == 1 && c.network.cut.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// Client and server ask each other for signs of life, and neither takes the other's questions for an attack (FM-29).
func TestAConnectionWithoutCallsLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &counting{}
		defer serve(t, n, "here").Stop()
		client := connect(t, n, "here")
		for range 5 {
			if err := check(t, client); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Minute)
		}
		if dials := n.dials.Load(); dials != 1 {
			t.Errorf("there were %d connections in 50 minutes", dials)
		}
	})
}

// An old connection is replaced, and no call notices.
func TestAnOldConnectionIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &counting{}
		defer serve(t, n, "here").Stop()
		client := connect(t, n, "here")
		for range 6 * 60 * 6 { // every 10 s for six hours
			if err := check(t, client); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
		}
		if dials := n.dials.Load(); dials < 5 || dials > 7 { // an hour each, with gRPC's jitter of a tenth
			t.Errorf("there were %d connections in six hours", dials)
		}
	})
}

// A cable that is cut tells nobody. A client that waits for an answer notices all the same, and connects again.
func TestACableThatIsCutIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &counting{}
		defer serve(t, n, "here").Stop()
		client := connect(t, n, "here")
		if err := check(t, client); err != nil {
			t.Fatal(err)
		}
		n.cut.Store(true)
		cut := time.Now()
		for check(t, client) != nil || n.dials.Load() == 1 {
			if time.Since(cut) > 45*time.Second { // 33 s of silence, 10 s for a sign of life, and the pause before a new connection
				t.Fatal("the cut was not noticed")
			}
			time.Sleep(time.Second)
		}
	})
}

// A call beyond the limit waits for one of the others to end.
func TestCallsOfOneConnectionAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		l := listen(t, n, "here")
		server := network.Server(grpc.UnaryInterceptor(func(ctx context.Context, _ any, _ *grpc.UnaryServerInfo, _ grpc.UnaryHandler) (any, error) {
			time.Sleep(time.Minute)
			return &grpc_health_v1.HealthCheckResponse{}, nil
		}))
		grpc_health_v1.RegisterHealthServer(server, grpc_health_v1.UnimplementedHealthServer{})
		go func() { _ = server.Serve(l) }()
		defer server.Stop()
		client := connect(t, n, "here")
		var all sync.WaitGroup
		took := make(chan time.Duration, 2*network.MaxStreams)
		began := time.Now()
		if err := check(t, client); err != nil { // the client learns the limit
			t.Fatal(err)
		}
		for range network.MaxStreams + 1 {
			all.Go(func() {
				if err := check(t, client); err != nil {
					t.Error(err)
				}
				took <- time.Since(began)
			})
		}
		all.Wait()
		close(took)
		late := 0
		for d := range took {
			if d == 3*time.Minute {
				late++
			} else if d != 2*time.Minute {
				t.Errorf("a call ended after %v", d)
			}
		}
		if late != 1 {
			t.Errorf("%d calls had to wait, want 1", late)
		}
	})
}
