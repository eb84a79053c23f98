package auth_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/iris/auth"
	"iris/iris/client"
	"iris/iris/network"
	pb "iris/iris/proto"
)

func TestWhoCallsTooOftenIsToldWhenToComeAgain(t *testing.T) {
	inBubble(t, func(b *bench) {
		c := b.clear()
		c.Rates = map[auth.Role]auth.Rate{auth.User: {PerSecond: 2, Burst: 3}}
		b.newToken(auth.User, "other", 0)
		b.serve(c)
		conn := b.dial(b.token("user", false))
		for range 3 {
			wantOK(b.T, call(b.T, conn, launch))
		}
		err := call(b.T, conn, launch)
		wantAbout(b.T, err, codes.ResourceExhausted, "user (token ", "calls too often: 2 calls a second, 3 at once; try again in 500ms")
		if wait := asked(err); wait != 500*time.Millisecond {
			b.Errorf("it is to wait %v", wait)
		}
		wantAbout(b.T, call(b.T, b.dial(b.token("user", false)), launch), codes.ResourceExhausted, "") // over another connection too
		wantOK(b.T, call(b.T, b.dial(b.token("other-user", false)), launch))                           // another user is free to
		stream := method("/iris.v1.ControllerService/UploadBundle")
		wantAbout(b.T, call(b.T, conn, stream), codes.ResourceExhausted, "")
		time.Sleep(500 * time.Millisecond)
		wantOK(b.T, call(b.T, conn, stream))
		wantAbout(b.T, call(b.T, conn, launch), codes.ResourceExhausted, "")

		admin := b.dial(b.token("admin", false)) // has no limit here
		for range 100 {
			wantOK(b.T, call(b.T, admin, launch))
		}
	})
}

func asked(err error) time.Duration {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			return info.RetryDelay.AsDuration()
		}
	}
	return -1
}

// Health checks without credentials share one limit; whoever has credentials has their own.
func TestOpenHealthChecksAreLimitedTogether(t *testing.T) {
	inBubble(t, func(b *bench) {
		c := b.clear()
		c.OpenHealth = true
		b.serve(c)
		check := method("/grpc.health.v1.Health/Check")
		conns := []*grpc.ClientConn{b.dial(auth.Config{}), b.dial(auth.Config{})}
		for i := range 200 {
			wantOK(b.T, call(b.T, conns[i%2], check))
		}
		wantAbout(b.T, call(b.T, conns[0], check), codes.ResourceExhausted, "try again in 10ms")
		wantOK(b.T, call(b.T, b.dial(b.token("user", false)), launch))
	})
}

// A client waits as long as it is told to, and goes on.
func TestIrissClientSlowsDown(t *testing.T) {
	inBubble(t, func(b *bench) {
		c := b.clear()
		c.Rates = map[auth.Role]auth.Rate{auth.User: {PerSecond: 0.1, Burst: 1}}
		b.serve(c)
		options, err := auth.Dial(b.token("user", false))
		if err != nil {
			b.Fatal(err)
		}
		user, err := client.Connect(host, client.Network(b.net), client.Dial(options...))
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = user.Close() }()
		began := time.Now()
		for range 4 {
			if _, err := user.Workers(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		if took := time.Since(began); took < 30*time.Second || took > 31*time.Second {
			b.Errorf("four calls took %v, want 30 s", took)
		}
	})
}

// What a stranger sends is not read: the server does not even notice that it is larger than it would take.
func TestAStrangersMessageIsNotRead(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.serve(b.clear())
		large := &pb.LaunchJobRequest{JobId: strings.Repeat("x", network.MaxMessage)}
		send := func(conn *grpc.ClientConn) error {
			return conn.Invoke(b.Context(), launch.FullName, large, message(launch.Output), grpc.MaxCallSendMsgSize(2*network.MaxMessage))
		}
		wantAbout(b.T, send(b.dial(b.token("user", false))), codes.ResourceExhausted, "larger than max")
		wantAbout(b.T, send(b.dial(auth.Config{})), codes.Unauthenticated, "no credentials")
		wantAbout(b.T, send(b.dial(b.token("worker-w-0", false))), codes.PermissionDenied, "role worker may not")
	})
}

