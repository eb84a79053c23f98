package keeper

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// An attempt's log is at most two files, its segments, whose names end in .a and .b. A segment begins with a line that
// says how many lines of the attempt were before it. Each line after that is a time, a stream and a text:
//
//	first 20000
//	2026-01-02T15:04:05.123456789Z stdout step 7 of 9
//
// When the newer segment is full, the older one is replaced. So the last segmentLines lines, or segmentBytes of them, are
// always there, and twice of that at the most.
const (
	segmentLines = 10_000
	segmentBytes = 4 << 20
)

// segment is the path of an attempt's nth segment, which takes the place of the one before the last.
func segment(dir, uid string, n int) string {
	return filepath.Join(dir, url.PathEscape(uid)+"."+string("ab"[n%2]))
}

// logFile writes the log of one attempt. It begins with the first line: one that writes nothing has no file.
//
// Writing happens under a lock, which is this attempt's own: it keeps the lines of its two streams apart.
type logFile struct {
	dir, uid string

	mu     sync.Mutex
	file   *os.File // the newer segment; nil if there is none
	n      int      // segments begun
	lines  int64    // written, over all segments
	held   int      // of them, those in the newer segment
	size   int64    // of the newer segment
	before int64    // size of the older segment
	lost   int64    // lines since the last one that could be written
	cause  error    // why
	closed bool
	line   []byte // being put together

	replaces bool // the log of another attempt that had the same uid
}

// add writes a line, or counts it as lost.
func (l *logFile) add(stream, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	if l.lost > 0 && !l.confess() || !l.put(stream, text) {
		l.lost++
	}
}

// confess says how many lines were lost, once that can be written.
func (l *logFile) confess() bool {
	cause := l.cause
	if errno := syscall.Errno(0); errors.As(cause, &errno) {
		cause = errno // without the path: it says nothing to who reads the log
	}
	if !l.put("iris", fmt.Sprintf("[%d lines lost: %v]", l.lost, cause)) {
		return false
	}
	l.lost = 0
	return true
}

// put writes a line whole, or not at all.
func (l *logFile) put(stream, text string) bool {
	if l.file == nil || l.held >= segmentLines || l.size >= segmentBytes {
		if l.cause = l.turn(); l.cause != nil {
			return false
		}
	}
	l.line = time.Now().UTC().AppendFormat(l.line[:0], time.RFC3339Nano)
	l.line = append(append(append(l.line, ' '), stream...), ' ')
	l.line = append(append(l.line, text...), '\n')
	if l.cause = l.write(l.line); l.cause != nil {
		return false
	}
	l.lines++
	l.held++
	return true
}

func (l *logFile) write(text []byte) error {
	n, err := l.file.WriteAt(text, l.size) // what was written of a line that did not fit is written over
	if err != nil {
		if n > 0 {
			err = errors.Join(err, l.file.Truncate(l.size))
		}
		return err
	}
	l.size += int64(n)
	return nil
}

// turn begins the next segment.
func (l *logFile) turn() error {
	path, old := segment(l.dir, l.uid, l.n), []int{l.n}
	if l.n == 0 {
		old = append(old, 1) // an attempt of that uid may have been here, in another life of the cluster
	}
	for _, n := range old { // who reads it may go on doing so
		switch err := os.Remove(segment(l.dir, l.uid, n)); {
		case err == nil:
			l.replaces = l.replaces || l.n == 0
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := file.WriteString("first " + strconv.FormatInt(l.lines, 10) + "\n"); err != nil {
		return errors.Join(err, file.Close(), os.Remove(path))
	}
	size, err := file.Seek(0, 1)
	if err != nil {
		return errors.Join(err, file.Close(), os.Remove(path))
	}
	if l.file != nil {
		_ = l.file.Close() // every line in it has been written
	}
	l.before = l.size
	l.file, l.held, l.size = file, 0, size
	l.n++
	return nil
}

// close ends the log and returns its size on disk; 0: there is nothing.
func (l *logFile) close() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return l.before + l.size
	}
	if l.lost > 0 {
		l.confess()
	}
	l.closed = true
	if l.file != nil {
		_ = l.file.Close() // every line in it has been written
	}
	return l.before + l.size
}
