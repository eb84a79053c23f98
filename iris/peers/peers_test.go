package peers_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"iris/iris/bundle"
	"iris/iris/network"
	"iris/iris/peers"
)

// serve offers a controller at an address until the test ends.
func serve(t *testing.T, n network.Network, address string) *peers.Peers {
	t.Helper()
	store, err := bundle.NewStore(t.TempDir(), bundle.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	s := peers.New(n, store)
	listener, err := n.Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	server := network.Server()
	s.Register(server)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := errors.Join(<-served, s.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// pair are two controllers and a connection between them.
func pair(t *testing.T) (dialled, accepted net.Conn) {
	t.Helper()
	n := &network.Memory{}
	a, b := serve(t, n, "a"), serve(t, n, "b")
	dialled, err := a.Dial(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	accepted, err = b.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return dialled, accepted
}

func TestBytesArriveInOrderInBothDirections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dialled, accepted := pair(t)
		large := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // several chunks
		for _, c := range []struct{ from, to net.Conn }{{dialled, accepted}, {accepted, dialled}} {
			go func() {
				if _, err := c.from.Write(large); err != nil {
					t.Error(err)
				}
			}()
			got := make([]byte, len(large))
			if _, err := io.ReadFull(c.to, got); err != nil || !bytes.Equal(got, large) {
				t.Errorf("what was read differs: %v", err)
			}
		}
	})
}

func TestTheEndOfOneSideIsTheEndOfTheOther(t *testing.T) {
	for name, first := range map[string]int{"dialled": 0, "accepted": 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dialled, accepted := pair(t)
				ends := []net.Conn{dialled, accepted}
				if err := ends[first].Close(); err != nil {
					t.Fatal(err)
				}
				if _, err := ends[1-first].Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
					t.Errorf("the other side reads on: %v", err)
				}
			})
		})
	}
}

// Raft gives each exchange a deadline.
func TestDeadlinesHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dialled, _ := pair(t)
		began := time.Now()
		if err := dialled.SetReadDeadline(began.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		var timeout net.Error
		if _, err := dialled.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() || time.Since(began) != time.Second {
			t.Errorf("the read ended with %v after %v", err, time.Since(began))
		}
	})
}

func TestDialFailsWhereNobodyListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := serve(t, &network.Memory{}, "a")
		if conn, err := a.Dial(t.Context(), "b"); err == nil {
			t.Errorf("dialled %v", conn)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if conn, err := a.Dial(gone, "a"); err == nil {
			t.Errorf("dialled %v with a context that was over", conn)
		}
	})
}

func TestCloseEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network.Memory{}
		a := serve(t, n, "a")
		conn, err := a.Dial(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the connection is still there: %v", err)
		}
		if _, err := a.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("accepting ended with %v", err)
		}
		if _, err := a.Dial(t.Context(), "a"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("dialling ended with %v", err)
		}
	})
}
