package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// ErrNotFound is wrapped when a store has no archive of that hash.
var ErrNotFound = errors.New("no such bundle")

// Store keeps archives in a directory, each in a file that is named by its hash. It is safe for concurrent use,
// by one process at a time.
type Store struct {
	dir    string
	limits Limits

	mu     sync.Mutex // never held during I/O or a wait
	claims claims
}

// NewStore opens the store in dir and makes dir if need be. Of the limits, Archive counts.
func NewStore(dir string, l Limits) (*Store, error) {
	if _, err := sweep(dir); err != nil {
		return nil, fmt.Errorf("opening bundle store: %w", err)
	}
	return &Store{dir: dir, limits: l, claims: claims{users: map[Hash]int{}, leaving: map[Hash]chan struct{}{}}}, nil
}

// Put keeps what r holds under the hash want, so that it survives a crash of the machine once Put has returned
// nil. It verifies while it reads: other content is ErrHashMismatch, too much of it ErrLimit, and nothing is
// left of either. If the store has want already, r is not read. ctx is looked at before each read; a read that
// waits is r's to end.
func (s *Store) Put(ctx context.Context, want Hash, r io.Reader) error {
	if err := s.put(ctx, want, r); err != nil {
		return fmt.Errorf("storing bundle %.80s: %w", want, err)
	}
	return nil
}

func (s *Store) put(ctx context.Context, want Hash, r io.Reader) error {
	if err := want.check(); err != nil {
		return err
	}
	defer s.claim(want)()
	if s.use(want) == nil {
		return nil
	}
	file, _, err := intake(s.dir, want, s.limits.Archive, func(w io.Writer) error {
		_, err := io.Copy(w, readerWithin{ctx, r})
		return err
	})
	if err != nil {
		return err
	}
	err = flush(file)
	if err == nil {
		err = os.Rename(file, s.path(want))
	}
	if err != nil {
		return errors.Join(err, os.Remove(file))
	}
	return errors.Join(s.use(want), flush(s.dir))
}

// Open returns the archive and its size in bytes. The error wraps ErrNotFound if the store does not have it.
func (s *Store) Open(h Hash) (io.ReadCloser, int64, error) {
	if err := h.check(); err != nil {
		return nil, 0, err
	}
	defer s.claim(h)()
	if err := s.use(h); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fmt.Errorf("opening bundle: %w", err)
	}
	f, err := os.Open(s.path(h))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fmt.Errorf("bundle %s: %w", h, ErrNotFound)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("opening bundle: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("opening bundle: %w", err), f.Close())
	}
	return f, info.Size(), nil
}

// Has reports whether the store has the archive.
func (s *Store) Has(h Hash) bool {
	if h.check() != nil {
		return false
	}
	defer s.claim(h)()
	return s.use(h) == nil
}

func (s *Store) path(h Hash) string { return filepath.Join(s.dir, string(h)) }

// flush brings a file, or the names in a directory, to the disk.
func flush(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// readerWithin stops reading when its context has ended.
type readerWithin struct {
	ctx  context.Context
	from io.Reader
}

func (r readerWithin) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.from.Read(p)
}
