package faults_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iris/chaos"
	"iris/iris/faults"
)

// reader reads a stream as long as it lasts and keeps what it says.
type reader struct {
	t      *testing.T
	mu     sync.Mutex
	said   []string
	ended  chan struct{}
	reason error
}

// read begins to read until the bubble is over.
func read(t *testing.T, open func(context.Context, ...string) (*faults.Stream, error), targets ...string) *reader {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	stream, err := open(ctx, targets...)
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{t: t, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		for {
			news, err := stream.Next()
			if err != nil {
				r.reason = err
				return
			}
			r.mu.Lock()
			r.said = append(r.said, inWords(news))
			r.mu.Unlock()
		}
	}()
	t.Cleanup(func() { leave(); <-r.ended })
	return r
}

func inWords(n faults.News) string {
	text := strings.Join(n.Process.Names, "+")
	switch {
	case n.Began:
		text += " began"
	case n.Lost != nil:
		text += " lost: " + status.Code(n.Lost).String()
	case n.Fired != nil:
		text += fmt.Sprintf(" fired %s at %s#%d", n.Fired.ID, n.Fired.Target, n.Fired.Nth)
		if n.Fired.Missed > 0 {
			text += fmt.Sprintf(" after %d more", n.Fired.Missed)
		}
	}
	return text
}

