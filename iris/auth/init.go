package auth

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The files that Init makes besides those of the roles.
const (
	caFile     = "ca.pem"
	caKeyFile  = "ca-key.pem"
	tokensFile = "tokens"
)

// DefaultHosts are what a controller's certificate is for if nothing else is said: the machine itself.
var DefaultHosts = []string{"localhost", "127.0.0.1", "::1"}

// Options of Init. The zero value is a cluster on one machine.
type Options struct {
	// Hosts are the names and addresses by which controllers are dialled; "*.example.org" is all of one level. Default:
	// DefaultHosts.
	Hosts []string
	// Workers are worker ids: each gets a certificate and a token of its own, bound to it. None: one of each for all.
	Workers []string
	// Valid is how long certificates are good, default a year; the authority itself is good for ten.
	Valid time.Duration
	// TokensValid is how long tokens are good. 0: until they are revoked.
	TokensValid time.Duration
}

// File is a file that was made.
type File struct {
	Path string
	Is   string // what it is, and who needs it
}

// Made are the files that were made.
type Made []File

// String lists them, one in a line.
func (m Made) String() string {
	width := 0
	for _, f := range m {
		width = max(width, len(f.Path))
	}
	var b strings.Builder
	for _, f := range m {
		fmt.Fprintf(&b, "%-*s  %s\n", width, f.Path, f.Is)
	}
	return b.String()
}

// Init makes, in a directory of its own: an authority (ca.pem, ca-key.pem); for each role, or each worker, a
// certificate (worker.pem, worker-key.pem; worker-w-0.pem for the worker w-0) and a token (worker.token); and the
// hashes of all tokens (tokens). A file that is there already is an error, and then nothing is made.
func Init(dir string, options Options) (Made, error) {
	if options.Hosts == nil {
		options.Hosts = DefaultHosts
	}
	if options.Valid == 0 {
		options.Valid = certificateValid
	}
	ca, err := newAuthority(authorityValid)
	if err != nil {
		return nil, err
	}
	key, err := keyPEM(ca.key)
	if err != nil {
		return nil, err
	}
	out := &outbox{dir: dir}
	out.add(caFile, certificatePEM(ca.certificate), 0o644, "the authority's certificate; every host needs it")
	out.add(caKeyFile, key, 0o600, "the authority's key; no host needs it: whoever has it can be anybody")
	var hashes []byte
	for _, who := range options.identities() {
		if err := out.certificate(ca, who, options.Valid); err != nil {
			return nil, err
		}
		token, secret, err := newToken(who.Role, who.Name, options.TokensValid)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, token.line()...)
		out.add(fileName(who.Role, who.Name)+".token", []byte(secret+"\n"), 0o600,
			fmt.Sprintf("%s's token, id %s", who, token.ID))
	}
	out.add(tokensFile, hashes, 0o600, "the hashes of all tokens; controllers and workers need it to take tokens")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := out.write(false); err != nil {
		return nil, fmt.Errorf("make credentials in %s: %w", dir, err)
	}
	return out.made, nil
}

// Request is a certificate that somebody needs.
type Request struct {
	Role Role
	// Name binds a worker's certificate to a worker id; of others it says whose it is. It may be empty.
	Name string
	// Hosts are the names and addresses by which a controller is dialled. For a worker there need be none: workers are
	// known by their id. Those that are given must be right, and are the only ones it may register.
	Hosts []string
	// Valid is how long it is good. Default: a year.
	Valid time.Duration
	// Replace renews: files that are there are replaced. Processes that use them notice.
	Replace bool
}

// Issue makes one more certificate, with the authority in a directory that Init made.
func Issue(dir string, r Request) (Made, error) {
	if r.Valid == 0 {
		r.Valid = certificateValid
	}
	if r.Role == Controller && r.Hosts == nil {
		r.Hosts = DefaultHosts
	}
	ca, err := loadAuthority(dir)
	if err != nil {
		return nil, fmt.Errorf("the authority in %s: %w; iris auth init makes one", dir, err)
	}
	out := &outbox{dir: dir}
	if err := out.certificate(ca, subject{r.Role, r.Name, r.Hosts}, r.Valid); err != nil {
		return nil, err
	}
	if err := out.write(r.Replace); err != nil {
		return nil, fmt.Errorf("issue a certificate in %s: %w", dir, err)
	}
	return out.made, nil
}

