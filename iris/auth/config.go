package auth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
)

// Config is which credentials a process has, and which it asks for. The zero value is none at all: everybody may call
// everything, which only a loopback listener may offer. Files are paths; those with secrets must be their owner's alone
// (mode 0600).
type Config struct {
	// CA are the certificates of the authorities whose certificates are believed, in PEM. There may be several.
	CA string
	// Cert and Key are the process's own certificate and its key, in PEM. With them a server speaks TLS. Without Tokens
	// it then takes only clients that have a certificate too.
	Cert, Key string
	// Tokens is a file with the hashes of the tokens that a server takes; see Token.
	Tokens string
	// Revoked is a file with the serial numbers of certificates that a server no longer takes, one in a line; lines
	// that are empty or begin with # do not count.
	Revoked string
	// Token is a file with the token that a client presents.
	Token string
	// OpenHealth answers health checks without credentials, for load balancers that have none. Default: they need some,
	// of any role.
	OpenHealth bool
	// Rates limit how often a caller may call. A role that is not in it has no limit. Nil: DefaultRates.
	Rates map[Role]Rate
	// Refused is told of every call that is refused, for measurements. Nil: nobody is. It must not wait.
	Refused func(fullMethod string, code codes.Code)
	// Log defaults to slog.Default. It gets refusals, at most one a second after the first few, and never a secret.
	Log *slog.Logger
}

// Secured reports whether a server with this config asks callers for credentials.
func (c Config) Secured() bool { return c.Cert != "" || c.Tokens != "" }

func (c Config) log() *slog.Logger {
	if c.Log == nil {
		return slog.Default()
	}
	return c.Log
}

// soon is how long before its end a certificate is warned of.
const soon = 14 * 24 * time.Hour

// watchPool reads the authorities that are believed.
func (c Config) watchPool() (*watched[*x509.CertPool], error) {
	return watch(c.log(), func(files []file) (*x509.CertPool, error) {
		if err := files[0].unwritable(); err != nil {
			return nil, err
		}
		all, err := parseCertificates(files[0])
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		for _, certificate := range all {
			if !certificate.IsCA {
				return nil, fmt.Errorf("%s has a certificate that is not an authority's (%s)", c.CA, certificate.Subject)
			}
			pool.AddCert(certificate)
		}
		return pool, nil
	}, c.CA)
}

// watchPair reads the process's own certificate.
func (c Config) watchPair() (*watched[*tls.Certificate], error) {
	if (c.Cert == "") != (c.Key == "") {
		return nil, errors.New("a certificate needs its key, and a key its certificate: give both files or neither")
	}
	return watch(c.log(), func(files []file) (*tls.Certificate, error) {
		if err := files[1].private(); err != nil {
			return nil, err
		}
		pair, err := tls.X509KeyPair(files[0].data, files[1].data)
		if err != nil {
			return nil, fmt.Errorf("%s with %s: %w", c.Cert, c.Key, err)
		}
		if _, err := identityOf(pair.Leaf); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Cert, err)
		}
		switch left := time.Until(pair.Leaf.NotAfter); {
		case left <= 0:
			return nil, fmt.Errorf("%s expired at %s; make another with: iris auth issue",
				c.Cert, pair.Leaf.NotAfter.UTC().Format(time.RFC3339))
		case left < soon:
			c.log().Warn("the certificate expires soon; make another with: iris auth issue",
				"file", c.Cert, "expires", pair.Leaf.NotAfter.UTC().Format(time.RFC3339))
		}
		return &pair, nil
	}, c.Cert, c.Key)
}

// watchRevoked reads the serial numbers of certificates that are not taken any more.
func (c Config) watchRevoked() (*watched[map[string]bool], error) {
	return watch(c.log(), func(files []file) (map[string]bool, error) {
		revoked := map[string]bool{}
		n := 0
		for line := range strings.Lines(string(files[0].data)) {
			n++
			line = strings.TrimSpace(line)
			if line == "" || line[0] == '#' {
				continue
			}
			serial := strings.TrimLeft(strings.ToLower(strings.ReplaceAll(line, ":", "")), "0")
			if serial == "" || strings.Trim(serial, "0123456789abcdef") != "" {
				return nil, fmt.Errorf("%s, line %d: %q is not a serial number in hex digits", c.Revoked, n, line)
			}
			revoked[serial] = true
		}
		return revoked, nil
	}, c.Revoked)
}
