package runtime

import "os"

// Boot is new each time the machine is started, and with it the numbers and starts of processes count anew. Empty where
// that cannot be told.
func Boot() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return string(id)
}
