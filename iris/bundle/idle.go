package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// Idle are the archives that nobody has put, opened or asked for since an instant.
func (s *Store) Idle(since time.Time) ([]Hash, error) {
	all, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("reading bundle store: %w", err)
	}
	var idle []Hash
	for _, e := range all {
		h, err := ParseHash(e.Name())
		if err != nil {
			continue // not an archive, or one that is coming in
		}
		old, err := s.idle(h, since)
		if err != nil {
			return nil, fmt.Errorf("reading bundle store: %w", err)
		}
		if old {
			idle = append(idle, h)
		}
	}
	return idle, nil
}

// idle reports whether an archive is there and its file, whose time is that of its last use, older than an instant.
func (s *Store) idle(h Hash, since time.Time) (bool, error) {
	info, err := os.Stat(s.path(h))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && info.ModTime().Before(since), err
}

// RemoveIdle removes an archive, unless it has been put, opened or asked for since, and reports whether it did. Whoever
// has it open can read it to its end.
func (s *Store) RemoveIdle(h Hash, since time.Time) (removed bool, err error) {
	if err := h.check(); err != nil {
		return false, err
	}
	if !s.leave(h) {
		return false, nil
	}
	defer s.left(h)
	if removed, err = s.idle(h, since); removed && err == nil {
		err = os.Remove(s.path(h))
	}
	if err != nil {
		return false, fmt.Errorf("removing bundle %s: %w", h, err)
	}
	return removed, nil
}

// claims are the archives that callers are at now, and those that are being removed: never both.
type claims struct {
	users   map[Hash]int
	leaving map[Hash]chan struct{} // closed when it is gone
}

// claim keeps an archive from being removed until release is called. A removal that has begun is waited for.
func (s *Store) claim(h Hash) (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for gone := s.claims.leaving[h]; gone != nil; gone = s.claims.leaving[h] {
		s.mu.Unlock()
		<-gone
		s.mu.Lock()
	}
	s.claims.users[h]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.claims.users[h]--; s.claims.users[h] == 0 {
			delete(s.claims.users, h)
		}
	}
}

// use notes that a claimed archive is wanted now, if it is there.
func (s *Store) use(h Hash) error {
	now := time.Now()
	return os.Chtimes(s.path(h), now, now)
}

// leave begins a removal, unless somebody is at the archive.
func (s *Store) leave(h Hash) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.claims.users[h] > 0 || s.claims.leaving[h] != nil {
		return false
	}
	s.claims.leaving[h] = make(chan struct{})
	return true
}

// left ends a removal.
func (s *Store) left(h Hash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.claims.leaving[h])
	delete(s.claims.leaving, h)
}
