package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// paths are where the parts of a journal are below its directory.
type paths struct{ dir string }

func (p paths) log() string       { return filepath.Join(p.dir, "log") }
func (p paths) meta() string      { return filepath.Join(p.dir, "log", "meta") }
func (p paths) snapshots() string { return filepath.Join(p.dir, "snapshots") }
func (p paths) damaged() string   { return filepath.Join(p.dir, "damaged") }

// findings are what a look at the files found, which changed nothing.
type findings struct {
	known     uint64 // index of the last entry that counts
	fresh     bool   // there is no journal yet
	mended    error  // what is wrong with one copy of the metadata
	voter     string // whose directory it is
	segments  []types.SegmentInfo
	tail      content // of the segment that is written to
	short     int64   // how many bytes its file lacks
	first     uint64  // index of the first entry of the log, 0 if it has none
	last      raft.Log
	terms     []raft.Log // the first entry of each term
	snapshots []snapshotFile
}

// check reads all files of a journal, and refuses one that has lost more than the end of its log: see [DamageError]. It
// changes nothing.
func check(p paths) (findings, error) {
	found, err := checkLog(p, all)
	if err != nil {
		return findings{}, err
	}
	if found.snapshots, err = readSnapshots(p.snapshots()); err != nil {
		return findings{}, err
	}
	if found.fresh {
		if len(found.snapshots) > 0 {
			return findings{}, damaged(p.meta(), errors.New("it is missing, and there are snapshots"))
		}
		return found, nil
	}
	return found, found.match(p)
}

// checkLog is check without the snapshots. If the index is known of the last entry that counts, it is the log of a
// journal that runs, and what is full was found intact before.
func checkLog(p paths, known uint64) (findings, error) {
	found := findings{known: known}
	state, _, mended, err := readMeta(p.meta())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		names, err := filepath.Glob(filepath.Join(p.log(), "*.wal"))
		if len(names) > 0 {
			err = damaged(p.meta(), errors.New("it is missing, and there are files of a log"))
		}
		return findings{fresh: true}, err
	case err != nil:
		return findings{}, refusal(p.meta(), err)
	}
	found.mended, found.segments, found.voter = mended, state.Segments.Segments, string(state.Stable[voterKey])
	for i := range found.segments {
		if err := found.segment(p, i); err != nil {
			return findings{}, err
		}
	}
	return found, nil
}

// segment reads the i-th segment and adds it to what was found.
func (f *findings) segment(p paths, i int) error {
	info := f.segments[i]
	if f.known != all && !info.SealTime.IsZero() {
		return nil
	}
	path := filepath.Join(p.log(), segment.FileName(info))
	if i > 0 && info.BaseIndex != f.segments[i-1].MaxIndex+1 {
		return damaged(path, fmt.Errorf("it begins at index %d; the file before it ends at %d", info.BaseIndex,
			f.segments[i-1].MaxIndex))
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return damaged(path, errors.New("it is missing"))
	} else if err != nil {
		return err
	}
	c, err := readSegment(b, info, f.known)
	if err != nil {
		return refusal(path, err)
	}
	if len(c.terms) > 0 && c.terms[0].Term < f.last.Term {
		return damaged(path, fmt.Errorf("it begins with term %d; the file before it ends with %d", c.terms[0].Term,
			f.last.Term))
	}
	if info.SealTime.IsZero() {
		return f.open(path, i, c, b)
	}
	switch {
	case c.damage != nil:
		return damaged(path, c.damage)
	case c.sealed == 0 || c.sealed != info.IndexStart:
		return damaged(path, fmt.Errorf("it ends at offset %d (index %d) without the index it was closed with",
			c.end, c.last.Index))
	case c.last.Index < info.MaxIndex || info.MinIndex < info.BaseIndex || info.MinIndex > info.MaxIndex:
		return damaged(path, fmt.Errorf("it ends at index %d; %d to %d are due", c.last.Index, info.MinIndex,
			info.MaxIndex))
	}
	f.add(info, c, info.MaxIndex)
	return nil
}

