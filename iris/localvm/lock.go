package localvm

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lock is held by one manager, of whatever process, or one call of it. The kernel releases that of a process that dies.
type lock struct{ file *os.File }

const lockPoll = 20 * time.Millisecond

// takeLock waits for a lock until ctx ends.
func takeLock(ctx context.Context, path string) (*lock, error) {
	for {
		l, err := tryLock(path)
		if err != nil || l != nil {
			return l, err
		}
		select {
		case <-time.After(lockPoll):
		case <-ctx.Done():
			return nil, &os.PathError{Op: "wait for the lock", Path: path, Err: ctx.Err()}
		}
	}
}

// tryLock takes a lock that nobody holds; nil: somebody does.
func tryLock(path string) (*lock, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	switch err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case err == nil:
		return &lock{file}, nil
	case errors.Is(err, unix.EWOULDBLOCK), errors.Is(err, unix.EINTR):
		return nil, file.Close()
	default:
		return nil, errors.Join(&os.PathError{Op: "flock", Path: path, Err: err}, file.Close())
	}
}

// release may be called for no lock at all.
func (l *lock) release() {
	if l != nil {
		_ = l.file.Close() // nothing was written to it
	}
}
