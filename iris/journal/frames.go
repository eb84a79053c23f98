package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/types"
)

// A segment file of raft-wal 0.4 is a header of 32 bytes and then frames, each a header of 8 bytes (type, three zeros,
// length or CRC) and a payload that is padded to a multiple of 8. One write is a batch: frames of entries, in the last
// write of a file also the frame of the index, and a commit frame with the CRC-32C of all bytes since the commit frame
// before it. What is not written yet is zero.
const (
	segmentMagic   = 0x58eb6b0d
	segmentVersion = 0
	segmentHeader  = 32
	frameHeader    = 8

	entryFrame  = 1
	indexFrame  = 2
	commitFrame = 3
)

// content is what is intact of a segment file, from its beginning: whole batches.
type content struct {
	last    raft.Log   // the last entry, without its data; index 0 if there is none
	terms   []raft.Log // the first entry of each term, likewise
	offsets []uint32   // of the frames of the entries
	sealed  uint64     // offset of the index, 0 as long as entries can be added
	end     int        // of the last intact batch
	damage  error      // why the next batch is not intact; nil if nothing was written after end
	beyond  int        // how many bytes there are from end to the last that is not zero
	lost    int        // how many entries can be made out among them
}

// errUnknown is about entries of which nobody was told that they are there.
var errUnknown = errors.New("the write failed, and nobody was told of what it wrote")

// readSegment reads a segment file, which is all of the bytes, up to the index known. A newer version's file is an
// error.
func readSegment(b []byte, info types.SegmentInfo, known uint64) (content, error) {
	c := content{}
	c.beyond = len(bytes.TrimRight(b, "\x00"))
	if c.beyond == 0 {
		return c, nil // made, and nothing written yet
	}
	if c.damage = checkHeader(b, info); errors.Is(c.damage, errNewerFile) {
		return c, c.damage
	}
	for from := 0; c.damage == nil; from = c.end {
		end, err := c.batch(b, from, info, known)
		if errors.Is(err, errNewerFile) {
			return c, err
		}
		if end == from && err == nil {
			break
		}
		c.damage = err
	}
	c.beyond = max(0, c.beyond-c.end)
	return c, nil
}

func checkHeader(b []byte, info types.SegmentInfo) error {
	if len(b) < segmentHeader || binary.LittleEndian.Uint32(b) != segmentMagic || b[4]|b[5]|b[6] != 0 {
		return errors.New("its header is not that of a segment")
	}
	if b[7] > segmentVersion {
		return errNewerFile
	}
	base, id := binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:])
	if base != info.BaseIndex || id != info.ID || binary.LittleEndian.Uint64(b[24:]) != info.Codec {
		return fmt.Errorf("its header is that of another segment (%d-%d)", base, id)
	}
	return nil
}

// batch reads the batch that begins at from and adds it to c, if it is intact. It returns from if nothing was written
// there.
func (c *content) batch(b []byte, from int, info types.SegmentInfo, known uint64) (int, error) {
	next := *c
	at := max(from, segmentHeader)
	for c.lost = 0; ; {
		if len(b)-at < frameHeader || binary.LittleEndian.Uint64(b[at:]) == 0 {
			if at == max(from, segmentHeader) && c.beyond <= at {
				return from, nil
			}
			return from, fmt.Errorf("the batch at offset %d has no end", from)
		}
		kind, field, length := frame(b, at)
		if kind == commitFrame {
			if crc32.Checksum(b[from:at], castagnoli) != field {
				return from, fmt.Errorf("the checksum of the batch at offset %d is wrong", from)
			}
			break
		}
		if length == 0 {
			return from, fmt.Errorf("the batch at offset %d is garbled at offset %d", from, at)
		}
		if kind == indexFrame {
			next.sealed = uint64(at + frameHeader)
		} else {
			c.lost++
			next.offsets = append(next.offsets, uint32(at))
		}
		at += length
	}
	for i := len(c.offsets); i < len(next.offsets); i++ {
		offset := next.offsets[i]
		length := binary.LittleEndian.Uint32(b[offset+4:])
		if err := next.entry(b[offset+frameHeader:][:length], info.BaseIndex+uint64(i)); err != nil {
			return from, fmt.Errorf("the entry at offset %d %w", offset, err)
		}
	}
	if err := next.checkIndex(b); err != nil {
		return from, err
	}
	if info.SealTime.IsZero() && next.last.Index > known {
		return from, errUnknown
	}
	next.end = at + frameHeader
	*c = next
	return next.end, nil
}