// open looks at the segment that is written to, whose end may be cut.
func (f *findings) open(path string, i int, c content, b []byte) error {
	if i < len(f.segments)-1 {
		return damaged(path, errors.New("the metadata say that it is the last file, and that there is one after it"))
	}
	if c.damage != nil && f.known == all {
		if at := c.intactBehind(b); at > 0 {
			return damaged(path, fmt.Errorf("%w, and what follows at offset %d is intact", c.damage, at))
		}
	}
	f.tail = c
	f.short = max(0, int64(f.segments[i].SizeLimit)-int64(len(b))) // the last write into a file may make it longer
	if len(c.offsets) > 0 {
		f.add(f.segments[i], c, c.last.Index)
	}
	return nil
}

func (f *findings) add(info types.SegmentInfo, c content, last uint64) {
	if f.first == 0 {
		f.first = info.MinIndex
	}
	for _, t := range c.terms { // a file may hold more than is still of the log
		if t.Index <= last && t.Term != f.last.Term {
			f.terms = append(f.terms, t)
		}
	}
	f.last = raft.Log{Index: last, Term: f.termAt(last)}
}

// termAt is the term of the entry at this index, which must be one of the log's.
func (f *findings) termAt(index uint64) uint64 {
	for i := len(f.terms) - 1; i >= 0; i-- {
		if f.terms[i].Index <= index {
			return f.terms[i].Term
		}
	}
	return 0
}

// base is the newest snapshot that is intact; its index is 0 if there is none.
func (f *findings) base() snapshotFile {
	for _, s := range f.snapshots {
		if s.damage == nil {
			return s
		}
	}
	return snapshotFile{}
}

// match holds the log and the snapshots against each other. Snapshots that are damaged are of no use; so the log
// must go on where the newest of the others ends, or be whole, and must reach as far as those that are damaged did.
func (f *findings) match(p paths) error {
	base, broken, reached := f.base(), error(nil), uint64(0)
	for _, s := range f.snapshots {
		if s.path == base.path {
			break // the rest is older
		}
		broken, reached = errors.Join(broken, damaged(s.path, s.damage)), max(reached, s.index)
	}
	switch {
	case broken != nil && (f.first == 0 || f.first > base.index+1 || f.last.Index < reached):
		return fmt.Errorf("%w (the log, from index %d to %d, cannot stand in for it)", broken, f.first, f.last.Index)
	case f.first > base.index+1:
		return damaged(p.log(), fmt.Errorf("it begins at index %d, and no snapshot reaches so far: %s", f.first,
			describeBase(base)))
	case base.index > 0 && f.first <= base.index && base.index <= f.last.Index && f.termAt(base.index) != base.term:
		return damaged(base.path, fmt.Errorf("it is of index %d in term %d, and the log has that index in term %d",
			base.index, base.term, f.termAt(base.index)))
	}
	return nil
}

func describeBase(base snapshotFile) string {
	if base.index == 0 {
		return "there is none"
	}
	return fmt.Sprintf("%s ends at %d", base.path, base.index)
}

// A DamageError says that a journal cannot be opened because its files are damaged. Nothing was changed.
type DamageError struct {
	Path  string // the file or directory
	Cause error  // what is wrong with it, and where
}

// Error names the file, what is wrong with it, and what to do.
func (e *DamageError) Error() string {
	return fmt.Sprintf("%s is damaged: %v; nothing was changed: restore the directory from a backup, or, if other "+
		"controllers have the log, remove this one from the voters, empty its directory and add it anew", e.Path, e.Cause)
}

// Unwrap is the cause.
func (e *DamageError) Unwrap() error { return e.Cause }

func damaged(path string, cause error) error { return &DamageError{Path: path, Cause: cause} }

// refusal is why a file is not used: it is a newer version's, or damaged.
func refusal(path string, err error) error {
	if errors.Is(err, errNewerFile) {
		return fmt.Errorf("%s %w", path, err)
	}
	return damaged(path, err)
}
