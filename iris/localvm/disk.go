package localvm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"iris/iris/runtime"
	"iris/iris/vm"
)

// disk is the directory of a group. It has no state of its own: what is true is what is there.
type disk string

const (
	groupName       = ".group"
	groupLockName   = ".lock"
	goneName        = ".gone"
	newPrefix       = ".new-"
	oldPrefix       = ".old-"
	sliceName       = "slice.json"
	lockName        = "lock"
	terminatingName = "terminating"
	processName     = "process"
	endName         = "end"
	logName         = "worker.log"
	oldLogName      = "worker.log.old"
	temporaryName   = "tmp"
)

// about is what slice.json says.
type about struct {
	Zone    string            `json:"zone"`
	Created time.Time         `json:"created"`
	Labels  map[string]string `json:"labels,omitempty"`
	VMs     int               `json:"vms"`
}

// identity is a worker's process.
type identity struct {
	Boot    string     `json:"boot,omitempty"`
	Process runtime.ID `json:"process"`
	Started time.Time  `json:"started"`
}

// ending is the terminal state of a VM.
type ending struct {
	State vm.State  `json:"state"`
	Error string    `json:"error,omitempty"`
	At    time.Time `json:"at"`
}

// openDisk makes the directory, or makes sure that it is the group's, and removes what was cut short.
func openDisk(ctx context.Context, dir, group string) (disk, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Join(dir, goneName), 0o700); err != nil {
		return "", err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil { // processes are known by it: it needs one name
		return "", err
	}
	d := disk(dir)
	lock, err := takeLock(ctx, d.path(groupLockName))
	if err != nil {
		return "", err
	}
	defer lock.release()
	switch owner, err := os.ReadFile(d.path(groupName)); {
	case errors.Is(err, fs.ErrNotExist):
		if err := writeWhole(d.path(groupName), []byte(group)); err != nil {
			return "", err
		}
	case err != nil:
		return "", err
	case string(owner) != group:
		return "", fmt.Errorf("the directory %s belongs to scale group %q (%s says so); give each group its own",
			dir, owner, d.path(groupName))
	}
	return d, d.sweep()
}

// sweep removes slices that were not there yet, or no longer. The caller holds the group's lock.
func (d disk) sweep() error {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), newPrefix) || strings.HasPrefix(e.Name(), oldPrefix) {
			if err := os.RemoveAll(d.path(e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d disk) path(names ...string) string {
	return filepath.Join(append([]string{string(d)}, names...)...)
}

// slices are the ids of those that have a directory.
func (d disk) slices() ([]string, error) {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}

// exists reports whether there is something of this name.
func (d disk) exists(names ...string) (bool, error) {
	_, err := os.Lstat(d.path(names...))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// gone reports whether there was such a slice.
func (d disk) gone(id string) (bool, error) { return d.exists(goneName, id) }

// bury notes that there was such a slice.
func (d disk) bury(id string) error {
	file, err := os.OpenFile(d.path(goneName, id), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}

// discard removes the directory of a slice: first all of it from among the slices, then piece by piece.
func (d disk) discard(id string) error {
	old, err := os.MkdirTemp(string(d), oldPrefix)
	if err != nil {
		return err
	}
	err = os.Rename(d.path(id), filepath.Join(old, "slice"))
	if there, unknown := d.exists(id); !there && unknown == nil { // somebody else did it
		err = nil
	}
	return errors.Join(err, os.RemoveAll(old))
}

// reserve makes the directory of a slice, complete and locked before anybody can see it. The caller holds the group's lock.
func (d disk) reserve(ctx context.Context, id string, a about) (*lock, error) {
	fresh, err := os.MkdirTemp(string(d), newPrefix)
	if err != nil {
		return nil, err
	}
	held, err := takeLock(ctx, filepath.Join(fresh, lockName))
	if err == nil {
		err = writeJSON(filepath.Join(fresh, sliceName), a)
	}
	if err == nil {
		err = os.Rename(fresh, d.path(id))
	}
	if err != nil {
		held.release()
		return nil, errors.Join(err, os.RemoveAll(fresh))
	}
	return held, nil
}

// read is a slice that another process has created; nil: there is none. The error is one that may pass; a slice that
// cannot be understood is a damaged one.
func (m *Manager) read(id string) (*slice, error) {
	path := m.disk.path(id, sliceName)
	var a about
	err := readJSON(path, &a)
	var damage string
	switch {
	case err == nil && a.VMs > 0:
		return newSlice(m, id, a), nil
	case err == nil:
		damage = fmt.Sprintf("%s says that the slice has %d VMs", path, a.VMs)
	case errors.Is(err, fs.ErrNotExist):
		there, err := m.disk.exists(id)
		if err != nil || !there {
			return nil, err
		}
		damage = path + " is missing"
	case errors.Is(err, errDamaged), errors.Is(err, fs.ErrPermission):
		damage = err.Error()
	default:
		return nil, err
	}
	a = about{Zone: m.cfg.Group.Zones[0], VMs: m.vms}
	if info, err := os.Stat(m.disk.path(id)); err == nil {
		a.Created = info.ModTime()
	}
	s := newSlice(m, id, a)
	s.damage = damage + "; nothing is known of the slice: repair the file, or have the slice terminated"
	for i := range s.vms {
		s.vms[i].State, s.vms[i].InitError = vm.Unspecified, s.damage
	}
	return s, nil
}

var errDamaged = errors.New("the file is damaged")

func readJSON(path string, to any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, to); err != nil {
		return fmt.Errorf("%s: %w: %w", path, errDamaged, err)
	}
	return nil
}

func writeJSON(path string, from any) error {
	text, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return writeWhole(path, append(text, '\n'))
}

// writeWhole writes a file that is there with all of its content or not at all, also if the machine dies.
func writeWhole(path string, text []byte) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), newPrefix)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(file.Name()))
	}
	return err
}
