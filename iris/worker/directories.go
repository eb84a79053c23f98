package worker

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// directories are where attempts without a workspace work: each in one of its own, which is empty when it begins. One that
// it leaves empty, as most do, is used again. To make or to remove one is a change of the file system, and waits for
// whoever else keeps the disk busy, such as a controller's log; to look whether it is empty does not.
type directories struct {
	root string

	mu    sync.Mutex
	empty []string
	next  int // the number of the next one
}

// emptyMost is how many empty directories are kept.
const emptyMost = 256

// take finds or makes an empty directory.
func (d *directories) take() (string, error) {
	for dir := d.pop(); dir != ""; dir = d.pop() {
		if isEmpty(dir) {
			return dir, nil
		}
		if err := os.RemoveAll(dir); err != nil { // a process that escaped from its attempt was here
			return "", err
		}
	}
	for {
		dir := filepath.Join(d.root, strconv.Itoa(d.number()))
		err := os.Mkdir(dir, 0o700)
		switch {
		case err == nil:
			return dir, nil
		case errors.Is(err, fs.ErrExist): // of an earlier process
		default:
			if again := os.MkdirAll(d.root, 0o700); again != nil {
				return "", again
			}
			return dir, os.Mkdir(dir, 0o700)
		}
	}
}

// give takes a directory back: an empty one for another attempt, others, and those that had a workspace, to remove them.
func (d *directories) give(dir string) error {
	if _, err := strconv.Atoi(filepath.Base(dir)); err == nil && isEmpty(dir) && d.push(dir) {
		return nil
	}
	return remove(dir)
}

func remove(dir string) error {
	if syscall.Rmdir(dir) == nil {
		return nil
	}
	return os.RemoveAll(dir)
}

func (d *directories) pop() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.empty) == 0 {
		return ""
	}
	dir := d.empty[len(d.empty)-1]
	d.empty = d.empty[:len(d.empty)-1]
	return dir
}

func (d *directories) push(dir string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.empty) == emptyMost {
		return false
	}
	d.empty = append(d.empty, dir)
	return true
}

func (d *directories) number() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next++
	return d.next
}

// avoid has numbers up to n used no more.
func (d *directories) avoid(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next = max(d.next, n)
}

// clear removes the empty ones.
func (d *directories) clear() error {
	var errs []error
	for dir := d.pop(); dir != ""; dir = d.pop() {
		errs = append(errs, remove(dir))
	}
	return errors.Join(errs...)
}

// isEmpty reports whether a directory is as it was made.
func isEmpty(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || info.Mode().Perm() != 0o700 {
		return false
	}
	f, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer f.Close()
	_, err = f.Readdirnames(1)
	return errors.Is(err, io.EOF)
}
