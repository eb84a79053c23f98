package dashboard_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"iris/iris/client"
	"iris/iris/cluster"
	"iris/iris/config"
	"iris/iris/dashboard"
	"iris/iris/faults"
	"iris/iris/network"
	"iris/iris/runtime"
)

// home is where the dashboard of a bench is.
const home = "127.0.0.1:7080"

// bench is a cluster of two workers in virtual time, with its dashboard.
type bench struct {
	*testing.T
	network   *network.Memory
	cluster   *cluster.Manager
	client    *client.Client
	dashboard *dashboard.Server
	browser   *http.Client
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// inBubble runs a test against a dashboard. Nothing of it may be left at the end.
func inBubble(t *testing.T, test func(*bench)) {
	t.Helper()
	inBubbleOf(t, 1, test)
}

// inBubbleOf has so many controllers.
func inBubbleOf(t *testing.T, controllers int, test func(*bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, network: &network.Memory{}}
		description := config.Cluster{Name: "demo", Groups: []config.Group{
			{Name: "cpu", CPU: 4, Memory: 16 << 30, MinSlices: 2, MaxSlices: 2, Zones: []string{"a"}},
		}}
		var err error
		b.cluster, err = cluster.Start(cluster.MakeLocalConfig(description), cluster.Options{
			Network: b.network, Functions: functions(), Controllers: controllers, Log: quiet,
			Services: []func(grpc.ServiceRegistrar){func(s grpc.ServiceRegistrar) {
				faults.Register(s, faults.Config{Cluster: "demo", Names: []string{"c-0", "controller"}, Log: quiet})
			}},
		})
		b.must(err)
		defer func() { b.must(b.cluster.Stop()) }()
		b.must(b.cluster.Ready(t.Context()))
		b.client, err = b.cluster.Connect()
		b.must(err)
		defer func() { b.must(b.client.Close()) }()
		b.browse(dashboard.Config{Conn: b.client.Conn(), Cluster: "demo", Controller: "c-0", Chaos: true})
		defer b.leave()
		test(b)
	})
}

// browse serves a dashboard and makes a browser for it, which follows no redirect.
func (b *bench) browse(c dashboard.Config) {
	b.Helper()
	listener, err := b.network.Listen(home)
	b.must(err)
	c.Log = quiet
	b.dashboard = dashboard.ServeAt(c, listener)
	b.browser = &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return b.network.Dial(ctx, home) },
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (b *bench) leave() {
	b.Helper()
	b.must(b.dashboard.Close())
	b.browser.CloseIdleConnections()
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// functions are what jobs run.
func functions() *runtime.Func {
	f := runtime.NewFunc()
	f.Register("say", func(_ context.Context, t runtime.FuncTask) error {
		for _, text := range t.Args {
			t.Printf("%s", text)
		}
		return nil
	})
	f.Register("fail", func(_ context.Context, t runtime.FuncTask) error { return fmt.Errorf("%s", strings.Join(t.Args, " ")) })
	f.Register("tick", func(ctx context.Context, t runtime.FuncTask) error {
		for i := 0; ; i++ {
			t.Printf("tick %d", i)
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	return f
}

// launch submits a job of a function, under its name as its id.
func (b *bench) launch(id, function string, args ...string) *client.Job {
	b.Helper()
	return b.submit(client.Spec{ID: id, Name: id, Entrypoint: client.Function(function, args...)})
}

func (b *bench) submit(spec client.Spec) *client.Job {
	b.Helper()
	job, err := b.client.Submit(b.Context(), spec)
	b.must(err)
	return job
}

// over waits for the end of a job.
func (b *bench) over(job *client.Job) {
	b.Helper()
	_, err := job.Wait(b.Context())
	b.must(err)
}

// answer is what a request gets.
type answer struct {
	code   int
	header http.Header
	text   string
}

// request makes a request of the browser. Pairs of names and values are its headers.
func (b *bench) request(method, path, body string, headers ...string) answer {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), method, "http://"+home+path, strings.NewReader(body))
	b.must(err)
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := b.browser.Do(r)
	b.must(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	b.must(err)
	return answer{response.StatusCode, response.Header, string(text)}
}

func (b *bench) get(path string, headers ...string) answer {
	b.Helper()
	return b.request(http.MethodGet, path, "", headers...)
}

// post sends a form, as a page of the dashboard would.
func (b *bench) post(path string, form url.Values, headers ...string) answer {
	b.Helper()
	return b.request(http.MethodPost, path, form.Encode(), append([]string{"Sec-Fetch-Site", "same-origin"}, headers...)...)
}

// want checks a page: its code, what is on it, and (after a "!") what is not.
func (b *bench) want(got answer, code int, texts ...string) {
	b.Helper()
	if got.code != code {
		b.Errorf("the answer is %d, want %d:\n%s", got.code, code, got.text)
	}
	for _, text := range texts {
		text, unwanted := strings.CutPrefix(text, "!")
		if strings.Contains(got.text, text) == unwanted {
			b.Errorf("the page has %q: %v\n%s", text, !unwanted, got.text)
		}
	}
}

// stream is a page, or a log, that is followed.
type stream struct {
	*bench
	body  io.ReadCloser
	lines *bufio.Scanner
}

// follow begins to follow a page or a log.
func (b *bench) follow(path string, headers ...string) *stream {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://"+home+path, nil)
	b.must(err)
	r.Header.Set("Accept", "text/event-stream")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := b.browser.Do(r)
	b.must(err)
	if response.StatusCode != http.StatusOK {
		b.Fatalf("%s is not followed: %s", path, response.Status)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	return &stream{b, response.Body, lines}
}

// next is the next event: its name and its data. The name of the end is empty.
func (s *stream) next() (name, data string) {
	s.Helper()
	var all []string
	for s.lines.Scan() {
		switch field, value, _ := strings.Cut(s.lines.Text(), ": "); {
		case field == "event":
			name = value
		case field == "data":
			all = append(all, value)
		case s.lines.Text() == "" && name != "":
			return name, strings.Join(all, "\n")
		}
	}
	return "", ""
}

// until waits for an event with a text in it.
func (s *stream) until(name, text string) string {
	s.Helper()
	for {
		got, data := s.next()
		if got == "" {
			s.Fatalf("the stream ended before %q with %q", name, text)
		}
		if got == name && strings.Contains(data, text) {
			return data
		}
	}
}

func (s *stream) close() { _ = s.body.Close() }
