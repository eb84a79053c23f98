package journal

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// growth is how much the log has grown since the last snapshot.
type growth struct{ entries, bytes atomic.Int64 }

// grows takes note of what is appended, and asks for a snapshot when it is enough.
func (r *Raft) grows(entries, bytes int) {
	r.growth.entries.Add(int64(entries))
	r.growth.bytes.Add(int64(bytes))
	if r.grownEnough() {
		wake(r.grown)
	}
}

func (r *Raft) grownEnough() bool {
	return r.growth.entries.Load() >= int64(r.config.SnapshotEntries) || r.growth.bytes.Load() >= r.config.SnapshotBytes
}

// retrySnapshot is how long to wait after a snapshot failed.
const retrySnapshot = 5 * time.Second

// compact takes a snapshot when the log has grown enough, and drops the part of the log that it replaces.
func (r *Raft) compact() {
	failed := false
	for {
		select {
		case <-r.grown:
		case <-r.end.done:
			return
		}
		if !r.grownEnough() {
			continue // it was told so again while the last one was taken
		}
		entries, bytes := r.growth.entries.Load(), r.growth.bytes.Load()
		err := r.raft.Snapshot().Error()
		switch {
		case err == nil, errors.Is(err, raft.ErrNothingNewToSnapshot):
			r.growth.entries.Add(-entries)
			r.growth.bytes.Add(-bytes)
			failed = false
			continue
		case r.end.over() != nil:
			return
		case !failed:
			r.log.Warn("no snapshot can be taken; the log grows until one can", "err", err)
			failed = true
		}
		if !sleep(r.disk.ctx, retrySnapshot) {
			return
		}
		wake(r.grown)
	}
}
