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

// remains are the processes whose TMPDIR is below this directory. Daemons hand it on to all they start, or one below it.
func remains(dir string) []Process {
	below := "TMPDIR=" + dir + string(filepath.Separator)
	ours := func(variable string) bool { return strings.HasPrefix(variable, below) }
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		panic(err) // the pattern is wrong
	}
	var all []Process
	for _, path := range environments {
		text, err := os.ReadFile(path)
		if err != nil || !slices.ContainsFunc(strings.Split(string(text), "\x00"), ours) {
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
		all = append(all, Process{pid, strings.TrimSpace(strings.ReplaceAll(string(command), "\x00", " "))})
	}
	return all
}

// Process is a process of a fleet, whoever started it.
type Process struct {
	PID     int
	Command string
}

func (p Process) String() string { return fmt.Sprintf("%d (%s)", p.PID, p.Command) }

// Kill ends it as kill -9 does.
func (p Process) Kill() error { return syscall.Kill(p.PID, syscall.SIGKILL) }
