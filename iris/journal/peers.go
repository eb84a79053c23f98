package journal

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"

	"github.com/hashicorp/raft"
)

// peers is how raft talks to the other voters. It notes how far each has followed, which raft does not tell.
type peers struct {
	*raft.NetworkTransport
	log *slog.Logger

	mu      sync.Mutex
	silent  map[raft.ServerID]bool   // who did not answer last
	matched map[raft.ServerID]uint64 // index up to which its log is this one's
	news    chan struct{}            // closed when matched changes
}

func newPeers(transport *raft.NetworkTransport, log *slog.Logger) *peers {
	return &peers{
		NetworkTransport: transport, log: log, silent: map[raft.ServerID]bool{}, matched: map[raft.ServerID]uint64{},
		news: make(chan struct{}),
	}
}

// AppendEntries sends entries to a voter.
func (p *peers) AppendEntries(id raft.ServerID, to raft.ServerAddress, request *raft.AppendEntriesRequest,
	response *raft.AppendEntriesResponse) error {
	err := p.NetworkTransport.AppendEntries(id, to, request, response)
	p.hear(id, err)
	if err == nil && response.Success && request.PrevLogEntry+uint64(len(request.Entries)) > 0 {
		p.note(id, request.PrevLogEntry+uint64(len(request.Entries)))
	}
	return err
}

// hear tells once when a voter is no longer heard of, and when it is again.
func (p *peers) hear(id raft.ServerID, err error) {
	p.mu.Lock()
	changed := p.silent[id] != (err != nil)
	p.silent[id] = err != nil
	p.mu.Unlock()
	switch {
	case !changed || errors.Is(err, errCut):
	case err != nil:
		p.log.Warn("another voter does not answer", "peer", id, "err", err)
	default:
		p.log.Info("another voter answers again", "peer", id)
	}
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

// await waits until a voter has followed up to an index, and no longer than until lost is closed.
func (p *peers) await(ctx context.Context, lost <-chan struct{}, id raft.ServerID, index uint64) error {
	for {
		p.mu.Lock()
		matched, news := p.matched[id], p.news
		p.mu.Unlock()
		if matched >= index {
			return nil
		}
		select {
		case <-news:
		case <-lost:
			return raft.ErrLeadershipLost
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
