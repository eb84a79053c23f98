package keeper

import (
	"errors"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "iris/iris/proto"
)

// service is what workers call.
type service struct {
	pb.UnimplementedKeeperServiceServer
	*attempts
	self     identity
	name     string         // of this keeper process
	sessions sync.WaitGroup // of the goroutines that receive
}

// session is a worker that is attached, or was.
type session struct {
	replaced chan struct{} // closed when another one has taken over
	wake     chan struct{} // there is something to tell
	dirty    []*attempt    // of which; guarded by the keeper's lock
}

func (s *session) stir() { stir(s.wake) }

// One message carries at most so many attempts, and so many bytes of their notes.
const (
	batchCount = 1000
	batchBytes = 4 << 20
)

// Attach serves one worker until it leaves or another one takes over.
func (s *service) Attach(stream pb.KeeperService_AttachServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	if first.Hello == nil {
		return status.Error(codes.InvalidArgument, "the first message needs a hello")
	}
	me, welcome, held, err := s.attach(first.Hello.Generation)
	if err != nil {
		return err
	}
	defer s.detach(me)
	welcome.Keeper, welcome.Pid = s.name, int32(s.self.Process.PID)
	if err := stream.Send(&pb.AttachResponse{Welcome: welcome}); err != nil {
		return err
	}
	for batch := range batches(held) {
		if err := stream.Send(&pb.AttachResponse{Attempts: batch}); err != nil {
			return err
		}
	}
	if err := stream.Send(&pb.AttachResponse{Synced: true}); err != nil {
		return err
	}
	received := make(chan error, 1)
	s.sessions.Go(func() { received <- s.receive(me, stream) }) // it ends with the stream, which ends with this call
	for {
		select {
		case <-me.wake:
			for changed := s.changed(me); len(changed) > 0; changed = s.changed(me) {
				if err := stream.Send(&pb.AttachResponse{Attempts: changed}); err != nil {
					return err
				}
			}
		case err := <-received:
			return err
		case <-me.replaced:
			return errReplaced
		}
	}
}

func (s *service) receive(me *session, stream pb.KeeperService_AttachServer) error {
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.follow(me, in); err != nil {
			return err
		}
	}
}

// attach makes a worker the one that gives orders. What it is told is how things are at this instant; all that changes
// from then on is news.
func (k *attempts) attach(before int64) (*session, *pb.AttachWelcome, []*pb.KeptAttempt, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.closing:
		return nil, nil, nil, errEnding
	case before != 0 && before < k.generation:
		return nil, nil, nil, errReplaced
	}
	if k.session != nil {
		close(k.session.replaced)
	}
	now := time.Now()
	k.generation = max(k.generation+1, now.UnixMicro()) // greater than any before, even if the record was lost
	k.record.add(entry{Generation: k.generation})
	k.session = &session{replaced: make(chan struct{}), wake: make(chan struct{}, 1)}
	k.stir()
	welcome := &pb.AttachWelcome{Generation: k.generation}
	if left := k.lease.Sub(now); left > 0 {
		welcome.Lease = durationpb.New(left)
	}
	var held []*pb.KeptAttempt
	for _, uid := range slices.Sorted(maps.Keys(k.held)) {
		a := k.held[uid]
		a.dirty = false
		out := a.proto(now)
		out.Note = a.note
		held = append(held, out)
	}
	return k.session, welcome, held, nil
}

func (k *attempts) detach(s *session) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.session == s {
		k.session, k.alone = nil, time.Now()
		k.stir()
	}
}

// changed takes out what is to be told, up to a batch.
func (k *attempts) changed(s *session) []*pb.KeptAttempt {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.session != s {
		return nil
	}
	n := min(len(s.dirty), batchCount)
	now, batch := time.Now(), make([]*pb.KeptAttempt, n)
	for i, a := range s.dirty[:n] {
		a.dirty = false
		batch[i] = a.proto(now)
	}
	s.dirty = slices.Delete(s.dirty, 0, n)
	return batch
}

// batches cuts a list into what one message may carry.
func batches(all []*pb.KeptAttempt) func(yield func([]*pb.KeptAttempt) bool) {
	return func(yield func([]*pb.KeptAttempt) bool) {
		for len(all) > 0 {
			n, size := 0, 0
			for n < len(all) && n < batchCount && (n == 0 || size+len(all[n].Note) <= batchBytes) {
				size += len(all[n].Note)
				n++
			}
			if !yield(all[:n]) {
				return
			}
			all = all[n:]
		}
	}
}
