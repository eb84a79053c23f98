package journal

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// repair makes of files that were found fit to go on with, files that raft-wal goes on with: it cuts what a crash
// left of the last write, and completes a change of segments that a crash interrupted. All that matters is told.
func (f *findings) repair(p paths, m *meta, log *slog.Logger) error {
	if f.mended != nil {
		log.Warn("the metadata of the log were damaged, and were replaced by their second copy", "damage", f.mended)
	}
	if f.known == all {
		if err := errors.Join(f.setAside(p, log), removeTemporary(p.log())); err != nil {
			return err
		}
	}
	if len(f.segments) == 0 || !f.segments[len(f.segments)-1].SealTime.IsZero() {
		return nil
	}
	info := f.segments[len(f.segments)-1]
	path := filepath.Join(p.log(), segment.FileName(info))
	if f.tail.beyond > 0 || f.short > 0 {
		if f.known == all { // else it is what a write left that is known to have failed
			log.Warn("the end of the log was damaged, as by a loss of power, and is cut: what was written last is lost",
				"file", path, "offset", f.tail.end, "bytes", int64(f.tail.beyond)+f.short, "entries", f.tail.lost,
				"last", f.last.Index, "damage", f.tail.damage)
		}
		if err := cut(m.disk, path, int64(f.tail.end), int64(f.tail.beyond), int64(info.SizeLimit)); err != nil {
			return fmt.Errorf("cut the end of the log: %w", err)
		}
	}
	if f.tail.sealed == 0 {
		return nil
	}
	return f.advance(m)
}

// setAside moves damaged snapshots out of the way: raft would offer them to others.
func (f *findings) setAside(p paths, log *slog.Logger) error {
	for _, s := range f.snapshots {
		if s.damage == nil {
			continue
		}
		log.Warn("a snapshot is damaged; the log goes back far enough to do without", "snapshot", s.path,
			"damage", s.damage, "moved to", p.damaged())
		if err := os.MkdirAll(p.damaged(), 0o700); err != nil {
			return err
		}
		to := filepath.Join(p.damaged(), filepath.Base(s.path))
		if err := errors.Join(os.RemoveAll(to), os.Rename(s.path, to), syncDir(p.snapshots())); err != nil {
			return err
		}
	}
	return nil
}

// removeTemporary removes what a crash kept from being completed.
func removeTemporary(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, "*"+temporary))
	for _, path := range left {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return err
}

// cut makes the bytes from end on zeros, as they were before they were written, and the file as long as it was made.
func cut(d *disk, path string, end, bytes, size int64) error {
	opened, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	f := &file{opened, d}
	_, err = io.CopyN(io.NewOffsetWriter(f, end), zeros{}, bytes)
	if info, failed := f.Stat(); err == nil && failed == nil && info.Size() < size {
		err = allocate(f.File, size)
	}
	return errors.Join(err, f.Sync(), f.Close())
}

// zeros is a reader of zeros.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// advance begins the segment after one that is full. raft-wal does so behind the back of those who write, and takes a
// segment that is full for one that can be written to if it never came to that.
func (f *findings) advance(m *meta) error {
	state, err := m.Load("")
	if err != nil {
		return err
	}
	segments := append([]types.SegmentInfo(nil), state.Segments...)
	full := &segments[len(segments)-1]
	full.SealTime, full.MaxIndex, full.IndexStart = time.Now(), f.tail.last.Index, f.tail.sealed
	next := types.SegmentInfo{
		ID: state.NextSegmentID, BaseIndex: full.MaxIndex + 1, MinIndex: full.MaxIndex + 1,
		SizeLimit: full.SizeLimit, Codec: full.Codec, CreateTime: time.Now(),
	}
	return m.CommitState(types.PersistentState{NextSegmentID: state.NextSegmentID + 1, Segments: append(segments, next)})
}