func TestRefusalsDoNotFillTheLog(t *testing.T) {
	inBubble(t, func(b *bench) {
		c, refused := b.clear(), map[string]int{}
		c.Refused = func(method string, code codes.Code) { refused[fmt.Sprint(method, " ", code)]++ }
		b.serve(c)
		conn := b.dial(auth.Config{})
		for range 500 {
			wantAbout(b.T, call(b.T, conn, launch), codes.Unauthenticated, "no credentials")
		}
		if n := refused[launch.FullName+" Unauthenticated"]; n != 500 || len(refused) != 1 {
			b.Errorf("it was told of %v", refused)
		}
		if n := strings.Count(b.log.String(), "call refused"); n != 20 {
			b.Errorf("the log has %d refusals", n)
		}
		time.Sleep(3 * time.Second)
		wantAbout(b.T, call(b.T, conn, launch), codes.Unauthenticated, "")
		if said := b.log.String(); !strings.Contains(said, "not_logged_before=480") || !strings.Contains(said, `caller="nobody that is known"`) {
			b.Errorf("the log does not say how many it left out: %s", said)
		}
	})
}

func TestTheLogSaysWhoWasRefusedWhat(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.serve(b.clear())
		wantAbout(b.T, call(b.T, b.dial(b.token("worker-w-0", false)), launch), codes.PermissionDenied, "")
		for _, words := range []string{
			"method=/iris.v1.ControllerService/LaunchJob", "code=PermissionDenied", `caller="worker w-0 (token `,
			`reason="role worker may not call /iris.v1.ControllerService/LaunchJob; allowed: user, controller, admin"`,
		} {
			if !strings.Contains(b.log.String(), words) {
				b.Errorf("the log has no %s: %s", words, b.log)
			}
		}
	})
}

