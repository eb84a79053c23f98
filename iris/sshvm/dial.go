package sshvm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// Why nothing was asked of a host. After any other error it may have carried out what it was asked.
var (
	errSilent     = errors.New("it does not answer")
	errDenied     = errors.New("it does not let us in")
	errDistrusted = errors.New("it is not known to be the right host")
)

// unasked reports whether an error means that nothing reached the host.
func unasked(err error) bool {
	return errors.Is(err, errSilent) || errors.Is(err, errDenied) || errors.Is(err, errDistrusted)
}

// dialer opens connections to hosts.
type dialer struct {
	user    string
	key     ssh.Signer
	check   ssh.HostKeyCallback
	timeout time.Duration
}

func newDialer(c Config) (*dialer, error) {
	text, err := os.ReadFile(c.Key)
	if err != nil {
		return nil, fmt.Errorf("read the private key: %w", err)
	}
	key, err := ssh.ParsePrivateKey(text)
	if locked := new(ssh.PassphraseMissingError); errors.As(err, &locked) {
		return nil, fmt.Errorf("the private key %s has a passphrase, which nobody is there to type; make one without", c.Key)
	} else if err != nil {
		return nil, fmt.Errorf("the private key %s: %w", c.Key, err)
	}
	check, err := knownhosts.New(c.KnownHosts)
	if err != nil {
		return nil, fmt.Errorf("read the known hosts: %w", err)
	}
	return &dialer{user: c.User, key: key, check: check, timeout: c.ConnectTimeout}, nil
}

// dial connects and logs in. The error is errSilent, errDenied or errDistrusted. The connection ends with ctx.
func (d *dialer) dial(ctx context.Context, address string) (*connection, error) {
	within, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	plain, err := (&net.Dialer{}).DialContext(within, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSilent, err)
	}
	undo := context.AfterFunc(within, func() { _ = plain.Close() }) // ends the handshake
	var known bool
	var distrust error
	c, channels, requests, err := ssh.NewClientConn(plain, address, &ssh.ClientConfig{
		User: d.user, Auth: []ssh.AuthMethod{ssh.PublicKeys(d.key)}, HostKeyAlgorithms: d.algorithms(address, plain.RemoteAddr()),
		HostKeyCallback: func(name string, remote net.Addr, key ssh.PublicKey) error {
			distrust = d.check(name, remote, key)
			known = distrust == nil
			return distrust
		},
	})
	if !undo() && err == nil {
		_ = c.Close()
		err = context.Cause(within)
	}
	if err == nil {
		open := &connection{Client: ssh.NewClient(c, channels, requests)}
		open.undo = context.AfterFunc(ctx, func() { _ = plain.Close() })
		return open, nil
	}
	_ = plain.Close() // nothing was said yet
	var network net.Error
	switch {
	case distrust != nil:
		return nil, fmt.Errorf("%w: %s", errDistrusted, explain(distrust))
	case known && within.Err() == nil && !errors.Is(err, io.EOF) && !errors.As(err, &network):
		return nil, fmt.Errorf("%w: %w", errDenied, err)
	default:
		return nil, fmt.Errorf("%w: %w", errSilent, err)
	}
}

// connection is one that somebody closes, whatever its context does.
type connection struct {
	*ssh.Client
	undo func() bool
}

func (c *connection) close() {
	c.undo()
	_ = c.Close() // whoever used it knows already what became of it
	_ = c.Wait()
}

// algorithms are those of the keys that the host is known by, so that it shows one of these and not another that it has
// too. Nil, which stands for all, if no line names it.
func (d *dialer) algorithms(address string, remote net.Addr) []string {
	var mismatch *knownhosts.KeyError
	if !errors.As(d.check(address, remote, noKey{}), &mismatch) {
		return nil
	}
	var all []string
	for _, k := range mismatch.Want {
		if kind := k.Key.Type(); kind == ssh.KeyAlgoRSA {
			all = append(all, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		} else {
			all = append(all, kind)
		}
	}
	return all
}

// noKey is a key that no host has.
type noKey struct{}

func (noKey) Type() string                        { return "none" }
func (noKey) Marshal() []byte                     { return []byte("none") }
func (noKey) Verify([]byte, *ssh.Signature) error { return errors.New("no key") }

// explain says what is to be done about a host that is not trusted.
func explain(err error) string {
	var mismatch *knownhosts.KeyError
	if !errors.As(err, &mismatch) {
		return err.Error()
	}
	if len(mismatch.Want) == 0 {
		return "no line of the known hosts is about it; add the one that ssh-keyscan prints, once you have made sure that it is right"
	}
	var lines []string
	for _, k := range mismatch.Want {
		lines = append(lines, fmt.Sprintf("%s:%d", k.Filename, k.Line))
	}
	return "it has another key than " + strings.Join(lines, ", ") + "; find out why before you change that"
}
