package auth_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"

	"iris/iris/auth"
	"iris/iris/network"
	pb "iris/iris/proto"
)

// ending is a credential whose end comes while a connection is open, and how.
type ending struct {
	name   string
	client func(*bench) auth.Config
	end    func(*bench)
	text   string // of the refusal
}

func endings() []ending {
	return []ending{
		{"a certificate expires", func(b *bench) auth.Config {
			b.issued(auth.Request{Role: auth.User, Name: "ann", Valid: time.Hour})
			return b.certificate("user-ann")
		}, func(*bench) { time.Sleep(time.Hour) }, " expired at 2000-01-01T01:00:00Z; make another with: iris auth issue"},
		{"a token expires", func(b *bench) auth.Config {
			b.newToken(auth.User, "short", time.Hour)
			return b.token("short-user", true)
		}, func(*bench) { time.Sleep(time.Hour) }, " expired at 2000-01-01T01:00:00Z; make another with: iris auth token"},
		{"a token is revoked", func(b *bench) auth.Config { return b.token("user", true) }, func(b *bench) {
			for _, token := range b.listed() {
				if token.Role == auth.User {
					if _, err := auth.Revoke(b.path("tokens"), token.ID); err != nil {
						b.Fatal(err)
					}
				}
			}
			time.Sleep(time.Second)
		}, "the token is not known here"},
		{"a certificate is revoked", func(b *bench) auth.Config { return b.certificate("user") }, func(b *bench) {
			write(b.T, b.path("revoked"), "# stolen\n"+b.serial("user")+"\n")
			time.Sleep(time.Second)
		}, "is revoked"},
		{"an authority is no longer believed", func(b *bench) auth.Config {
			c := b.certificate("user") // the client goes on believing its server
			c.CA = b.path("old-ca.pem")
			return c
		}, func(b *bench) {
			other := filepath.Join(b.dir, "other")
			made(b.T, other, auth.Options{Hosts: []string{host}})
			write(b.T, b.path("ca.pem"), content(b.T, filepath.Join(other, "ca.pem")))
			time.Sleep(time.Second)
		}, "the client's certificate is not taken: x509: certificate signed by unknown authority"},
	}
}

func (b *bench) listed() []auth.Token {
	b.Helper()
	all, err := auth.Tokens(b.path("tokens"))
	if err != nil {
		b.Fatal(err)
	}
	return all
}

// live is a server whose files can change, for connections that outlive credentials.
func (b *bench) live() auth.Config {
	write(b.T, b.path("revoked"), "")
	write(b.T, b.path("old-ca.pem"), content(b.T, b.path("ca.pem")))
	c := b.both()
	c.Revoked = b.path("revoked")
	return c
}

func TestACredentialThatEndsEndsOnAnOpenConnection(t *testing.T) {
	for _, e := range endings() {
		t.Run(e.name, func(t *testing.T) {
			inBubble(t, func(b *bench) {
				server, client := b.live(), e.client(b)
				b.serve(server)
				conn := b.dial(client)
				wantOK(b.T, call(b.T, conn, launch))
				e.end(b)
				wantAbout(b.T, call(b.T, conn, launch), codes.Unauthenticated, e.text)
			})
		})
	}
}

