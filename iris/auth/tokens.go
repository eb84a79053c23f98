package auth

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Token is a line of a tokens file, in JSON: what a server knows of a token that it accepts. Lines that are empty or
// begin with # do not count.
//
// The secret itself, "iris_<role>_<52 letters and digits>", is nowhere but with its owner. Its random part has 256
// bits, so that one SHA-256 is enough to hide it: a slow hash makes guessing dear where there are few guesses, as with
// passwords, and here there are 2^256. It would only make every call dear.
type Token struct {
	// ID is for people: the first 8 digits of the hash.
	ID   string `json:"id"`
	Role Role   `json:"role"`
	// Name is the worker id it is bound to, or the user's name. Empty: any.
	Name    string    `json:"name,omitempty"`
	SHA256  string    `json:"sha256"`
	Created time.Time `json:"created"`
	// Expires is when it ends to be good. Zero: never.
	Expires time.Time `json:"expires,omitzero"`

	hash [sha256.Size]byte
}

const (
	secretPrefix = "iris_"
	secretBytes  = 32
	maxSecret    = 256 // characters of what is presented; a token has fewer
	idLength     = 8
)

var secretEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newToken makes a token and its secret.
func newToken(role Role, name string, valid time.Duration) (Token, string, error) {
	if err := checkName(role, name); err != nil {
		return Token{}, "", err
	}
	if valid < 0 {
		return Token{}, "", fmt.Errorf("a token cannot be valid for %v", valid)
	}
	random := make([]byte, secretBytes)
	_, _ = rand.Read(random) // never fails
	secret := secretPrefix + string(role) + "_" + secretEncoding.EncodeToString(random)
	now := time.Now().UTC().Truncate(time.Second)
	t := Token{Role: role, Name: name, Created: now, hash: sha256.Sum256([]byte(secret))}
	t.SHA256 = hex.EncodeToString(t.hash[:])
	t.ID = t.SHA256[:idLength]
	if valid > 0 {
		t.Expires = t.Created.Add(valid)
	}
	return t, secret, nil
}

// check completes a token that was read from a file, or says what is wrong with it.
func (t *Token) check() error {
	sum, err := hex.DecodeString(t.SHA256)
	if err != nil || len(sum) != sha256.Size {
		return errors.New("sha256 must be 64 hex digits")
	}
	copy(t.hash[:], sum)
	if t.ID == "" {
		return errors.New("it has no id")
	}
	return checkName(t.Role, t.Name)
}

func (t Token) identity() Identity {
	return Identity{Role: t.Role, Name: t.Name, Credential: "token " + t.ID}
}

// expired says so, or is nil.
func (t Token) expired(now time.Time) error {
	if !t.Expires.IsZero() && !now.Before(t.Expires) {
		return fmt.Errorf("token %s expired at %s; make another with: iris auth token",
			t.ID, t.Expires.UTC().Format(time.RFC3339))
	}
	return nil
}

// tokenTable finds tokens by the first bytes of their hashes. How long that takes tells an attacker nothing that helps:
// nobody can aim at a hash. Whether the token is the one is compared in constant time all the same.
type tokenTable map[[8]byte][]Token

func (t tokenTable) find(secret string) (Token, bool) {
	if len(secret) > maxSecret {
		return Token{}, false
	}
	sum := sha256.Sum256([]byte(secret))
	for _, known := range t[[8]byte(sum[:8])] {
		if subtle.ConstantTimeCompare(sum[:], known.hash[:]) == 1 {
			return known, true
		}
	}
	return Token{}, false
}

func readTokens(files []file) (tokenTable, error) {
	if err := files[0].private(); err != nil {
		return nil, err
	}
	all, err := parseTokens(files[0])
	if err != nil {
		return nil, err
	}
	table := tokenTable{}
	for _, t := range all {
		key := [8]byte(t.hash[:8])
		table[key] = append(table[key], t)
	}
	return table, nil
}