// expect fails unless the reader was told these, in any order between processes, and nothing else since it was asked last.
func (r *reader) expect(want ...string) {
	r.t.Helper()
	synctest.Wait()
	r.mu.Lock()
	got := r.said
	r.said = nil
	r.mu.Unlock()
	byProcess := func(said []string) map[string][]string {
		all := map[string][]string{}
		for _, s := range said {
			name, _, _ := strings.Cut(s, " ")
			all[name] = append(all[name], s)
		}
		return all
	}
	if fmt.Sprint(byProcess(got)) != fmt.Sprint(byProcess(want)) {
		r.t.Errorf("the reader was told\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func enable(t *testing.T, client *faults.Client, id, text string, targets ...string) {
	t.Helper()
	if _, err := client.EnableAs(t.Context(), id, text, targets...); err != nil {
		t.Fatal(err)
	}
}

func TestAWatchTellsWhatFiresInEveryProcess(t *testing.T) {
	bubble(t, []string{"w-0", "w-1"}, func(t *testing.T, l *lab, client *faults.Client) {
		enable(t, client, "x", "test.beat skip 1")
		l.hit("process-of-w-0", "w-0")
		l.hit("process-of-w-0", "w-0")
		r := read(t, client.Watch)
		one := read(t, client.Watch, "w-1")
		past := read(t, client.WatchAll, "w-0")
		r.expect("c-0 began", "w-0 began", "w-1 began")
		one.expect("w-1 began")
		past.expect("w-0 began", "w-0 fired x at w-0#2")
		l.hit("process-of-w-0", "w-0")
		l.hit("process-of-w-1", "w-1")
		l.hit("process-of-w-1", "w-1")
		r.expect("w-0 fired x at w-0#3", "w-1 fired x at w-1#2")
		one.expect("w-1 fired x at w-1#2")
		past.expect("w-0 fired x at w-0#3")
		time.Sleep(time.Hour)
		r.expect()
	})
}

func TestAFiringIsToldWithAllThatIsKnownOfIt(t *testing.T) {
	bubble(t, []string{"w-0"}, func(t *testing.T, l *lab, client *faults.Client) {
		enable(t, client, "x", "test.beat delay 1s fail")
		stream, err := client.Watch(t.Context(), "w-0")
		if err != nil {
			t.Fatal(err)
		}
		news, err := stream.Next()
		equal(t, "begin", inWords(news), "w-0 began")
		equal(t, "error", err, nil)
		began := time.Now()
		l.hit("process-of-w-0", "w-0")
		news, err = stream.Next()
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "process", fmt.Sprint(news.Process), "{process-of-w-0 [w-0]}")
		equal(t, "time", news.Fired.At.Equal(began), true)
		news.Fired.At = time.Time{}
		cluster := l.cluster("process-of-w-0")
		equal(t, "firing", fmt.Sprintf("%+v", *news.Fired), fmt.Sprintf("{At:0001-01-01 00:00:00 +0000 UTC ID:x "+
			"Rule:test.beat[cluster=%q] delay 1s fail Site:test.beat Target:w-0 Nth:1 Labels:map[cluster:%s worker:w-0] "+
			"Action:delay 1s fail Missed:0}", cluster, cluster))
	})
}

func TestAWatchOfAnUnknownTargetIsRefused(t *testing.T) {
	bubble(t, []string{"w-0"}, func(t *testing.T, l *lab, client *faults.Client) {
		stream, err := client.Watch(t.Context(), "w-9")
		if err != nil {
			t.Fatal(err)
		}
		_, err = stream.Next()
		equal(t, "code", status.Code(err), codes.NotFound)
	})
}

func TestAWatchFollowsProcessesThatComeAndGo(t *testing.T) {
	bubble(t, []string{"w-0", "w-1"}, func(t *testing.T, l *lab, client *faults.Client) {
		enable(t, client, "x", "test.beat")
		l.peers["w-1"].stop()
		r := read(t, client.Watch)
		r.expect("c-0 began", "w-0 began", "w-1 lost: Unavailable")

		l.peers["w-0"].stop() // as the network does: the process is there, and its rule too
		time.Sleep(time.Minute)
		r.expect("w-0 lost: Unavailable")
		l.hit("process-of-w-0", "w-0")
		l.again("w-0", "process-of-w-0")
		time.Sleep(time.Minute)
		l.hit("process-of-w-0", "w-0")
		r.expect("w-0 began", "w-0 fired x at w-0#2")

		l.again("w-1", "process-of-w-1") // it was only unreachable, since before the watch
		l.hit("process-of-w-1", "w-1")
		time.Sleep(time.Minute)
		l.hit("process-of-w-1", "w-1")
		r.expect("w-1 began", "w-1 fired x at w-1#2")

		l.peers["w-0"].stop()
		l.again("w-0", "a new process") // a restart: all that it does is news
		enable(t, client, "y", "test.beat", "w-0")
		l.hit("a new process", "w-0")
		l.join(l.start("w-2", "process-of-w-2")) // one that comes later, too
		enable(t, client, "z", "test.beat", "w-2")
		l.hit("process-of-w-2", "w-2")
		time.Sleep(time.Minute)
		r.expect("w-0 lost: Unavailable", "w-0 began", "w-0 fired y at w-0#1", "w-2 began", "w-2 fired z at w-2#1")
	})
}

func TestAWatchTellsOnceOfAProcessWithManyNames(t *testing.T) {
	bubble(t, []string{"w-0"}, func(t *testing.T, l *lab, client *faults.Client) {
		l.join(l.start("w-1", "process-of-w-0"))
		enable(t, client, "x", "test.beat")
		r := read(t, client.Watch)
		r.expect("c-0 began", "w-0+w-1 began")
		l.join(l.start("w-2", "process-of-w-0"))
		time.Sleep(time.Minute)
		l.hit("process-of-w-0", "w-2")
		r.expect("w-0+w-1 fired x at w-2#1")
	})
}

func TestASlowReaderOfAWatchIsToldWhatItMissed(t *testing.T) {
	const kept = 1024 // by each process for each watch
	bubble(t, []string{"w-0"}, func(t *testing.T, l *lab, client *faults.Client) {
		enable(t, client, "x", "test.beat", "w-0")
		stream, err := client.Watch(t.Context(), "w-0")
		if err != nil {
			t.Fatal(err)
		}
		if news, err := stream.Next(); err != nil || !news.Began {
			t.Fatal(news, err)
		}
		const hits = 8_000 // more than all buffers on the way hold
		for range hits {
			l.hit("process-of-w-0", "w-0")
		}
		synctest.Wait()
		seen, missed := 0, 0
		for seen+missed < hits {
			news, err := stream.Next()
			if err != nil {
				t.Fatal(err)
			}
			seen++
			missed += news.Fired.Missed
			equal(t, "hit", news.Fired.Nth, seen+missed)
		}
		if seen < kept || missed == 0 {
			t.Errorf("%d were seen and %d missed", seen, missed)
		}
	})
}

func TestAWatchEndsWithItsCallerAndWithTheServer(t *testing.T) {
	bubble(t, []string{"w-0"}, func(t *testing.T, l *lab, client *faults.Client) {
		enable(t, client, "x", "test.beat", "w-0")
		ctx, leave := context.WithCancel(t.Context())
		stream, err := client.Watch(ctx)
		if err != nil {
			t.Fatal(err)
		}
		_, err = stream.Next()
		equal(t, "error", err, nil)
		synctest.Wait()
		equal(t, "streams", l.watches.Load(), 2)
		leave()
		for err == nil {
			_, err = stream.Next()
		}
		equal(t, "code after the caller left", status.Code(err), codes.Canceled)
		synctest.Wait()
		equal(t, "streams after the caller left", l.watches.Load(), 0)

		r := read(t, client.Watch)
		r.expect("c-0 began", "w-0 began")
		l.controller.stop()
		<-r.ended
		equal(t, "code after the server stopped", status.Code(r.reason), codes.Unavailable)
	})
}

func TestFiringsAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(chaos.Reset)
		scope := chaos.In(t.Name())
		if _, err := scope.EnableText("test.beat max 2", chaos.ID("x")); err != nil {
			t.Fatal(err)
		}
		hit := func() { _ = beat.Hit(t.Context(), chaos.Labels{"cluster": t.Name(), "worker": "w-0"}) }
		hit() // before anybody logs
		var out bytes.Buffer
		ctx, stop := context.WithCancel(t.Context())
		var logging sync.WaitGroup
		logging.Go(func() {
			faults.Log(ctx, t.Name(), slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{
				ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
					if a.Key == slog.TimeKey {
						return slog.Attr{}
					}
					return a
				},
			})))
		})
		synctest.Wait()
		hit()
		synctest.Wait()
		stop()
		logging.Wait()
		line := `level=WARN msg="chaos rule fired" id=x rule="test.beat[cluster=TestFiringsAreLogged] max 2 fail" ` +
			`labels="map[cluster:TestFiringsAreLogged worker:w-0]" hit=%d` + "\n"
		equal(t, "log", out.String(), fmt.Sprintf(line+line, 1, 2))
	})
}
