package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/segment"
)

// diskLog is raft's log on disk. It does what raft expects of a disk and raft-wal does not do: it goes on by itself
// once a full disk has space again, and it does not fail where raft would panic.
type diskLog struct {
	paths       paths
	disk        *disk
	meta        *meta
	end         *ending
	segmentSize int
	log         *slog.Logger
	raftLog     hclog.Logger
	appended    func(entries, bytes int)    // told what was appended
	refused     func(error)                 // told why something was not
	leads       atomic.Pointer[func() bool] // whether this voter leads

	last   atomic.Uint64 // index of the last entry that raft was told is there
	spoilt atomic.Bool   // a write failed; the files are to be looked at before the next one
	lack   atomic.Value  // of space: the error that was told, or nothing

	running    atomic.Bool // raft runs, and would panic if the log could not be read
	stuck      sync.Once
	unreadable chan struct{} // closed when a goroutine of raft waits for released, having found that it cannot be read
	released   chan struct{} // closed once raft is told to shut down

	mu  sync.RWMutex // held for writing by reopen, for reading by all who use wal
	wal *wal.WAL
}

// open opens the log in files that were checked.
func (l *diskLog) open(found findings) error {
	if err := found.repair(l.paths, l.meta, l.log); err != nil {
		return err
	}
	opened, err := wal.Open(l.paths.log(), wal.WithMetaStore(l.meta), wal.WithSegmentSize(l.segmentSize),
		wal.WithSegmentFiler(segment.NewFiler(l.paths.log(), files{l.disk})), wal.WithLogger(l.raftLog))
	if err != nil {
		return fmt.Errorf("open the log in %s: %w", l.paths.log(), err)
	}
	last, err := opened.LastIndex()
	if err != nil {
		return errors.Join(err, opened.Close())
	}
	l.wal = opened
	l.last.Store(last)
	return nil
}

// reopen makes the files say what raft was told that they say, and opens them again. raft-wal has no way back from a
// write that failed.
func (l *diskLog) reopen() error {
	l.mu.Lock() // readers wait: there is nothing to read from
	defer l.mu.Unlock()
	if err := l.wal.Close(); err != nil {
		return err
	}
	found, err := checkLog(l.paths, l.last.Load())
	if err == nil {
		err = l.open(found)
	}
	if err == nil {
		l.spoilt.Store(false)
	}
	return err
}

// StoreLog appends an entry.
func (l *diskLog) StoreLog(entry *raft.Log) error { return l.StoreLogs([]*raft.Log{entry}) }

// StoreLogs appends entries, on disk before it returns. If the disk is full, a leader is told so, and leads no
// longer; one who follows waits, since raft believes that it has what it could not append.
func (l *diskLog) StoreLogs(entries []*raft.Log) error {
	if err := l.write(func() error { return l.wal.StoreLogs(entries) }, !l.leading()); err != nil {
		return err
	}
	bytes, commands := 0, false
	for _, e := range entries {
		bytes += len(e.Data)
		commands = commands || e.Type == raft.LogCommand
	}
	l.appended(len(entries), bytes)
	if commands && l.end.crash(afterAppend, afterAppend.Hit(l.disk.ctx, l.disk.labels)) {
		return l.end.over()
	}
	return nil
}

func (l *diskLog) leading() bool {
	leads := l.leads.Load()
	return leads != nil && (*leads)()
}

// DeleteRange removes entries from the beginning of the log, or from its end: then it waits for space like one who
// follows and appends.
func (l *diskLog) DeleteRange(from, to uint64) error {
	return l.write(func() error { return l.wal.DeleteRange(from, to) }, to >= l.last.Load())
}

// write does something to the log. If there is no space for it, it fails, or waits.
func (l *diskLog) write(do func() error, wait bool) error {
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		if err := l.end.over(); err != nil {
			return err
		}
		err := l.try(do)
		if errors.Is(err, wal.ErrSealed) {
			err = l.try(do) // it could not go on to a new file: try again
		}
		switch {
		case err == nil:
			if was, _ := l.lack.Swap(noLack).(lack); was.err != nil {
				l.log.Info("the log has space on its disk again")
			}
			return nil
		case !lacksSpace(err):
			l.end.end(fmt.Errorf("the log cannot be written: %w", err))
			return l.end.over()
		}
		l.tell(err)
		if !wait {
			l.refused(err)
			return err
		}
		l.sleep(pause)
	}
}

// minPause and maxPause are how long to wait before trying again to write to a disk that is full.
const (
	minPause = 100 * time.Millisecond
	maxPause = 2 * time.Second
)

