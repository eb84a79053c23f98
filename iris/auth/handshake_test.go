package auth_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"iris/iris/auth"
	"iris/iris/network"
	pb "iris/iris/proto"
)

// What does not fit between client and server is UNAUTHENTICATED, which a client does not try again for ten minutes,
// and says what to do.
func TestWhatDoesNotFitSaysWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		server, client func(*bench) auth.Config
		address        string
		text           string // DIR stands for the directory of the credentials
	}{
		"a TLS client and a server in the clear": {(*bench).clear, func(b *bench) auth.Config { return b.certificate("user") }, host,
			"the server at controller does not speak TLS: start it with a certificate, or call it without an authority (DIR/ca.pem)"},
		"a TLS client and an open server": {func(*bench) auth.Config { return auth.Config{} }, func(b *bench) auth.Config { return b.certificate("user") }, host,
			"the server at controller does not speak TLS: start it with a certificate, or call it without an authority (DIR/ca.pem)"},
		"a client in the clear and a TLS server": {(*bench).both, func(b *bench) auth.Config { return b.token("user", false) }, host,
			"the server at controller speaks TLS: give its authority's certificate (ca.pem)"},
		"no certificate": {(*bench).mutual, func(b *bench) auth.Config { return b.anonymous(true) }, host,
			"the server at controller wants a certificate: make one with: iris auth issue"},
		"a client's certificate from another authority": {(*bench).mutual, func(b *bench) auth.Config {
			c := b.certificate("user")
			c.Cert, c.Key = b.foreign("user.pem"), b.foreign("user-key.pem")
			return c
		}, host, "the server at controller does not believe the authority of the certificate in DIR/other/user.pem: it is another cluster's"},
		"a server's certificate from another authority": {(*bench).mutual, func(b *bench) auth.Config {
			c := b.certificate("user")
			c.CA = b.foreign("ca.pem")
			return c
		}, host, "the certificate of the server at controller is not from an authority in DIR/other/ca.pem: it is another cluster's, or the file is"},
		"another host": {(*bench).mutual, func(b *bench) auth.Config { return b.certificate("user") }, "elsewhere",
			"the certificate of the server at elsewhere is not for that host: x509: certificate is valid for controller, not elsewhere; " +
				"make one for it with: iris auth issue"},
		"a controller without hosts": {func(b *bench) auth.Config {
			b.issued(auth.Request{Role: auth.Controller, Name: "nowhere", Hosts: []string{}})
			return b.certificate("controller-nowhere")
		}, func(b *bench) auth.Config { return b.certificate("user") }, host,
			"the certificate of the server at controller is not for that host: x509: certificate is not valid for any names, but wanted to match " +
				"controller; make one for it with: iris auth issue"},
		"a worker where a controller should be": {func(b *bench) auth.Config {
			c := b.certificate("worker-w-0")
			c.Tokens = b.path("tokens")
			return c
		}, func(b *bench) auth.Config { return b.certificate("user") }, host,
			"server at controller: the server's certificate is for role worker; expected: controller"},
		"a certificate where none are taken": {func(b *bench) auth.Config {
			c := b.both()
			c.CA = ""
			return c
		}, func(b *bench) auth.Config { return b.certificate("user") }, host,
			"the call has no credentials; this server takes tokens (iris auth token makes them)"},
		"a token where none are taken": {(*bench).mutual, func(b *bench) auth.Config {
			c := b.certificate("user")
			c.Token = b.path("user.token")
			return c
		}, host, "the call has a token; this server takes certificates (iris auth issue makes them)"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(b *bench) {
				made(b.T, b.path("other"), auth.Options{Hosts: []string{host}})
				b.serveAt(c.address, c.server(b))
				conn := b.dialAt(c.address, c.client(b))
				want := strings.ReplaceAll(c.text, "DIR", b.dir)
				for range 3 { // whether it connects anew or waits to
					wantError(b.T, call(b.T, conn, launch), codes.Unauthenticated, want)
					wantError(b.T, call(b.T, conn, method("/iris.v1.ControllerService/UploadBundle")), codes.Unauthenticated, want)
					time.Sleep(time.Second)
				}
			})
		})
	}
}

func (b *bench) foreign(name string) string { return filepath.Join(b.dir, "other", name) }

func TestAServersCertificateThatExpiredIsRefused(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.issued(auth.Request{Role: auth.Controller, Hosts: []string{host}, Valid: time.Hour, Replace: true})
		b.serve(b.mutual())
		conn := b.dial(b.certificate("user"))
		time.Sleep(2 * time.Hour)
		wantAbout(b.T, call(b.T, conn, launch), codes.Unauthenticated,
			"the certificate of the server at controller is not good: x509: certificate has expired or is not yet valid", "iris auth issue")
	})
}