// A stream may last for days: the credential is looked at with each message.
func TestACredentialThatEndsEndsAnOpenStream(t *testing.T) {
	for _, e := range endings() {
		t.Run(e.name, func(t *testing.T) {
			inBubble(t, func(b *bench) {
				server, client := b.live(), e.client(b)
				b.serve(server)
				stream, err := pb.NewControllerServiceClient(b.dial(client)).UploadBundle(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				if err := stream.Send(&pb.UploadBundleRequest{}); err != nil {
					b.Fatal(err)
				}
				e.end(b)
				if err := stream.Send(&pb.UploadBundleRequest{}); err != nil && !errors.Is(err, io.EOF) {
					b.Fatal(err)
				}
				_, err = stream.CloseAndRecv()
				wantAbout(b.T, err, codes.Unauthenticated, e.text)
			})
		})
	}
}

// A message that comes after the end does not reach the handler.
func TestACredentialThatEndsEndsWhatIsReceivedFromIt(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.issued(auth.Request{Role: auth.User, Name: "ann", Valid: time.Hour})
		var received int
		b.serve(b.mutual(), grpc.ChainStreamInterceptor(func(_ any, s grpc.ServerStream, _ *grpc.StreamServerInfo, _ grpc.StreamHandler) error {
			for ; ; received++ {
				if err := s.RecvMsg(&pb.UploadBundleRequest{}); err != nil {
					return err
				}
			}
		}))
		stream, err := pb.NewControllerServiceClient(b.dial(b.certificate("user-ann"))).UploadBundle(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		for range 5 { // at 0, 25 and 50 minutes, and too late
			if err := stream.Send(&pb.UploadBundleRequest{}); err != nil && !errors.Is(err, io.EOF) {
				b.Fatal(err)
			}
			time.Sleep(25 * time.Minute)
		}
		_, err = stream.CloseAndRecv()
		wantAbout(b.T, err, codes.Unauthenticated, "the client's certificate expired")
		if received != 3 {
			b.Errorf("%d messages were received", received)
		}
	})
}

// The other direction: what a caller may no longer have is not sent to it.
func TestACredentialThatEndsEndsWhatIsSentToIt(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.issued(auth.Request{Role: auth.Worker, Name: "w-9", Valid: time.Hour})
		b.serve(b.mutual(), grpc.ChainStreamInterceptor(func(_ any, s grpc.ServerStream, _ *grpc.StreamServerInfo, _ grpc.StreamHandler) error {
			if err := s.RecvMsg(&pb.DownloadBundleRequest{}); err != nil {
				return err
			}
			for {
				if err := s.SendMsg(&pb.DownloadBundleResponse{}); err != nil {
					return err
				}
				time.Sleep(25 * time.Minute)
			}
		}))
		stream, err := pb.NewRegistryServiceClient(b.dial(b.certificate("worker-w-9"))).DownloadBundle(b.Context(), &pb.DownloadBundleRequest{})
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for ; err == nil && n < 10; n++ {
			_, err = stream.Recv()
		}
		wantAbout(b.T, err, codes.Unauthenticated, "the client's certificate expired")
		if n != 4 { // at 0, 25 and 50 minutes; then the end
			b.Errorf("%d messages came", n-1)
		}
	})
}

func TestNewCredentialsAreTakenWithoutARestart(t *testing.T) {
	inBubble(t, func(b *bench) {
		server := b.both()
		b.serve(server)
		wantOK(b.T, call(b.T, b.dial(b.token("user", true)), launch))
		b.newToken(auth.User, "new", 0)
		conn := b.dial(b.token("new-user", true))
		wantAbout(b.T, call(b.T, conn, launch), codes.Unauthenticated, "the token is not known here") // it was looked at just now
		time.Sleep(time.Second)
		wantOK(b.T, call(b.T, conn, launch))

		// Another authority comes beside the first, and takes over.
		other := b.path("other")
		made(b.T, other, auth.Options{Hosts: []string{host}})
		second := &bench{T: b.T, dir: other, net: b.net, log: b.log}
		b.clients(second, codes.OK, codes.Unauthenticated)
		write(b.T, b.path("ca.pem"), content(b.T, b.path("ca.pem"))+content(b.T, second.path("ca.pem")))
		write(b.T, second.path("ca.pem"), content(b.T, b.path("ca.pem")))
		time.Sleep(time.Second)
		b.clients(second, codes.OK, codes.OK)
		for _, name := range []string{"controller.pem", "controller-key.pem"} {
			write(b.T, b.path(name), content(b.T, second.path(name)))
		}
		time.Sleep(time.Second)
		b.clients(second, codes.OK, codes.OK)
	})
}

// clients are one with a certificate of each of two authorities, each on a new connection.
func (b *bench) clients(second *bench, first, other codes.Code) {
	b.Helper()
	wantAbout(b.T, call(b.T, b.dial(b.certificate("user")), launch), first, "")
	c := b.certificate("user")
	c.Cert, c.Key = second.path("user.pem"), second.path("user-key.pem")
	wantAbout(b.T, call(b.T, b.dial(c), launch), other, "")
}

