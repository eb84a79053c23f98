package journal

import (
	"errors"
	"os"
	"syscall"
)

// allocate makes the file this long and gives it its space on disk. A file system that cannot set space aside gives
// it as the file is written.
func allocate(f *os.File, size int64) error {
	for {
		err := syscall.Fallocate(int(f.Fd()), 0, 0, size)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.ENOSYS):
			return f.Truncate(size)
		}
		return err
	}
}
