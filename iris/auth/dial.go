package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

// Dial makes the options of connections to servers of the given roles; none given: controllers. With authorities in the
// config they use TLS, and the server must prove to be what it should: a controller by a certificate for the host that
// is dialled, a worker by a certificate for the worker id that a call is for. Without, they are in the clear. A token
// in the config goes with every call. An error says which file is missing or wrong.
func Dial(c Config, roles ...Role) ([]grpc.DialOption, error) {
	if len(roles) == 0 {
		roles = []Role{Controller}
	}
	d := &caller{config: c, roles: roles}
	var errs [3]error
	d.pool, errs[0] = c.watchPool()
	d.pair, errs[1] = c.watchPair()
	d.secret, errs[2] = watch(c.log(), readSecret, c.Token)
	err := errors.Join(errs[:]...)
	if err == nil && c.Cert != "" && c.CA == "" {
		err = errors.New("a certificate is of no use without the authority whose servers it is for: give both")
	}
	if err != nil {
		return nil, fmt.Errorf("credentials for dialling: %w", err)
	}
	return []grpc.DialOption{
		grpc.WithTransportCredentials(clientCredentials{d}),
		grpc.WithPerRPCCredentials(d),
		grpc.WithChainUnaryInterceptor(d.unary), grpc.WithChainStreamInterceptor(d.stream),
	}, nil
}

// caller is the client's side: it knows whom it calls, and proves who it is.
type caller struct {
	config Config
	roles  []Role
	pool   *watched[*x509.CertPool]
	pair   *watched[*tls.Certificate]
	secret *watched[string]
	warned sync.Once
}

// warn says once that the token can be read on the way.
func (d *caller) warn(raw net.Conn) {
	to, ok := raw.RemoteAddr().(*net.TCPAddr)
	if d.secret == nil || !ok || to.IP.IsLoopback() {
		return
	}
	d.warned.Do(func() {
		d.config.log().Warn("the token travels in the clear: whoever can read the network can use it; "+
			"give the server a certificate, and its authority here", "server", to.String())
	})
}

// workerKey is the context's key of the worker id that a call is for.
type workerKey struct{}

func (d *caller) unary(ctx context.Context, method string, in, out any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker,
	options ...grpc.CallOption) error {
	if m, ok := in.(interface{ GetWorkerId() string }); ok {
		ctx = context.WithValue(ctx, workerKey{}, m.GetWorkerId())
	}
	return explained(invoke(ctx, method, in, out, conn, options...))
}

func (d *caller) stream(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string,
	open grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
	stream, err := open(ctx, desc, conn, method, options...)
	return stream, explained(err)
}

// explained makes UNAUTHENTICATED of a connection that failed for want of the right credentials: trying again would not
// help.
func explained(err error) error {
	if status.Code(err) != codes.Unavailable {
		return err
	}
	_, text, found := strings.Cut(status.Convert(err).Message(), mark)
	if !found {
		return err
	}
	text, _, _ = strings.Cut(text, `"`) // gRPC quotes what it wraps
	return status.Error(codes.Unauthenticated, text)
}

// GetRequestMetadata brings the token. A call for one worker does not go to another, whose address may be the one that
// the first had before (FM-24): its message would be read there.
func (d *caller) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	info, _ := credentials.RequestInfoFromContext(ctx)
	if s, ok := info.AuthInfo.(*server); ok {
		wanted, _ := ctx.Value(workerKey{}).(string)
		switch {
		case s.who.Role == Worker && s.who.Name != "" && wanted != "" && s.who.Name != wanted:
			return nil, status.Errorf(codes.Unauthenticated,
				"the call is for worker %s, and its address is now that of worker %s", wanted, s.who.Name)
		case s.outlived():
			return nil, d.outlived(s)
		}
	}
	if d.secret == nil {
		return nil, nil
	}
	d.secret.refresh()
	return map[string]string{"authorization": "Bearer " + d.secret.get()}, nil
}

// outlived ends a connection that lived longer than the client's certificate, if there is another certificate by now:
// the next connection is made with that.
func (d *caller) outlived(s *server) error {
	d.pair.refresh()
	if end := d.pair.get().Leaf.NotAfter; !time.Now().Before(end) {
		return status.Errorf(codes.Unauthenticated, "the certificate in %s expired at %s; make another with: iris auth issue",
			d.config.Cert, end.UTC().Format(time.RFC3339))
	}
	_ = s.raw.Close() // it is closed all the same
	return status.Errorf(codes.Unavailable,
		"the connection's certificate has expired; the next connection is made with the one that is in %s now", d.config.Cert)
}

// RequireTransportSecurity is false: whether a token may travel in the clear is decided by who listens where.
func (d *caller) RequireTransportSecurity() bool { return false }
