package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// incoming starts the names of files that are not verified yet.
const incoming = "incoming-"

// intake lets fill write a new file in dir and returns the file if it is want and has at most limit bytes. The
// file is named incoming-<hash>.<something unique>. On an error nothing is left.
func intake(dir string, want Hash, limit int64, fill func(w io.Writer) error) (
	path string, size int64, err error,
) {
	f, err := os.CreateTemp(dir, incoming+string(want)+".*")
	if err != nil {
		return "", 0, err
	}
	in := &intakeWriter{file: f, sum: sha256.New(), left: limit, limit: limit}
	err = fill(in)
	if in.err != nil {
		err = in.err // the cause; fill may have reworded it
	}
	size = limit - in.left
	if got := Hash(hex.EncodeToString(in.sum.Sum(nil))); err == nil && got != want {
		err = fmt.Errorf("%w: %d bytes with the hash %s", ErrHashMismatch, size, got)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", 0, errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), size, nil
}

type intakeWriter struct {
	file  *os.File
	sum   hash.Hash
	left  int64
	limit int64
	err   error // the first failure; it stays
}

func (w *intakeWriter) Write(p []byte) (int, error) {
	if w.err == nil && int64(len(p)) > w.left {
		w.err = tooLarge("more than %d bytes arrive", w.limit)
	}
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.file.Write(p)
	w.sum.Write(p[:n])
	w.left -= int64(n)
	w.err = err
	return n, err
}

// sweep removes what an earlier process did not finish, and returns the other entries of dir.
func sweep(dir string) ([]os.DirEntry, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	all, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var kept []os.DirEntry
	for _, e := range all {
		if !strings.HasPrefix(e.Name(), incoming) {
			kept = append(kept, e)
		} else if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return nil, err
		}
	}
	return kept, nil
}
