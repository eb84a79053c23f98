package journal

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	pb "iris/iris/proto"
	"iris/iris/state"
)

// machineSnapshot is the state of a machine, shared with it where it never changes. Written down it is
//
//	"IrisSnap" | version 4 | term 8 | entry 8 | Snapshot (protobuf)
//
// with the term and the entry of the fence. Raft keeps a checksum of it, and verifies it before it hands it out.
type machineSnapshot struct {
	fence fence
	state *pb.Snapshot
	bytes []byte // the same, if it was read
}

const (
	snapshotMagic   = "IrisSnap"
	snapshotVersion = 1
	snapshotHeader  = len(snapshotMagic) + 4 + 8 + 8
)

// Persist writes the snapshot down.
func (s machineSnapshot) Persist(to raft.SnapshotSink) error {
	b := append(make([]byte, 0, snapshotHeader+proto.Size(s.state)), snapshotMagic...)
	b = binary.LittleEndian.AppendUint32(b, snapshotVersion)
	b = binary.LittleEndian.AppendUint64(b, s.fence.term)
	b = binary.LittleEndian.AppendUint64(b, s.fence.entry)
	b, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(b, s.state)
	if err != nil {
		return err
	}
	_, err = to.Write(b)
	return err
}

// Release has nothing to release.
func (machineSnapshot) Release() {}

// openSnapshot reads the header of a snapshot.
func openSnapshot(b []byte) (machineSnapshot, error) {
	if len(b) < snapshotHeader || !bytes.HasPrefix(b, []byte(snapshotMagic)) {
		return machineSnapshot{}, errors.New("is not one of Iris")
	}
	fields := b[len(snapshotMagic):]
	if binary.LittleEndian.Uint32(fields) > snapshotVersion {
		return machineSnapshot{}, errNewerFile
	}
	return machineSnapshot{
		fence: fence{term: binary.LittleEndian.Uint64(fields[4:]), entry: binary.LittleEndian.Uint64(fields[12:])},
		bytes: b[snapshotHeader:],
	}, nil
}

// restore makes the state that was written down.
func (s machineSnapshot) restore() (*state.Cluster, error) {
	var message pb.Snapshot
	if err := proto.Unmarshal(s.bytes, &message); err != nil {
		return nil, err
	}
	return state.Restore(&message)
}
