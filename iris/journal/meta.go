package journal

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"os"
	"path/filepath"
	"sync"

	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// meta is the file with what raft must remember beside the log (its term and vote), and of which files the log is
// made.
//
// The file holds the same text twice. The second copy is written once the first one is safe, so that whatever
// damages one of them, torn writes included, leaves the other: the newest state that anybody was told about. It
// never grows, so that a full disk keeps no controller from voting. (The metadata of raft-wal itself is a bbolt
// file, which has no checksums where it matters.)
type meta struct {
	disk *disk
	file *file
	dir  string // of the segments

	mu         sync.Mutex // held over writes too: the file has one writer at a time
	state      metaState
	generation uint64
}

// metaState is what the file says.
type metaState struct {
	Segments types.PersistentState
	Stable   map[string][]byte
}

// The two copies, each in a slot of its own:
//
//	"irismeta" | version 4 | length 4 | generation 8 | CRC-32C of the rest 4 | JSON
const (
	metaMagic   = "irismeta"
	metaVersion = 1
	metaHeader  = len(metaMagic) + 4 + 4 + 8 + 4
	metaSlot    = 256 << 10 // bytes; some thousand segments
)

// castagnoli is the polynomial of every CRC in the journal.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// createMeta makes the file of a log that is empty.
func createMeta(d *disk, path string) error {
	slot, err := encodeMeta(metaState{Stable: map[string][]byte{}}, 1)
	if err != nil {
		return err
	}
	if err := d.fault("write", path); err != nil {
		return err
	}
	whole := make([]byte, 2*metaSlot)
	copy(whole, slot)
	copy(whole[metaSlot:], slot)
	f, err := os.Create(path + temporary)
	if err != nil {
		return err
	}
	if _, err = f.Write(whole); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(path+temporary, path)
	}
	if err != nil {
		return err
	}
	for dir := filepath.Dir(path); err == nil && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		err = syncDir(dir) // those above it may be new too
	}
	return err
}

// readMeta reads the file without changing it. Mended says what is wrong with one copy, if the other one is intact.
func readMeta(path string) (state metaState, generation uint64, mended error, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return metaState{}, 0, nil, err
	}
	var states [2]metaState
	var generations [2]uint64
	var faults [2]error
	for i := range states {
		slot := text[min(i*metaSlot, len(text)):min((i+1)*metaSlot, len(text))]
		states[i], generations[i], faults[i] = decodeMeta(slot)
		if errors.Is(faults[i], errNewerFile) {
			return metaState{}, 0, nil, fmt.Errorf("%s %w", path, errNewerFile)
		}
		if faults[i] != nil {
			faults[i] = fmt.Errorf("%s is damaged at offset %d: %w", path, i*metaSlot, faults[i])
		}
	}
	switch {
	case faults[0] != nil && faults[1] != nil:
		return metaState{}, 0, nil, faults[0]
	case faults[0] != nil:
		return states[1], generations[1], faults[0], nil
	case faults[1] != nil:
		return states[0], generations[0], faults[1], nil
	case generations[0] < generations[1]:
		return metaState{}, 0, nil, fmt.Errorf("%s is damaged: its second copy is newer than its first", path)
	}
	return states[0], generations[0], nil, nil // the second copy may be one behind
}

func encodeMeta(state metaState, generation uint64) ([]byte, error) {
	text, err := json.Marshal(state)
	if err != nil {
		return nil, err
	}
	if len(text) > metaSlot-metaHeader {
		return nil, fmt.Errorf("the log has %d files, more than its metadata can hold", len(state.Segments.Segments))
	}
	slot := append(make([]byte, 0, metaHeader+len(text)), metaMagic...)
	slot = binary.LittleEndian.AppendUint32(slot, metaVersion)
	slot = binary.LittleEndian.AppendUint32(slot, uint32(len(text)))
	slot = binary.LittleEndian.AppendUint64(slot, generation)
	crc := crc32.Update(crc32.Checksum(slot, castagnoli), castagnoli, text)
	return append(binary.LittleEndian.AppendUint32(slot, crc), text...), nil
}

