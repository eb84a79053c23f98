package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
)

// Server makes the options of a server that lets in only those who may. Without credentials in the config there are
// none: everybody may do everything. An error says which file is missing or wrong.
func Server(c Config) ([]grpc.ServerOption, error) {
	if !c.Secured() {
		return nil, nil
	}
	g, err := newGuard(c)
	if err != nil {
		return nil, fmt.Errorf("credentials of the server: %w", err)
	}
	return []grpc.ServerOption{
		grpc.Creds(serverCredentials{g}),
		grpc.InTapHandle(g.tap),
		grpc.ChainUnaryInterceptor(g.unary), grpc.ChainStreamInterceptor(g.stream),
		grpc.UnknownServiceHandler(unknown), // so that strangers learn nothing of what there is
	}, nil
}

func unknown(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	return status.Errorf(codes.Unimplemented, "this server has no method %s; it may be of another version", method)
}

// guard lets calls in, or not.
type guard struct {
	config  Config
	pool    *watched[*x509.CertPool]
	pair    *watched[*tls.Certificate]
	tokens  *watched[tokenTable]
	revoked *watched[map[string]bool]
	rates   *rates
	audit   *audit
}

func newGuard(c Config) (*guard, error) {
	g := &guard{config: c, rates: newRates(c.Rates), audit: newAudit(c)}
	var errs [4]error
	g.pool, errs[0] = c.watchPool()
	g.pair, errs[1] = c.watchPair()
	g.tokens, errs[2] = watch(c.log(), readTokens, c.Tokens)
	g.revoked, errs[3] = c.watchRevoked()
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	if pair := g.pair.get(); pair != nil {
		who, err := identityOf(pair.Leaf)
		if err != nil {
			return nil, err
		}
		if who.Role != Controller && who.Role != Worker {
			return nil, fmt.Errorf("%s is for role %s; a server needs the certificate of a controller or a worker",
				c.Cert, who.Role)
		}
		if c.CA == "" && c.Tokens == "" {
			return nil, errors.New("a certificate alone lets everybody in: " +
				"give the authorities of clients' certificates too, or tokens")
		}
	}
	return g, nil
}

// due reports whether files have to be looked at before a decision.
func (g *guard) due() bool {
	return g.pool.due() || g.pair.due() || g.tokens.due() || g.revoked.due()
}

func (g *guard) refresh() {
	g.pool.refresh()
	g.pair.refresh()
	g.tokens.refresh()
	g.revoked.refresh()
}

// pass is a call that was let in.
type pass struct {
	Identity
	leaf  *x509.Certificate // of a caller that came with a certificate
	valid func() error      // whether the credential is still good
}

type passKey struct{}

func passOf(ctx context.Context) *pass {
	p, _ := ctx.Value(passKey{}).(*pass)
	return p
}

// tap decides on a call before its message is read, so that nobody without credentials makes the server read 16 MiB.
// gRPC holds a lock meanwhile: when it is time to look at files, the decision is left to the interceptors.
func (g *guard) tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	if g.due() {
		return ctx, nil
	}
	return g.admit(ctx, info.FullMethodName)
}

// enter decides unless tap has.
func (g *guard) enter(ctx context.Context, method string) (context.Context, error) {
	if passOf(ctx) != nil {
		return ctx, nil
	}
	g.refresh()
	return g.admit(ctx, method)
}

// admit lets a call in, with a pass in its context, or says why not.
func (g *guard) admit(ctx context.Context, method string) (context.Context, error) {
	p, err := g.judge(ctx, method)
	if err != nil {
		g.audit.note(ctx, method, p, err)
		return ctx, err
	}
	return context.WithValue(ctx, passKey{}, p), nil
}

func (g *guard) judge(ctx context.Context, method string) (*pass, error) {
	if g.config.OpenHealth && method == grpc_health_v1.Health_Check_FullMethodName {
		p := &pass{valid: func() error { return nil }}
		return p, g.rates.take(p.Identity)
	}
	from, _ := peer.FromContext(ctx)
	if from == nil {
		return nil, status.Error(codes.Unauthenticated, "the call came over no connection")
	}
	s, _ := from.AuthInfo.(*session)
	p, err := g.identify(ctx, s)
	if err != nil {
		if s != nil {
			s.refuse()
		}
		return nil, status.Error(codes.Unauthenticated, err.Error())
	}
	roles := Allowed(method)
	if !slices.Contains(roles, p.Role) {
		allowed := "nobody may"
		if len(roles) > 0 {
			allowed = "allowed: " + listed(roles)
		}
		return p, status.Errorf(codes.PermissionDenied, "role %s may not call %s; %s", p.Role, method, allowed)
	}
	return p, g.rates.take(p.Identity)
}

