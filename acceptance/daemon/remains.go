package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// remains are the processes whose environment has a variable of this value. Daemons hand TMPDIR on to all they start.
func remains(variable string) []remain {
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		panic(err) // the pattern is wrong
	}
	var all []remain
	for _, path := range environments {
		text, err := os.ReadFile(path)
		if err != nil || !slices.Contains(strings.Split(string(text), "\x00"), variable) {
			continue // it has ended since, or is somebody else's
		}
		dir := filepath.Dir(path)
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			panic(err) // the pattern is wrong
		}
		command, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil {
			continue
		}
		all = append(all, remain{pid, strings.TrimSpace(strings.ReplaceAll(string(command), "\x00", " "))})
	}
	return all
}

// remain is a process that should not be there.
type remain struct {
	pid     int
	command string
}

func (r remain) String() string { return fmt.Sprintf("%d (%s)", r.pid, r.command) }

func (r remain) kill() error { return syscall.Kill(r.pid, syscall.SIGKILL) }