func decodeMeta(slot []byte) (metaState, uint64, error) {
	if len(slot) < metaHeader || !bytes.HasPrefix(slot, []byte(metaMagic)) {
		return metaState{}, 0, errors.New("it does not begin as it must")
	}
	fields := slot[len(metaMagic):metaHeader]
	version, length := binary.LittleEndian.Uint32(fields), binary.LittleEndian.Uint32(fields[4:])
	generation, crc := binary.LittleEndian.Uint64(fields[8:]), binary.LittleEndian.Uint32(fields[16:])
	if uint64(length) > uint64(len(slot)-metaHeader) {
		return metaState{}, 0, errors.New("it ends too soon")
	}
	text := slot[metaHeader : metaHeader+int(length)]
	if crc32.Update(crc32.Checksum(slot[:metaHeader-4], castagnoli), castagnoli, text) != crc {
		return metaState{}, 0, errors.New("its checksum is wrong")
	}
	if version > metaVersion {
		return metaState{}, 0, errNewerFile
	}
	var state metaState
	if err := json.Unmarshal(text, &state); err != nil {
		return metaState{}, 0, err
	}
	if state.Stable == nil {
		state.Stable = map[string][]byte{}
	}
	return state, generation, nil
}

// openMeta opens the file for writing and mends it if one of its copies is damaged.
func openMeta(d *disk, dir, path string) (*meta, error) {
	state, generation, mended, err := readMeta(path)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	m := &meta{disk: d, file: &file{f, d}, dir: dir, state: state, generation: generation}
	if mended != nil {
		if err := m.commit(func(*metaState) {}); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return m, nil
}

// commit changes what the file says, on disk before it returns. If that fails, the change may have happened all the
// same.
func (m *meta) commit(change func(*metaState)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := metaState{Segments: m.state.Segments, Stable: maps.Clone(m.state.Stable)}
	change(&next)
	slot, err := encodeMeta(next, m.generation+1)
	if err != nil {
		return err
	}
	for i := range int64(2) {
		if _, err = m.file.WriteAt(slot, i*metaSlot); err == nil {
			err = m.file.Sync()
		}
		if err != nil {
			if state, generation, _, unread := readMeta(m.file.Name()); unread == nil {
				m.state, m.generation = state, generation
			}
			return err
		}
	}
	m.state, m.generation = next, m.generation+1
	return nil
}

// Load is part of the contract of raft-wal: the segments of the log.
func (m *meta) Load(string) (types.PersistentState, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.Segments, nil
}

// CommitState is part of the contract of raft-wal: the log is from now on made of these segments. A new one has its
// file before the metadata speak of it, so that a file that is missing is a file that was lost.
func (m *meta) CommitState(state types.PersistentState) error {
	if n := len(state.Segments); n > 0 && state.Segments[n-1].SealTime.IsZero() {
		if err := m.provide(state.Segments[n-1]); err != nil {
			return err
		}
	}
	return m.commit(func(s *metaState) { s.Segments = state })
}

// provide makes the file of a segment that the log is to have, unless it has it.
func (m *meta) provide(info types.SegmentInfo) error {
	state, _ := m.Load("")
	for _, has := range state.Segments {
		if has.ID == info.ID {
			return nil
		}
	}
	return m.disk.create(filepath.Join(m.dir, segment.FileName(info)), int64(info.SizeLimit))
}

// GetStable is what was stored under a key, nil if nothing was.
func (m *meta) GetStable(key []byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Clone(m.state.Stable[string(key)]), nil
}

// SetStable stores a value under a key, on disk before it returns.
func (m *meta) SetStable(key, value []byte) error {
	return m.commit(func(s *metaState) { s.Stable[string(key)] = bytes.Clone(value) })
}

// Close is part of the contract of raft-wal, which is opened and closed more often than this file: see closeFile.
func (m *meta) Close() error { return nil }

func (m *meta) closeFile() error { return m.file.Close() }

var (
	_ types.MetaStore = (*meta)(nil)
	_ io.Closer       = (*meta)(nil)
)
