package auth_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	"iris/iris/auth"
)

func TestInitMakesEverything(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "secrets")
	got, err := auth.Init(dir, auth.Options{Workers: []string{"w-0"}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]os.FileMode{
		"ca.pem": 0o644, "ca-key.pem": 0o600, "tokens": 0o600,
		"controller.pem": 0o644, "controller-key.pem": 0o600, "controller.token": 0o600,
		"worker-w-0.pem": 0o644, "worker-w-0-key.pem": 0o600, "worker-w-0.token": 0o600,
		"user.pem": 0o644, "user-key.pem": 0o600, "user.token": 0o600,
		"admin.pem": 0o644, "admin-key.pem": 0o600, "admin.token": 0o600,
	}
	if diff := cmp.Diff(want, modes(t, dir)); diff != "" {
		t.Error(diff)
	}
	said := got.String()
	for name := range want {
		if !strings.Contains(said, filepath.Join(dir, name)+" ") {
			t.Errorf("it does not say what %s is:\n%s", name, said)
		}
	}
	if len(got) != len(want) || strings.Count(said, "\n") != len(want) || strings.Contains(said, "iris_") {
		t.Errorf("it says:\n%s", said)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory is %v, %v", info.Mode(), err)
	}
}

func modes(t *testing.T, dir string) map[string]os.FileMode {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]os.FileMode{}
	for _, e := range all {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		modes[e.Name()] = info.Mode().Perm()
	}
	return modes
}

func TestInitOverwritesNothing(t *testing.T) {
	for _, there := range []string{"ca.pem", "tokens", "worker.pem"} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, there), "mine")
		_, err := auth.Init(dir, auth.Options{})
		want := fmt.Sprintf("make credentials in %s: %s is there already, and is not overwritten", dir, filepath.Join(dir, there))
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		if diff := cmp.Diff(map[string]os.FileMode{there: 0o600}, modes(t, dir)); diff != "" || content(t, filepath.Join(dir, there)) != "mine" {
			t.Errorf("it left something, or changed it: %s", diff)
		}
	}
}

func TestLifetimes(t *testing.T) {
	inBubble(t, func(b *bench) {
		other := b.path("other")
		made(b.T, other, auth.Options{Valid: 48 * time.Hour, TokensValid: time.Hour})
		day := 24 * time.Hour
		for file, want := range map[string]time.Duration{
			b.path("ca.pem"): 3650 * day, b.path("user.pem"): 365 * day, filepath.Join(other, "worker.pem"): 2 * day,
		} {
			key := strings.TrimSuffix(file, ".pem") + "-key.pem"
			pair, err := tls.LoadX509KeyPair(file, key)
			if err != nil {
				b.Fatal(err)
			}
			if got := time.Until(pair.Leaf.NotAfter); got != want || time.Until(pair.Leaf.NotBefore) != -5*time.Minute {
				b.Errorf("%s is good for %v, want %v", file, got, want)
			}
		}
		short, err := auth.Tokens(filepath.Join(other, "tokens"))
		if err != nil {
			b.Fatal(err)
		}
		for _, token := range append(short, b.listed()...) {
			if end := token.Expires; !end.IsZero() && time.Until(end) != time.Hour || end.IsZero() == slices.ContainsFunc(short, func(s auth.Token) bool { return s.ID == token.ID }) {
				b.Errorf("token %s of %s expires at %v", token.ID, token.Role, token.Expires)
			}
		}
	})
}

