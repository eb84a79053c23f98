package controller

import (
	"context"
	"slices"
	"time"

	"iris/iris/bundle"
	"iris/iris/network"
)

const (
	pruneAge      = 24 * time.Hour // for which a workspace that no job has is kept after its last use
	pruneInterval = time.Hour
	pruneBatch    = 100         // bundles that are asked about, and removed, at once
	prunePause    = time.Second // between two batches
)

// prune removes stored workspaces that are of no use to anybody any more. Every controller does so for those it keeps
// itself; which jobs are known only the leader can say.
func (c *Controller) prune() {
	ticker := time.NewTicker(pruneInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-c.ctx.Done():
			return
		}
		removed, err := c.pruneOnce(time.Now().Add(-pruneAge))
		if removed > 0 {
			c.config.Log.Info("workspaces removed that no job has", "controller", c.config.ID, "bundles", removed)
		}
		if err != nil && c.ctx.Err() == nil {
			c.config.Log.Warn("workspaces that no job has are not all removed; trying again later",
				"controller", c.config.ID, "in", pruneInterval, "error", err)
		}
	}
}

// pruneOnce asks about each batch right before it removes it. A job that is launched in between has asked for its
// workspace, which is not idle then; where it was not asked for it may go, and comes back from where it was when it is.
func (c *Controller) pruneOnce(since time.Time) (removed int, err error) {
	idle, err := c.config.Bundles.Idle(since)
	if err != nil {
		return 0, err
	}
	for batch := range slices.Chunk(idle, pruneBatch) {
		unused, err := c.unusedAnywhere(c.ctx, batch)
		if err != nil {
			return removed, err
		}
		for _, h := range unused {
			gone, err := c.config.Bundles.RemoveIdle(h, since)
			if err != nil {
				return removed, err
			}
			if gone {
				removed++
			}
		}
		select {
		case <-time.After(prunePause):
		case <-c.ctx.Done():
			return removed, c.ctx.Err()
		}
	}
	return removed, nil
}

// unusedAnywhere picks the bundles that no job has, by this controller's knowledge if it leads, else by the leader's.
func (c *Controller) unusedAnywhere(ctx context.Context, hashes []bundle.Hash) ([]bundle.Hash, error) {
	unused, err := c.unused(ctx, hashes)
	if leader := network.Leader(err); leader != "" {
		return c.config.Bundles.Unused(ctx, leader, hashes)
	}
	return unused, err
}

// unused picks the bundles that no job has. It is UNAVAILABLE where this controller does not lead.
func (c *Controller) unused(ctx context.Context, hashes []bundle.Hash) ([]bundle.Hash, error) {
	return ask(ctx, c.seat, nil, func(l *loop, _ []error) []bundle.Hash {
		var unused []bundle.Hash
		for _, h := range hashes {
			if !l.leader.Cluster().Uses(string(h)) {
				unused = append(unused, h)
			}
		}
		return unused
	})
}
