package bundle

import (
	"errors"
	"fmt"
)

// Limits bound what a bundle may cost whoever receives it. All are positive; there is no "unlimited".
type Limits struct {
	Archive   int64 // bytes of the archive itself
	Files     int64 // files, links and directories in it, counting directories it only implies
	FileSize  int64 // bytes of one file once unpacked
	TotalSize int64 // bytes of all files once unpacked
}

// DefaultLimits are 256 MiB of archive, 20 000 files, 512 MiB a file and 2 GiB in all. Copy them to change one.
var DefaultLimits = Limits{Archive: 256 << 20, Files: 20_000, FileSize: 512 << 20, TotalSize: 2 << 30}

// ErrLimit is wrapped when a bundle is larger than its receiver allows.
var ErrLimit = errors.New("the bundle is too large")

func tooLarge(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrLimit, fmt.Sprintf(format, args...))
}
