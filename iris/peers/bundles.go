package peers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/iris/bundle"
	"iris/iris/network"
	pb "iris/iris/proto"
)

// copyTimeout bounds the copying of one bundle to or from another controller.
const copyTimeout = 2 * time.Minute

// Bundles are the workspaces that the controllers of a cluster keep together. What was stored is on a majority of them,
// as what was committed is, so that it outlives whichever of them is lost.
type Bundles struct {
	peers  *Peers
	others func() []string
}

// Bundles keeps bundles together with the controllers whose addresses others returns; this one is not among them. Nil:
// this controller is alone.
func (p *Peers) Bundles(others func() []string) *Bundles {
	if others == nil {
		others = func() []string { return nil }
	}
	return &Bundles{peers: p, others: others}
}

// Put stores a bundle here and with as many others as make a majority; see [bundle.Store.Put]. Too few of them to be
// reached is UNAVAILABLE; the bundle may be stored by some then.
func (b *Bundles) Put(ctx context.Context, hash bundle.Hash, from io.Reader) error {
	if err := b.peers.store.Put(ctx, hash, from); err != nil {
		return err
	}
	others := b.others()
	need := (len(others) + 1) / 2 // with this one that is more than half of all
	if need == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, copyTimeout)
	defer cancel()
	copied := make(chan error, len(others))
	for _, address := range others {
		b.peers.running.Go(func() { copied <- b.push(ctx, address, hash) })
	}
	var failed []error
	for range others {
		err := <-copied
		if err == nil {
			if need--; need == 0 {
				return nil // the rest is cut short: whoever lacks it fetches it when it is asked for it
			}
			continue
		}
		failed = append(failed, err)
	}
	return status.Errorf(codes.Unavailable, "bundle %s is not stored by a majority of the controllers: %v", hash, errors.Join(failed...))
}

// push copies a bundle to another controller.
func (b *Bundles) push(ctx context.Context, address string, hash bundle.Hash) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("controller at %s: %w", address, err)
		}
	}()
	file, _, err := b.peers.store.Open(hash)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	conn, err := b.peers.conn(address)
	if err != nil {
		return err
	}
	stream, err := pb.NewPeerServiceClient(conn).PutBundle(ctx)
	if err != nil {
		return err
	}
	message, buffer := &pb.UploadBundleRequest{Sha256: string(hash)}, make([]byte, network.Chunk)
	for {
		n, err := file.Read(buffer)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		message.Data = buffer[:n]
		if stream.Send(message) != nil {
			break // CloseAndRecv has the error
		}
		message = &pb.UploadBundleRequest{}
	}
	_, err = stream.CloseAndRecv()
	return err
}

// Has reports whether the cluster has a bundle, and sees to it that this controller does then.
func (b *Bundles) Has(ctx context.Context, hash bundle.Hash) bool {
	file, _, err := b.Open(ctx, hash)
	return err == nil && file.Close() == nil
}

// Open returns a bundle and its size in bytes. If this controller does not have it, it is fetched from another first. The
// error wraps [bundle.ErrNotFound] if nobody who can be reached has it.
func (b *Bundles) Open(ctx context.Context, hash bundle.Hash) (io.ReadCloser, int64, error) {
	file, size, err := b.peers.store.Open(hash)
	if !errors.Is(err, bundle.ErrNotFound) {
		return file, size, err
	}
	ctx, cancel := context.WithTimeout(ctx, copyTimeout)
	defer cancel()
	for _, address := range b.others() {
		if b.pull(ctx, address, hash) == nil {
			return b.peers.store.Open(hash)
		}
	}
	return nil, 0, err
}

// pull fetches a bundle from another controller.
func (b *Bundles) pull(ctx context.Context, address string, hash bundle.Hash) error {
	conn, err := b.peers.conn(address)
	if err != nil {
		return err
	}
	stream, err := pb.NewPeerServiceClient(conn).GetBundle(ctx, &pb.DownloadBundleRequest{Sha256: string(hash)})
	if err != nil {
		return err
	}
	return b.peers.store.Put(ctx, hash, &parts{next: func() ([]byte, error) {
		part, err := stream.Recv()
		return part.GetData(), err
	}})
}
