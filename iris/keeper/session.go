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
	stream   pb.KeeperService_AttachServer
	replaced chan struct{} // closed when another one has taken over
	failed   chan error    // why nothing can be told any more
	turn     chan struct{} // held by whoever tells

	// The keeper's lock guards what follows.
	synced bool       // what is held has been told
	dirty  []*attempt // there is news of them
}

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
	me, welcome, held, err := s.attach(stream, first.Hello.Generation)
	if err != nil {
		return err
	}
	defer func() {
		s.detach(me)
		me.turn <- struct{}{} // what is being told ends with the connection
	}()
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
	s.sync(me)
	select {
	case err := <-received:
		return err
	case err := <-me.failed:
		return err
	case <-me.replaced:
		return errReplaced
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
		s.spread(me)
	}
}

// attach makes a worker the one that gives orders. What it is told is how things are at this instant; all that changes
// from then on is news.
func (k *attempts) attach(stream pb.KeeperService_AttachServer, before int64) (
	*session, *pb.AttachWelcome, []*pb.KeptAttempt, error) {
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
	k.session = &session{
		stream: stream, replaced: make(chan struct{}), failed: make(chan error, 1), turn: make(chan struct{}, 1),
	}
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

// sync lets a worker be told news, now that it knows what is held.
func (k *attempts) sync(s *session) {
	k.mu.Lock()
	s.synced = true
	k.mu.Unlock()
	k.spread(s)
}

// spread tells a worker the news, unless somebody is at it, who tells these as well. Whoever brings news calls it, so that
// nobody has to be woken for that.
func (k *attempts) spread(s *session) {
	for s != nil && k.news(s) {
		select {
		case s.turn <- struct{}{}:
		default:
			return
		}
		for batch := k.changed(s); len(batch) > 0; batch = k.changed(s) {
			if err := s.stream.Send(&pb.AttachResponse{Attempts: batch}); err != nil {
				select {
				case s.failed <- err:
				default:
				}
			}
		}
		<-s.turn
	}
}

// news reports whether there is any.
func (k *attempts) news(s *session) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.session == s && s.synced && len(s.dirty) > 0
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
