package runtime

import (
	"errors"
	"io/fs"
	"os"
)

// Boot is new each time the machine is started, and with it the numbers and starts of processes count anew. Empty on a
// system that does not tell it. After an error nothing is known.
func Boot() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(id), err
}