// identify finds out who calls. A token counts before a certificate: it was given for this call.
func (g *guard) identify(ctx context.Context, s *session) (*pass, error) {
	secret, err := bearer(ctx)
	switch {
	case err != nil:
		return nil, err
	case secret != "":
		return g.byToken(secret)
	case s != nil && len(s.chain) > 0:
		return g.byCertificate(s)
	}
	return nil, errors.New("the call has no credentials; " + g.wanted())
}

// wanted says what would be taken.
func (g *guard) wanted() string {
	switch {
	case g.tokens == nil:
		return "this server takes certificates (iris auth issue makes them)"
	case g.pool == nil || g.pair == nil:
		return "this server takes tokens (iris auth token makes them)"
	}
	return "this server takes tokens and certificates (iris auth token and iris auth issue make them)"
}

const bearerPrefix = "bearer "

// bearer is the token that came with a call, or empty.
func bearer(ctx context.Context) (string, error) {
	values := metadata.ValueFromIncomingContext(ctx, "authorization")
	if len(values) == 0 {
		return "", nil
	}
	value, n := values[0], len(bearerPrefix)
	if len(values) > 1 || len(value) <= n || !strings.EqualFold(value[:n], bearerPrefix) {
		return "", errors.New(`the authorization of the call is not one "Bearer" and a token`)
	}
	return value[n:], nil
}

func (g *guard) byToken(secret string) (*pass, error) {
	if g.tokens == nil {
		return nil, errors.New("the call has a token; " + g.wanted())
	}
	known, err := g.knownToken(secret)
	if err != nil {
		return nil, err
	}
	return &pass{Identity: known.identity(), valid: func() error {
		g.tokens.refresh()
		_, err := g.knownToken(secret)
		return err
	}}, nil
}

func (g *guard) knownToken(secret string) (Token, error) {
	known, ok := g.tokens.get().find(secret)
	if !ok {
		return Token{}, errors.New("the token is not known here: it is mistyped, revoked, or another cluster's; " +
			"make another with: iris auth token")
	}
	return known, known.expired(time.Now())
}

func (g *guard) byCertificate(s *session) (*pass, error) {
	who, err := g.proven(s)
	if err != nil {
		s.end()
		return nil, err
	}
	return &pass{Identity: who, leaf: s.chain[0], valid: func() error {
		g.pool.refresh()
		g.revoked.refresh()
		_, err := g.proven(s)
		return err
	}}, nil
}

func (g *guard) proven(s *session) (Identity, error) {
	pool := g.pool.get()
	if pool == nil {
		return Identity{}, errors.New("the call has a certificate; " + g.wanted())
	}
	p, err := s.prove(pool)
	if err != nil {
		return Identity{}, err
	}
	if serial := serialOf(s.chain[0]); g.revoked.get()[serial] {
		return Identity{}, fmt.Errorf("the client's certificate %s is revoked; make another with: iris auth issue", serial)
	}
	return p.who, nil
}

// audit logs refusals, the first few and then one a second: strangers do not fill the disk.
type audit struct {
	log     *slog.Logger
	refused func(string, codes.Code)
	limit   *rate.Limiter
	skipped atomic.Int64
}

func newAudit(c Config) *audit {
	const few = 20
	return &audit{log: c.log(), refused: c.Refused, limit: rate.NewLimiter(1, few)}
}

func (a *audit) note(ctx context.Context, method string, p *pass, err error) {
	code := status.Code(err)
	if a.refused != nil {
		a.refused(method, code)
	}
	if !a.limit.Allow() {
		a.skipped.Add(1)
		return
	}
	caller, address := "nobody that is known", "unknown"
	if p != nil && p.Role != "" {
		caller = p.String()
	}
	if from, ok := peer.FromContext(ctx); ok {
		address = from.Addr.String()
	}
	a.log.Warn("call refused", "method", method, "code", code.String(), "caller", caller, "peer", address,
		"reason", status.Convert(err).Message(), "not_logged_before", a.skipped.Swap(0))
}
