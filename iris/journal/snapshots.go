package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc64"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// keptSnapshots is how many snapshots a journal keeps: one to go back to when the newest turns out to be damaged.
const keptSnapshots = 2

// snapshotFile is a snapshot as it lies on disk.
type snapshotFile struct {
	path        string
	index, term uint64
	damage      error
}

// readSnapshots looks at all snapshots below a directory, the newest first, and changes nothing. A newer version's
// is an error.
func readSnapshots(dir string) ([]snapshotFile, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var all []snapshotFile
	for _, e := range entries {
		s := snapshotFile{path: filepath.Join(dir, e.Name())}
		if strings.HasSuffix(e.Name(), temporary) || !e.IsDir() {
			continue
		}
		if _, err := fmt.Sscanf(e.Name(), "%d-%d-", &s.term, &s.index); err != nil {
			continue // not one that raft made
		}
		if s.damage = s.verify(); errors.Is(s.damage, errNewerFile) {
			return nil, fmt.Errorf("%s %w", s.path, errNewerFile)
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b snapshotFile) int {
		if a.term != b.term {
			return int(int64(b.term) - int64(a.term))
		}
		return int(int64(b.index) - int64(a.index))
	})
	return all, nil
}

// verify says what is wrong with the snapshot.
func (s *snapshotFile) verify() error {
	text, err := os.ReadFile(filepath.Join(s.path, "meta.json"))
	if err != nil {
		return err
	}
	var meta struct {
		raft.SnapshotMeta
		CRC []byte
	}
	if err := json.Unmarshal(text, &meta); err != nil {
		return fmt.Errorf("meta.json is garbled: %w", err)
	}
	if meta.Version > raft.SnapshotVersionMax {
		return errNewerFile
	}
	if meta.Index != s.index || meta.Term != s.term || meta.ID != filepath.Base(s.path) {
		return fmt.Errorf("meta.json is that of %s, of index %d in term %d", meta.ID, meta.Index, meta.Term)
	}
	body, err := os.ReadFile(filepath.Join(s.path, "state.bin"))
	if err != nil {
		return err
	}
	crc := crc64.New(crc64.MakeTable(crc64.ECMA))
	_, _ = crc.Write(body)
	if int64(len(body)) != meta.Size || !slices.Equal(crc.Sum(nil), meta.CRC) {
		return errors.New("the checksum of state.bin is wrong")
	}
	_, err = openSnapshot(body)
	return err
}

// snapshotStore is raft's, which leaves behind what it could not finish.
type snapshotStore struct {
	*raft.FileSnapshotStore
	disk *disk
	dir  string
	over func() error // why nothing is to be written any more
}

func newSnapshotStore(p paths, d *disk, over func() error, log hclog.Logger) (*snapshotStore, error) {
	if err := removeTemporary(p.snapshots()); err != nil {
		return nil, err
	}
	store, err := raft.NewFileSnapshotStoreWithLogger(p.dir, keptSnapshots, log)
	if err != nil {
		return nil, err
	}
	return &snapshotStore{FileSnapshotStore: store, disk: d, dir: p.snapshots(), over: over}, nil
}

// Create begins a snapshot.
func (s *snapshotStore) Create(version raft.SnapshotVersion, index, term uint64, configuration raft.Configuration,
	configurationIndex uint64, transport raft.Transport) (raft.SnapshotSink, error) {
	if err := errors.Join(s.over(), s.disk.fault("snapshot", s.dir)); err != nil {
		return nil, err
	}
	sink, err := s.FileSnapshotStore.Create(version, index, term, configuration, configurationIndex, transport)
	if err != nil {
		return nil, err
	}
	return &snapshotSink{SnapshotSink: sink, store: s}, nil
}

// snapshotSink is a snapshot that is being written.
type snapshotSink struct {
	raft.SnapshotSink
	store *snapshotStore
}

// Write writes on, unless the journal is over.
func (s *snapshotSink) Write(b []byte) (int, error) {
	if err := s.store.over(); err != nil {
		return 0, err
	}
	return s.SnapshotSink.Write(b)
}

// Close ends a snapshot that is complete. What cannot be completed is removed: it would take the space that is missing.
func (s *snapshotSink) Close() error {
	if err := s.store.over(); err != nil {
		return errors.Join(err, s.SnapshotSink.Cancel())
	}
	if err := s.SnapshotSink.Close(); err != nil {
		return errors.Join(err, s.discard())
	}
	return nil
}

// Cancel ends a snapshot that cannot be completed.
func (s *snapshotSink) Cancel() error { return errors.Join(s.SnapshotSink.Cancel(), s.discard()) }

func (s *snapshotSink) discard() error {
	return os.RemoveAll(filepath.Join(s.store.dir, s.ID()+temporary))
}
