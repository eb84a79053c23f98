package journal

import (
	"context"
	"io"
	"sync"

	"github.com/hashicorp/raft"
)

// peers is how raft talks to the other voters. It notes how far each has followed, which raft does not tell.
type peers struct {
	*raft.NetworkTransport

	mu      sync.Mutex
	matched map[raft.ServerID]uint64 // index up to which its log is this one's
	news    chan struct{}            // closed when matched changes
}

func newPeers(transport *raft.NetworkTransport) *peers {
	return &peers{NetworkTransport: transport, matched: map[raft.ServerID]uint64{}, news: make(chan struct{})}
}

// AppendEntries sends entries to a voter.
func (p *peers) AppendEntries(id raft.ServerID, to raft.ServerAddress, request *raft.AppendEntriesRequest,
	response *raft.AppendEntriesResponse) error {
	err := p.NetworkTransport.AppendEntries(id, to, request, response)
	if err == nil && response.Success && request.PrevLogEntry+uint64(len(request.Entries)) > 0 {
		p.note(id, request.PrevLogEntry+uint64(len(request.Entries)))
	}
	return err
}

// InstallSnapshot sends a snapshot to a voter.
func (p *peers) InstallSnapshot(id raft.ServerID, to raft.ServerAddress, request *raft.InstallSnapshotRequest,
	response *raft.InstallSnapshotResponse, body io.Reader) error {
	err := p.NetworkTransport.InstallSnapshot(id, to, request, response, body)
	if err == nil && response.Success {
		p.note(id, request.LastLogIndex)
	}
	return err
}

func (p *peers) note(id raft.ServerID, index uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.matched[id] = index
	close(p.news)
	p.news = make(chan struct{})
}

// forget forgets how far a voter has followed.
func (p *peers) forget(id raft.ServerID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.matched, id)
}

// await waits until a voter has followed up to an index.
func (p *peers) await(ctx context.Context, id raft.ServerID, index uint64) error {
	for {
		p.mu.Lock()
		matched, news := p.matched[id], p.news
		p.mu.Unlock()
		if matched >= index {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
