package auth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	"iris/iris/auth"
	"iris/iris/network"
	pb "iris/iris/proto"
)

// may is what each role may call, written down once more and in another way: by role. A service's name stands for all
// its methods but those that a role has named.
var may = map[auth.Role][]string{
	auth.User: {
		"iris.v1.ControllerService", "iris.v1.ClusterService/ListControllers", "iris.v1.ClusterService/GetFleet",
		"grpc.health.v1.Health",
	},
	auth.Worker: {"iris.v1.RegistryService", "grpc.health.v1.Health"},
	auth.Controller: {
		"iris.v1.ControllerService", "iris.v1.RegistryService/DownloadBundle", "iris.v1.WorkerService",
		"iris.v1.ChaosService", "iris.v1.ClusterService/ListControllers", "iris.v1.ClusterService/AddController",
		"iris.v1.PeerService", "grpc.health.v1.Health",
	},
	auth.Admin: {
		"iris.v1.ControllerService", "iris.v1.RegistryService", "iris.v1.ChaosService", "iris.v1.ClusterService",
		"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection",
	},
}

// elsewhere are services that no listener has.
var elsewhere = map[string]string{
	"iris.v1.KeeperService": "a private socket of the worker's own user",
}

func permitted(role auth.Role, fullMethod string) bool {
	service, _, _ := strings.Cut(fullMethod[1:], "/")
	return slices.Contains(may[role], service) || slices.Contains(may[role], fullMethod[1:])
}

// A method that is added to a service, or a service to the wire, must be given to somebody, or to nobody, on purpose.
func TestEveryMethodHasARow(t *testing.T) {
	listed := auth.Methods("")
	if len(listed) < 20 {
		t.Fatalf("there are only %d methods: %v", len(listed), listed)
	}
	for _, m := range listed {
		service, _, _ := strings.Cut(m.FullName[1:], "/")
		allowed := auth.Allowed(m.FullName)
		if _, private := elsewhere[service]; private {
			if len(allowed) > 0 {
				t.Errorf("%s is on no listener, and %v may call it", m.FullName, allowed)
			}
			continue
		}
		if len(allowed) == 0 {
			t.Errorf("nobody may call %s: give it a row in policy.go", m.FullName)
		}
		for _, role := range auth.Roles {
			if slices.Contains(allowed, role) != permitted(role, m.FullName) {
				t.Errorf("%s: %s is allowed to call it: %v; want %v", m.FullName, role, slices.Contains(allowed, role), permitted(role, m.FullName))
			}
		}
	}
}

