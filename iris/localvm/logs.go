package localvm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"iris/iris/vm"
)

const (
	logMost  = 64 << 20 // bytes, beyond which a worker's log begins anew
	logTail  = 1 << 20  // bytes of its end that are kept then, and that Logs reads at most
	lineMost = 4 << 10  // bytes of a line that are shown
)

// Logs reads what the worker has written.
func (s *slice) Logs(ctx context.Context, vmID string, n int) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("logs of %s: %w", vmID, err)
	}
	i := slices.IndexFunc(s.Status().VMs, func(v vm.VM) bool { return v.ID == vmID })
	if i < 0 {
		return nil, fmt.Errorf("slice %s has no VM %q", s.id, vmID)
	}
	lines, err := tail(s.vmDir(i), n)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("nothing is kept of what %s said: %w", vmID, err)
	}
	if err != nil {
		return nil, fmt.Errorf("logs of %s: %w", vmID, err)
	}
	return lines, nil
}

// tail is at most n lines of the end of a VM's log.
func tail(dir string, n int) ([]string, error) {
	text, err := end(filepath.Join(dir, logName))
	if err != nil {
		return nil, err
	}
	if n > bytes.Count(text, []byte{'\n'}) {
		old, err := end(filepath.Join(dir, oldLogName))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		text = append(old, text...)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(text) == 0 || n <= 0 {
		return nil, nil
	}
	lines = lines[max(0, len(lines)-n):]
	for i, line := range lines {
		if len(line) > lineMost {
			line = line[:lineMost] + "…"
		}
		lines[i] = strings.ToValidUTF8(line, "�")
	}
	return lines, nil
}

// end is the last whole lines of a file, logTail bytes at most.
func end(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	from := max(0, info.Size()-logTail)
	text, err := io.ReadAll(io.NewSectionReader(file, from, logTail))
	if err != nil {
		return nil, err
	}
	if from > 0 { // it may begin within a line
		_, text, _ = bytes.Cut(text, []byte{'\n'})
	}
	return text, nil
}

// cutLogs keeps what workers say from filling the disk. They write to the file themselves, since they outlive this process:
// so it is emptied in place, and what is written at that instant is lost.
func (s *slice) cutLogs() {
	for i := range s.workers {
		path := filepath.Join(s.vmDir(i), logName)
		info, err := os.Stat(path)
		if err != nil || info.Size() <= logMost {
			continue
		}
		text, err := end(path)
		if err == nil {
			err = writeWhole(filepath.Join(s.vmDir(i), oldLogName), text)
		}
		if err = errors.Join(err, os.Truncate(path, 0)); err != nil {
			s.m.cfg.Log.Warn("a worker's log is long and could not be cut well", "vm", s.vm(i).ID, "error", err)
		}
	}
}
