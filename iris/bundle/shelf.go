package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// adopt enters what an earlier process has left in the directory, the oldest first. The name of a cached file is
// <hash>.<something unique>: a file that is being removed is never in the way of one that takes its place.
func (c *Cache) adopt() error {
	files, err := sweep(c.dir)
	if err != nil {
		return err
	}
	type file struct {
		hash Hash
		path string
		size int64
		time time.Time
	}
	var left []file
	for _, f := range files {
		name, _, _ := strings.Cut(f.Name(), ".")
		h, err := ParseHash(name)
		if err != nil || !f.Type().IsRegular() {
			continue // not ours
		}
		info, err := f.Info()
		if err != nil {
			return err
		}
		left = append(left, file{h, filepath.Join(c.dir, f.Name()), info.Size(), info.ModTime()})
	}
	slices.SortStableFunc(left, func(a, b file) int { return a.time.Compare(b.time) })
	for _, f := range left {
		if c.entries[f.hash] != nil {
			if err := remove(f.path); err != nil {
				return err
			}
			continue
		}
		e := &cached{hash: f.hash, path: f.path, size: f.size, state: found}
		e.idle = c.idle.PushBack(e)
		c.entries[e.hash] = e
		c.size += e.size
	}
	removeAll(c.evict())
	return nil
}

// use counts a user. Called with mu held.
func (c *Cache) use(e *cached) {
	e.users++
	if e.idle != nil {
		c.idle.Remove(e.idle)
		e.idle = nil
	}
}

// forget takes an entry that is on disk off the books. Called with mu held.
func (c *Cache) forget(e *cached) {
	delete(c.entries, e.hash)
	c.size -= e.size
	e.state = dropped
	if e.idle != nil {
		c.idle.Remove(e.idle)
		e.idle = nil
	}
}

// drop forgets an entry whose file is not what it was. It has users, who keep the file until they leave.
func (c *Cache) drop(e *cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries[e.hash] == e {
		c.forget(e)
	}
}

// evict forgets what is too much and returns the files to remove. Called with mu held.
func (c *Cache) evict() (gone []string) {
	for c.size > c.max && c.idle.Len() > 0 {
		e := c.idle.Front().Value.(*cached)
		c.forget(e)
		gone = append(gone, e.path)
	}
	return gone
}

// intact is a cheap look at a file that was verified when it came.
func (e *cached) intact() bool {
	info, err := os.Lstat(e.path)
	return err == nil && info.Mode().IsRegular() && info.Size() == e.size
}

// verify reads a file and reports whether it is h.
func verify(path string, h Hash) (size int64, ok bool) {
	f, err := os.Open(path)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	sum := sha256.New()
	size, err = io.Copy(sum, f)
	return size, err == nil && Hash(hex.EncodeToString(sum.Sum(nil))) == h
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// removeAll has nobody to tell if it fails: whoever caused the eviction has what it wants. A file that stays is
// found, and counted, when the cache is next opened.
func removeAll(paths []string) {
	for _, p := range paths {
		_ = remove(p)
	}
}
