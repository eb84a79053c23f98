package auth

import (
	"crypto/x509"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/credentials"
)

// session is what a server knows of a connection.
type session struct {
	credentials.CommonAuthInfo
	raw     net.Conn
	chain   []*x509.Certificate // what the client sent, its own first; none if it has none
	proven  atomic.Pointer[proof]
	refused atomic.Int32
	useless atomic.Int32 // calls that came after the end of the client's certificate
}

// AuthType names the protocol.
func (s *session) AuthType() string {
	if s.SecurityLevel == credentials.NoSecurity {
		return "clear"
	}
	return "tls"
}

// maxRefusals is how many calls on one connection may be refused for want of credentials before it is closed: gRPC
// keeps something of each call that is refused early until its connection ends.
const maxRefusals = 1000

// refuse counts a refusal.
func (s *session) refuse() {
	if s.refused.Add(1) == maxRefusals {
		_ = s.raw.Close() // it is closed all the same
	}
}

// end counts a call that came after the end of the client's certificate. The first is told; with the second the
// connection is closed, since no call on it can succeed any more: the client may have another certificate by now, and
// show it.
func (s *session) end() {
	if s.useless.Add(1) == 2 {
		_ = s.raw.Close() // it is closed all the same
	}
}

// proof is the outcome of verifying a client's certificate against some authorities.
type proof struct {
	pool    *x509.CertPool
	who     Identity
	expires time.Time // the first end in the chain
	err     error
}

// prove verifies the client's certificate. It is remembered until the authorities change, but for the expiry, which is
// looked at every time.
func (s *session) prove(pool *x509.CertPool) (*proof, error) {
	p := s.proven.Load()
	if p == nil || p.pool != pool {
		p = verifyClient(s.chain, pool)
		s.proven.Store(p)
	}
	if p.err != nil {
		return nil, p.err
	}
	if !time.Now().Before(p.expires) {
		return nil, fmt.Errorf("the client's certificate expired at %s; make another with: iris auth issue",
			p.expires.UTC().Format(time.RFC3339))
	}
	return p, nil
}

func verifyClient(chain []*x509.Certificate, pool *x509.CertPool) *proof {
	p := &proof{pool: pool}
	chains, err := verify(chain, pool, x509.ExtKeyUsageClientAuth)
	if err != nil {
		p.err = fmt.Errorf("the client's certificate is not taken: %w", err)
		return p
	}
	if p.who, p.err = identityOf(chain[0]); p.err != nil {
		return p
	}
	for _, path := range chains {
		if end := firstEnd(path); end.After(p.expires) {
			p.expires = end
		}
	}
	return p
}

// verify checks a certificate and those above it, for now.
func verify(chain []*x509.Certificate, pool *x509.CertPool, use x509.ExtKeyUsage) ([][]*x509.Certificate, error) {
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	return chain[0].Verify(x509.VerifyOptions{
		Roots: pool, Intermediates: between, CurrentTime: time.Now(), KeyUsages: []x509.ExtKeyUsage{use},
	})
}

func firstEnd(path []*x509.Certificate) time.Time {
	end := path[0].NotAfter
	for _, c := range path[1:] {
		if c.NotAfter.Before(end) {
			end = c.NotAfter
		}
	}
	return end
}
