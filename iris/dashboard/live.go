package dashboard

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	lookEvery  = 750 * time.Millisecond // between two looks at a page that somebody follows
	maxStreams = 256                    // that are followed at once
	maxLife    = 15 * time.Minute       // of a stream: a browser then asks for another
	beatEvery  = 20 * time.Second       // so often a stream that has no news says that it is there
)

// errCrowded is what who comes too many is told.
var errCrowded = status.Errorf(codes.ResourceExhausted,
	"%d pages are followed already, and that is the most; close some", maxStreams)

// live has the pages that somebody follows.
type live struct {
	ctx     context.Context
	end     context.CancelFunc // of all streams
	running sync.WaitGroup     // topics

	mu      sync.Mutex
	topics  map[string]*topic
	streams int
}

func newLive(ctx context.Context) *live {
	l := &live{topics: map[string]*topic{}}
	l.ctx, l.end = context.WithCancel(ctx)
	return l
}

// wait waits until nothing is looked at any more.
func (l *live) wait() { l.running.Wait() }

// enter counts a stream, and bounds its life. The context ends with the stream, or when all of them do.
func (l *live) enter(ctx context.Context) (context.Context, context.CancelFunc, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.ctx.Err(); err != nil {
		return nil, nil, status.FromContextError(err).Err()
	}
	if l.streams == maxStreams {
		return nil, nil, errCrowded
	}
	l.streams++
	ctx, cancel := context.WithTimeout(ctx, maxLife)
	stop := context.AfterFunc(l.ctx, cancel)
	return ctx, func() {
		stop()
		cancel()
		l.mu.Lock()
		defer l.mu.Unlock()
		l.streams--
	}, nil
}

// topic is a page as one credential sees it. It is looked at as long as somebody follows it.
type topic struct {
	stop    context.CancelFunc
	last    event
	viewers map[chan event]bool
}

// join begins to follow a topic. News come through a channel that holds the last; who is slow misses those before.
func (l *live) join(key string, look func(context.Context) event) (news chan event, leave func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.topics[key]
	if t == nil {
		ctx, stop := context.WithCancel(l.ctx)
		t = &topic{stop: stop, viewers: map[chan event]bool{}}
		l.topics[key] = t
		l.running.Go(func() { l.watch(ctx, t, look) })
	}
	news = make(chan event, 1)
	t.viewers[news] = true
	if t.last.name != "" {
		news <- t.last
	}
	return news, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(t.viewers, news)
		if len(t.viewers) == 0 {
			t.stop()
			if l.topics[key] == t {
				delete(l.topics, key)
			}
		}
	}
}

// watch looks at a topic, and tells its viewers what is new. What takes long to look at is looked at less often.
func (l *live) watch(ctx context.Context, t *topic, look func(context.Context) event) {
	for {
		began := time.Now()
		if e := look(ctx); ctx.Err() == nil {
			l.tell(t, e)
		}
		pause := time.NewTimer(max(lookEvery, 10*time.Since(began)))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return
		}
	}
}

func (l *live) tell(t *topic, e event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.name == t.last.name && bytes.Equal(e.data, t.last.data) {
		return
	}
	t.last = e
	for news := range t.viewers {
		select {
		case <-news: // it is old
		default:
		}
		news <- e
	}
}

// follow streams what is new on a page.
func (s *Server) follow(w http.ResponseWriter, r *http.Request, token string, l look) {
	ctx, leave, err := s.live.enter(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	defer leave()
	news, end := s.live.join(token+"\n"+r.URL.RequestURI(), func(ctx context.Context) event { return s.look(ctx, token, l) })
	defer end()
	out, err := newEvents(w)
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for err == nil {
		select {
		case e := <-news:
			err = out.send(e)
		case <-beat.C:
			err = out.beat()
		case <-ctx.Done():
			return
		}
	}
}

// look is what a page shows now, or why it does not.
func (s *Server) look(ctx context.Context, token string, l look) event {
	ctx, cancel := s.call(ctx, token)
	defer cancel()
	data, err := l.ask(ctx, s.calls)
	var text []byte
	if err == nil {
		text, err = s.news(l, data)
	}
	if err == nil {
		return event{name: "page", data: text}
	}
	f := failed(err)
	if f.Code == http.StatusUnauthorized || f.Code == http.StatusForbidden {
		return event{name: "reload", data: []byte(f.Text)} // it has another page for that
	}
	return event{name: "trouble", data: []byte(f.Text)}
}
