package journal

import (
	"fmt"

	"github.com/hashicorp/raft"
)

// A record of raft's log carries all that was proposed while the one before it was written, up to this many bytes,
// so that one write to the disk serves many entries. An entry that is larger by itself has a record of its own, and
// one larger than maxRecord is cut between its commands.
const (
	fullRecord = 512 << 10
	maxRecord  = 32 << 20
)

// feed hands to raft what is proposed, until the journal is over.
func (r *Raft) feed() {
	for {
		select {
		case <-r.proposed:
		case <-r.end.done:
			return
		}
		for t := r.leading(); t != nil; {
			most := MaxOutstanding
			if anyArmed() {
				most = 1 // so that who watches the sites sees entry after entry
			}
			entries := t.pull(most)
			if len(entries) == 0 || r.end.over() != nil {
				break
			}
			if err := r.hand(t, entries); err != nil {
				t.finish(err)
				break
			}
		}
	}
}

// hand hands entries of a term to raft.
func (r *Raft) hand(t *raftTerm, entries []Entry) error {
	record := envelope{term: t.id}
	var parts []part
	flush := func() {
		if len(parts) > 0 {
			record.first = t.send(parts)
			r.pending <- pending{t, r.raft.Apply(record.seal(), 0)}
		}
		record, parts = envelope{term: t.id}, nil
	}
	for _, entry := range entries {
		if r.end.crash(beforeAppend, beforeAppend.Hit(r.disk.ctx, r.disk.labels)) {
			return r.end.over()
		}
		pieces, err := split(entry, maxRecord)
		if err != nil {
			return fmt.Errorf("an entry cannot be written down: %w", err)
		}
		for i, p := range pieces {
			if len(record.body)+len(p.bytes) > fullRecord {
				flush()
			}
			record.add(p.bytes)
			parts = append(parts, part{entry: p.entry, last: i == len(pieces)-1})
		}
	}
	flush()
	return nil
}

// piece is an entry, or some of its commands, as bytes too.
type piece struct {
	entry Entry
	bytes []byte
}

// split encodes an entry, in pieces of at most so many bytes if it is larger than that.
func split(e Entry, most int) ([]piece, error) {
	b, err := encode(e)
	switch {
	case err != nil:
		return nil, err
	case len(b) <= most:
		return []piece{{e, b}}, nil
	case len(e.Commands) == 1:
		return nil, fmt.Errorf("its command %T has %d bytes; %d is the most", e.Commands[0], len(b), most)
	}
	half := len(e.Commands) / 2
	front, err := split(Entry{At: e.At, Commands: e.Commands[:half:half]}, most)
	if err != nil {
		return nil, err
	}
	back, err := split(Entry{At: e.At, Commands: e.Commands[half:]}, most)
	return append(front, back...), err
}

// refuse ends the term whose record could not be written: raft, which steps down, does not say why.
func (r *Raft) refuse(err error) {
	if t := r.leading(); t != nil {
		t.finish(fmt.Errorf("an entry could not be written: %w", err))
	}
}

// pending is a record that raft has, and not yet said what became of it.
type pending struct {
	term   *raftTerm
	future raft.ApplyFuture
}

// settle ends the terms whose records fail.
func (r *Raft) settle() {
	for p := range r.pending {
		if err := p.future.Error(); err != nil {
			p.term.finish(fmt.Errorf("an entry was not committed: %w", err))
		}
	}
}
