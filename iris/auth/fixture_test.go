package auth_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"iris/iris/auth"
	"iris/iris/network"

	_ "google.golang.org/grpc/health/grpc_health_v1"
	_ "google.golang.org/grpc/reflection/grpc_reflection_v1"
	_ "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
)

// host is where servers of the tests listen, and what the controller's certificate is for.
const host = "controller"

// bench is a bubble with a set of credentials and an in-memory network.
type bench struct {
	*testing.T
	dir string // what Init made
	net *network.Memory
	log *buffer
}

func inBubble(t *testing.T, body func(*bench)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, dir: dir, net: &network.Memory{}, log: &buffer{}}
		made(t, dir, auth.Options{Hosts: []string{host}, Workers: []string{"w-0", "w-1"}})
		body(b)
	})
}

func made(t *testing.T, dir string, options auth.Options) {
	t.Helper()
	if _, err := auth.Init(dir, options); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

// serial is the serial number of one of the certificates in the directory.
func (b *bench) serial(name string) string {
	b.Helper()
	block, _ := pem.Decode([]byte(content(b.T, b.path(name+".pem"))))
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		b.Fatal(err)
	}
	return fmt.Sprintf("%X", certificate.SerialNumber) // as openssl prints it
}

// issued makes one more certificate.
func (b *bench) issued(r auth.Request) {
	b.Helper()
	if _, err := auth.Issue(b.dir, r); err != nil {
		b.Fatal(err)
	}
}

// mutual is a server's config: certificates alone.
func (b *bench) mutual() auth.Config {
	return auth.Config{CA: b.path("ca.pem"), Cert: b.path("controller.pem"), Key: b.path("controller-key.pem"), Log: b.logger()}
}

// both is a server's config: certificates and tokens.
func (b *bench) both() auth.Config {
	c := b.mutual()
	c.Tokens = b.path("tokens")
	return c
}

// clear is a server's config: tokens without TLS.
func (b *bench) clear() auth.Config { return auth.Config{Tokens: b.path("tokens"), Log: b.logger()} }

// certificate is the config of a client with one of the certificates in the directory.
func (b *bench) certificate(name string) auth.Config {
	return auth.Config{CA: b.path("ca.pem"), Cert: b.path(name + ".pem"), Key: b.path(name + "-key.pem"), Log: b.logger()}
}

// token is the config of a client with one of the tokens in the directory, over TLS or in the clear.
func (b *bench) token(name string, encrypted bool) auth.Config {
	c := auth.Config{Token: b.path(name + ".token"), Log: b.logger()}
	if encrypted {
		c.CA = b.path("ca.pem")
	}
	return c
}

func (b *bench) logger() *slog.Logger { return slog.New(slog.NewTextHandler(b.log, nil)) }

// serve serves every method that there is; all of them answer that they were reached.
func (b *bench) serve(c auth.Config, more ...grpc.ServerOption) {
	b.Helper()
	b.serveAt(host, c, more...)
}

func (b *bench) serveAt(address string, c auth.Config, more ...grpc.ServerOption) {
	b.Helper()
	options, err := auth.Server(c)
	if err != nil {
		b.Fatal(err)
	}
	l, err := b.net.Listen(address)
	if err != nil {
		b.Fatal(err)
	}
	server := network.Server(append(options, more...)...)
	for _, desc := range reachable() {
		server.RegisterService(desc, nil)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	b.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
}

// dial connects to the server of the tests.
func (b *bench) dial(c auth.Config, roles ...auth.Role) *grpc.ClientConn {
	b.Helper()
	return b.dialAt(host, c, roles...)
}

func (b *bench) dialAt(address string, c auth.Config, roles ...auth.Role) *grpc.ClientConn {
	b.Helper()
	options, err := auth.Dial(c, roles...)
	if err != nil {
		b.Fatal(err)
	}
	return b.connect(address, options)
}

func (b *bench) connect(address string, options []grpc.DialOption) *grpc.ClientConn {
	b.Helper()
	conn, err := network.Client(b.net, address, options...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return conn
}

// reachable are services with every method that is known, each of which takes a message and answers with an empty one.
func reachable() []*grpc.ServiceDesc {
	services := map[string]*grpc.ServiceDesc{}
	var all []*grpc.ServiceDesc
	for _, m := range auth.Methods("") {
		service, name, _ := strings.Cut(m.FullName[1:], "/")
		desc := services[service]
		if desc == nil {
			desc = &grpc.ServiceDesc{ServiceName: service}
			services[service] = desc
			all = append(all, desc)
		}
		if m.ClientStreams || m.ServerStreams {
			desc.Streams = append(desc.Streams, grpc.StreamDesc{
				StreamName: name, ClientStreams: m.ClientStreams, ServerStreams: m.ServerStreams,
				Handler: func(_ any, stream grpc.ServerStream) error {
					for in := message(m.Input); ; {
						switch err := stream.RecvMsg(in); {
						case errors.Is(err, io.EOF):
							return stream.SendMsg(message(m.Output))
						case err != nil:
							return err
						case !m.ClientStreams:
							return stream.SendMsg(message(m.Output))
						}
					}
				},
			})
			continue
		}
		desc.Methods = append(desc.Methods, grpc.MethodDesc{
			MethodName: name,
			Handler: func(_ any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
				in := message(m.Input)
				if err := decode(in); err != nil {
					return nil, err
				}
				reached := func(context.Context, any) (any, error) { return message(m.Output), nil }
				if intercept == nil {
					return reached(ctx, in)
				}
				return intercept(ctx, in, &grpc.UnaryServerInfo{FullMethod: m.FullName}, reached)
			},
		})
	}
	return all
}

// message is an empty message of a type.
func message(name protoreflect.FullName) proto.Message {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(name)
	if err != nil {
		panic(err)
	}
	return kind.New().Interface()
}

// call calls a method with an empty message.
func call(t *testing.T, conn *grpc.ClientConn, m auth.Method) error {
	return send(t, conn, m, message(m.Input))
}

// send calls a method with a message.
func send(t *testing.T, conn *grpc.ClientConn, m auth.Method, in proto.Message) error {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if !m.ClientStreams && !m.ServerStreams {
		return conn.Invoke(ctx, m.FullName, in, message(m.Output))
	}
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: m.ClientStreams, ServerStreams: m.ServerStreams}, m.FullName)
	if err != nil {
		return err
	}
	if err := stream.SendMsg(in); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for out := message(m.Output); ; {
		if err := stream.RecvMsg(out); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// launch is a method that users may call.
var launch = method("/iris.v1.ControllerService/LaunchJob")

func method(name string) auth.Method {
	for _, m := range auth.Methods("") {
		if m.FullName == name {
			return m
		}
	}
	panic("no method " + name)
}

// wantError checks a call's code and text.
func wantError(t *testing.T, err error, code codes.Code, text string) {
	t.Helper()
	if status.Code(err) != code || status.Convert(err).Message() != text {
		t.Errorf("got  %v: %s\nwant %v: %s", status.Code(err), status.Convert(err).Message(), code, text)
	}
}

// wantAbout checks a call's code, and that its text has some words.
func wantAbout(t *testing.T, err error, code codes.Code, words ...string) {
	t.Helper()
	for _, w := range words {
		if status.Code(err) != code || !strings.Contains(status.Convert(err).Message(), w) {
			t.Errorf("got  %v: %s\nwant %v: … %s …", status.Code(err), status.Convert(err).Message(), code, w)
		}
	}
}

func wantOK(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("refused: %v", err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// buffer is a log that is read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
