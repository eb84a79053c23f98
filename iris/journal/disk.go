package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"syscall"

	"iris/chaos"
)

// disk is where a journal writes. All that the log and its metadata write goes through it, so that chaos can fill it.
type disk struct {
	ctx    context.Context // ends with the journal
	labels chaos.Labels
}

// fault is what the disk fails with now, if chaos says so: ENOSPC, or the errno in the rule's error.
func (d *disk) fault(op, path string) error {
	err := diskSite.Hit(d.ctx, diskUse{d, op})
	if err == nil || !errors.Is(err, chaos.ErrInjected) {
		return nil
	}
	errno := syscall.ENOSPC
	_ = errors.As(err, &errno)
	return &fs.PathError{Op: op, Path: path, Err: errno}
}

// diskUse is what the disk is used for, to chaos.
type diskUse struct {
	disk *disk
	op   string
}

// ChaosLabels are those of the controller, and op: "allocate" for the space of a new file of the log, "snapshot"
// for the beginning of a snapshot, or "write".
func (u diskUse) ChaosLabels() chaos.Labels {
	labels := maps.Clone(u.disk.labels)
	labels["op"] = u.op
	return labels
}

// lacksSpace reports whether an error ends by itself once there is space again.
func lacksSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// create makes a file of so many zeros that has its space on disk, whole or not at all. Another of that name is
// replaced.
func (d *disk) create(path string, size int64) error {
	if err := d.fault("allocate", path); err != nil {
		return err
	}
	f, err := os.OpenFile(path+temporary, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err = allocate(f, size); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(path+temporary, path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("set aside %d bytes for %s: %w", size, path, err), remove(path+temporary))
	}
	return syncDir(filepath.Dir(path))
}

// temporary is the end of the name of a file that is not complete. What a crash leaves of such is of no use.
const temporary = ".tmp"

func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// syncDir makes what was created, renamed and removed in a directory survive a loss of power.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// A file is an open file on a disk.
type file struct {
	*os.File
	disk *disk
}

// WriteAt fails as a full disk does: after what still fitted, here nothing.
func (f *file) WriteAt(p []byte, at int64) (int, error) {
	if err := f.disk.fault("write", f.Name()); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, at)
}
