package auth

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Role is what a credential is good for.
type Role string

// The roles. Allowed says what each may call.
const (
	User       Role = "user"       // launches and watches jobs
	Worker     Role = "worker"     // runs them; its name, if it has one, is the only worker id it may speak for
	Controller Role = "controller" // orders workers about, and talks to other controllers
	Admin      Role = "admin"      // what users may do, and faults, membership and reflection
)

// Roles are all of them.
var Roles = []Role{User, Worker, Controller, Admin}

// ParseRole reads a role's name.
func ParseRole(text string) (Role, error) {
	if r := Role(text); slices.Contains(Roles, r) {
		return r, nil
	}
	return "", fmt.Errorf("%q is not a role; the roles are %s", text, listed(Roles))
}

func listed(roles []Role) string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return strings.Join(names, ", ")
}

// Identity is who makes a call.
type Identity struct {
	Role Role
	// Name is the id of the worker, or the name of the user, that the credential was made for. Empty: made for any.
	Name string
	// Credential tells it from others of the same role and name: "certificate 5f0c…" with its serial number, or
	// "token 3fa9c0d1" with its id. It is no secret.
	Credential string
}

// String is for logs: "worker w-0 (token 3fa9c0d1)".
func (i Identity) String() string {
	if i.Name == "" {
		return fmt.Sprintf("%s (%s)", i.Role, i.Credential)
	}
	return fmt.Sprintf("%s %s (%s)", i.Role, i.Name, i.Credential)
}

// FromContext is who makes the call that a handler serves. There is nobody on a server without credentials, and in a
// health check that needs none.
func FromContext(ctx context.Context) (Identity, bool) {
	if p := passOf(ctx); p != nil && p.Role != "" {
		return p.Identity, true
	}
	return Identity{}, false
}

// namePattern is what a name may be: it stands in file names and in certificates.
var namePattern = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,128}$`)

func checkName(role Role, name string) error {
	if _, err := ParseRole(string(role)); err != nil {
		return err
	}
	if name != "" && (!namePattern.MatchString(name) || strings.Trim(name, ".") == "") {
		return fmt.Errorf("the name %q of a %s must be 1 to 128 of [a-zA-Z0-9._-] and not only dots", name, role)
	}
	return nil
}

// scheme begins the URI in a certificate that says whose it is: "iris:worker/w-0", or "iris:worker" for any worker.
const scheme = "iris"

func uriOf(role Role, name string) *url.URL {
	uri := &url.URL{Scheme: scheme, Opaque: string(role)}
	if name != "" {
		uri.Opaque += "/" + name
	}
	return uri
}

// identityOf reads whose certificate it is. It does not verify it.
func identityOf(leaf *x509.Certificate) (Identity, error) {
	var found []*url.URL
	for _, uri := range leaf.URIs {
		if uri.Scheme == scheme {
			found = append(found, uri)
		}
	}
	if len(found) != 1 {
		return Identity{}, fmt.Errorf("the certificate has %d names that begin with %s:, and must have one, such as %s",
			len(found), scheme, uriOf(Worker, "w-0"))
	}
	text, name, named := strings.Cut(found[0].Opaque, "/")
	role, err := ParseRole(text)
	if err == nil && named && name == "" {
		err = fmt.Errorf("the name after the role is empty")
	}
	if err == nil {
		err = checkName(role, name)
	}
	if err != nil {
		return Identity{}, fmt.Errorf("the certificate is for %q: %w", found[0], err)
	}
	return Identity{Role: role, Name: name, Credential: "certificate " + serialOf(leaf)}, nil
}

// serialOf is how people refer to a certificate; it is what openssl prints, in lower case.
func serialOf(c *x509.Certificate) string { return fmt.Sprintf("%x", c.SerialNumber) }