func TestMethodsAreThoseOfAPackage(t *testing.T) {
	var got []string
	for _, m := range auth.Methods("grpc.health.v1") {
		got = append(got, fmt.Sprintf("%s %v %v", m.FullName, m.ClientStreams, m.ServerStreams))
	}
	want := []string{"/grpc.health.v1.Health/Check false false", "/grpc.health.v1.Health/List false false", "/grpc.health.v1.Health/Watch false true"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// caller is a way to call, and the role that it proves: "" if none.
type caller struct {
	name string
	auth.Config
	role auth.Role
}

// Every credential calls every method of every service: good ones reach what their role may call and nothing else, all
// others reach nothing.
func TestEveryCredentialOnEveryMethod(t *testing.T) {
	for _, kind := range []struct {
		name                 string
		server               func(*bench) auth.Config
		certificates, tokens bool
	}{
		{"certificates", (*bench).mutual, true, false},
		{"tokens in the clear", (*bench).clear, false, true},
		{"tokens or certificates", (*bench).both, true, true},
	} {
		t.Run(kind.name, func(t *testing.T) {
			other := t.TempDir()
			inBubble(t, func(b *bench) {
				made(b.T, other, auth.Options{Hosts: []string{host}})
				callers := []caller{{"nothing", b.anonymous(kind.certificates), ""}}
				if kind.certificates {
					callers = append(callers, b.certificates(other)...)
				}
				callers = append(callers, b.tokens(other, kind.certificates, kind.tokens)...)
				b.serve(kind.server(b))
				conns := make([]*grpc.ClientConn, len(callers))
				for i, c := range callers {
					conns[i] = b.dial(c.Config)
				}
				time.Sleep(time.Hour) // some expire
				for i, c := range callers {
					for _, m := range auth.Methods("") {
						want := codes.OK
						switch {
						case c.role == "":
							want = codes.Unauthenticated
						case !permitted(c.role, m.FullName):
							want = codes.PermissionDenied
						}
						if err := call(b.T, conns[i], m); status.Code(err) != want {
							b.Errorf("%s on %s: %v, want %v", c.name, m.FullName, err, want)
						}
					}
				}
				b.noSecretsIn(b.log.String())
			})
		})
	}
}

func (b *bench) anonymous(encrypted bool) auth.Config {
	if encrypted {
		return auth.Config{CA: b.path("ca.pem"), Log: b.logger()}
	}
	return auth.Config{Log: b.logger()}
}

// certificates are callers with good and bad ones, some from another authority.
func (b *bench) certificates(other string) []caller {
	var all []caller
	for _, role := range auth.Roles {
		b.issued(auth.Request{Role: role, Name: "short", Valid: 50 * time.Minute})
		if role == auth.Worker { // Init made only those for one worker each
			b.issued(auth.Request{Role: role})
		}
		foreign := b.certificate(string(role))
		foreign.Cert, foreign.Key = filepath.Join(other, string(role)+".pem"), filepath.Join(other, string(role)+"-key.pem")
		all = append(all,
			caller{string(role) + "'s certificate", b.certificate(string(role)), role},
			caller{string(role) + "'s expired certificate", b.certificate(string(role) + "-short"), ""},
			caller{string(role) + "'s certificate from another authority", foreign, ""},
		)
	}
	return all
}

// tokens are callers with good and bad ones, some for another cluster.
func (b *bench) tokens(other string, encrypted, taken bool) []caller {
	var all []caller
	for _, role := range auth.Roles {
		foreign := b.token(string(role), encrypted)
		foreign.Token = filepath.Join(other, string(role)+".token")
		good := role
		if !taken {
			good = ""
		}
		revoked := b.newToken(role, "revoked", 0)
		if _, err := auth.Revoke(b.path("tokens"), revoked.ID); err != nil {
			b.Fatal(err)
		}
		b.newToken(role, "good", 0)
		b.newToken(role, "short", 50*time.Minute)
		all = append(all,
			caller{string(role) + "'s token", b.token("good-"+string(role), encrypted), good},
			caller{string(role) + "'s expired token", b.token("short-"+string(role), encrypted), ""},
			caller{string(role) + "'s revoked token", b.token("revoked-"+string(role), encrypted), ""},
			caller{string(role) + "'s token for another cluster", foreign, ""},
		)
	}
	return all
}

// newToken adds a token that is bound to nobody; its secret is in a file of that name and role.
func (b *bench) newToken(role auth.Role, name string, valid time.Duration) auth.Token {
	b.Helper()
	token, secret, err := auth.AddToken(b.path("tokens"), role, "", valid)
	if err != nil {
		b.Fatal(err)
	}
	write(b.T, b.path(name+"-"+string(role)+".token"), secret+"\n")
	return token
}

// noSecretsIn checks that no token's secret is in a text.
func (b *bench) noSecretsIn(text string) {
	b.Helper()
	files, err := filepath.Glob(b.path("*.token"))
	if err != nil || len(files) == 0 {
		b.Fatalf("there are no secrets to look for: %v", err)
	}
	for _, f := range files {
		if strings.Contains(text, strings.TrimSpace(content(b.T, f))) {
			b.Errorf("the secret of %s is in:\n%s", f, text)
		}
	}
}

// A certificate of the right authority proves nothing unless it says for whom it is, once and in the right form.
func TestACertificateMustSayWhoseItIs(t *testing.T) {
	for name, uris := range map[string][]string{
		"no role": nil, "two roles": {"iris:user", "iris:admin"}, "no such role": {"iris:root"}, "the same scheme in a URL": {"iris://admin"},
		"an empty name": {"iris:worker/"}, "a name with a slash": {"iris:worker/w/0"}, "another scheme": {"spiffe://iris/admin"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(b *bench) {
				b.serve(b.mutual())
				pair := b.handmade(uris...)
				pool := x509.NewCertPool()
				pool.AppendCertsFromPEM([]byte(content(b.T, b.path("ca.pem"))))
				conn, err := network.Client(b.net, host, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
					RootCAs: pool, Certificates: []tls.Certificate{pair},
				})))
				if err != nil {
					b.Fatal(err)
				}
				defer func() { _ = conn.Close() }()
				wantAbout(b.T, call(b.T, conn, launch), codes.Unauthenticated, "the certificate ")
			})
		})
	}
}

