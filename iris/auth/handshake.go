package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/credentials"
)

// serverCredentials open connections on the server's side: TLS if it has a certificate, in the clear otherwise.
type serverCredentials struct{ *guard }

// parting is how long a server waits for a client that it has turned away to take note of the reason.
const parting = time.Second

// ServerHandshake finds out who is there. gRPC has set the connection's deadline.
func (c serverCredentials) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	s := &session{raw: raw, CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.NoSecurity}}
	if c.pair == nil {
		return raw, s, nil
	}
	c.refresh()
	conn := tls.Server(raw, c.tls())
	if err := conn.Handshake(); err != nil {
		turnAway(raw, err)
		return nil, nil, fmt.Errorf("TLS handshake with %s: %w", raw.RemoteAddr(), err)
	}
	state := conn.ConnectionState()
	if state.NegotiatedProtocol != protocol {
		return nil, nil, fmt.Errorf("the client %s does not offer HTTP/2", raw.RemoteAddr())
	}
	s.SecurityLevel = credentials.PrivacyAndIntegrity
	s.chain = state.PeerCertificates
	return conn, s, nil
}

// protocol is the name of HTTP/2 in TLS.
const protocol = "h2"

// tls is made anew for each connection, from the files as they are now. Nothing is resumed: a resumed session would
// skip the look at the client's certificate.
func (g *guard) tls() *tls.Config {
	config := &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{protocol}, SessionTicketsDisabled: true,
		Certificates: []tls.Certificate{*g.pair.get()},
	}
	if pool := g.pool.get(); pool != nil {
		config.ClientCAs, config.ClientAuth = pool, tls.RequireAndVerifyClientCert
		if g.tokens != nil || g.config.OpenHealth {
			config.ClientAuth = tls.VerifyClientCertIfGiven
		}
	}
	return config
}

// turnAway lets the client read why: a connection closed at once, with bytes of the client unread, would take the
// reason with it. A client that does not speak TLS is told that this is TLS.
func turnAway(raw net.Conn, err error) {
	_ = raw.SetDeadline(time.Now().Add(parting)) // whatever fails here, the connection is closed next
	if plain := (tls.RecordHeaderError{}); errors.As(err, &plain) && plain.Conn != nil {
		_, _ = raw.Write(alertSpeakTLS)
	}
	if half, ok := raw.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(raw, 64<<10)) // until the client has closed its side
}

// alertSpeakTLS is the record of a fatal alert, protocol_version.
var alertSpeakTLS = []byte{recordAlert, 3, 3, 0, 2, 2, 70}

const recordAlert = 21

// ClientHandshake is not the server's.
func (serverCredentials) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("credentials of a server do not dial")
}

// Info names the protocol.
func (c serverCredentials) Info() credentials.ProtocolInfo { return protocolInfo(c.pair != nil) }

// Clone returns the same: it has nothing to change.
func (c serverCredentials) Clone() credentials.TransportCredentials { return c }

// OverrideServerName is a client's.
func (serverCredentials) OverrideServerName(string) error { return nil }

func protocolInfo(encrypted bool) credentials.ProtocolInfo {
	if encrypted {
		return credentials.ProtocolInfo{SecurityProtocol: "tls"}
	}
	return credentials.ProtocolInfo{SecurityProtocol: "insecure"}
}

// clientCredentials open connections on the client's side.
type clientCredentials struct{ *caller }

// ClientHandshake makes sure who is there: somebody of the right role, and with the right name. Workers are known by
// their id, not by where they are: see caller.GetRequestMetadata.
func (c clientCredentials) ClientHandshake(ctx context.Context, address string, raw net.Conn) (
	net.Conn, credentials.AuthInfo, error) {
	if c.pool == nil {
		c.warn(raw)
		return &greeted{Conn: raw, explain: func(first []byte, err error) error { return explainClear(address, first, err) }},
			&server{CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.NoSecurity}}, nil
	}
	c.pool.refresh()
	c.pair.refresh()
	info := &server{CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}, raw: raw}
	conn := tls.Client(raw, c.tls(hostOf(address), info))
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, nil, c.explain(address, err)
	}
	if conn.ConnectionState().NegotiatedProtocol != protocol {
		return nil, nil, fmt.Errorf("the server at %s does not speak HTTP/2", address)
	}
	return &greeted{Conn: conn, explain: func(_ []byte, err error) error { return c.explain(address, err) }}, info, nil
}

// server is what a client knows of a connection: who is on the other side, and how long this side is who it was.
type server struct {
	credentials.CommonAuthInfo
	who   Identity
	until time.Time // the end of the client's certificate; zero if it has none
	raw   net.Conn
}

// outlived reports whether the client's certificate has ended since: the server will refuse every call.
func (s *server) outlived() bool { return !s.until.IsZero() && !time.Now().Before(s.until) }

// AuthType names the protocol.
func (s *server) AuthType() string { return "iris" }