// A server that is not there, or hangs up, is another matter: it may come back.
func TestAServerThatIsAwayIsUnavailable(t *testing.T) {
	inBubble(t, func(b *bench) {
		wantAbout(b.T, call(b.T, b.dial(b.certificate("user")), launch), codes.Unavailable, "nobody listens there")
		l, err := b.net.Listen(host)
		if err != nil {
			b.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_ = conn.Close()
			}
		}()
		for _, config := range []auth.Config{b.certificate("user"), b.anonymous(false)} {
			conn := b.dial(config)
			wantAbout(b.T, call(b.T, conn, launch), codes.Unavailable, "")
			_ = conn.Close()
		}
		_ = l.Close()
		<-done
	})
}

// Other clients than Iris's see that TLS is spoken by its own means.
func TestAPlainClientGetsATLSAlert(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.serve(b.mutual())
		conn, err := b.net.Dial(b.Context(), host)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\n\r\n"); err != nil {
			b.Fatal(err)
		}
		answer := make([]byte, 7)
		if _, err := io.ReadFull(conn, answer); err != nil || answer[0] != 21 || answer[6] != 70 {
			b.Errorf("answer is %v, %v; want an alert, protocol version", answer, err)
		}
		_ = conn.Close()
	})
}

func TestOnlyTLS13IsSpoken(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.serve(b.mutual())
		raw, err := b.net.Dial(b.Context(), host)
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = raw.Close() }()
		err = tls.Client(raw, &tls.Config{MaxVersion: tls.VersionTLS12, InsecureSkipVerify: true}).HandshakeContext(b.Context())
		if err == nil || !strings.Contains(err.Error(), "protocol version") {
			b.Errorf("TLS 1.2: %v", err)
		}

		pair, err := tls.LoadX509KeyPair(b.path("controller.pem"), b.path("controller-key.pem"))
		if err != nil {
			b.Fatal(err)
		}
		old := credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{pair}, MaxVersion: tls.VersionTLS12})
		b.serveAt("old", auth.Config{}, grpc.Creds(old))
		wantError(b.T, call(b.T, b.dialAt("old", b.certificate("user")), launch), codes.Unauthenticated,
			"the server at old does not speak TLS 1.3")
	})
}

// A certificate of a user cannot serve, not even to a client that looks at nothing but the chain.
func TestAUsersCertificateServesNobody(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.issued(auth.Request{Role: auth.Admin, Name: "root", Hosts: []string{host}})
		pair, err := tls.LoadX509KeyPair(b.path("admin-root.pem"), b.path("admin-root-key.pem"))
		if err != nil {
			b.Fatal(err)
		}
		b.serve(auth.Config{}, grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{pair}})))
		wantAbout(b.T, call(b.T, b.dial(b.certificate("user"), auth.Roles...), launch), codes.Unauthenticated, "incompatible key usage")
	})
}

// One controller whose certificate is wrong does not keep callers from the others. A caller whose own is wrong is told.
func TestAControllerWithTheWrongCertificateIsPassedOver(t *testing.T) {
	inBubble(t, func(b *bench) {
		made(b.T, b.path("other"), auth.Options{Hosts: []string{"first"}})
		wrong := b.mutual()
		wrong.Cert, wrong.Key = b.foreign("controller.pem"), b.foreign("controller-key.pem")
		b.serveAt("first", wrong)
		b.serve(b.both())
		for name, want := range map[string]codes.Code{"user": codes.OK, "gone": codes.Unauthenticated} {
			config := b.certificate("user")
			if name == "gone" {
				write(b.T, b.path("gone.token"), "iris_user_gone")
				config.Token = b.path("gone.token")
			}
			options, err := auth.Dial(config)
			if err != nil {
				b.Fatal(err)
			}
			several, err := network.ToControllers(b.net, "first,"+host, options...)
			if err != nil {
				b.Fatal(err)
			}
			_, err = pb.NewControllerServiceClient(several).LaunchJob(b.Context(), &pb.LaunchJobRequest{})
			wantAbout(b.T, err, want, "")
			if err := several.Close(); err != nil {
				b.Error(err)
			}
		}
	})
}

