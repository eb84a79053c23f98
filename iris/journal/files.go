package journal

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft-wal/types"
)

// files are the files of a log, as raft-wal wants to use them.
type files struct{ disk *disk }

// ListDir lists the files of a directory by name.
func (files) ListDir(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Create opens a new segment, whose file is there already: see meta.CommitState.
func (f files) Create(dir, name string, size uint64) (types.WritableFile, error) {
	opened, err := f.open(dir, name)
	if err != nil {
		return nil, err
	}
	if info, err := opened.Stat(); err != nil || info.Size() != int64(size) {
		_ = opened.Close()
		return nil, fmt.Errorf("the new segment %s has not the size it was made with (%v)", opened.Name(), err)
	}
	return opened, nil
}

// Delete removes a file.
func (files) Delete(dir, name string) error {
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		return err
	}
	return syncDir(dir)
}

// OpenReader opens a file to read it.
func (files) OpenReader(dir, name string) (types.ReadableFile, error) {
	return os.Open(filepath.Join(dir, name))
}

// OpenWriter opens a file to read and write it.
func (f files) OpenWriter(dir, name string) (types.WritableFile, error) { return f.open(dir, name) }

func (f files) open(dir, name string) (*file, error) {
	opened, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &file{opened, f.disk}, nil
}