// parseTokens reads a tokens file. Its errors name the line and do not show it.
func parseTokens(f file) ([]Token, error) {
	var all []Token
	lineOf := map[string]int{} // by id
	lines := bufio.NewScanner(bytes.NewReader(f.data))
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		var t Token
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.DisallowUnknownFields()
		err := decoder.Decode(&t)
		if err == nil && decoder.More() {
			err = errors.New("there must be one token in a line")
		}
		if err == nil {
			err = t.check()
		}
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", f.path, n, err)
		}
		if earlier := lineOf[t.ID]; earlier > 0 {
			return nil, fmt.Errorf("%s, line %d: line %d has the id %s too", f.path, n, earlier, t.ID)
		}
		lineOf[t.ID] = n
		all = append(all, t)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	return all, nil
}

// Tokens lists the tokens of a file, in its order.
func Tokens(path string) ([]Token, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	return parseTokens(f)
}

// AddToken makes a token for a role, and appends it to a tokens file, which is made if need be. Name binds a worker's
// token to a worker id, or says which user's it is; it may be empty. A token without an end has valid 0. The secret is
// returned here and kept nowhere.
func AddToken(path string, role Role, name string, valid time.Duration) (Token, string, error) {
	made, secret, err := newToken(role, name, valid)
	if err != nil {
		return Token{}, "", err
	}
	err = edit(path, func(old []byte) ([]byte, error) {
		if len(old) > 0 && old[len(old)-1] != '\n' {
			old = append(old, '\n')
		}
		return append(old, made.line()...), nil
	})
	if err != nil {
		return Token{}, "", fmt.Errorf("add a token to %s: %w", path, err)
	}
	return made, secret, nil
}

func (t Token) line() []byte {
	line, err := json.Marshal(t)
	if err != nil {
		panic(err) // a struct of texts and times
	}
	return append(line, '\n')
}

// Revoke takes tokens out of a tokens file, by their ids. Servers refuse them within about a second. It returns those
// taken out; an id that the file does not have is an error, and then nothing changes.
func Revoke(path string, ids ...string) ([]Token, error) {
	var revoked []Token
	err := edit(path, func(old []byte) ([]byte, error) {
		all, err := parseTokens(file{path: path, data: old})
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			i := slices.IndexFunc(all, func(t Token) bool { return t.ID == id })
			if i < 0 {
				return nil, fmt.Errorf("it has no token with the id %q", id)
			}
			revoked = append(revoked, all[i])
		}
		var kept []byte
		for line := range bytes.Lines(old) {
			var t Token
			gone := json.Unmarshal(line, &t) == nil && slices.Contains(ids, t.ID)
			if !gone {
				kept = append(kept, line...)
			}
		}
		return kept, nil
	})
	if err != nil {
		return nil, fmt.Errorf("revoke tokens of %s: %w", path, err)
	}
	return revoked, nil
}

// edit replaces a private file as a whole, so that a server never reads half of it. Two edits at once take turns.
func edit(path string, change func(old []byte) ([]byte, error)) (err error) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }() // gives the lock back
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", filepath.Dir(path), err)
	}
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	changed, err := change(old)
	if err != nil {
		return err
	}
	if err := replace(path, changed, 0o600); err != nil {
		return err
	}
	return dir.Sync()
}

// replace writes a file beside and renames it.
func replace(path string, data []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the first error is the one that matters
	}
	return err
}

// readSecret reads the file of a client's token. Its errors do not show it.
func readSecret(files []file) (string, error) {
	if err := files[0].private(); err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(files[0].data))
	if !strings.HasPrefix(secret, secretPrefix) || len(secret) > maxSecret || strings.ContainsFunc(secret, unprintable) {
		return "", fmt.Errorf("%s does not hold a token, which is one line that begins with %s", files[0].path, secretPrefix)
	}
	return secret, nil
}

func unprintable(r rune) bool { return r <= ' ' || r > '~' }