// handmade is a certificate of the right authority with any names.
func (b *bench) handmade(uris ...string) tls.Certificate {
	ca, err := tls.LoadX509KeyPair(b.path("ca.pem"), b.path("ca-key.pem"))
	if err != nil {
		b.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	template := &x509.Certificate{
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, text := range uris {
		uri, err := url.Parse(text)
		if err != nil {
			b.Fatal(err)
		}
		template.URIs = append(template.URIs, uri)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Leaf, &key.PublicKey, ca.PrivateKey)
	if err != nil {
		b.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// A worker's credential that is bound to an id is good for that worker alone, whatever it calls.
func TestABoundWorkerSpeaksForItselfAlone(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.serve(b.both())
		for name, config := range map[string]auth.Config{"certificate": b.certificate("worker-w-0"), "token": b.token("worker-w-0", true)} {
			conn, calls := b.dial(config), 0
			for _, m := range auth.Methods("iris.v1") {
				in := message(m.Input)
				field := in.ProtoReflect().Descriptor().Fields().ByName("worker_id")
				if field == nil || !permitted(auth.Worker, m.FullName) {
					continue
				}
				calls++
				in.ProtoReflect().Set(field, protoreflect.ValueOfString("w-0"))
				wantOK(b.T, send(b.T, conn, m, in))
				in.ProtoReflect().Set(field, protoreflect.ValueOfString("w-1"))
				wantError(b.T, send(b.T, conn, m, in), codes.PermissionDenied, "this credential is bound to worker w-0; the call is for worker w-1")
				in.ProtoReflect().Clear(field)
				wantError(b.T, send(b.T, conn, m, in), codes.PermissionDenied, "this credential is bound to worker w-0; the call is for worker ")
			}
			if calls < 3 {
				b.Errorf("%s: only %d methods name a worker", name, calls)
			}
			wantOK(b.T, call(b.T, conn, method("/iris.v1.RegistryService/DownloadBundle")))
		}
	})
}

func TestAnUnboundWorkerSpeaksForAny(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.newToken(auth.Worker, "any", 0)
		b.serve(b.both())
		beat := method("/iris.v1.RegistryService/Heartbeat")
		wantOK(b.T, send(b.T, b.dial(b.token("any-worker", true)), beat, &pb.HeartbeatRequest{WorkerId: "w-7"}))
	})
}

// Registering an address makes its former owner lost, so a worker whose certificate says where it is registers no
// other.
func TestAWorkerRegistersOnlyWhereItsCertificateSaysItIs(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.issued(auth.Request{Role: auth.Worker, Name: "w-2", Hosts: []string{"10.0.0.2", "two.example"}})
		b.serve(b.both())
		conn, register := b.dial(b.certificate("worker-w-2")), method("/iris.v1.RegistryService/Register")
		for address, want := range map[string]codes.Code{
			"10.0.0.2:7071": codes.OK, "two.example:7071": codes.OK,
			"10.0.0.3:7071": codes.PermissionDenied, "three.example:7071": codes.PermissionDenied, "": codes.PermissionDenied,
		} {
			if err := send(b.T, conn, register, &pb.RegisterRequest{WorkerId: "w-2", Address: address}); status.Code(err) != want {
				b.Errorf("%q: %v, want %v", address, err, want)
			}
		}
		anywhere := &pb.RegisterRequest{WorkerId: "w-0", Address: "anywhere:1"}
		wantOK(b.T, send(b.T, b.dial(b.certificate("worker-w-0")), register, anywhere))
	})
}

// What a server does not have at all looks to strangers like everything else.
func TestUnknownMethodsAreRefusedToo(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.serve(b.both())
		unknownMethod := auth.Method{FullName: "/iris.v1.ControllerService/Future", Input: launch.Input, Output: launch.Output}
		unknownService := auth.Method{FullName: "/iris.v2.Service/Future", Input: launch.Input, Output: launch.Output}
		for _, pause := range []time.Duration{0, 2 * time.Second} { // before the message is read, and after
			time.Sleep(pause)
			wantAbout(b.T, call(b.T, b.dial(b.anonymous(true)), unknownMethod), codes.Unauthenticated, "no credentials")
			user := b.dial(b.token("user", true))
			wantError(b.T, call(b.T, user, unknownMethod), codes.Unimplemented,
				"this server has no method /iris.v1.ControllerService/Future; it may be of another version")
			wantError(b.T, call(b.T, user, unknownService), codes.PermissionDenied, "role user may not call /iris.v2.Service/Future; nobody may")
		}
	})
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.serve(b.clear())
		user := b.dial(b.token("user", false))
		wantError(b.T, call(b.T, user, method("/iris.v1.WorkerService/RunTask")), codes.PermissionDenied,
			"role user may not call /iris.v1.WorkerService/RunTask; allowed: controller")
		wantError(b.T, call(b.T, b.dial(auth.Config{}), launch), codes.Unauthenticated,
			"the call has no credentials; this server takes tokens (iris auth token makes them)")
		write(b.T, b.path("wrong.token"), "iris_user_wrong")
		wantError(b.T, call(b.T, b.dial(b.token("wrong", false)), launch), codes.Unauthenticated,
			"the token is not known here: it is mistyped, revoked, or another cluster's; make another with: iris auth token")
		for _, value := range []string{"Basic dXNlcg==", "Bearer", "Bearer ", "iris_user_wrong"} {
			ctx := metadata.AppendToOutgoingContext(b.Context(), "authorization", value)
			err := b.dial(auth.Config{}).Invoke(ctx, launch.FullName, message(launch.Input), message(launch.Output))
			wantError(b.T, err, codes.Unauthenticated, `the authorization of the call is not one "Bearer" and a token`)
		}
		twice := metadata.AppendToOutgoingContext(b.Context(), "authorization", "Bearer iris_user_wrong")
		err := user.Invoke(twice, launch.FullName, message(launch.Input), message(launch.Output))
		wantError(b.T, err, codes.Unauthenticated, `the authorization of the call is not one "Bearer" and a token`)
	})
}