// Nobody has to restart anything when a certificate is renewed, in time or late: a connection that has outlived its own
// is replaced by one with the new certificate.
func TestAConnectionThatOutlivesItsCertificateIsReplaced(t *testing.T) {
	for name, late := range map[string]bool{"renewed in time": false, "renewed late": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(b *bench) {
				renew := func() { b.issued(auth.Request{Role: auth.User, Name: "ann", Valid: 20 * time.Minute, Replace: true}) }
				renew()
				b.serve(b.mutual())
				conn := b.dial(b.certificate("user-ann"))
				wantOK(b.T, call(b.T, conn, launch))
				time.Sleep(15 * time.Minute)
				if !late {
					renew()
				}
				time.Sleep(5 * time.Minute)
				if late {
					want := "the certificate in " + b.path("user-ann.pem") + " expired at 2000-01-01T00:20:00Z; make another with: iris auth issue"
					wantError(b.T, call(b.T, conn, launch), codes.Unauthenticated, want)
					renew()
					time.Sleep(time.Second)
				}
				wantAbout(b.T, call(b.T, conn, launch), codes.Unavailable, // clients try again
					"the next connection is made with the one that is in "+b.path("user-ann.pem")+" now")
				time.Sleep(time.Second)
				wantOK(b.T, call(b.T, conn, launch))
			})
		})
	}
}

// A client that takes no notice of its certificate's end is told by the server. The connection is of no use any more.
func TestAServerRefusesAClientThatGoesOnWithAnExpiredCertificate(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.issued(auth.Request{Role: auth.User, Name: "ann", Valid: 20 * time.Minute})
		b.serve(b.mutual())
		conn, counting := b.plain("user-ann")
		wantOK(b.T, call(b.T, conn, launch))
		time.Sleep(20*time.Minute - time.Second)
		wantOK(b.T, call(b.T, conn, launch))
		time.Sleep(time.Second)
		wantError(b.T, call(b.T, conn, launch), codes.Unauthenticated,
			"the client's certificate expired at 2000-01-01T00:20:00Z; make another with: iris auth issue")
		if counting.n != 1 {
			b.Errorf("there were %d connections", counting.n)
		}
		_ = call(b.T, conn, launch)
		time.Sleep(10 * time.Second)
		wantAbout(b.T, call(b.T, conn, launch), codes.Unavailable, "tls: expired certificate") // nor is another one opened for it
		if counting.n < 2 {
			b.Error("the connection was not closed")
		}
	})
}

// plain is a client that knows nothing of Iris.
func (b *bench) plain(name string) (*grpc.ClientConn, *dials) {
	b.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(content(b.T, b.path("ca.pem"))))
	pair, err := tls.LoadX509KeyPair(b.path(name+".pem"), b.path(name+"-key.pem"))
	if err != nil {
		b.Fatal(err)
	}
	counting := &dials{Network: b.net}
	conn, err := network.Client(counting, host, grpc.WithTransportCredentials(credentials.NewTLS(
		&tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}})))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return conn, counting
}

func TestARenewedClientCertificateIsUsedWithTheNextConnection(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.issued(auth.Request{Role: auth.User, Name: "ann", Valid: time.Hour})
		b.serve(b.mutual())
		config := b.certificate("user-ann")
		options, err := auth.Dial(config)
		if err != nil {
			b.Fatal(err)
		}
		time.Sleep(30 * time.Minute)
		b.issued(auth.Request{Role: auth.User, Name: "ann", Valid: 10 * time.Hour, Replace: true})
		time.Sleep(time.Hour)
		conn := b.connect(host, options)
		wantOK(b.T, call(b.T, conn, launch))
	})
}