// Workers are known by their id and not by their host, which may be anything: a call for one does not reach another.
func TestACallForOneWorkerDoesNotReachAnother(t *testing.T) {
	inBubble(t, func(b *bench) {
		server := b.certificate("worker-w-0")
		reached := 0
		b.serveAt("10.0.0.7:7071", server, grpc.ChainUnaryInterceptor(
			func(ctx context.Context, in any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
				reached++
				return next(ctx, in)
			}))
		conn := b.dialAt("10.0.0.7:7071", b.certificate("controller"), auth.Worker)
		worker := pb.NewWorkerServiceClient(conn)
		_, err := worker.RunTask(b.Context(), &pb.RunTaskRequest{WorkerId: "w-0"})
		wantOK(b.T, err)
		_, err = worker.RunTask(b.Context(), &pb.RunTaskRequest{WorkerId: "w-1"})
		wantError(b.T, err, codes.Unauthenticated, "the call is for worker w-1, and its address is now that of worker w-0")
		if reached != 1 {
			b.Errorf("%d calls reached the worker, want 1", reached)
		}
	})
}

func TestAWorkersHostsCountIfItsCertificateNamesAny(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.issued(auth.Request{Role: auth.Worker, Name: "w-2", Hosts: []string{"*.workers.example", "10.0.0.2"}})
		server := b.certificate("worker-w-2")
		for address, want := range map[string]codes.Code{
			"10.0.0.2:7071": codes.OK, "two.workers.example:7071": codes.OK,
			"10.0.0.3:7071": codes.Unauthenticated, "workers.example:7071": codes.Unauthenticated,
		} {
			b.serveAt(address, server)
			conn := b.dialAt(address, b.certificate("controller"), auth.Worker)
			wantAbout(b.T, call(b.T, conn, method("/iris.v1.WorkerService/StopTask")), want, "")
		}
	})
}

// A connection that says nothing, or stops in the middle of a handshake, is not kept.
func TestASilentConnectionIsClosed(t *testing.T) {
	for name, said := range map[string]string{"nothing": "", "half a handshake": "\x16\x03\x01\x02\x00\x01"} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(b *bench) {
				b.serve(b.mutual())
				conn, err := b.net.Dial(b.Context(), host)
				if err != nil {
					b.Fatal(err)
				}
				defer func() { _ = conn.Close() }()
				if _, err := io.WriteString(conn, said); err != nil {
					b.Fatal(err)
				}
				began := time.Now()
				_, _ = io.Copy(io.Discard, conn)
				if took := time.Since(began); took < 10*time.Second || took > 12*time.Second {
					b.Errorf("it was closed after %v", took)
				}
			})
		})
	}
}

// gRPC keeps something of each refused call until its connection ends, so a connection has only so many.
func TestAConnectionThatIsRefusedTooOftenIsClosed(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.serve(b.clear())
		counting := &dials{Network: b.net}
		conn, err := network.Client(counting, host, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		refused := 0
		for range 2500 {
			if call(b.T, conn, launch) != nil {
				refused++
			}
		}
		if counting.n != 3 || refused != 2500 {
			b.Errorf("%d calls were refused over %d connections, want 2500 over 3", refused, counting.n)
		}
	})
}

// dials counts connections. Calls come one after the other.
type dials struct {
	network.Network
	n int
}

func (d *dials) Dial(ctx context.Context, address string) (net.Conn, error) {
	d.n++
	return d.Network.Dial(ctx, address)
}

// Over TCP the server waits for the client to read why: otherwise a reset could overtake the reason.
func TestOverTCPTheReasonArrives(t *testing.T) {
	dir := t.TempDir()
	made(t, dir, auth.Options{})
	in := func(name string) string { return filepath.Join(dir, name) }
	options, err := auth.Server(auth.Config{CA: in("ca.pem"), Cert: in("controller.pem"), Key: in("controller-key.pem")})
	if err != nil {
		t.Fatal(err)
	}
	l, err := network.TCP{}.Listen("")
	if err != nil {
		t.Fatal(err)
	}
	server := network.Server(options...)
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	defer func() {
		server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	for text, config := range map[string]auth.Config{"wants a certificate": {CA: in("ca.pem")}, "speaks TLS": {}} {
		for range 20 {
			options, err := auth.Dial(config)
			if err != nil {
				t.Fatal(err)
			}
			conn, err := network.Client(network.TCP{}, l.Addr().String(), options...)
			if err != nil {
				t.Fatal(err)
			}
			wantAbout(t, call(t, conn, launch), codes.Unauthenticated, text)
			_ = conn.Close()
		}
	}
	options2, err := auth.Dial(auth.Config{CA: in("ca.pem"), Cert: in("user.pem"), Key: in("user-key.pem")})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := network.Client(network.TCP{}, l.Addr().String(), options2...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	wantError(t, call(t, conn, launch), codes.Unimplemented, "this server has no method "+launch.FullName+"; it may be of another version")
}

// What openssl and others would check: the chain verifies by the standard rules too.
func TestCertificatesAreGoodForTheStandardVerification(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.serve(b.mutual())
		conn, _ := b.plain("user")
		wantOK(b.T, call(b.T, conn, launch))
	})
}
