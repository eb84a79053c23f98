package journal

import (
	"fmt"
	"io"
	"sync"

	"github.com/hashicorp/raft"

	"iris/iris/state"
)

// machine is this voter's copy of the cluster's state: what all that is committed leaves. It is raft's FSM.
type machine struct {
	disk *disk // for its context and labels
	end  *ending

	mu      sync.Mutex // for work of the processor alone
	cluster *state.Cluster
	fence   fence
	term    *raftTerm // whose entries need not be decoded
}

// fence decides, alike on every copy of the log, which records count. A record was proposed by a controller that
// had a certain state before its eyes. It counts only if that is the state that it is applied to: if the last term
// that began is its own, and all that was proposed before it in that term came before it. (Leadership may be lost
// and won again, and a proposal fail and the one after it succeed.)
type fence struct {
	term  uint64 // the last that began; 0: none ever did
	entry uint64 // number of the term's last entry
}

// ApplyBatch applies records that are committed, and tells the term that is under way of its proposals among them.
func (m *machine) ApplyBatch(logs []*raft.Log) []any {
	responses := make([]any, len(logs))
	records, committed, term := m.applyAll(logs)
	if records > 0 {
		m.end.crash(afterCommit, afterCommit.Hit(m.disk.ctx, m.disk.labels))
	}
	if term != nil && m.end.over() == nil {
		term.advance(committed)
	}
	return responses
}

// applyAll returns how many records it applied, and how many proposals of which term that completed.
func (m *machine) applyAll(logs []*raft.Log) (records, committed int, term *raftTerm) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, log := range logs {
		if log.Type != raft.LogCommand || m.end.over() != nil {
			continue
		}
		n, err := m.apply(log.Data)
		if err != nil {
			m.end.end(fmt.Errorf("entry %d of the log cannot be applied: it %w", log.Index, err))
			break
		}
		records, committed = records+1, committed+n
	}
	return records, committed, m.term
}

// apply applies one record and returns how many proposals of the term that is under way it completes.
func (m *machine) apply(record []byte) (int, error) {
	e, err := open(record)
	if err != nil {
		return 0, err
	}
	if e.first == 0 {
		return 0, m.begin(e)
	}
	if e.term != m.fence.term || e.first != m.fence.entry+1 {
		return 0, nil // it is about another state
	}
	m.fence.entry += uint64(e.entries)
	if m.term != nil && m.term.id == e.term {
		proposals := 0
		for _, p := range m.term.take(int(e.entries)) {
			p.entry.Apply(m.cluster)
			if p.last {
				proposals++
			}
		}
		return proposals, nil
	}
	entries, err := e.unpack()
	for _, entry := range entries {
		entry.Apply(m.cluster)
	}
	return 0, err
}

// begin begins a term. The record has what a new cluster begins with, in case this is one.
func (m *machine) begin(e envelope) error {
	if m.fence.term == 0 {
		entries, err := e.unpack()
		if err != nil {
			return err
		}
		for _, entry := range entries {
			entry.Apply(m.cluster)
		}
	}
	m.fence = fence{term: e.term}
	return nil
}

// enter returns a copy of the state as of the beginning of a term, and recognises the term's entries from now on. It
// returns nil if another term has begun since.
func (m *machine) enter(t *raftTerm) (*state.Cluster, error) {
	m.mu.Lock()
	if m.fence.term != t.id {
		m.mu.Unlock()
		return nil, nil
	}
	m.term = t
	snapshot := m.cluster.Snapshot()
	m.mu.Unlock()
	return state.Restore(snapshot)
}

// Apply applies one record: raft wants to know that it can.
func (m *machine) Apply(log *raft.Log) any { return m.ApplyBatch([]*raft.Log{log})[0] }

// Snapshot is the state as of now, to be written down later.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	if err := m.end.over(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return machineSnapshot{fence: m.fence, state: m.cluster.Snapshot()}, nil
}

// Restore replaces the state with one that was written down. Raft treats a failure as one that passes, and would go on
// with an older state; this one does not pass.
func (m *machine) Restore(from io.ReadCloser) error {
	b, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	s, err := openSnapshot(b)
	if err != nil {
		m.end.end(fmt.Errorf("a snapshot %w", err))
		return err
	}
	cluster, err := s.restore()
	if err != nil {
		m.end.end(fmt.Errorf("a snapshot cannot be used: %w", err))
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cluster, m.fence = cluster, s.fence
	return nil
}

var _ raft.BatchingFSM = (*machine)(nil)