func TestListenersThatOthersCanReachNeedCredentials(t *testing.T) {
	names(t, map[string][]string{
		"outside.example.": {"10.0.0.1"}, "inside.example.": {"127.0.0.1"}, "both.example.": {"127.0.0.1", "10.0.0.1"},
	})
	for address, open := range map[string]bool{
		"127.0.0.1:7070": true, "127.0.0.1:0": true, "127.9.9.9:7070": true, "[::1]:7070": true, "[::ffff:127.0.0.1]:7070": true,
		"127.0.0.1": true, "[::1]": true, "::1": true, "localhost:7070": true,
		"": false, ":7070": false, ":0": false, "0.0.0.0:7070": false, "0.0.0.0": false, "[::]:7070": false, "::": false,
		"10.0.0.1:7070": false, "192.168.1.1:7070": false, "[fe80::1%eth0]:7070": false, "[2001:db8::1]:7070": false,
		"[::ffff:10.0.0.1]:7070": false, "128.0.0.1:7070": false,
		"inside.example:7070": true, "outside.example:7070": false, "both.example:7070": false, "unknown.example:7070": false,
	} {
		err := auth.CheckListener(address, false)
		if (err == nil) != open {
			t.Errorf("%q without credentials: %v", address, err)
		}
		if err != nil && (!strings.Contains(err.Error(), fmt.Sprintf("%q", address)) || !strings.Contains(err.Error(), "bind 127.0.0.1, or give")) {
			t.Errorf("%q: the error does not say what to do: %v", address, err)
		}
		if err := auth.CheckListener(address, true); err != nil {
			t.Errorf("%q with credentials: %v", address, err)
		}
	}
	want := `"0.0.0.0:7070" can be reached from other machines, and whoever reaches it could run anything: ` +
		`bind 127.0.0.1, or give the server certificates or tokens (iris auth init makes both)`
	if err := auth.CheckListener("0.0.0.0:7070", false); err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestTokensInTheClearAreWarnedOf(t *testing.T) {
	for _, c := range []struct {
		config  auth.Config
		address string
		warned  bool
	}{
		{auth.Config{Tokens: "tokens"}, "0.0.0.0:7070", true},
		{auth.Config{Tokens: "tokens"}, "127.0.0.1:7070", false},
		{auth.Config{Tokens: "tokens", Cert: "c", Key: "k"}, "0.0.0.0:7070", false},
		{auth.Config{CA: "ca", Cert: "c", Key: "k"}, "0.0.0.0:7070", false},
	} {
		b := &bench{T: t, log: &buffer{}}
		c.config.Log = b.logger()
		if err := c.config.CheckListener(c.address); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
		if got := strings.Contains(b.log.String(), "tokens travel in the clear"); got != c.warned {
			t.Errorf("%+v: warned: %v", c, got)
		}
	}
	if err := (auth.Config{CA: "ca", Token: "t"}).CheckListener("0.0.0.0:7070"); err == nil {
		t.Error("credentials for dialling alone secure a listener")
	}
}

// A client warns too, once, when its token goes to another machine for all to read.
func TestAClientWarnsOfATokenInTheClear(t *testing.T) {
	for peer, want := range map[string]int{"10.0.0.1": 1, "127.0.0.1": 0} {
		inBubble(t, func(b *bench) {
			b.serve(b.clear())
			options, err := auth.Dial(b.token("user", false))
			if err != nil {
				b.Fatal(err)
			}
			for range 2 {
				conn, err := network.Client(far{b.net, peer}, host, options...)
				if err != nil {
					b.Fatal(err)
				}
				wantOK(b.T, call(b.T, conn, launch))
				_ = conn.Close()
			}
			if n := strings.Count(b.log.String(), "the token travels in the clear"); n != want {
				b.Errorf("%s: warned %d times", peer, n)
			}
		})
	}
}

// far is a network whose servers say that they are at an address.
type far struct {
	network.Network
	peer string
}

func (f far) Dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := f.Network.Dial(ctx, address)
	return farConn{conn, f.peer}, err
}

type farConn struct {
	net.Conn
	peer string
}

func (c farConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(c.peer), Port: 7070} }

// names makes the resolver know these names, by a name server of its own, and nothing but these.
func names(t *testing.T, known map[string][]string) {
	before := net.DefaultResolver
	var serving sync.WaitGroup
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		serving.Go(func() { answer(far, known) })
		return near, nil
	}}
	t.Cleanup(func() {
		serving.Wait()
		net.DefaultResolver = before
	})
}

// answer is a name server for questions over a stream, each with its length before it (RFC 1035).
func answer(conn net.Conn, known map[string][]string) {
	defer func() { _ = conn.Close() }()
	for size := make([]byte, 2); ; {
		if _, err := io.ReadFull(conn, size); err != nil {
			return
		}
		question := make([]byte, binary.BigEndian.Uint16(size))
		if _, err := io.ReadFull(conn, question); err != nil {
			return
		}
		const header, typeA = 12, 1
		name, end := "", header
		for ; question[end] != 0; end += 1 + int(question[end]) {
			name += string(question[end+1:end+1+int(question[end])]) + "."
		}
		kind := binary.BigEndian.Uint16(question[end+1:])
		end += 5
		reply := append([]byte{question[0], question[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question[header:end]...)
		switch addresses := known[name]; {
		case addresses == nil:
			reply[3] |= 3 // there is no such name
		case kind == typeA:
			reply[7] = byte(len(addresses))
			for _, a := range addresses {
				reply = append(reply, 0xc0, header, 0, typeA, 0, 1, 0, 0, 0, 60, 0, 4)
				reply = append(reply, net.ParseIP(a).To4()...)
			}
		}
		if _, err := conn.Write(binary.BigEndian.AppendUint16(nil, uint16(len(reply)))); err != nil {
			return
		}
		if _, err := conn.Write(reply); err != nil {
			return
		}
	}
}
