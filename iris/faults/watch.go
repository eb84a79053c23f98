package faults

import (
	"context"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "iris/iris/proto"
)

// lookInterval is how often a watch looks for processes that came, or came back.
const lookInterval = 2 * time.Second

// Watch sends what fires in the processes that are targets, until the caller leaves.
func (s *service) Watch(r *pb.WatchChaosRequest, stream grpc.ServerStreamingServer[pb.WatchChaosResponse]) error {
	ctx, leave := context.WithCancel(stream.Context())
	w := &watching{
		service: s, request: r, ctx: ctx, news: make(chan *pb.WatchChaosResponse),
		followed: map[string]string{}, last: map[string]string{}, lost: map[string]codes.Code{},
	}
	defer w.running.Wait()
	defer leave()
	members, err := s.members(ctx, r.Targets)
	if err != nil {
		return err
	}
	w.running.Go(func() { w.look(members) })
	for {
		select {
		case news := <-w.news:
			if err := stream.Send(news); err != nil {
				return err
			}
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
	}
}

// watching is one Watch call. Each process has a goroutine that follows it. All of them send to the caller, who may be
// slow: they wait, and what fires meanwhile is kept, and in the end dropped and counted, in the process where it fired.
type watching struct {
	service *service
	request *pb.WatchChaosRequest
	ctx     context.Context
	news    chan *pb.WatchChaosResponse
	running sync.WaitGroup

	mu       sync.Mutex
	followed map[string]string     // by name: the id of the process that is followed
	last     map[string]string     // by name: the id of the one followed last; "": none yet
	lost     map[string]codes.Code // by name: why it is not followed, as the caller was told
}

// look follows whom it does not follow yet, again and again.
func (w *watching) look(members []member) {
	for _, m := range members {
		w.last[m.name] = ""
	}
	for {
		w.follow(members)
		select {
		case <-time.After(lookInterval):
		case <-w.ctx.Done():
			return
		}
		var err error
		if members, err = w.service.members(w.ctx, w.request.Targets); err != nil {
			members = nil // the next look may see more; those who are followed stay so
		}
	}
}

// follow begins to follow those of the members whose process is not followed yet.
func (w *watching) follow(members []member) {
	w.mu.Lock()
	members = slices.DeleteFunc(slices.Clone(members), func(m member) bool { return w.followed[m.name] != "" })
	w.mu.Unlock()
	for _, g := range w.service.groups(w.ctx, members) {
		if g.err != nil {
			w.lose(g.process, g.err)
			continue
		}
		if past, ok := w.begin(g.process); ok {
			w.running.Go(func() {
				err := g.watch(w, past)
				w.end(g.process)
				w.lose(g.process, err)
			})
		}
	}
}

// begin notes that a process is followed, and says whether to begin with its past. It reports false if the process is
// followed already, by another name.
func (w *watching) begin(p *pb.ChaosProcess) (past, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ok = !slices.Contains(slices.Collect(maps.Values(w.followed)), p.Id)
	switch last, known := w.last[p.Names[0]]; {
	case !known, last != "" && last != p.Id:
		past = true // it came after the call: all of its past is news
	case last == "":
		past = w.request.Past
	}
	for _, name := range p.Names {
		w.followed[name], w.last[name] = p.Id, p.Id
		delete(w.lost, name)
	}
	return past, ok
}

// end notes that a process is not followed any more, by none of its names.
func (w *watching) end(p *pb.ChaosProcess) {
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.DeleteFunc(w.followed, func(_, id string) bool { return id == p.Id })
}

// lose tells the caller that a process is not followed, unless it knows.
func (w *watching) lose(p *pb.ChaosProcess, err error) {
	w.mu.Lock()
	code := status.Code(err)
	known := true
	for _, name := range p.Names {
		known = known && w.lost[name] == code
		w.lost[name] = code
	}
	w.mu.Unlock()
	if !known {
		w.send(&pb.WatchChaosResponse{Process: p, News: &pb.WatchChaosResponse_Lost{Lost: errorOf(err)}})
	}
}

func (w *watching) send(news *pb.WatchChaosResponse) {
	select {
	case w.news <- news:
	case <-w.ctx.Done():
	}
}

// watch sends what fires in the group's process. It returns an error, in the end.
func (g *group) watch(w *watching, past bool) error {
	if g.client == nil {
		return g.watchHere(w, past)
	}
	stream, err := g.client.Watch(w.ctx, &pb.WatchChaosRequest{Targets: itself, Past: past})
	if err != nil {
		return err
	}
	for {
		news, err := stream.Recv()
		switch {
		case err == io.EOF:
			return status.Errorf(codes.Unavailable, "%s has ended the watch", g.name)
		case err != nil:
			return err
		case news.Process.GetId() != g.process.Id:
			return status.Errorf(codes.Unavailable, "%s was restarted", g.name)
		}
		news.Process = g.process
		w.send(news)
	}
}

func (g *group) watchHere(w *watching, past bool) error {
	watch := w.service.scope.Watch
	if past {
		watch = w.service.scope.WatchAll
	}
	firings := watch()
	defer firings.Stop()
	w.send(&pb.WatchChaosResponse{Process: g.process, News: &pb.WatchChaosResponse_Began{Began: true}})
	for {
		e, err := firings.Next(w.ctx)
		if err != nil {
			return err
		}
		w.send(&pb.WatchChaosResponse{Process: g.process, News: &pb.WatchChaosResponse_Fired{Fired: firingOf(e)}})
	}
}
