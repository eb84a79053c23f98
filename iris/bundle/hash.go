package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// Hash names an archive: its SHA-256 in lower-case hexadecimal, 64 characters.
type Hash string

var (
	// ErrHashMismatch is wrapped when the bytes that arrived are not those that were asked for.
	ErrHashMismatch = errors.New("the content does not have the hash it should have")

	errBadHash = errors.New("not a SHA-256 in 64 lower-case hexadecimal digits")
)

// Of returns the hash of b.
func Of(b []byte) Hash {
	sum := sha256.Sum256(b)
	return Hash(hex.EncodeToString(sum[:]))
}

// ParseHash accepts what Hash promises and nothing else, so that a Hash can be a file's name.
func ParseHash(s string) (Hash, error) {
	valid := len(s) == 2*sha256.Size
	for i := 0; valid && i < len(s); i++ {
		valid = '0' <= s[i] && s[i] <= '9' || 'a' <= s[i] && s[i] <= 'f'
	}
	if !valid {
		return "", fmt.Errorf("bundle hash %.80q: %w", s, errBadHash)
	}
	return Hash(s), nil
}

func (h Hash) check() error {
	_, err := ParseHash(string(h))
	return err
}