// A token in a file is read again too: whoever hands out short ones need not restart those that use them.
func TestARenewedClientTokenIsUsedWithTheNextCall(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.newToken(auth.User, "short", time.Hour)
		b.serve(b.clear())
		conn := b.dial(b.token("short-user", false))
		wantOK(b.T, call(b.T, conn, launch))
		time.Sleep(time.Hour)
		wantAbout(b.T, call(b.T, conn, launch), codes.Unauthenticated, "expired")
		b.newToken(auth.User, "short", time.Hour)
		time.Sleep(time.Second)
		wantOK(b.T, call(b.T, conn, launch))
	})
}

// Bad files change nothing, and the log says once which one it is.
func TestFilesThatGoWrongChangeNothing(t *testing.T) {
	for name, c := range map[string]struct {
		file  string
		spoil func(*testing.T, string)
		says  string
	}{
		"tokens that are not":      {"tokens", func(t *testing.T, path string) { write(t, path, "{\n") }, "line 1: unexpected EOF"},
		"tokens that are gone":     {"tokens", func(t *testing.T, path string) { must(t, os.Remove(path)) }, "no such file"},
		"tokens for all to see":    {"tokens", func(t *testing.T, path string) { must(t, os.Chmod(path, 0o644)) }, "chmod 600"},
		"an authority that is not": {"ca.pem", func(t *testing.T, path string) { write(t, path, "ca") }, "it has no certificate in PEM"},
		"an authority for all":     {"ca.pem", func(t *testing.T, path string) { must(t, os.Chmod(path, 0o666)) }, "chmod 644"},
		"a key for all to see":     {"controller-key.pem", func(t *testing.T, path string) { must(t, os.Chmod(path, 0o640)) }, "chmod 600"},
		"a key of another": {"controller-key.pem", func(t *testing.T, path string) {
			write(t, path, content(t, filepath.Join(filepath.Dir(path), "user-key.pem")))
		}, "private key does not match"},
		"no serial numbers": {"revoked", func(t *testing.T, path string) { write(t, path, "12\nxyz\n") }, `line 2: \"xyz\" is not a serial number`},
		"a certificate of no server": {"controller.pem", func(t *testing.T, path string) {
			write(t, path, content(t, filepath.Join(filepath.Dir(path), "ca.pem")))
		}, "private key does not match"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(b *bench) {
				config := b.live()
				user := b.certificate("user")
				user.CA = b.path("old-ca.pem")
				b.serve(config)
				wantOK(b.T, call(b.T, b.dial(user), launch))
				c.spoil(b.T, b.path(c.file))
				for range 3 {
					time.Sleep(10 * time.Second)
					wantOK(b.T, call(b.T, b.dial(user), launch))
				}
				const head = "changed credentials are not used; those read before stay"
				if said := b.log.String(); strings.Count(said, head) != 1 || !strings.Contains(said, c.says) {
					b.Errorf("the log should say once %q and %q:\n%s", head, c.says, said)
				}
			})
		})
	}
}

// Files are looked at at most once a second, however many calls there are.
func TestFilesAreLookedAtOnceASecond(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.serve(b.clear())
		conn, stop := b.dial(b.token("user", false)), time.Now().Add(10*time.Second)
		write(b.T, b.path("tokens"), "")
		calls := 0
		for ; time.Now().Before(stop); calls++ {
			if call(b.T, conn, launch) != nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if calls != 100 {
			b.Errorf("%d calls were let in, one every 10 ms", calls)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Calls of many at once, while files change: for the race detector.
func TestFilesChangeUnderLoad(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.serve(b.clear())
		conn := b.dial(b.token("user", false))
		ctx, stop := context.WithTimeout(b.Context(), 5*time.Second)
		defer stop()
		done := make(chan error, 8)
		for range cap(done) {
			go func() {
				for ctx.Err() == nil {
					if err := call(b.T, conn, launch); err != nil {
						done <- err
						return
					}
					time.Sleep(70 * time.Millisecond)
				}
				done <- nil
			}()
		}
		for i := range 10 {
			b.newToken(auth.Worker, strings.Repeat("x", i+1), 0)
			time.Sleep(300 * time.Millisecond)
		}
		for range cap(done) {
			if err := <-done; err != nil {
				b.Error(err)
			}
		}
	})
}
