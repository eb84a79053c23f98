package peers

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/iris/bundle"
	pb "iris/iris/proto"
)

const (
	unusedBatch   = 1000             // hashes that one call is about at the most
	unusedTimeout = 10 * time.Second // of a call
)

// Unused picks the bundles that no job has that is not forgotten. The leader alone can tell.
type Unused func(ctx context.Context, hashes []bundle.Hash) ([]bundle.Hash, error)

// Answer has the questions of other controllers answered. Without it they are UNAVAILABLE.
func (b *Bundles) Answer(unused Unused) {
	b.peers.mu.Lock()
	defer b.peers.mu.Unlock()
	b.peers.unused = unused
}

// Unused asks the controller at an address, at most 1 000 hashes at once.
func (b *Bundles) Unused(ctx context.Context, address string, hashes []bundle.Hash) ([]bundle.Hash, error) {
	conn, err := b.peers.conn(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, unusedTimeout)
	defer cancel()
	in := &pb.FindUnusedBundlesRequest{}
	for _, h := range hashes {
		in.Sha256 = append(in.Sha256, string(h))
	}
	out, err := pb.NewPeerServiceClient(conn).FindUnusedBundles(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("controller at %s: %w", address, err)
	}
	return parse(out.Sha256)
}

// Idle are the bundles stored here that nobody has stored or asked for since an instant.
func (b *Bundles) Idle(since time.Time) ([]bundle.Hash, error) { return b.peers.store.Idle(since) }

// RemoveIdle removes a bundle here, unless somebody has stored it or asked for it since, and reports whether it did.
func (b *Bundles) RemoveIdle(h bundle.Hash, since time.Time) (bool, error) {
	return b.peers.store.RemoveIdle(h, since)
}

// FindUnusedBundles answers another controller.
func (s *service) FindUnusedBundles(ctx context.Context, in *pb.FindUnusedBundlesRequest) (*pb.FindUnusedBundlesResponse, error) {
	if len(in.Sha256) > unusedBatch {
		return nil, status.Errorf(codes.InvalidArgument, "%d hashes are asked about; ask about at most %d at once", len(in.Sha256), unusedBatch)
	}
	hashes, err := parse(in.Sha256)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	s.peers.mu.Lock()
	unused := s.peers.unused
	s.peers.mu.Unlock()
	if unused == nil {
		return nil, status.Error(codes.Unavailable, "this controller does not know yet which bundles are in use; try again")
	}
	hashes, err = unused(ctx, hashes)
	if err != nil {
		return nil, err
	}
	out := &pb.FindUnusedBundlesResponse{}
	for _, h := range hashes {
		out.Sha256 = append(out.Sha256, string(h))
	}
	return out, nil
}

func parse(sums []string) ([]bundle.Hash, error) {
	hashes := make([]bundle.Hash, len(sums))
	for i, sum := range sums {
		h, err := bundle.ParseHash(sum)
		if err != nil {
			return nil, err
		}
		hashes[i] = h
	}
	return hashes, nil
}
