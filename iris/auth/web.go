package auth

import "crypto/tls"

// Web makes the TLS configuration of a server for browsers: it shows the process's own certificate, as the file has it now,
// and asks for none. Without a certificate in the config it is nil. An error says which file is missing or wrong.
func Web(c Config) (*tls.Config, error) {
	pair, err := c.watchPair()
	if err != nil || pair == nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{protocol, "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			pair.refresh()
			return pair.get(), nil
		},
	}, nil
}