// tls is made anew for each connection. The standard verification is replaced, not left out: it knows nothing of roles.
func (d *caller) tls(host string, info *server) *tls.Config {
	config := &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{protocol}, ServerName: host, InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) (err error) {
			info.who, err = verifyServer(state.PeerCertificates, d.pool.get(), host, d.roles)
			return err
		},
	}
	if pair := d.pair.get(); pair != nil {
		info.until = pair.Leaf.NotAfter
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return pair, nil // also to a server that believes another authority: its refusal says what is wrong
		}
	}
	return config
}

func verifyServer(chain []*x509.Certificate, pool *x509.CertPool, host string, roles []Role) (Identity, error) {
	if len(chain) == 0 {
		return Identity{}, errors.New("the server has no certificate")
	}
	if _, err := verify(chain, pool, x509.ExtKeyUsageServerAuth); err != nil {
		return Identity{}, err
	}
	leaf := chain[0]
	who, err := identityOf(leaf)
	if err != nil {
		return Identity{}, refusal(err.Error())
	}
	if !slices.Contains(roles, who.Role) {
		return Identity{}, refusal(fmt.Sprintf("the server's certificate is for role %s; expected: %s",
			who.Role, listed(roles)))
	}
	if who.Role == Worker && len(leaf.DNSNames)+len(leaf.IPAddresses) == 0 {
		return who, nil
	}
	return who, leaf.VerifyHostname(host)
}

// refusal is an error about the other side's credentials, in words that need no explanation.
type refusal string

func (r refusal) Error() string { return string(r) }

// greeted is a connection whose first bytes are still to come. Why there are none is explained: with TLS 1.3 a server
// refuses a client's certificate after the client is done.
type greeted struct {
	net.Conn
	explain func(first []byte, err error) error
	heard   bool // gRPC reads from one goroutine
}

// Read reads.
func (g *greeted) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if g.heard || n == 0 && err == nil {
		return n, err
	}
	g.heard = true
	if explained := g.explain(p[:n], err); explained != nil {
		return 0, explained
	}
	return n, err
}

// mark begins the text of errors that are about credentials. gRPC makes a text of whatever fails in a handshake, and
// UNAVAILABLE, which is tried again; caller.explained finds the mark and makes it UNAUTHENTICATED, which is not.
const mark = "credentials refused: "

func marked(format string, args ...any) error {
	return errors.New(mark + strings.ReplaceAll(fmt.Sprintf(format, args...), `"`, `'`))
}

// explainClear recognises a server that speaks TLS.
func explainClear(address string, first []byte, err error) error {
	if len(first) > 0 && first[0] == recordAlert {
		return marked("the server at %s speaks TLS: give its authority's certificate (ca.pem)", address)
	}
	return err
}

// explain says what a failed handshake means and what to do. Errors that have nothing to do with credentials, such as a
// lost connection, stay as they are.
func (d *caller) explain(address string, err error) error {
	var (
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		record  tls.RecordHeaderError
		refused refusal
		remote  *net.OpError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return marked("server at %s: %v", address, refused)
	case errors.As(err, &unknown):
		return marked("the certificate of the server at %s is not from an authority in %s: "+
			"it is another cluster's, or the file is", address, d.config.CA)
	case errors.As(err, &host):
		return marked("the certificate of the server at %s is not for that host: %v; make one for it with: iris auth issue",
			address, host)
	case errors.As(err, &invalid):
		return marked("the certificate of the server at %s is not good: %v; make another with: iris auth issue",
			address, invalid)
	case errors.As(err, &record):
		return marked("the server at %s does not speak TLS: start it with a certificate, or call it without an authority (%s)",
			address, d.config.CA)
	case errors.As(err, &remote) && remote.Op == "remote error":
		return d.explainAlert(address, remote.Err)
	}
	return err
}

// explainAlert says what a server's TLS alert means.
func (d *caller) explainAlert(address string, alert error) error {
	const (
		badCertificate      tls.AlertError = 42
		expiredCertificate  tls.AlertError = 45
		unknownAuthority    tls.AlertError = 48
		protocolVersion     tls.AlertError = 70
		certificateRequired tls.AlertError = 116
	)
	own := "the certificate in " + d.config.Cert
	for known, meaning := range map[tls.AlertError]string{
		badCertificate:      "does not take " + own + ": make another with: iris auth issue",
		expiredCertificate:  "says that " + own + " expired: make another with: iris auth issue",
		unknownAuthority:    "does not believe the authority of " + own + ": it is another cluster's",
		protocolVersion:     "does not speak TLS 1.3",
		certificateRequired: "wants a certificate: make one with: iris auth issue",
	} {
		if alert.Error() == known.Error() {
			return marked("the server at %s %s", address, meaning)
		}
	}
	return marked("the server at %s ended the handshake: %v", address, alert)
}

// ServerHandshake is not the client's.
func (clientCredentials) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("credentials of a client do not serve")
}

// Info names the protocol.
func (c clientCredentials) Info() credentials.ProtocolInfo { return protocolInfo(c.pool != nil) }

// Clone returns the same: it has nothing to change.
func (c clientCredentials) Clone() credentials.TransportCredentials { return c }

// OverrideServerName is not needed: certificates are for the hosts that are dialled.
func (clientCredentials) OverrideServerName(string) error { return nil }