func TestHandlersKnowTheCaller(t *testing.T) {
	inBubble(t, func(b *bench) {
		var who string
		note := func(ctx context.Context) {
			id, ok := auth.FromContext(ctx)
			who = fmt.Sprintf("%v %s %s %s", ok, id.Role, id.Name, strings.Fields(id.Credential + " none")[0])
		}
		c := b.both()
		c.OpenHealth = true
		b.serve(c, grpc.ChainUnaryInterceptor(func(ctx context.Context, in any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			note(ctx)
			return next(ctx, in)
		}), grpc.ChainStreamInterceptor(func(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			note(s.Context())
			return next(srv, s)
		}))
		_, secret, err := auth.AddToken(b.path("tokens"), auth.User, "ann", 0)
		if err != nil {
			b.Fatal(err)
		}
		write(b.T, b.path("ann.token"), secret)
		time.Sleep(2 * time.Second)
		download, check := method("/iris.v1.RegistryService/DownloadBundle"), method("/grpc.health.v1.Health/Check")
		for _, c := range []struct {
			config auth.Config
			method auth.Method
			want   string
		}{
			{b.token("ann", true), launch, "true user ann token"},
			{b.certificate("worker-w-1"), download, "true worker w-1 certificate"},
			{b.certificate("admin"), launch, "true admin  certificate"},
			{b.anonymous(true), check, "false   none"},
		} {
			wantOK(b.T, call(b.T, b.dial(c.config), c.method))
			if who != c.want {
				b.Errorf("the handler of %s knows %q, want %q", c.method.FullName, who, c.want)
			}
		}
	})
}

// A token was given for the call, so it counts before the certificate of the connection, also if it is not good.
func TestATokenCountsBeforeACertificate(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.serve(b.both())
		c := b.certificate("admin")
		c.Token = b.path("user.token")
		chaos := method("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
		wantAbout(b.T, call(b.T, b.dial(c), chaos), codes.PermissionDenied, "role user may not call")
		write(b.T, b.path("wrong.token"), "iris_user_wrong")
		c.Token = b.path("wrong.token")
		wantAbout(b.T, call(b.T, b.dial(c), launch), codes.Unauthenticated, "the token is not known here")
	})
}

// Only Check is open: a Watch would let strangers hold streams.
func TestHealthChecksAreOpenOnlyWhereTheConfigSaysSo(t *testing.T) {
	for _, open := range []bool{false, true} {
		t.Run(fmt.Sprint(open), func(t *testing.T) {
			inBubble(t, func(b *bench) {
				c := b.mutual()
				c.OpenHealth = open
				b.serve(c)
				for _, m := range auth.Methods("") {
					want := codes.Unauthenticated
					if open && m.FullName == "/grpc.health.v1.Health/Check" {
						want = codes.OK
					}
					if err := call(b.T, b.dial(b.anonymous(true)), m); status.Code(err) != want {
						b.Errorf("%s: %v, want %v", m.FullName, err, want)
					}
				}
			})
		})
	}
}

// Without credentials there is no guard, which CheckListener allows on loopback alone.
func TestAServerWithoutCredentialsIsOpen(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.serve(auth.Config{})
		for _, m := range auth.Methods("") {
			wantOK(b.T, call(b.T, b.dial(auth.Config{}), m))
		}
	})
}
