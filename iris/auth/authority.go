package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"time"
)

const (
	authorityValid   = 10 * 365 * 24 * time.Hour
	certificateValid = 365 * 24 * time.Hour
	backdated        = 5 * time.Minute // for clocks that are behind
)

// The types of PEM blocks.
const (
	pemCertificate = "CERTIFICATE"
	pemKey         = "PRIVATE KEY"
)

// authority signs certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// newAuthority makes an authority that signs itself.
func newAuthority(valid time.Duration) (authority, error) {
	key, err := newKey()
	if err != nil {
		return authority{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "Iris CA " + now.UTC().Format(time.DateOnly)},
		NotBefore: now.Add(-backdated), NotAfter: now.Add(valid),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, // it signs no other authorities
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	a := authority{key: key}
	a.certificate, err = sign(template, template, key, key)
	return a, err
}

// issue makes a certificate and its key. Users and administrators get one that serves nobody: it proves a client alone.
func (a authority) issue(role Role, name string, hosts []string, valid time.Duration) (
	*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		Subject:   pkix.Name{Organization: []string{"Iris"}, CommonName: uriOf(role, name).Opaque},
		NotBefore: now.Add(-backdated), NotAfter: now.Add(valid),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		URIs: []*url.URL{uriOf(role, name)},
	}
	if role == Controller || role == Worker {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	if end := a.certificate.NotAfter; template.NotAfter.After(end) {
		return nil, nil, fmt.Errorf("the certificate would be valid until %s and its authority only until %s",
			template.NotAfter.UTC().Format(time.DateOnly), end.UTC().Format(time.DateOnly))
	}
	certificate, err := sign(template, a.certificate, key, a.key)
	return certificate, key, err
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func sign(template, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func certificatePEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: c.Raw})
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: der}), err
}

// loadAuthority reads what Init wrote. Of several certificates the first is the one that signs.
func loadAuthority(dir string) (authority, error) {
	certificates, err := open(filepath.Join(dir, caFile))
	if err != nil {
		return authority{}, err
	}
	key, err := open(filepath.Join(dir, caKeyFile))
	if err != nil {
		return authority{}, err
	}
	if err := key.private(); err != nil {
		return authority{}, err
	}
	all, err := parseCertificates(certificates)
	if err != nil {
		return authority{}, err
	}
	block, _ := pem.Decode(key.data)
	if block == nil || block.Type != pemKey {
		return authority{}, fmt.Errorf("%s has no %s in PEM", key.path, pemKey)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return authority{}, fmt.Errorf("%s: %w", key.path, err)
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !private.PublicKey.Equal(all[0].PublicKey) {
		return authority{}, fmt.Errorf("%s is not the key of the first certificate in %s", key.path, certificates.path)
	}
	return authority{all[0], private}, nil
}

// parseCertificates reads all certificates of a PEM file; none is an error.
func parseCertificates(f file) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for rest := f.data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != pemCertificate {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.path, err)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: %w", f.path, errors.New("it has no certificate in PEM"))
	}
	return all, nil
}
