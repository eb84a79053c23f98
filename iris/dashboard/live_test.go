package dashboard_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"iris/iris/dashboard"
)

func TestAPageThatIsFollowedIsUpToDateWithinASecond(t *testing.T) {
	inBubble(t, func(b *bench) {
		s := b.follow("/jobs")
		defer s.close()
		s.until("page", "No job has been launched")
		time.Sleep(5 * time.Second)
		began := time.Now()
		b.launch("j", "tick")
		s.until("page", `href="/jobs/j"`)
		if took := time.Since(began); took > time.Second {
			t.Errorf("the news took %v", took)
		}
	})
}

func TestNewsComeOnlyWhenThereAreAny(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.launch("j", "tick")
		synctest.Wait()
		s := b.follow("/jobs/j/tasks/0")
		defer s.close()
		s.until("page", "Task 0")
		began := time.Now()
		time.AfterFunc(time.Minute, func() { b.post("/jobs/j/stop", nil) })
		s.next()
		if quiet := time.Since(began); quiet < time.Minute {
			t.Errorf("news came after %v, and nothing happened", quiet)
		}
	})
}

// counting counts the calls on a connection.
type counting struct {
	grpc.ClientConnInterface
	calls atomic.Int64
}

func (c *counting) Invoke(ctx context.Context, method string, in, out any, options ...grpc.CallOption) error {
	c.calls.Add(1)
	return c.ClientConnInterface.Invoke(ctx, method, in, out, options...)
}

func TestManyViewersCostAsMuchAsOneAndNoneCostsNothing(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.leave()
		conn := &counting{ClientConnInterface: b.client.Conn()}
		b.browse(dashboard.Config{Conn: conn, Cluster: "demo", Controller: "c-0"})
		count := func() int64 {
			before := conn.calls.Load()
			time.Sleep(time.Minute)
			synctest.Wait()
			return conn.calls.Load() - before
		}
		first := b.follow("/")
		first.until("page", "Overview")
		one := count()
		var more []*stream
		for range 49 {
			more = append(more, b.follow("/"))
		}
		if many := count(); one < 60 || many > one+6 {
			t.Errorf("in a minute one viewer makes for %d calls, and 50 for %d", one, many)
		}
		for _, s := range append(more, first) {
			s.close()
		}
		synctest.Wait()
		if none := count(); none != 0 {
			t.Errorf("when nobody looks there are %d calls in a minute", none)
		}
	})
}

func TestAPageSaysThatItsControllerIsAwayAndGoesOn(t *testing.T) {
	inBubble(t, func(b *bench) {
		s := b.follow("/workers")
		defer s.close()
		s.until("page", "2 live")
		b.must(b.cluster.Kill("c-0"))
		s.until("trouble", "")
		b.want(b.get("/workers"), 503, "No controller answers", "data-live")
		b.must(b.cluster.Revive("c-0"))
		s.until("page", "2 live")
	})
}

func TestAReaderThatTakesNothingIsLetGo(t *testing.T) {
	inBubble(t, func(b *bench) {
		conn, err := b.network.Dial(b.Context(), home)
		b.must(err)
		defer conn.Close()
		_, err = fmt.Fprintf(conn, "GET /jobs HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n\r\n", home)
		b.must(err)
		for i := range 60 { // more news than the connection holds
			b.launch(fmt.Sprintf("a-job-with-a-long-name-%d", i), "say")
			time.Sleep(time.Second)
		}
		time.Sleep(15 * time.Second)
		synctest.Wait()
		begun := time.Now()
		b.must(b.dashboard.Close())
		if took := time.Since(begun); took > 100*time.Millisecond {
			t.Errorf("it was there still: Close waited for it for %v", took)
		}
	})
}

func TestAStreamEndsAfterAQuarterOfAnHour(t *testing.T) {
	inBubble(t, func(b *bench) {
		s := b.follow("/controllers")
		defer s.close()
		began := time.Now()
		for name, _ := s.next(); name != ""; name, _ = s.next() {
		}
		if lived := time.Since(began); lived != 15*time.Minute {
			t.Errorf("it lived for %v", lived)
		}
	})
}

