package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"google.golang.org/protobuf/proto"

	pb "iris/iris/proto"
	"iris/iris/state"
)

// envelope is what one record of raft's log carries: the entries that were proposed while the record before it was
// written.
//
//	"IrJ" | version 1 | CRC-32C of the rest 4 | term 8 | first 8 | entries 4 | each entry: length 4, Entry (protobuf)
//
// Term names the term in which the entries were proposed, at random. A record whose first is 0 begins that term.
// The entries of a term are numbered from 1. So every copy of the log can tell, and all alike, whether a record is
// about the state that its proposer saw: see fence.
type envelope struct {
	term    uint64
	first   uint64
	entries uint32
	body    []byte
}

const (
	envelopeMagic   = "IrJ"
	envelopeVersion = 1
	envelopeHeader  = len(envelopeMagic) + 1 + 4 + 8 + 8 + 4
)

// errNewerFile ends the sentence about a file or a record that a newer version wrote.
var errNewerFile = errors.New("was written by a newer version of Iris; start that version, or a newer one")

// seal is the envelope as bytes.
func (e envelope) seal() []byte {
	b := append(make([]byte, 0, envelopeHeader+len(e.body)), envelopeMagic...)
	b = append(b, envelopeVersion, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, e.term)
	b = binary.LittleEndian.AppendUint64(b, e.first)
	b = binary.LittleEndian.AppendUint32(b, e.entries)
	b = append(b, e.body...)
	binary.LittleEndian.PutUint32(b[4:], crc32.Checksum(b[8:], castagnoli))
	return b
}

// open reads an envelope, which shares the bytes.
func open(b []byte) (envelope, error) {
	if len(b) < envelopeHeader || !bytes.HasPrefix(b, []byte(envelopeMagic)) {
		return envelope{}, errors.New("is not one of Iris")
	}
	if b[3] > envelopeVersion {
		return envelope{}, errNewerFile
	}
	if b[3] == 0 || binary.LittleEndian.Uint32(b[4:]) != crc32.Checksum(b[8:], castagnoli) {
		return envelope{}, errors.New("is damaged: its checksum is wrong")
	}
	return envelope{
		term: binary.LittleEndian.Uint64(b[8:]), first: binary.LittleEndian.Uint64(b[16:]),
		entries: binary.LittleEndian.Uint32(b[24:]), body: b[envelopeHeader:],
	}, nil
}

// add puts an entry, as bytes, into the envelope.
func (e *envelope) add(entry []byte) {
	e.entries++
	e.body = append(binary.LittleEndian.AppendUint32(e.body, uint32(len(entry))), entry...)
}

// unpack decodes the entries. An error says that this version cannot know what they mean.
func (e envelope) unpack() ([]Entry, error) {
	entries := make([]Entry, 0, e.entries)
	for rest := e.body; len(rest) > 0; {
		if len(rest) < 4 || uint64(len(rest)-4) < uint64(binary.LittleEndian.Uint32(rest)) {
			return nil, errors.New("has an entry that ends too soon")
		}
		length := 4 + int(binary.LittleEndian.Uint32(rest))
		entry, err := decode(rest[4:length])
		if err != nil {
			return nil, err
		}
		entries, rest = append(entries, entry), rest[length:]
	}
	if len(entries) != int(e.entries) {
		return nil, fmt.Errorf("has %d entries and says %d", len(entries), e.entries)
	}
	return entries, nil
}

func encode(e Entry) ([]byte, error) { return proto.Marshal(state.EncodeEntry(e.At, e.Commands)) }

func decode(b []byte) (Entry, error) {
	var message pb.Entry
	if err := proto.Unmarshal(b, &message); err != nil {
		return Entry{}, err
	}
	at, commands, err := state.DecodeEntry(&message)
	return Entry{At: at, Commands: commands}, err
}