func TestIssueRefuses(t *testing.T) {
	dir := t.TempDir()
	made(t, dir, auth.Options{})
	for _, c := range []struct {
		auth.Request
		says string
	}{
		{auth.Request{Role: "root"}, `"root" is not a role; the roles are user, worker, controller, admin`},
		{auth.Request{Role: auth.User, Name: "../ann"}, `the name "../ann" of a user must be 1 to 128 of [a-zA-Z0-9._-] and not only dots`},
		{auth.Request{Role: auth.User, Name: ".."}, `and not only dots`},
		{auth.Request{Role: auth.User}, "user-key.pem is there already, and is not overwritten"},
		{auth.Request{Role: auth.Controller, Name: "c", Hosts: []string{"host:7070"}}, `"host:7070" is not a host: give a name or an IP address, without a port`},
		{auth.Request{Role: auth.Controller, Name: "c", Hosts: []string{""}}, `"" is not a host`},
		{auth.Request{Role: auth.User, Name: "ann", Valid: -1}, "a certificate cannot be valid for -1ns"},
		{auth.Request{Role: auth.User, Name: "ann", Valid: 20 * 365 * 24 * time.Hour}, "and its authority only until"},
	} {
		before := modes(t, dir)
		if _, err := auth.Issue(dir, c.Request); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v, want %s", c.Request, err, c.says)
		}
		if diff := cmp.Diff(before, modes(t, dir)); diff != "" {
			t.Errorf("%+v left something: %s", c.Request, diff)
		}
	}
	if _, err := auth.Issue(t.TempDir(), auth.Request{Role: auth.User}); err == nil || !strings.HasSuffix(err.Error(), "; iris auth init makes one") {
		t.Errorf("without an authority: %v", err)
	}
	must(t, os.Chmod(filepath.Join(dir, "ca-key.pem"), 0o644))
	if _, err := auth.Issue(dir, auth.Request{Role: auth.User, Name: "ann"}); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("with a key for all to see: %v", err)
	}
}

func TestATokensSecretIsNowhereInTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	token, secret, err := auth.AddToken(path, auth.Worker, "w-0", 0)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^iris_worker_[a-z2-7]{52}$`).MatchString(secret) {
		t.Errorf("the secret is %q", secret)
	}
	sum := sha256.Sum256([]byte(secret))
	if token.SHA256 != hex.EncodeToString(sum[:]) || token.ID != token.SHA256[:8] {
		t.Errorf("the token is %+v", token)
	}
	random := strings.TrimPrefix(secret, "iris_worker_")
	for _, text := range []string{content(t, path), fmt.Sprintf("%+v", token)} {
		if strings.Contains(text, random) {
			t.Errorf("the secret is in %s", text)
		}
	}
	line := map[string]any{}
	if err := json.Unmarshal([]byte(content(t, path)), &line); err != nil {
		t.Fatal(err)
	}
	delete(line, "created")
	if diff := cmp.Diff(map[string]any{"id": token.ID, "role": "worker", "name": "w-0", "sha256": token.SHA256}, line); diff != "" {
		t.Error(diff)
	}
	if mode := modes(t, filepath.Dir(path))["tokens"]; mode != 0o600 {
		t.Errorf("its mode is %04o", mode)
	}
}

func TestTokensComeAndGo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	write(t, path, "# ours, without a newline at the end")
	var made []auth.Token
	for _, name := range []string{"ann", "bob", "cid"} {
		token, _, err := auth.AddToken(path, auth.User, name, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, token)
	}
	if _, err := auth.Revoke(path, made[0].ID, "00000000"); err == nil || !strings.Contains(err.Error(), `it has no token with the id "00000000"`) {
		t.Errorf("an unknown id: %v", err)
	}
	if n := len(tokens(t, path)); n != 3 {
		t.Errorf("after a revocation that was refused there are %d tokens", n)
	}
	gone, err := auth.Revoke(path, made[1].ID)
	if err != nil || len(gone) != 1 || gone[0].Name != "bob" {
		t.Errorf("revoked %v, %v", gone, err)
	}
	var left []string
	for _, token := range tokens(t, path) {
		left = append(left, token.Name)
	}
	if diff := cmp.Diff([]string{"ann", "cid"}, left); diff != "" || !strings.HasPrefix(content(t, path), "# ours, without a newline at the end\n") {
		t.Errorf("%s\n%s", diff, content(t, path))
	}
	for _, name := range []string{"a b", "a/b", "."} {
		if _, _, err := auth.AddToken(path, auth.User, name, 0); err == nil {
			t.Errorf("a token for %q was made", name)
		}
	}
	if _, _, err := auth.AddToken(path, auth.User, "ann", -1); err == nil {
		t.Error("a token that was never good was made")
	}
}

func tokens(t *testing.T, path string) []auth.Token {
	t.Helper()
	all, err := auth.Tokens(path)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEditsOfATokensFileTakeTurns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	var all sync.WaitGroup
	const each = 20
	for range 4 {
		all.Go(func() {
			for range each {
				token, _, err := auth.AddToken(path, auth.User, "", 0)
				if err != nil {
					t.Error(err)
					return
				}
				if _, _, err := auth.AddToken(path, auth.Admin, "", 0); err != nil {
					t.Error(err)
				}
				if _, err := auth.Revoke(path, token.ID); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	left := tokens(t, path)
	if len(left) != 4*each || slices.ContainsFunc(left, func(t auth.Token) bool { return t.Role != auth.Admin }) {
		t.Errorf("there are %d tokens, want %d of admins", len(left), 4*each)
	}
	if n := len(modes(t, filepath.Dir(path))); n != 1 {
		t.Errorf("there are %d files", n)
	}
}

func TestABadTokensFileNamesTheLineAndShowsNoSecret(t *testing.T) {
	good := `{"id":"11111111","role":"user","sha256":"` + strings.Repeat("1", 64) + `","created":"2026-01-01T00:00:00Z"}`
	for text, says := range map[string]string{
		good + "\n" + good: "line 2: line 1 has the id 11111111 too",
		"iris_user_secret": "line 1: invalid character 'i' looking for beginning of value",
		"\n# x\n{":         "line 3: unexpected EOF",
		good + good:        "line 1: there must be one token in a line",
		strings.Replace(good, "sha256", "sha1", 1):                  `line 1: json: unknown field "sha1"`,
		strings.Replace(good, "11\",\"created", "1\",\"crea", 1):    `line 1: json: unknown field "crea"`,
		strings.Replace(good, "11\",\"created", "1\",\"created", 1): "line 1: sha256 must be 64 hex digits",
		strings.Replace(good, `"user"`, `"root"`, 1):                `line 1: "root" is not a role`,
		strings.Replace(good, `"11111111"`, `""`, 1):                "line 1: it has no id",
	} {
		path := filepath.Join(t.TempDir(), "tokens")
		write(t, path, text)
		_, err := auth.Tokens(path)
		if err == nil || !strings.Contains(err.Error(), path+", "+says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, says)
		}
		if _, err := auth.Server(auth.Config{Tokens: path}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("a server starts with %s: %v", text, err)
		}
	}
}

// A start with files that are missing, wrong or open to others is refused.
func TestAStartWithBadFilesIsRefused(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.issued(auth.Request{Role: auth.Controller, Name: "short", Hosts: []string{host}, Valid: time.Hour})
		time.Sleep(2 * time.Hour)
		other := b.path("other")
		made(b.T, other, auth.Options{})
		for name, mode := range map[string]os.FileMode{"open.pem": 0o600, "open-key.pem": 0o640, "open.token": 0o604, "open-ca.pem": 0o666} {
			from := map[string]string{"open.pem": "controller.pem", "open-key.pem": "controller-key.pem", "open.token": "user.token", "open-ca.pem": "ca.pem"}[name]
			write(b.T, b.path(name), content(b.T, b.path(from)))
			must(b.T, os.Chmod(b.path(name), mode))
		}
		write(b.T, b.path("not-a.token"), "hunter2")
		in := func(c auth.Config) auth.Config {
			for _, path := range []*string{&c.CA, &c.Cert, &c.Key, &c.Tokens, &c.Token, &c.Revoked} {
				if *path != "" {
					*path = b.path(*path)
				}
			}
			return c
		}
		for name, c := range map[string]struct {
			auth.Config
			server, client string // what each says; empty: it starts
		}{
			"a certificate without its key": {auth.Config{CA: "ca.pem", Cert: "controller.pem"},
				"a certificate needs its key, and a key its certificate: give both files or neither",
				"a certificate needs its key, and a key its certificate: give both files or neither"},
			"a certificate that lets everybody in": {auth.Config{Cert: "controller.pem", Key: "controller-key.pem"},
				"a certificate alone lets everybody in: give the authorities of clients' certificates too, or tokens",
				"a certificate is of no use without the authority whose servers it is for: give both"},
			"a user's certificate": {auth.Config{CA: "ca.pem", Cert: "user.pem", Key: "user-key.pem"},
				"user.pem is for role user; a server needs the certificate of a controller or a worker", ""},
			"an expired certificate": {auth.Config{CA: "ca.pem", Cert: "controller-short.pem", Key: "controller-short-key.pem"},
				"controller-short.pem expired at 2000-01-01T01:00:00Z; make another with: iris auth issue",
				"controller-short.pem expired at 2000-01-01T01:00:00Z; make another with: iris auth issue"},
			"a key for all to see": {auth.Config{CA: "ca.pem", Cert: "open.pem", Key: "open-key.pem"},
				"open-key.pem holds secrets and others than its owner may use it (mode 0640); run: chmod 600 " + b.path("open-key.pem"),
				"open-key.pem holds secrets and others than its owner may use it (mode 0640); run: chmod 600 " + b.path("open-key.pem")},
			"an authority that anybody may write": {auth.Config{CA: "open-ca.pem", Cert: "controller.pem", Key: "controller-key.pem"},
				"open-ca.pem says whom to trust and anybody may write it (mode 0666)", "open-ca.pem says whom to trust"},
			"an authority that is none": {auth.Config{CA: "user.pem", Cert: "controller.pem", Key: "controller-key.pem"},
				"user.pem has a certificate that is not an authority's", "user.pem has a certificate that is not an authority's"},
			"a missing file": {auth.Config{CA: "no.pem", Cert: "controller.pem", Key: "controller-key.pem"},
				"no.pem: no such file or directory", "no.pem: no such file or directory"},
			"a token for all to see":                {auth.Config{Token: "open.token"}, "", "open.token holds secrets"},
			"a token that is not one":               {auth.Config{Token: "not-a.token"}, "", "not-a.token does not hold a token, which is one line that begins with iris_"},
			"a list of the revoked that is missing": {auth.Config{Tokens: "tokens", Revoked: "no"}, "no: no such file or directory", ""},
		} {
			_, server := auth.Server(in(c.Config))
			_, client := auth.Dial(in(c.Config))
			for who, pair := range map[string]struct {
				got  error
				want string
			}{"server": {server, c.server}, "client": {client, c.client}} {
				if (pair.got == nil) != (pair.want == "") || pair.got != nil && !strings.Contains(pair.got.Error(), pair.want) {
					b.Errorf("%s, %s:\ngot  %v\nwant %s", name, who, pair.got, pair.want)
				}
				if pair.got != nil && strings.Contains(pair.got.Error(), "hunter2") {
					b.Errorf("%s, %s: the error has the secret: %v", name, who, pair.got)
				}
			}
		}
	})
}

func TestACertificateThatEndsSoonIsWarnedOf(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.issued(auth.Request{Role: auth.Controller, Hosts: []string{host}, Valid: 15 * 24 * time.Hour, Replace: true})
		if _, err := auth.Server(b.mutual()); err != nil || b.log.String() != "" {
			b.Errorf("two weeks before: %v, %s", err, b.log)
		}
		time.Sleep(25 * time.Hour)
		if _, err := auth.Server(b.mutual()); err != nil || !strings.Contains(b.log.String(), "the certificate expires soon") {
			b.Errorf("the day after: %v, %s", err, b.log)
		}
	})
}

// The whole hash counts, not the part of it by which tokens are found.
func TestATokenWhoseHashBeginsTheSameIsNotTaken(t *testing.T) {
	inBubble(t, func(b *bench) {
		token, path := b.newToken(auth.User, "near", 0), b.path("other-tokens")
		near := token.SHA256[:62] + map[bool]string{true: "00", false: "11"}[!strings.HasSuffix(token.SHA256, "00")]
		write(b.T, path, strings.Replace(content(b.T, b.path("tokens")), token.SHA256, near, 1))
		b.serve(auth.Config{Tokens: path, Log: b.logger()})
		wantAbout(b.T, call(b.T, b.dial(b.token("near-user", false)), launch), codes.Unauthenticated, "the token is not known here")
		wantOK(b.T, call(b.T, b.dial(b.token("user", false)), launch))
	})
}

// Hashes are compared in constant time, and nowhere with == or bytes.Equal.
func TestHashesAreComparedInConstantTime(t *testing.T) {
	files := token.NewFileSet()
	source, err := parser.ParseFile(files, "tokens.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	constant := 0
	ast.Inspect(source, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			for _, side := range []ast.Expr{n.X, n.Y} {
				if s, ok := side.(*ast.SelectorExpr); ok && (s.Sel.Name == "hash" || s.Sel.Name == "SHA256") {
					t.Errorf("%s compares a hash with %s", files.Position(n.Pos()), n.Op)
				}
			}
		case *ast.SelectorExpr:
			switch n.Sel.Name {
			case "ConstantTimeCompare":
				constant++
			case "Equal", "Compare":
				t.Errorf("%s compares with %s", files.Position(n.Pos()), n.Sel.Name)
			}
		}
		return true
	})
	if constant != 1 {
		t.Errorf("ConstantTimeCompare is used %d times, want once", constant)
	}
}