func TestViewersAreBounded(t *testing.T) {
	inBubble(t, func(b *bench) {
		var all []*stream
		for range 256 {
			all = append(all, b.follow("/controllers"))
		}
		b.want(b.get("/workers", "Accept", "text/event-stream"), http.StatusTooManyRequests, "256 pages are followed")
		b.want(b.get("/workers"), 200)
		all[0].close()
		synctest.Wait()
		s := b.follow("/workers")
		s.until("page", "2 live")
		for _, s := range append(all, s) {
			s.close()
		}
	})
}

func TestCloseEndsEveryStream(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.launch("j", "tick")
		synctest.Wait()
		var all []*stream
		for _, path := range []string{"/", "/jobs/j", "/jobs/j/tasks/0/log", "/chaos", "/chaos/firings"} {
			all = append(all, b.follow(path))
		}
		time.Sleep(time.Second)
		began := time.Now()
		b.must(b.dashboard.Close())
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		for _, s := range all {
			for name, _ := s.next(); name != ""; name, _ = s.next() {
			}
			s.close()
		}
	})
}

// stuck is a connection on which nothing is answered before its caller gives up.
type stuck struct {
	grpc.ClientConnInterface
	under atomic.Int64
}

func (c *stuck) Invoke(ctx context.Context, _ string, _, _ any, _ ...grpc.CallOption) error {
	c.under.Add(1)
	defer c.under.Add(-1)
	<-ctx.Done()
	time.Sleep(10 * time.Second) // it takes longer to give up than Close is patient
	return status.FromContextError(ctx.Err()).Err()
}

func TestCloseWaitsForWhatIsUnderWay(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.leave()
		conn := &stuck{}
		b.browse(dashboard.Config{Conn: conn})
		s := b.follow("/workers")
		answered := make(chan error, 1)
		go func() {
			response, err := b.browser.Get("http://" + home + "/workers")
			if err == nil {
				err = response.Body.Close()
			}
			answered <- err
		}()
		time.Sleep(time.Second)
		if n := conn.under.Load(); n != 2 {
			t.Fatalf("%d calls are under way", n)
		}
		b.must(b.dashboard.Close())
		if n := conn.under.Load(); n != 0 {
			t.Errorf("after Close %d calls are under way", n)
		}
		if err := <-answered; err == nil {
			t.Error("a request that took longer than Close is patient was answered")
		}
		s.close()
	})
}

func TestALogIsFollowedFromAttemptToAttempt(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.launch("j", "tick")
		synctest.Wait()
		s := b.follow("/jobs/j/tasks/0/log")
		s.until("lines", "tick 0")
		began := time.Now()
		s.until("lines", "tick 3")
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("it came after %v", took)
		}
		s.close()
		worker := "w-0"
		b.must(b.cluster.Kill(worker))
		s = b.follow("/jobs/j/tasks/0/log")
		defer s.close()
		s.until("lines", "attempt 1, on w-1")
		s.until("lines", "tick 1")
		b.post("/jobs/j/stop", nil)
		s.until("end", "that is all")
	})
}

func TestALogGoesOnWhereItsReaderWas(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.over(b.launch("j", "say", "one", "two", "<three>"))
		for path, header := range map[string]string{"/jobs/j/tasks/0/log": "0:2", "/jobs/j/tasks/0/log?from=0:2": ""} {
			s := b.follow(path, "Last-Event-ID", header)
			if name, data := s.next(); name != "lines" || strings.Contains(data, "two") || !strings.Contains(data, `three`) {
				t.Errorf("%s goes on with %s %s", path, name, data)
			}
			s.until("end", "")
			s.close()
		}
		for _, nonsense := range []string{"x", "0:x", "-1:5", "9:1", "0:-3", ":"} {
			s := b.follow("/jobs/j/tasks/0/log?attempt=0", "Last-Event-ID", nonsense)
			s.until("lines", "one")
			s.close()
		}
		got := b.get("/jobs/j/tasks/0/log")
		if got.text != "one\ntwo\n<three>\n" || got.header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("as plain text it is %q, %v", got.text, got.header)
		}
		s := b.follow("/jobs/none/tasks/0/log")
		s.until("lines", "unknown")
		s.until("end", "")
		s.close()
	})
}
