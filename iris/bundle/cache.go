package bundle

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Cache keeps the archives a worker has downloaded, up to a number of bytes. It is safe for concurrent use, by
// one process at a time, and works inside a testing/synctest bubble.
type Cache struct {
	dir string
	max int64

	mu      sync.Mutex // never held during I/O or a wait
	entries map[Hash]*cached
	idle    *list.List // the *cached that nobody uses, the least recently used first
	size    int64      // bytes of all entries that are on disk
}

// cached is an archive that is on disk, or on its way.
type cached struct {
	hash   Hash
	ready  chan struct{}      // closed when path, size and err are final
	cancel context.CancelFunc // ends the download

	path string
	size int64
	err  error

	// Guarded by Cache.mu:
	state state
	users int           // callers of Get that have not left yet
	idle  *list.Element // its place in Cache.idle; nil while it has users
}

type state int

const (
	coming  state = iota // a goroutine brings it
	present              // on disk, verified and counted
	found                // on disk and counted, left by an earlier process, not verified yet
	dropped              // no longer counted; the last user removes the file, if there is one
)

// NewCache opens the cache in dir and makes dir if need be. Archives that an earlier process left there are
// used again, once their hash has been verified. Beyond maxBytes those that are not in use are removed, the least
// recently used first; archives in use may exceed it together, but a single one that does is refused (ErrLimit).
func NewCache(dir string, maxBytes int64) (*Cache, error) {
	if maxBytes <= 0 {
		return nil, fmt.Errorf("opening bundle cache %s: its size is %d bytes, it must be positive", dir, maxBytes)
	}
	c := &Cache{dir: dir, max: maxBytes, entries: make(map[Hash]*cached), idle: list.New()}
	if err := c.adopt(); err != nil {
		return nil, fmt.Errorf("opening bundle cache: %w", err)
	}
	return c, nil
}

// Get returns the path of the archive h, which stays there until release is called. If the cache does not have
// it, fetch is to write it. Callers who want the same archive at the same time share one fetch, which gets the
// values of the first one's context but not its end: when ctx ends, this caller leaves with its error, and only
// when no caller is left is the context of fetch cancelled. The last one waits until fetch has returned.
//
// What fetch has written is verified: an error may wrap ErrHashMismatch or ErrLimit. Errors are not kept, the
// next Get tries again. release may be called more than once, and is nil if there is an error.
func (c *Cache) Get(ctx context.Context, h Hash, fetch func(ctx context.Context, w io.Writer) error) (
	path string, release func(), err error,
) {
	if err := h.check(); err != nil {
		return "", nil, err
	}
	for range 2 {
		e, err := c.join(ctx, h, fetch)
		if err != nil {
			return "", nil, fmt.Errorf("fetching bundle %s: %w", h, err)
		}
		if e.intact() {
			return e.path, sync.OnceFunc(func() { c.leave(e) }), nil
		}
		c.drop(e)
		c.leave(e)
	}
	return "", nil, fmt.Errorf("bundle %s keeps changing on disk: does another process use %s?", h, c.dir)
}

// join makes the caller a user of the entry for h and returns when it is on disk.
func (c *Cache) join(ctx context.Context, h Hash, fetch func(context.Context, io.Writer) error) (*cached, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	e := c.entries[h]
	switch {
	case e == nil:
		e = c.begin(ctx, h, "", fetch)
	case e.state == found:
		c.forget(e)
		e = c.begin(ctx, h, e.path, fetch)
	}
	c.use(e)
	c.mu.Unlock()

	var err error
	select {
	case <-e.ready:
		err = e.err
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		c.leave(e)
		return nil, err
	}
	return e, nil
}

// leave ends one caller's use. The last one cancels a download that has become pointless and waits for its end.
func (c *Cache) leave(e *cached) {
	c.mu.Lock()
	e.users--
	last, state := e.users == 0, e.state
	var gone []string
	switch {
	case !last:
	case state == coming:
		delete(c.entries, e.hash) // who comes now starts anew
	case state == present:
		e.idle = c.idle.PushBack(e)
		gone = c.evict()
	case state == dropped && e.err == nil:
		gone = append(gone, e.path)
	}
	c.mu.Unlock()
	removeAll(gone)
	if last && state == coming {
		e.cancel()
		<-e.ready
	}
}

// begin starts to bring h, from the file old if there is one. Called with mu held. The goroutine ends when fetch
// does, and the last user does not leave before.
func (c *Cache) begin(
	ctx context.Context, h Hash, old string, fetch func(context.Context, io.Writer) error,
) *cached {
	loading, cancel := context.WithCancel(context.WithoutCancel(ctx))
	e := &cached{hash: h, ready: make(chan struct{}), cancel: cancel}
	c.entries[h] = e
	go func() {
		defer cancel()
		defer close(e.ready)
		e.path, e.size, e.err = c.bring(loading, h, old, fetch)
		c.brought(e)
	}()
	return e
}

// bring makes sure that h is on disk.
func (c *Cache) bring(
	ctx context.Context, h Hash, old string, fetch func(context.Context, io.Writer) error,
) (path string, size int64, err error) {
	if old != "" {
		if size, ok := verify(old, h); ok {
			return old, size, nil
		}
		if err := remove(old); err != nil {
			return "", 0, err
		}
	}
	file, size, err := intake(c.dir, h, c.max, func(w io.Writer) error { return fetch(ctx, w) })
	if err != nil {
		return "", 0, err
	}
	path = filepath.Join(c.dir, strings.TrimPrefix(filepath.Base(file), incoming))
	if err := os.Rename(file, path); err != nil {
		return "", 0, errors.Join(err, os.Remove(file))
	}
	return path, size, nil
}

// brought enters the outcome of bring, unless everybody who wanted it has left.
func (c *Cache) brought(e *cached) {
	c.mu.Lock()
	wanted := c.entries[e.hash] == e
	var gone []string
	switch {
	case e.err == nil && wanted:
		e.state = present
		c.size += e.size
		gone = c.evict()
	case e.err == nil:
		e.state = dropped
		gone = append(gone, e.path)
	default:
		e.state = dropped
		if wanted {
			delete(c.entries, e.hash)
		}
	}
	c.mu.Unlock()
	removeAll(gone)
}