// frame reads the header at an offset. The length is that of the whole frame, 0 if none that has a payload fits there.
func frame(b []byte, at int) (kind byte, field uint32, length int) {
	kind, field = b[at], binary.LittleEndian.Uint32(b[at+4:])
	length = frameHeader + (int(field)+frameHeader-1)/frameHeader*frameHeader
	if kind != entryFrame && kind != indexFrame || length > len(b)-at {
		length = 0
	}
	return kind, field, length
}

// entry adds one entry to what is intact. Its checksum is right, so that what is wrong with it was wrong when it was
// written.
func (c *content) entry(b []byte, index uint64) error {
	var log raft.Log
	if err := decodeLog(b, &log); err != nil {
		return err
	}
	if log.Index != index {
		return fmt.Errorf("has index %d; %d is due", log.Index, index)
	}
	if log.Term < c.last.Term {
		return fmt.Errorf("has term %d after %d", log.Term, c.last.Term)
	}
	switch log.Type {
	case raft.LogCommand:
		if _, err := open(log.Data); err != nil {
			return fmt.Errorf("(index %d) %w", log.Index, err)
		}
	case raft.LogNoop, raft.LogBarrier, raft.LogConfiguration:
	default:
		return fmt.Errorf("(index %d) is of a kind that is not known, %d", log.Index, log.Type)
	}
	bare := raft.Log{Index: log.Index, Term: log.Term}
	if log.Term != c.last.Term {
		c.terms = append(c.terms[:len(c.terms):len(c.terms)], bare)
	}
	c.last = bare
	return nil
}

// decodeLog decodes what raft-wal writes of an entry. Its own decoder trusts the bytes.
func decodeLog(b []byte, log *raft.Log) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("is garbled")
		}
	}()
	return (&wal.BinaryCodec{}).Decode(b, log)
}

// checkIndex compares the index of a segment that is full with its entries.
func (c *content) checkIndex(b []byte) error {
	if c.sealed == 0 {
		return nil
	}
	if length := binary.LittleEndian.Uint32(b[c.sealed-4:]); int(length) != 4*len(c.offsets) {
		return fmt.Errorf("the index at offset %d is not that of %d entries", c.sealed, len(c.offsets))
	}
	for i, offset := range c.offsets {
		if binary.LittleEndian.Uint32(b[int(c.sealed)+4*i:]) != offset {
			return fmt.Errorf("the index at offset %d is wrong about entry %d", c.sealed, i)
		}
	}
	return nil
}

// intactBehind returns the offset of a batch that is intact, behind the damage, or 0. Damage that ends a log is what a
// loss of power leaves; damage with something intact behind it is something else, and to cut there would lose what
// was acknowledged.
func (c *content) intactBehind(b []byte) int {
	b = b[:min(len(b), c.end+c.beyond+frameHeader)]
	var starts []int
	if at := c.firstBad(b); at > 0 {
		starts = append(starts, at+frameHeader) // as if a commit frame had been there
	}
	for at := (c.end + frameHeader - 1) / frameHeader * frameHeader; len(b)-at >= frameHeader; at += frameHeader {
		if b[at] != commitFrame || b[at+1]|b[at+2]|b[at+3] != 0 {
			continue
		}
		want := binary.LittleEndian.Uint32(b[at+4:])
		for _, start := range starts[max(0, len(starts)-nearby):] {
			if start < at && crc32.Checksum(b[start:at], castagnoli) == want {
				return start
			}
		}
		starts = append(starts, at+frameHeader)
	}
	return 0
}

// nearby bounds how many places that look like the end of a batch are tried as the one before the next.
const nearby = 8

// firstBad is the offset of the first frame after the intact batches that is none, or whose checksum is wrong.
func (c *content) firstBad(b []byte) int {
	at := max(c.end, segmentHeader)
	for len(b)-at >= frameHeader {
		_, _, length := frame(b, at)
		if length == 0 {
			return at
		}
		at += length
	}
	return 0
}