// subject is who gets credentials.
type subject struct {
	Role  Role
	Name  string
	Hosts []string
}

func (s subject) String() string {
	if s.Name == "" {
		return "any " + string(s.Role)
	}
	return string(s.Role) + " " + s.Name
}

func (o Options) identities() []subject {
	all := []subject{{Role: Controller, Hosts: o.Hosts}}
	for _, id := range o.Workers {
		all = append(all, subject{Role: Worker, Name: id})
	}
	if len(o.Workers) == 0 {
		all = append(all, subject{Role: Worker})
	}
	return append(all, subject{Role: User}, subject{Role: Admin})
}

// fileName is the beginning of the names of a subject's files.
func fileName(role Role, name string) string {
	if name == "" {
		return string(role)
	}
	return string(role) + "-" + name
}

// In is the config of one whose certificate is in a directory that Init filled: the certificate for that name, or, if
// there is none, the one for all of the role. It takes and trusts whoever has a certificate of the same authority.
func In(dir string, role Role, name string) Config {
	if _, err := os.Stat(filepath.Join(dir, fileName(role, name)+".pem")); err != nil {
		name = ""
	}
	file := filepath.Join(dir, fileName(role, name))
	return Config{CA: filepath.Join(dir, caFile), Cert: file + ".pem", Key: file + "-key.pem"}
}

// outbox holds files until all of them can be written.
type outbox struct {
	dir   string
	files []sealed
	made  Made
}

type sealed struct {
	path string
	data []byte
	mode fs.FileMode
}

func (o *outbox) add(name string, data []byte, mode fs.FileMode, is string) {
	path := filepath.Join(o.dir, name)
	o.files = append(o.files, sealed{path, data, mode})
	o.made = append(o.made, File{path, is})
}

// certificate adds a certificate and its key.
func (o *outbox) certificate(ca authority, s subject, valid time.Duration) error {
	if err := checkName(s.Role, s.Name); err != nil {
		return err
	}
	if valid < 0 {
		return fmt.Errorf("a certificate cannot be valid for %v", valid)
	}
	for _, host := range s.Hosts {
		if host == "" || strings.ContainsAny(host, ":/ ") && !isIP(host) {
			return fmt.Errorf("%q is not a host: give a name or an IP address, without a port", host)
		}
	}
	certificate, key, err := ca.issue(s.Role, s.Name, s.Hosts, valid)
	if err != nil {
		return fmt.Errorf("certificate for %s: %w", s, err)
	}
	private, err := keyPEM(key)
	if err != nil {
		return fmt.Errorf("certificate for %s: %w", s, err)
	}
	hosts := ""
	if len(s.Hosts) > 0 {
		hosts = " at " + strings.Join(s.Hosts, ", ")
	}
	name := fileName(s.Role, s.Name)
	o.add(name+"-key.pem", private, 0o600, fmt.Sprintf("%s's key", s))
	o.add(name+".pem", certificatePEM(certificate), 0o644, fmt.Sprintf("%s's certificate%s, serial number %s, until %s",
		s, hosts, serialOf(certificate), certificate.NotAfter.UTC().Format(time.DateOnly)))
	return nil
}

// write writes all files. Without replacing it writes none if one is there.
func (o *outbox) write(replacing bool) (err error) {
	if replacing {
		for _, f := range o.files {
			if err := replace(f.path, f.data, f.mode); err != nil {
				return err
			}
		}
		return nil
	}
	var written []string
	defer func() {
		for _, path := range written {
			if err != nil {
				_ = os.Remove(path) // the first error is the one that matters
			}
		}
	}()
	for _, f := range o.files {
		if err := create(f); err != nil {
			if errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("%s is there already, and is not overwritten", f.path)
			}
			return err
		}
		written = append(written, f.path)
	}
	return nil
}

func create(f sealed) error {
	out, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.mode)
	if err != nil {
		return err
	}
	_, err = out.Write(f.data)
	if err = errors.Join(err, out.Chmod(f.mode), out.Sync(), out.Close()); err != nil {
		_ = os.Remove(f.path) // half a file
	}
	return err
}