// try does something to the log, after a look at the files if something failed before.
func (l *diskLog) try(do func() error) error {
	if l.spoilt.Load() {
		if err := l.reopen(); err != nil {
			return err
		}
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	err := do()
	if err != nil {
		l.spoilt.Store(true)
		return err
	}
	last, err := l.wal.LastIndex()
	l.last.Store(last)
	return err
}

// lack is why the log waits for space.
type lack struct{ err error }

var noLack lack

// lacking is why the log cannot be written at present; nil if it can.
func (l *diskLog) lacking() error {
	now, _ := l.lack.Load().(lack)
	return now.err
}

// tell says once that the disk is full.
func (l *diskLog) tell(err error) {
	if was, _ := l.lack.Swap(lack{err}).(lack); was.err == nil {
		l.log.Error("the log cannot be written; this controller works on once there is space", "dir", l.paths.dir,
			"err", err)
	}
}

// sleep waits, unless the journal ends.
func (l *diskLog) sleep(pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.end.done:
	}
}

// FirstIndex is that of the first entry, 0 if there is none.
func (l *diskLog) FirstIndex() (uint64, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.wal.FirstIndex()
}

// LastIndex is that of the last entry, 0 if there is none.
func (l *diskLog) LastIndex() (uint64, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.wal.LastIndex()
}

// GetLog reads an entry. A disk that cannot be read ends the journal: raft, which would panic, is stopped here instead.
func (l *diskLog) GetLog(index uint64, entry *raft.Log) error {
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		err := l.read(index, entry)
		switch {
		case err == nil || errors.Is(err, raft.ErrLogNotFound) || !l.running.Load():
			return err
		case errors.Is(err, wal.ErrClosed) && l.end.over() == nil:
			l.sleep(pause) // until it is open again
			continue
		}
		l.end.end(fmt.Errorf("entry %d of the log cannot be read: %w", index, err))
		l.stuck.Do(func() { close(l.unreadable) })
		<-l.released
		runtime.Goexit()
	}
}

func (l *diskLog) read(index uint64, entry *raft.Log) (err error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	defer func() {
		if garbled := recover(); garbled != nil {
			err = fmt.Errorf("garbled: %v", garbled) // the decoder trusts what it reads
		}
	}()
	if err := l.wal.GetLog(index, entry); err != nil || entry.Type != raft.LogCommand {
		return err
	}
	_, err = open(entry.Data)
	return err
}

// IsMonotonic is part of raft's contract: the log has no gaps.
func (l *diskLog) IsMonotonic() bool { return true }

// close closes all files.
func (l *diskLog) close() error { return errors.Join(l.wal.Close(), l.meta.closeFile()) }

// all is the index up to which entries count when nobody was told of any.
const all = math.MaxUint64

// stableStore is what raft must remember: its term and its vote.
type stableStore struct{ *diskLog }

// currentTerm is the key under which raft keeps its term. It panics if it cannot.
const currentTerm = "CurrentTerm"

// Set stores a value, on disk before it returns, and waits if the disk is full. Of a journal that is over, which
// neither votes nor answers any more, raft may believe what it likes about its term.
func (s stableStore) Set(key, value []byte) error {
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		if err := s.end.over(); err != nil {
			if string(key) == currentTerm {
				return nil
			}
			return err
		}
		err := s.meta.SetStable(key, value)
		switch {
		case err == nil:
			return nil
		case !lacksSpace(err):
			s.end.end(fmt.Errorf("the metadata of the log cannot be written: %w", err))
			continue
		}
		s.tell(err)
		s.sleep(pause)
	}
}

// Get is what was stored, nil if nothing was.
func (s stableStore) Get(key []byte) ([]byte, error) { return s.meta.GetStable(key) }

// SetUint64 is Set of a number.
func (s stableStore) SetUint64(key []byte, value uint64) error {
	return s.Set(key, binary.LittleEndian.AppendUint64(nil, value))
}

// GetUint64 is Get of a number, 0 if there is none.
func (s stableStore) GetUint64(key []byte) (uint64, error) {
	value, err := s.Get(key)
	if err != nil || value == nil {
		return 0, err
	}
	if len(value) != 8 {
		return 0, fmt.Errorf("the metadata of the log have %d bytes as the number %s", len(value), key)
	}
	return binary.LittleEndian.Uint64(value), nil
}

var (
	_ raft.LogStore          = (*diskLog)(nil)
	_ raft.MonotonicLogStore = (*diskLog)(nil)
	_ raft.StableStore       = stableStore{}
)
