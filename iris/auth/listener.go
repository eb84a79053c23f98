package auth

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// resolveTimeout bounds the resolution of a listener's host name.
const resolveTimeout = 5 * time.Second

// CheckListener refuses an address that other machines can reach, unless calls to it are secured. An address without a
// host listens everywhere. A host name counts as loopback if all it resolves to does.
func CheckListener(address string, secured bool) error {
	if secured {
		return nil
	}
	local, err := loopback(address)
	switch {
	case err != nil:
		return fmt.Errorf("cannot tell who could reach %q: %w; bind 127.0.0.1, or give the server certificates or tokens",
			address, err)
	case !local:
		return fmt.Errorf("%q can be reached from other machines, and whoever reaches it could run anything: "+
			"bind 127.0.0.1, or give the server certificates or tokens (iris auth init makes both)", address)
	}
	return nil
}

// CheckListener refuses an address that other machines can reach, unless this config asks callers for credentials. If
// it asks for tokens and has no certificate to hide them, the log gets a warning.
func (c Config) CheckListener(address string) error {
	if err := CheckListener(address, c.Secured()); err != nil {
		return err
	}
	if c.Cert != "" || c.Tokens == "" {
		return nil
	}
	if local, err := loopback(address); err != nil || !local {
		c.log().Warn("tokens travel in the clear: whoever can read the network can use them; "+
			"give the server a certificate (iris auth issue)", "address", address)
	}
	return nil
}

// loopback reports whether an address can be reached from this machine alone.
func loopback(address string) (bool, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
	}
	if host == "" {
		return false, nil
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().IsLoopback(), nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return false, err
	}
	for _, ip := range all {
		if !ip.Unmap().IsLoopback() {
			return false, nil
		}
	}
	return len(all) > 0, nil
}

func isIP(host string) bool { return net.ParseIP(host) != nil }
