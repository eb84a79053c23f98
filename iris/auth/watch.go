package auth

import (
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// lookEvery is the pause between two looks at whether a file has changed.
const lookEvery = time.Second

// maxFile bounds what is read of one file, in bytes.
const maxFile = 16 << 20

// watched is what some files say. It is read again when one of them has changed. Nobody waits for a lock: whoever comes
// first after the pause looks, all others use what was read last. A nil one has no files, and the zero value.
type watched[T any] struct {
	paths []string
	read  func([]file) (T, error)
	log   *slog.Logger

	value   atomic.Pointer[T]
	began   time.Time
	checked atomic.Int64 // since began: the time of day may jump
	busy    atomic.Bool  // held by whoever looks
	seen    []fs.FileInfo
}

// file is a file as it was read.
type file struct {
	path string
	data []byte
	info fs.FileInfo
}

// watch reads the files for the first time; with an error nothing is watched. No paths at all: nil.
func watch[T any](log *slog.Logger, read func([]file) (T, error), paths ...string) (*watched[T], error) {
	if strings.Join(paths, "") == "" {
		return nil, nil
	}
	w := &watched[T]{paths: paths, read: read, log: log, began: time.Now()}
	seen, err := w.stat()
	if err != nil {
		return nil, err
	}
	w.seen = seen
	value, err := w.load()
	if err != nil {
		return nil, err
	}
	w.value.Store(&value)
	return w, nil
}

// get is what the files said when they were read last.
func (w *watched[T]) get() (value T) {
	if w == nil {
		return value
	}
	return *w.value.Load()
}

// due reports whether it is time to look at the files.
func (w *watched[T]) due() bool {
	return w != nil && time.Since(w.began)-time.Duration(w.checked.Load()) >= lookEvery
}

// refresh looks at the files if it is time to, and reads them if they have changed. It does I/O.
func (w *watched[T]) refresh() {
	if !w.due() || !w.busy.CompareAndSwap(false, true) {
		return
	}
	defer w.busy.Store(false)
	defer func() { w.checked.Store(int64(time.Since(w.began))) }()
	now, err := w.stat() // before the contents: what changes meanwhile is seen the next time
	if err == nil && same(w.seen, now) {
		return
	}
	if err != nil && w.seen == nil {
		return // said already
	}
	w.seen = now
	var value T
	if err == nil {
		value, err = w.load()
	}
	if err != nil {
		w.log.Error("changed credentials are not used; those read before stay", "files", w.paths, "error", err)
		return
	}
	w.value.Store(&value)
	w.log.Info("credentials read again", "files", w.paths)
}

func (w *watched[T]) stat() ([]fs.FileInfo, error) {
	infos := make([]fs.FileInfo, len(w.paths))
	for i, path := range w.paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		infos[i] = info
	}
	return infos, nil
}

func same(before, now []fs.FileInfo) bool {
	if len(before) != len(now) {
		return false
	}
	for i := range now {
		a, b := before[i], now[i]
		if !os.SameFile(a, b) || a.Size() != b.Size() || !a.ModTime().Equal(b.ModTime()) || a.Mode() != b.Mode() {
			return false
		}
	}
	return true
}

func (w *watched[T]) load() (value T, err error) {
	files := make([]file, len(w.paths))
	for i, path := range w.paths {
		if files[i], err = open(path); err != nil {
			return value, err
		}
	}
	return w.read(files)
}

func open(path string) (file, error) {
	f, err := os.Open(path)
	if err != nil {
		return file{}, err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return file{}, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("it has more than %d bytes", maxFile)
	}
	if err != nil {
		return file{}, fmt.Errorf("read %s: %w", path, err)
	}
	return file{path, data, info}, nil
}

// private refuses a file with a secret that others than its owner can read.
func (f file) private() error {
	if mode := f.info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%s holds secrets and others than its owner may use it (mode %04o); run: chmod 600 %s",
			f.path, mode, f.path)
	}
	return nil
}

// unwritable refuses a file that anybody could replace.
func (f file) unwritable() error {
	if mode := f.info.Mode().Perm(); mode&0o002 != 0 {
		return fmt.Errorf("%s says whom to trust and anybody may write it (mode %04o); run: chmod 644 %s",
			f.path, mode, f.path)
	}
	return nil
}
